"""Back up, verify, restore and rehearse whole Zulip servers; export, check and import organisations.

>>> import zulip_backup
>>> report = zulip_backup.create(output="/srv/backups/zulip.tar.gz")  # doctest: +SKIP
>>> zulip_backup.verify(report.path).raise_if_damaged()  # doctest: +SKIP

Every verb that changes something has a plan: ``plan_create`` says what ``create`` will do, and its ``execute`` does it.
Every function blocks until its work is done and lets other Python threads run meanwhile. Ctrl-C stops it, and it cleans
up before KeyboardInterrupt is raised. Errors are of the classes below ZulipBackupError. ``progress`` is any callable; it
is called on the calling thread with one ProgressEvent after the other, and what it raises stops the work. ``watch`` makes
an iterator of it. What is noticed goes to the logger ``zulip_backup`` as well.
"""

from zulip_backup import realm
from zulip_backup._archive import (
    DatabaseSummary,
    ExtractReport,
    InspectReport,
    Needs,
    SecretNames,
    TableCheck,
    VerifyReport,
    extract,
    inspect,
    verify,
)
from zulip_backup._backup import (
    BackupPlan,
    BackupReport,
    PlannedDatabase,
    PlannedUploads,
    SectionFacts,
    SectionReport,
    SourceFacts,
    create,
    plan_create,
)
from zulip_backup._drill import Certificate, Check, drill
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
from zulip_backup._export import (
    ExportPlan,
    ExportReport,
    PlannedUser,
    export,
    export_user,
    plan_export,
    plan_export_user,
)
from zulip_backup._finding import Finding
from zulip_backup._import import ImportPlan, ImportReport, NextStep, import_, plan_import
from zulip_backup._native import __version__
from zulip_backup._objects import Plan, Report
from zulip_backup._render import Renderer, Unrendered
from zulip_backup._restore import (
    DatabaseReport,
    EndReport,
    PlannedStep,
    Preflight,
    RestorePlan,
    RestoreReport,
    StepReport,
    TreeReport,
    commit_restore,
    plan_restore,
    rollback_restore,
)
from zulip_backup._site import Container, Site, SiteReport
from zulip_backup._validate import (
    DiffReport,
    LeftOut,
    ListDifference,
    NameDifference,
    ValidateReport,
    diff,
    validate,
)
from zulip_backup._watch import Watch, watch

__all__ = [
    "BackupPlan",
    "BackupReport",
    "Begin",
    "Certificate",
    "Check",
    "ConfigError",
    "Container",
    "DamagedError",
    "DatabaseReport",
    "DatabaseSummary",
    "DiffReport",
    "End",
    "EndReport",
    "ExportPlan",
    "ExportReport",
    "ExtractReport",
    "Finding",
    "FindingDict",
    "FindingEvent",
    "ImportPlan",
    "ImportReport",
    "IncompatibleError",
    "InspectReport",
    "IoError",
    "LeftOut",
    "ListDifference",
    "LockedError",
    "Message",
    "NameDifference",
    "Needs",
    "NextStep",
    "NotFoundError",
    "Plan",
    "PlannedDatabase",
    "PlannedStep",
    "PlannedUploads",
    "PlannedUser",
    "PostgresError",
    "Preflight",
    "ProgressCallback",
    "ProgressEvent",
    "RefusedError",
    "Report",
    "Renderer",
    "RestorePlan",
    "RestoreReport",
    "SecretNames",
    "SectionFacts",
    "SectionReport",
    "Site",
    "SiteReport",
    "SourceFacts",
    "Step",
    "StepReport",
    "StoreError",
    "TableCheck",
    "TreeReport",
    "Unrendered",
    "UsageError",
    "ValidateReport",
    "VerifyReport",
    "Watch",
    "ZulipBackupError",
    "__version__",
    "commit_restore",
    "create",
    "diff",
    "drill",
    "export",
    "export_user",
    "extract",
    "import_",
    "inspect",
    "plan_create",
    "plan_export",
    "plan_export_user",
    "plan_import",
    "plan_restore",
    "realm",
    "rollback_restore",
    "validate",
    "verify",
    "watch",
]
