//! How the process ends.

use zulip_backup_core::{Error, ErrorKind};

use crate::signals::Stop;

/// What became of a verb that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well: 0.
    Done,
    /// Done, and a person should look at the report: 1.
    Findings,
    /// The work was to look, and what was looked at is damaged: 4.
    Damaged,
}

impl Exit {
    /// Done, with or without findings.
    pub fn done(findings: bool) -> Self {
        if findings { Self::Findings } else { Self::Done }
    }

    /// The process's exit status.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Findings => 1,
            Self::Damaged => ErrorKind::Damaged.exit_code(),
        }
    }
}

/// The exit status after an error. An interruption has that of its signal.
pub fn code_of(error: &Error, stop: &Stop) -> u8 {
    let code = error.kind().exit_code();
    if error.kind() == ErrorKind::Interrupted { stop.exit_code().unwrap_or(code) } else { code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract() {
        assert_eq!([Exit::Done, Exit::Findings, Exit::Damaged].map(Exit::code), [0, 1, 4]);
        assert_eq!(code_of(&Error::interrupted(), &Stop::default()), 130);
        assert_eq!(code_of(&Error::new(ErrorKind::Locked, "x"), &Stop::default()), 5);
    }
}
