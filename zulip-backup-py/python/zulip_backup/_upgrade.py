"""Making exports of an older Zulip those of a newer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zulip_backup._arguments import StrPath, jobs_of, path_of, request
from zulip_backup._events import ProgressCallback
from zulip_backup._finding import Finding
from zulip_backup._objects import Plan, Report, planned


@dataclass(frozen=True, kw_only=True)
class PlannedUpgradeStep:
    """A step to the next release, as it will be taken."""

    from_: str = field(metadata={"key": "from"})
    """From this release."""
    to: str
    """To this one."""
    derived: dict[str, str]
    """Keys whose values follow from others', by those; ``rows of others`` where it takes more than the row."""
    defaulted: dict[str, Any]
    """Keys that get one value in all rows."""
    lost: tuple[str, ...]
    """Keys that nothing is made of."""


@dataclass(frozen=True, kw_only=True)
class UpgradedStep:
    """What became of rows in a step."""

    from_: str = field(metadata={"key": "from"})
    """From this release."""
    to: str
    """To this one."""
    made: dict[str, int]
    """Rows that were made, by list."""
    left_out: dict[str, int]
    """Rows that are left out, by list."""
    lost: dict[str, int]
    """How many rows said something that is lost, by key."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class UpgradeReport(Report):
    """What an upgrade did. Its JSON is stable: keys are added, never changed."""

    path: Path
    """The directory or archive."""
    zulip_version: str
    """The Zulip version that it is of now."""
    steps: tuple[UpgradedStep, ...]
    """What became of rows, by steps."""
    rows: int
    """Rows of all lists."""
    files: int
    """Uploaded files."""
    archive_bytes: int | None = None
    """Size of an archive."""
    sha256: str | None = None
    """SHA-256 of an archive."""
    findings: tuple[Finding, ...]
    """What the check of the new export found: warnings."""
    seconds: float
    """What all took, in seconds."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class UpgradePlan(Plan["UpgradeReport"]):
    """What an upgrade will do, before anything is done. This is the dry run."""

    _report = UpgradeReport

    path: Path
    """The export."""
    output: Path
    """The directory or archive that will be written."""
    from_: str = field(metadata={"key": "from"})
    """The Zulip release that the export is of, by its major version."""
    to: str
    """The Zulip version that it will be of."""
    steps: tuple[PlannedUpgradeStep, ...]
    """The steps, in order."""
    findings: tuple[Finding, ...]
    """What was noticed about the export."""


def plan_upgrade_export(
    path: StrPath,
    *,
    to: str,
    output: StrPath,
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
) -> UpgradePlan:
    """Look at an export, and say by which steps it becomes one of another Zulip version.

    :param path: the export of the older Zulip: a directory or a tarball
    :param to: the Zulip version that it is to be of, as the server says it: ``10.1``
    :param output: the directory to write, or the archive where the name ends in ``.tar.gz``, ``.tgz`` or ``.tar.zst``
    :param jobs: how many threads the checks take; absent: the machine's processors
    """
    options = request(to=to, output=output, jobs=jobs_of(jobs))
    return planned(UpgradePlan, {"verb": "upgrade", "path": path_of("path", path), "options": options}, progress)


def upgrade_export(
    path: StrPath,
    *,
    to: str,
    output: StrPath,
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
) -> UpgradeReport:
    """Make an export of an older Zulip one of a newer. The arguments are those of :func:`plan_upgrade_export`."""
    plan = plan_upgrade_export(path, to=to, output=output, jobs=jobs, progress=progress)
    return plan.execute(progress=progress)
