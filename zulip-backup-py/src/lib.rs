//! The extension module `zulip_backup._native`: the core's verbs for Python.
//!
//! Nothing is decided here. A request becomes the core's options ([`request`]), its plans and reports go back as JSON and as
//! the text that people read ([`outcome`]), its errors become exceptions ([`errors`]), and while a verb works Python goes on
//! ([`work`]). What has types for Python is written in Python: the package makes objects of the JSON.

use pyo3::prelude::*;

mod errors;
mod outcome;
mod plan;
mod request;
mod verbs;
mod work;

/// The verbs of zulip-backup. Private: `zulip_backup` is the door.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::errors::exception_class;
    #[pymodule_export]
    use crate::plan::Plan;
    #[pymodule_export]
    use crate::verbs::{plan, run};

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
