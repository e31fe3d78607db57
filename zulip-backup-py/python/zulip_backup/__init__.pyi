__all__: list[str]

from zulip_backup import realm as realm
from zulip_backup._archive import (
    DatabaseSummary as DatabaseSummary,
    Fitting as Fitting,
    ExtractReport as ExtractReport,
    InspectReport as InspectReport,
    Needs as Needs,
    SecretNames as SecretNames,
    TableCheck as TableCheck,
    VerifyReport as VerifyReport,
    extract as extract,
    inspect as inspect,
    verify as verify,
)
from zulip_backup._backup import (
    BackupPlan as BackupPlan,
    BackupReport as BackupReport,
    PlannedDatabase as PlannedDatabase,
    PlannedUploads as PlannedUploads,
    SectionReport as SectionReport,
    SourceFacts as SourceFacts,
    create as create,
    plan_create as plan_create,
)
from zulip_backup._drill import (
    Certificate as Certificate,
    Check as Check,
    drill as drill,
)
from zulip_backup._events import (
    Begin as Begin,
    End as End,
    FindingDict as FindingDict,
    FindingEvent as FindingEvent,
    Message as Message,
    ProgressCallback as ProgressCallback,
    ProgressEvent as ProgressEvent,
    Step as Step,
)
from zulip_backup._exceptions import (
    ConfigError as ConfigError,
    DamagedError as DamagedError,
    IncompatibleError as IncompatibleError,
    IoError as IoError,
    LockedError as LockedError,
    NotFoundError as NotFoundError,
    PostgresError as PostgresError,
    RefusedError as RefusedError,
    StoreError as StoreError,
    UsageError as UsageError,
    ZulipBackupError as ZulipBackupError,
)
from zulip_backup._export import (
    Consent as Consent,
    ExportPlan as ExportPlan,
    ExportReport as ExportReport,
    PlannedUser as PlannedUser,
    export as export,
    export_user as export_user,
    plan_export as plan_export,
    plan_export_user as plan_export_user,
)
from zulip_backup._finding import (
    Finding as Finding,
)
from zulip_backup._import import (
    ImportPlan as ImportPlan,
    ImportReport as ImportReport,
    NextStep as NextStep,
    import_ as import_,
    plan_import as plan_import,
)
from zulip_backup._native import (
    __version__ as __version__,
)
from zulip_backup._objects import (
    Plan as Plan,
    Report as Report,
)
from zulip_backup._render import (
    Renderer as Renderer,
    Unrendered as Unrendered,
)
from zulip_backup._restore import (
    DatabaseReport as DatabaseReport,
    EndReport as EndReport,
    PlannedStep as PlannedStep,
    Preflight as Preflight,
    RestorePlan as RestorePlan,
    RestoreReport as RestoreReport,
    StepReport as StepReport,
    TreeReport as TreeReport,
    commit_restore as commit_restore,
    plan_restore as plan_restore,
    rollback_restore as rollback_restore,
)
from zulip_backup._sections import (
    SectionFacts as SectionFacts,
)
from zulip_backup._site import (
    Container as Container,
    DatabaseAddress as DatabaseAddress,
    DeploymentSummary as DeploymentSummary,
    Part as Part,
    Roles as Roles,
    SettingsDir as SettingsDir,
    Site as Site,
    SiteReport as SiteReport,
    UploadsBackend as UploadsBackend,
    ZulipVersion as ZulipVersion,
)
from zulip_backup._upgrade import (
    PlannedUpgradeStep as PlannedUpgradeStep,
    UpgradePlan as UpgradePlan,
    UpgradeReport as UpgradeReport,
    UpgradedStep as UpgradedStep,
    plan_upgrade_export as plan_upgrade_export,
    upgrade_export as upgrade_export,
)
from zulip_backup._validate import (
    ChangedRow as ChangedRow,
    ChangedValue as ChangedValue,
    Difference as Difference,
    DiffReport as DiffReport,
    Excerpt as Excerpt,
    LeftOut as LeftOut,
    ListDifference as ListDifference,
    NameDifference as NameDifference,
    ExportSummary as ExportSummary,
    ValidateReport as ValidateReport,
    diff as diff,
    summarize as summarize,
    validate as validate,
)
from zulip_backup._watch import (
    Watch as Watch,
    watch as watch,
)
