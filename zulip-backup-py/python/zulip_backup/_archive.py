"""What is done with an archive alone: telling what it is, proving it, taking members out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from zulip_backup._arguments import StrPath, jobs_of, path_of, request
from zulip_backup._events import ProgressCallback
from zulip_backup._exceptions import DamagedError
from zulip_backup._finding import Finding
from zulip_backup._objects import Report, run
from zulip_backup._sections import SectionFacts


@dataclass(frozen=True, kw_only=True)
class DatabaseSummary:
    """The database in an archive."""

    name: str
    """Its name on the server."""
    server_version: str
    """Version text of the server."""
    dump_version: str
    """Version text of the ``pg_dump`` that wrote the table of contents."""
    tables: int
    """Tables with data."""
    rows: int | None = None
    """Rows of all tables; absent where nothing says without reading them."""
    snapshot_at: datetime | None = None
    """The moment all tables show."""
    size_bytes: int | None = None
    """Size on disk with indexes on the server."""
    migrations: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Applied migrations, ``app: [names]``; empty where they could not be read."""


@dataclass(frozen=True, kw_only=True)
class SecretNames:
    """The secrets in an archive."""

    member: str | None = None
    """The member they are in."""
    keys: tuple[str, ...]
    """The names of those that have a value."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a restore needs."""

    zulip_version: str
    """The Zulip version of the target, exactly; upgrades come after."""
    postgres_major: int | None = None
    """The oldest major of the PostgreSQL server."""
    pg_restore_major: int | None = None
    """The oldest major of ``pg_restore``."""
    os_version: str
    """The operating system it was taken from; another may do."""
    extensions: dict[str, str | None]
    """Extensions the server must have, with their versions where known."""
    dictionary_files: tuple[str, ...]
    """Files the server must have in its ``tsearch_data`` directory."""
    database_bytes: int
    """Bytes the database will take; where no size is known, its compressed bytes."""
    uploads_bytes: int
    """Bytes the uploads will take."""


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """Which Zulip has the tables of a database or an export, and which PostgreSQL it runs on."""

    newest_migration: int | None = None
    """The newest migration of Zulip's app zerver, by its number; absent where columns told the release."""
    zulip_versions: tuple[str, ...]
    """The Zulip versions with just these tables, for people; empty where none is known to have them."""
    after: str | None = None
    """The newest release that is known to be older, where none has just these tables; its major version."""
    before: str | None = None
    """The oldest release that is known to be newer, in that case."""
    postgres_majors: dict[str, str]
    """The PostgreSQL majors that those versions run on, each with those of them that do: ``*``, ``>=10.2``."""


