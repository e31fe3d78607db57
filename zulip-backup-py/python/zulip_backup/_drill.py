"""Rehearsing a restore."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from zulip_backup._arguments import StrPath, jobs_of, path_of, request
from zulip_backup._events import ProgressCallback
from zulip_backup._finding import Finding
from zulip_backup._objects import Report, run


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was checked."""

    name: str
    """Stable kebab-case name: ``archive``, ``database``, ``rows``, ``foreign-keys``, ``sequences``, ``migrations``, ``settings``, ``uploads``, ``attachments``."""
    outcome: Literal["passed", "failed", "skipped"]
    """How it ended."""
    detail: str
    """What was compared with what, in numbers."""
    seconds: float
    """How long it took."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Certificate(Report):
    """A dated statement about one archive. Its JSON is stable: keys are added, never changed."""

    format: int
    """Version of this format."""
    archive: Path
    """The archive."""
    archive_bytes: int
    """Its size."""
    manifest_sha256: str | None = None
    """SHA-256 of its manifest, which stands for the whole archive; absent for archives of other tools."""
    archive_created_at: datetime | None = None
    """When the backup was made, where that is known; RFC 3339."""
    drilled_at: datetime
    """When the rehearsal ended; RFC 3339."""
    hostname: str
    """The machine it ran on."""
    tool_version: str
    """Version of this program."""
    postgres_version: str | None = None
    """Version of the throw-away server; absent where the archive has no database."""
    passed: bool
    """Whether nothing failed."""
    checks: tuple[Check, ...]
    """What was checked, in order."""
    left_out: tuple[str, ...]
    """What the database was restored without, because this machine does not have it."""
    findings: tuple[Finding, ...]
    """What was found."""
    seconds: float
    """How long a restore of this archive takes here, all in all."""


def drill(
    archive: StrPath,
    *,
    work_dir: StrPath | None = None,
    certificate: StrPath | None = None,
    keep: bool = False,
    jobs: int | None = None,
    ignore_space: bool = False,
    progress: ProgressCallback | None = None,
) -> Certificate:
    """Restore an archive into a throw-away server, check what came of it, and certify that.

    What fails is no exception but the result: ``passed`` says no.

    :param work_dir: where the throw-away server and the files go; absent: the system's temp directory
    :param certificate: where the certificate goes; absent: beside the archive, as ``<archive>.drill.json``
    :param keep: leave the restored files in place
    """
    options = request(
        work_dir=work_dir, certificate=certificate, keep=keep, jobs=jobs_of(jobs), ignore_space=ignore_space
    )
    return run(Certificate, {"verb": "drill", "archive": path_of("archive", archive), "options": options}, progress)
