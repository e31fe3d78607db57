//! The extension module `zulip_backup._native`: the core's verbs for Python.
//!
//! Nothing is decided here. Arguments become the core's options, its reports become objects with typed attributes, its
//! errors become exceptions ([`errors`]), and while a verb works Python goes on ([`run`]).

use pyo3::prelude::*;

mod errors;
mod finding;
mod report;
mod run;
mod verbs;

/// Back up, verify and inspect whole Zulip servers. Private: `zulip_backup` is the door.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::errors::exception_class;
    #[pymodule_export]
    use crate::finding::Finding;
    #[pymodule_export]
    use crate::report::{BackupReport, InspectReport, VerifyReport};
    #[pymodule_export]
    use crate::verbs::{create, inspect, verify};

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