@dataclass(frozen=True, kw_only=True)
class TableCheck:
    """One table of the dump."""

    schema: str
    """Schema."""
    name: str
    """Table."""
    file: str
    """File in ``zulip-backup/database/``, as the dump's table of contents names it."""
    rows_found: int | None = None
    """Rows that were counted; absent where they were not, or could not be."""
    rows_expected: int | None = None
    """Rows the manifest promises; absent where there is no manifest."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class InspectReport(Report):
    """What an archive is."""

    archive: Path
    """The archive."""
    kind: Literal["indexed", "stream"]
    """How it can be read."""
    compression: Literal["gzip", "zstd"]
    """How it is compressed."""
    archive_bytes: int
    """Size of the file."""
    format: int | None = None
    """Version of the archive format; absent for archives that are not ours."""
    made_by: str
    """What made it, as far as that shows."""
    created_at: datetime | None = None
    """When it was begun."""
    zulip_version: str
    """``ZULIP_VERSION`` of the server."""
    zulip_git_describe: str | None = None
    """``git describe`` of its deployment."""
    os_version: str
    """``debian 12``."""
    postgres_version: int | None = None
    """libpq's integer for the database server."""
    hostname: str | None = None
    """Host name of the server."""
    external_host: str | None = None
    """``EXTERNAL_HOST``."""
    production: bool
    """Whether it is of a production server (``settings/``) or a development one (``zproject/``)."""
    sections: dict[str, SectionFacts]
    """What each section holds."""
    database: DatabaseSummary | None = None
    """The database, where it is in the archive."""
    secrets: SecretNames
    """The secrets, by name only."""
    needs: Needs
    """What a restore needs."""
    fits: Fitting | None = None
    """Which Zulip its tables fit, by its migrations; absent where those could not be read."""
    findings: tuple[Finding, ...]
    """What was noticed when the backup was made, and what will be in the way of a restore."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class VerifyReport(Report):
    """What was read of an archive and what was found."""

    archive: Path
    """The archive."""
    kind: Literal["indexed", "stream"]
    """How it was read."""
    compression: Literal["gzip", "zstd"]
    """How it is compressed."""
    depth: Literal["quick", "full"]
    """How much was read."""
    format: int | None = None
    """Version of the archive format; absent for archives that are not ours."""
    archive_bytes: int
    """Size of the file."""
    tar_bytes: int
    """Length of the uncompressed stream, as far as it is known."""
    members: int
    """Members, the archive's own two not counted."""
    frames: int
    """Frames before the index; 0 where there is no index."""
    tables: tuple[TableCheck, ...]
    """The tables of the dump, in its order."""
    findings: tuple[Finding, ...]
    """All that was found."""
    seconds: float
    """How long it took."""

    @property
    def rows(self) -> int:
        """Rows of all tables, as far as they were counted."""
        return sum(table.rows_found or 0 for table in self.tables)

    @property
    def is_sound(self) -> bool:
        """Whether the archive can be trusted as far as it was read: no finding is an error."""
        return self._is_free_of_errors()

    def raise_if_damaged(self) -> None:
        """Raise DamagedError, with the findings as its reasons, when the archive is not sound."""
        errors = tuple(finding for finding in self.findings if finding.severity == "error")
        if errors:
            message = f"{self.archive} has {len(errors)} faults; the first: {errors[0]}"
            hint = "use another copy; extract() still takes out every member that is whole"
            raise DamagedError(message, kind="damaged", exit_code=4, path=self.archive, hint=hint, reasons=errors)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ExtractReport(Report):
    """What was taken out."""

    files: int
    """Regular files, hard links included."""
    directories: int
    """Directories."""
    links: int
    """Symbolic links."""
    bytes: int
    """Bytes of the files' contents."""
    findings: tuple[Finding, ...]
    """What could not be taken out, and why. A file that is named here is not in the destination."""
    seconds: float
    """How long it took."""


def inspect(archive: StrPath, *, progress: ProgressCallback | None = None) -> InspectReport:
    """Tell what an archive is, what is in it and what a restore of it needs."""
    return run(InspectReport, {"verb": "inspect", "archive": path_of("archive", archive)}, progress)


def verify(
    archive: StrPath, *, quick: bool = False, jobs: int | None = None, progress: ProgressCallback | None = None
) -> VerifyReport:
    """Prove an archive and name all damage that can be found.

    :param quick: look at the index and the ends only
    :param jobs: how many threads; absent: the machine's processors
    """
    options = request(depth="quick" if quick else "full", jobs=jobs_of(jobs))
    return run(VerifyReport, {"verb": "verify", "archive": path_of("archive", archive), "options": options}, progress)


def extract(
    archive: StrPath,
    directory: StrPath,
    members: Sequence[str] = (),
    *,
    replace: bool = False,
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
) -> ExtractReport:
    """Take members, or everything, out of an archive.

    :param members: full names, or directories with all that is in them; ``zulip-backup/`` in front may be left out
    :param replace: replace existing files
    """
    options = request(members=list(members), unpack={"replace": replace}, jobs=jobs_of(jobs))
    asked = {"verb": "extract", "archive": path_of("archive", archive), "directory": path_of("directory", directory)}
    return run(ExtractReport, {**asked, "options": options}, progress)
