"""Importing an organisation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zulip_backup._arguments import StrPath, jobs_of, path_of, request
from zulip_backup._events import ProgressCallback
from zulip_backup._export import Compat, Kind
from zulip_backup._finding import Finding
from zulip_backup._objects import Plan, Report, planned
from zulip_backup._observe import Observer
from zulip_backup._render import Renderer
from zulip_backup._site import Site


Way = Literal["first-import", "shared-server"]
"""How rows get into the large tables: with indexes and keys set aside meanwhile, or beside others' work."""


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """Something that is left for the administrator."""

    what: str
    """What it is for."""
    command: str | None = None
    """The command, where there is one."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ImportReport(Report):
    """What an import did. Its JSON is stable: keys are added, never changed."""

    path: Path
    """The export."""
    realm_id: int
    """The new organisation's id."""
    subdomain: str
    """Its subdomain."""
    active: bool
    """Whether it can be used."""
    rows: dict[str, int]
    """Rows written, by table."""
    left_out: dict[str, int]
    """Rows of the export that were left out, by list."""
    files: int
    """Files written."""
    way: Way
    """How rows got into the large tables."""
    bulk_checks: bool | None = None
    """On a shared server: whether keys were checked for all rows at once instead of for each."""
    way_because: str
    """Why so."""
    made_again: int
    """Indexes and keys that were made again."""
    internal_realm_made: bool
    """Whether the organisation of the system's bots was made as well, which a new server lacks."""
    findings: tuple[Finding, ...]
    """What was noticed."""
    next_steps: tuple[NextStep, ...]
    """What there is to do now: commands, and what they are for."""
    stretches: dict[str, float]
    """What it took, by stretches."""
    seconds: float
    """What it took in all, in seconds."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ImportPlan(Plan["ImportReport"]):
    """What an import will do, before anything is done. This is the dry run."""

    _report = ImportReport

    path: Path
    """The export."""
    kind: Kind
    """Whose data it holds."""
    export_release: str
    """The Zulip release that it is of, by its major version."""
    export_zulip_version: str | None = None
    """The Zulip version it is of, as it says."""
    zulip_version: str
    """The server's."""
    exported_name: str
    """The organisation's name in the export."""
    exported_string_id: str
    """Its ``string_id`` there."""
    subdomain: str
    """The new subdomain; empty for the root domain."""
    name: str
    """The new name."""
    active: bool
    """Whether it can be used when it is there."""
    internal_realm_made: bool
    """Whether the organisation of the system's bots is made as well, which a new server lacks."""
    new_clients: tuple[str, ...]
    """Programs that messages were sent with, and that this server has not seen yet."""
    rows: dict[str, int]
    """How many rows are written, by table, but for those that name what the export has not."""
    reserved_ids: dict[str, int]
    """How many ids are reserved, by table."""
    files: int
    """Files of the export."""
    bytes: int
    """Bytes of the export."""
    estimate_bytes: int
    """About what the files take on this server's disk."""
    free_bytes: int
    """What is free there."""
    database_bytes: int
    """About what the rows take on the disk of the database, with indexes."""
    database_free_bytes: int | None = None
    """What is free there, where that can be known."""
    way: Way
    """How rows get into the large tables."""
    bulk_checks: bool | None = None
    """On a shared server: whether keys are checked for all rows at once instead of for each."""
    way_because: str
    """Why so."""
    compat: Compat
    """What is done where upstream is wrong."""
    fix_links: bool
    """Whether links in messages follow the new ids."""
    trust_server_powers: bool
    """Whether users keep powers over the whole server."""
    jobs: int
    """How many threads."""
    uploads_dir: Path
    """Where the uploads are."""
    findings: tuple[Finding, ...]
    """What was noticed."""

    def execute(self, *, render: Renderer | None = None, progress: ProgressCallback | None = None) -> ImportReport:
        """Do it.

        :param render: what gives messages their HTML, in batches, whose export has none; an exception it raises ends the
            import, and nothing of it is there. Absent: Zulip renders them when they are first looked at.
        """
        return self._executed(Observer(progress, render), renders=render is not None)


def plan_import(
    subdomain: str,
    path: StrPath,
    *,
    site: Site | None = None,
    allow_reserved_subdomain: bool = False,
    keep_name: bool = False,
    fix_links: bool | None = None,
    trust_server_powers: bool = False,
    compat: Compat = "fixed",
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
) -> ImportPlan:
    """Look at export and server and say what an import will do, or all that speaks against it.

    :param subdomain: the new organisation's subdomain; empty for the root domain
    :param path: the export: a directory or a tarball
    :param allow_reserved_subdomain: take a subdomain that is reserved
    :param keep_name: keep the organisation's name; Zulip's importer gives it that of the subdomain
    :param fix_links: whether links in messages follow the new ids; absent: unless ``compat`` is ``"strict"``
    :param trust_server_powers: let users keep the powers over the whole server that the export says they have
    :param compat: what is done where upstream is wrong
    :param jobs: how many threads; absent: the machine's processors
    """
    options = request(
        subdomain=subdomain,
        allow_reserved_subdomain=allow_reserved_subdomain,
        keep_name=keep_name,
        fix_links=fix_links,
        trust_server_powers=trust_server_powers,
        compat=compat,
        jobs=jobs_of(jobs),
    )
    asked = {"verb": "import", "site": Site._request(site), "path": path_of("path", path), "options": options}
    return planned(ImportPlan, asked, progress)


def import_(
    subdomain: str,
    path: StrPath,
    *,
    site: Site | None = None,
    allow_reserved_subdomain: bool = False,
    keep_name: bool = False,
    fix_links: bool | None = None,
    trust_server_powers: bool = False,
    compat: Compat = "fixed",
    jobs: int | None = None,
    render: Renderer | None = None,
    progress: ProgressCallback | None = None,
) -> ImportReport:
    """Import an organisation: the whole of it, or nothing. The arguments are those of :func:`plan_import` and
    of :meth:`ImportPlan.execute`."""
    plan = plan_import(
        subdomain,
        path,
        site=site,
        allow_reserved_subdomain=allow_reserved_subdomain,
        keep_name=keep_name,
        fix_links=fix_links,
        trust_server_powers=trust_server_powers,
        compat=compat,
        jobs=jobs,
        progress=progress,
    )
    return plan.execute(render=render, progress=progress)
