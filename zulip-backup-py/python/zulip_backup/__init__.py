"""Back up, verify and inspect whole Zulip servers.

>>> import zulip_backup
>>> report = zulip_backup.create(output="/srv/backups/zulip.tar.gz")  # doctest: +SKIP
>>> zulip_backup.verify(report.path).raise_if_damaged()  # doctest: +SKIP

Every function blocks until its work is done and lets other Python threads run meanwhile. Ctrl-C stops it, and it cleans
up before KeyboardInterrupt is raised. Errors are of the classes below ZulipBackupError. ``progress`` is any callable; it
is called on the calling thread with one ProgressEvent after the other, and what it raises stops the work.
"""

from zulip_backup._events import (
    Begin,
    End,
    FindingDict,
    FindingEvent,
    Message,
    ProgressCallback,
    ProgressEvent,
    Step,
)
from zulip_backup._exceptions import (
    ConfigError,
    DamagedError,
    IncompatibleError,
    IoError,
    LockedError,
    NotFoundError,
    PostgresError,
    RefusedError,
    StoreError,
    UsageError,
    ZulipBackupError,
)
from zulip_backup._native import (
    BackupReport,
    Finding,
    InspectReport,
    VerifyReport,
    __version__,
    create,
    inspect,
    verify,
)

__all__ = [
    "BackupReport",
    "Begin",
    "ConfigError",
    "DamagedError",
    "End",
    "Finding",
    "FindingDict",
    "FindingEvent",
    "IncompatibleError",
    "InspectReport",
    "IoError",
    "LockedError",
    "Message",
    "NotFoundError",
    "PostgresError",
    "ProgressCallback",
    "ProgressEvent",
    "RefusedError",
    "Step",
    "StoreError",
    "UsageError",
    "VerifyReport",
    "ZulipBackupError",
    "__version__",
    "create",
    "inspect",
    "verify",
]
