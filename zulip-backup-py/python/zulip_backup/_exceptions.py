"""What can go wrong, as a caller tells it apart: by class, never by text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zulip_backup._events import FindingDict
from zulip_backup._finding import Finding


class ZulipBackupError(Exception):
    """Anything that went wrong; its text names the object, both values, and the causes."""

    kind: str
    """The stable name of the kind of error: the one that the command's JSON has."""
    exit_code: int
    """What the command ends with on an error of this kind."""
    path: Path | None
    """The file or directory it is about, where there is one."""
    hint: str | None
    """What the reader can do about it, where that is known."""
    reasons: tuple[Finding, ...]
    """All the reasons found together, where several could be known at once."""

    def __init__(
        self,
        message: str,
        *,
        kind: str = "io",
        exit_code: int = 6,
        path: Path | None = None,
        hint: str | None = None,
        reasons: Iterable[Finding | FindingDict] = (),
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.exit_code = exit_code
        self.path = path
        self.hint = hint
        self.reasons = tuple(reason if isinstance(reason, Finding) else Finding(**reason) for reason in reasons)
        # A traceback shows notes, from Python 3.11 on.
        add_note = getattr(self, "add_note", None)
        if hint is not None and add_note is not None:
            add_note(f"hint: {hint}")


class UsageError(ZulipBackupError):
    """The request itself makes no sense: contradicting options, an unknown name."""


class IncompatibleError(ZulipBackupError):
    """Two things do not fit each other: versions, formats, encodings."""


class RefusedError(ZulipBackupError):
    """The operation would be unsafe and was not begun."""


class DamagedError(ZulipBackupError):
    """Data is not what it was, or not what it claims to be."""


class LockedError(ZulipBackupError):
    """Somebody else is at work on the same thing."""


class PostgresError(ZulipBackupError):
    """PostgreSQL, or one of its tools, answered with an error."""


class StoreError(ZulipBackupError):
    """A remote store answered with an error."""


class IoError(ZulipBackupError):
    """The operating system answered with an error."""


class NotFoundError(ZulipBackupError):
    """Something that was named does not exist."""


class ConfigError(ZulipBackupError):
    """A setting is missing, unreadable or wrong."""
