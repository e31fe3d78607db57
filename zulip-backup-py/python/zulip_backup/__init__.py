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

from importlib import import_module

# What is where. It is loaded when it is asked for: all of it at once would take longer than starting Python does, and a
# script is about a verb or two. What type checkers read is `__init__.pyi`.
_PLACES = {
    "_archive": (
        "DatabaseSummary ExtractReport Fitting InspectReport Needs SecretNames TableCheck VerifyReport extract inspect "
        "verify"
    ),
    "_backup": (
        "BackupPlan BackupReport PlannedDatabase PlannedUploads SectionReport SourceFacts create "
        "plan_create"
    ),
    "_drill": "Certificate Check drill",
    "_events": "Begin End FindingDict FindingEvent Message ProgressCallback ProgressEvent Step",
    "_exceptions": (
        "ConfigError DamagedError IncompatibleError IoError LockedError NotFoundError PostgresError RefusedError "
        "StoreError UsageError ZulipBackupError"
    ),
    "_export": "Consent ExportPlan ExportReport PlannedUser export export_user plan_export plan_export_user",
    "_finding": "Finding",
    "_import": "ImportPlan ImportReport NextStep import_ plan_import",
    "_native": "__version__",
    "_objects": "Plan Report",
    "_render": "Renderer Unrendered",
    "_restore": (
        "DatabaseReport EndReport PlannedStep Preflight RestorePlan RestoreReport StepReport TreeReport "
        "commit_restore plan_restore rollback_restore"
    ),
    "_sections": "SectionFacts",
    "_site": (
        "Container DatabaseAddress DeploymentSummary Part Roles SettingsDir Site SiteReport UploadsBackend "
        "ZulipVersion"
    ),
    "_upgrade": (
        "PlannedUpgradeStep UpgradePlan UpgradeReport UpgradedStep plan_upgrade_export upgrade_export"
    ),
    "_validate": (
        "ChangedRow ChangedValue Difference DiffReport Excerpt LeftOut ListDifference NameDifference "
        "ExportSummary ValidateReport diff summarize validate"
    ),
    "_watch": "Watch watch",
}
_HOMES = {name: f"{__name__}.{module}" for module, names in _PLACES.items() for name in names.split()}

__all__ = ["realm", *_HOMES]


def __getattr__(name: str) -> object:
    if name == "realm":
        return import_module(f"{__name__}.realm")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    # Python does not ask again.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
