"""Checking exports, and comparing them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from zulip_backup._archive import Fitting
from zulip_backup._arguments import StrPath, jobs_of, path_of, request
from zulip_backup._events import ProgressCallback
from zulip_backup._export import Kind
from zulip_backup._finding import Finding
from zulip_backup._objects import Report, run

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ValidateReport(Report):
    """What a check found. Its JSON is stable: keys are added, never changed."""

    path: Path
    """The export."""
    kind: Kind
    """As what it was judged."""
    kind_from: Literal["asked", "manifest", "consented-user-ids", "realm-export", "converted", "single-user", "unknown"]
    """What told that."""
    release: str
    """The Zulip release as one of which it was judged, by its major version."""
    release_from: Literal["migrations", "columns", "unknown"]
    """What told that."""
    zulip_version: str | None = None
    """The Zulip version it is of, as it says."""
    realm: str | None = None
    """The organisation's ``string_id``."""
    users: int
    """Users with an account."""
    messages: int
    """Messages."""
    user_messages: int
    """What users have of them."""
    rows: int
    """Rows of all lists."""
    files: int
    """Files of the export."""
    bytes: int
    """Their bytes."""
    findings: tuple[Finding, ...]
    """All that was noticed."""
    seconds: float
    """What it took, in seconds."""

    @property
    def is_sound(self) -> bool:
        """Whether an importer can trust it: no finding is an error."""
        return self._is_free_of_errors()


@dataclass(frozen=True, kw_only=True)
class Excerpt(Generic[_T]):
    """Some of many."""

    count: int
    """How many there are."""
    first: tuple[_T, ...]
    """The first of them, as many as were asked for."""


@dataclass(frozen=True, kw_only=True)
class Difference(Generic[_T]):
    """What only one of two has."""

    only_in_a: Excerpt[_T]
    """Only in the first."""
    only_in_b: Excerpt[_T]
    """Only in the second."""


@dataclass(frozen=True, kw_only=True)
class ChangedValue:
    """A value that differs."""

    key: str
    """The key."""
    a: Any = None
    """The first export's value; None where it has none, and for secrets."""
    b: Any = None
    """The second one's."""


@dataclass(frozen=True, kw_only=True)
class ChangedRow:
    """A row with other values."""

    id: int
    """Its id."""
    id_b: int | None = None
    """Its id in the second export, where ids may differ."""
    keys: tuple[str, ...]
    """The keys whose values differ, or that only one has."""
    values: tuple[ChangedValue, ...] = ()
    """The same with both values, where ids may differ."""


@dataclass(frozen=True, kw_only=True)
class ListDifference:
    """How a list of rows differs."""

    file: str
    """The file; ``messages`` for all files with messages together."""
    list: str
    """The list."""
    only_in_a: Excerpt[int]
    """Ids that only the first has. Rows without an id have numbers below zero."""
    only_in_b: Excerpt[int]
    """Ids that only the second has."""
    changed: Excerpt[ChangedRow]
    """Rows with other values."""


@dataclass(frozen=True, kw_only=True)
class NameDifference:
    """How records or files differ."""

    directory: str
    """The directory."""
    only_in_a: Excerpt[str]
    """Names that only the first has."""
    only_in_b: Excerpt[str]
    """Names that only the second has."""
    changed: Excerpt[str]
    """Names whose content differs."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What was not compared."""

    table: str
    """The table, or the directory of files."""
    what: str
    """The key; or, in words, which rows or files."""
    why: str
    """Why."""
    in_a: int
    """How many values, rows or files of the first export."""
    in_b: int
    """How many of the second."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class DiffReport(Report):
    """What differs between two exports. Its JSON is stable: keys are added, never changed."""

    a: Path
    """The first export."""
    b: Path
    """The second one."""
    lists: tuple[ListDifference, ...]
    """Lists of rows that differ, by file and list."""
    records: tuple[NameDifference, ...]
    """Directories whose records differ, by path."""
    files: tuple[NameDifference, ...]
    """Directories whose files differ; those beside the directories under ``.``."""
    consented: Difference[int] | None = None
    """Who consents, where that differs."""
    migrations: dict[str, Difference[str]] = field(default_factory=dict)
    """Lines of migrations that only one has, by app."""
    zulip_versions: tuple[str | None, ...] | None = None
    """The Zulip versions, where they differ."""
    not_compared: tuple[LeftOut, ...] = ()
    """What was not compared, since an import changes it by right: only where ids may differ."""
    seconds: float
    """What it took, in seconds."""

    @property
    def is_same(self) -> bool:
        """Whether nothing that was compared differs."""
        return not (
            self.lists or self.records or self.files or self.consented or self.migrations or self.zulip_versions
        )


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ExportSummary(Report):
    """What an export says of itself. Nothing of it is checked."""

    export: Path
    """The export: a directory or a tarball."""
    layout: Literal["organisation", "single-user"]
    """What it is of."""
    made_by: str
    """What made it, as far as that shows."""
    kind: Kind | None = None
    """Whose data it has, where its manifest says so."""
    realm: str | None = None
    """The organisation's ``string_id``; absent for a single user."""
    name: str | None = None
    """The organisation's name, or the user's."""
    zulip_version: str | None = None
    """The Zulip version it is of, as it says."""
    release_from: Literal["migrations", "columns", "unknown"]
    """What told which Zulip takes it."""
    fits: Fitting | None = None
    """Which Zulip takes it, and which PostgreSQL that runs on; absent where nothing told."""
    users: int | None = None
    """Users, as its statistics count them."""
    messages: int | None = None
    """Messages, likewise."""
    files: int
    """Its files."""
    bytes: int
    """Their bytes."""
    findings: tuple[Finding, ...]
    """What was noticed."""


def validate(
    export: StrPath,
    *,
    kind: Kind | None = None,
    consent_message: int | None = None,
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
) -> ValidateReport:
    """Check an export, of ours or of Zulip's own, without a server.

    What is wrong is no exception but the result: ``is_sound`` says no.

    :param export: a directory or a tarball
    :param kind: whose data it may hold; absent: what the export says
    :param consent_message: the id of the message by whose reactions users consented, which exports of Zulip before 10 do
        not say
    """
    options = request(kind=kind, consent_message=consent_message, jobs=jobs_of(jobs))
    return run(ValidateReport, {"verb": "validate", "export": path_of("export", export), "options": options}, progress)


def summarize(export: StrPath, *, progress: ProgressCallback | None = None) -> ExportSummary:
    """Tell what an export says of itself, and which Zulip takes it. Nothing is checked.

    :param export: a directory or a tarball
    """
    return run(ExportSummary, {"verb": "summarize", "export": path_of("export", export)}, progress)


def diff(
    a: StrPath,
    b: StrPath,
    *,
    renumbered: bool = False,
    limit: int = 20,
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
) -> DiffReport:
    """Compare two exports.

    :param renumbered: whether one was made after an import elsewhere, which gives everything other ids
    :param limit: how many rows and files of each difference are named; all are counted
    """
    options = request(renumbered=renumbered, limit=limit, jobs=jobs_of(jobs))
    return run(DiffReport, {"verb": "diff", "a": path_of("a", a), "b": path_of("b", b), "options": options}, progress)
