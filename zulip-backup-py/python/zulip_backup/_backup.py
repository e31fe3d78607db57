"""Backing up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zulip_backup._arguments import StrPath, jobs_of, request
from zulip_backup._events import ProgressCallback
from zulip_backup._finding import Finding
from zulip_backup._objects import Plan, Report, planned
from zulip_backup._sections import SectionFacts
from zulip_backup._site import Site


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """The server an archive was taken from."""

    hostname: str
    """Host name of the machine."""
    external_host: str | None = None
    """``EXTERNAL_HOST``, where it could be known."""
    production: bool
    """Whether it was a production server (``settings/``) or a development one (``zproject/``)."""
    docker: bool
    """Whether Zulip ran in the docker image."""
    zulip_version: str
    """Lines of ``zulip-version``."""
    zulip_git_describe: str | None = None
    """``git describe`` of the deployment, where git works there."""
    os_version: str
    """``debian 12``."""
    postgres_version: int
    """libpq's integer."""
    uploads_backend: str
    """``local``, ``s3`` or ``unknown``."""
    settings_dir: str | None = None
    """Directory of the settings on the server."""
    uploads_dir: str | None = None
    """Directory of the uploads on the server."""


@dataclass(frozen=True, kw_only=True)
class PlannedDatabase:
    """The database part of a plan."""

    connection: str
    """Where it is, without a password."""
    size_bytes: int
    """Its size with indexes."""
    table_bytes: int
    """The size of its tables without indexes."""
    pg_dump: Path
    """The pg_dump that will be run."""
    pg_dump_major: int
    """Its major version."""


@dataclass(frozen=True, kw_only=True)
class PlannedUploads:
    """The uploads part of a plan."""

    dir: Path
    """The directory."""
    files: int
    """Its files."""
    bytes: int
    """Their bytes."""


@dataclass(frozen=True, kw_only=True)
class SectionReport:
    """How long a part took."""

    name: str
    """Its name."""
    seconds: float
    """Seconds."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class BackupReport(Report):
    """What a backup did. Its JSON is stable: keys are added, never changed."""

    path: Path
    """The archive."""
    archive_bytes: int
    """Its size."""
    content_bytes: int
    """The size of what is in it, uncompressed by the archive."""
    manifest_sha256: str
    """SHA-256 of the manifest: it stands for the whole archive."""
    sections: dict[str, SectionFacts]
    """What each section holds."""
    tables: int
    """Tables of the dump."""
    rows: int
    """Rows of all tables."""
    text_bytes: int
    """Bytes of COPY text of all tables."""
    findings: tuple[Finding, ...]
    """What was noticed."""
    timings: tuple[SectionReport, ...]
    """What each part took, in seconds."""
    seconds: float
    """What all took, in seconds."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class BackupPlan(Plan["BackupReport"]):
    """What a backup will do, before anything is done. This is the dry run."""

    _report = BackupReport

    output: Path
    """The archive that will be written."""
    replace: bool
    """Whether an existing output will be replaced."""
    compression: Literal["gzip", "zstd"]
    """How it will be compressed."""
    level: int
    """How hard."""
    jobs: int
    """How many threads and connections."""
    source: SourceFacts
    """The server, as it will stand in the manifest."""
    settings_dir: Path | None = None
    """The settings directory of a production server."""
    dev_secrets: Path | None = None
    """``dev-secrets.conf`` of a development server."""
    database: PlannedDatabase | None = None
    """The database; absent when it is left out."""
    uploads: PlannedUploads | None = None
    """The uploads; absent when they are left out or not on this machine."""
    estimate_bytes: int
    """What the output may take at most, in bytes."""
    free_bytes: int
    """What is free where the output goes, in bytes."""
    findings: tuple[Finding, ...]
    """What was noticed."""


def plan_create(
    *,
    site: Site | None = None,
    output: StrPath | None = None,
    skip_db: bool = False,
    skip_uploads: bool = False,
    compression: Literal["gzip", "zstd"] | None = None,
    level: int | None = None,
    jobs: int | None = None,
    force: bool = False,
    ignore_space: bool = False,
    progress: ProgressCallback | None = None,
) -> BackupPlan:
    """Look at the server and say what a backup will do. The arguments are those of :func:`create`."""
    options = request(
        output=output,
        skip_db=skip_db,
        skip_uploads=skip_uploads,
        compression=compression,
        level=level,
        jobs=jobs_of(jobs),
        force=force,
        ignore_space=ignore_space,
    )
    return planned(BackupPlan, {"verb": "create", "site": Site._request(site), "options": options}, progress)


def create(
    *,
    site: Site | None = None,
    output: StrPath | None = None,
    skip_db: bool = False,
    skip_uploads: bool = False,
    compression: Literal["gzip", "zstd"] | None = None,
    level: int | None = None,
    jobs: int | None = None,
    force: bool = False,
    ignore_space: bool = False,
    progress: ProgressCallback | None = None,
) -> BackupReport:
    """Back the server up into one archive.

    :param site: which server; what is absent is found out
    :param output: the archive to write; absent: a new file in the system's temp directory
    :param skip_db: leave the database out
    :param skip_uploads: leave the uploads out
    :param compression: absent: by the output's name, else gzip
    :param level: how hard to compress; absent: the compression's own default
    :param jobs: how many threads and connections; absent: the machine's processors
    :param force: replace an existing output
    :param ignore_space: begin even if the space seems to be too little
    """
    plan = plan_create(
        site=site,
        output=output,
        skip_db=skip_db,
        skip_uploads=skip_uploads,
        compression=compression,
        level=level,
        jobs=jobs,
        force=force,
        ignore_space=ignore_space,
        progress=progress,
    )
    return plan.execute(progress=progress)
