"""Restoring a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from zulip_backup._archive import VerifyReport
from zulip_backup._arguments import StrPath, jobs_of, request
from zulip_backup._events import ProgressCallback
from zulip_backup._finding import Finding
from zulip_backup._objects import Plan, Report, planned, run
from zulip_backup._observe import Observer
from zulip_backup._site import Site


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """A step with who does it and whether it can be taken back."""

    step: str
    """The step's stable kebab-case name; ``to_dict()`` of the plan has what it works on."""
    runs_as: Literal["root", "postgres", "zulip", "caller"]
    """Who does it."""
    undo: Literal["nothing", "rollback", "run-again", "never"]
    """Whether it can be taken back."""


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """A step that was done."""

    name: str
    """Its name."""
    seconds: float
    """Seconds."""


@dataclass(frozen=True, kw_only=True)
class DatabaseReport:
    """The database's part."""

    name: str
    """The name the server uses."""
    kept: str | None = None
    """Where the old one is kept."""
    tables: int
    """Tables; 0 where they were loaded by an earlier run."""
    rows: int
    """Rows."""
    method: str
    """How the rows came in: ``copy``, ``pg_restore`` or ``psql``."""
    text_bytes: int
    """Bytes of COPY text; 0 where not counted."""
    left_out: tuple[str, ...]
    """What was left out on purpose."""


@dataclass(frozen=True, kw_only=True)
class TreeReport:
    """The settings' or the uploads' part."""

    tree: Literal["settings", "dev-secrets", "uploads"]
    """Which."""
    target: Path
    """The name the server uses."""
    kept: Path | None = None
    """Where the old one is kept."""
    files: int
    """Files that were restored."""
    bytes: int
    """Their bytes."""
    not_in_source: int
    """Files of the server that are not in the source: they are in the kept tree only."""
    not_in_source_first: tuple[str, ...]
    """The first of them."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Preflight(Report):
    """What was found before a restore."""

    findings: tuple[Finding, ...]
    """What was found; errors are reasons against the restore."""
    verified: VerifyReport | None = None
    """The proof of the archive, where it was asked for."""
    seconds: float
    """How long it took."""

    @property
    def is_clear(self) -> bool:
        """Whether nothing speaks against the restore."""
        return self._is_free_of_errors()


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RestoreReport(Report):
    """What a restore did. Its JSON is stable: keys are added, never changed."""

    source: str
    """What was restored."""
    continued: bool
    """Whether an interrupted restore was continued."""
    switched: bool
    """Whether the server uses it now; ``false`` after ``--only-stage``."""
    steps: tuple[StepReport, ...]
    """The steps and how long each took."""
    database: DatabaseReport | None = None
    """The database."""
    trees: tuple[TreeReport, ...]
    """Settings and uploads."""
    findings: tuple[Finding, ...]
    """What was noticed."""
    next: tuple[str, ...]
    """What to do next, as commands."""
    seconds: float
    """What all took, in seconds."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class EndReport(Report):
    """What a commit or rollback did."""

    source: str
    """The restore it was about."""
    rolled_back: bool
    """Whether everything was put back; ``false``: the former state was removed."""
    steps: tuple[StepReport, ...]
    """The steps and how long each took."""
    seconds: float
    """What it took, in seconds."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RestorePlan(Plan["RestoreReport"]):
    """What a restore will do, before anything is done. This is the dry run."""

    _report = RestoreReport

    source: str
    """What is restored."""
    continues: bool
    """Whether an interrupted restore of the same source is continued."""
    steps: tuple[PlannedStep, ...]
    """The steps, in order; of a continued restore, those that are left."""
    findings: tuple[Finding, ...]
    """What should be known before."""

    def preflight(self, *, progress: ProgressCallback | None = None) -> Preflight:
        """Look for everything that speaks against it. Changes nothing; :meth:`execute` does this by itself as well."""
        found = cast("tuple[str, str]", self._native.check(Observer(progress)))
        return Preflight._made(found)


def plan_restore(
    archive: StrPath | None = None,
    *,
    site: Site | None = None,
    database: StrPath | None = None,
    settings: StrPath | None = None,
    uploads: StrPath | None = None,
    keep_settings: bool = False,
    keep_zulipconf: bool = False,
    keep_secrets: bool = False,
    skip_db: bool = False,
    skip_uploads: bool = False,
    skip_settings: bool = False,
    external_host: str | None = None,
    only_stage: bool = False,
    in_place: bool = False,
    allow_version_mismatch: bool = False,
    yes: bool = False,
    skip_verify: bool = False,
    ignore_space: bool = False,
    switch_inside: bool = False,
    jobs: int | None = None,
    state_dir: StrPath | None = None,
    progress: ProgressCallback | None = None,
) -> RestorePlan:
    """Look at archive and server and say what a restore will do. Nothing is changed.

    :param archive: a whole archive; or instead of it any of ``database``, ``settings`` and ``uploads``
    :param database: a dump: pg_dump's directory or custom format, or an SQL script
    :param settings: a copy of ``/etc/zulip``
    :param uploads: a copy of the uploads
    :param keep_settings: keep the server's ``settings.py``
    :param keep_zulipconf: keep the server's ``zulip.conf``
    :param keep_secrets: keep the server's ``zulip-secrets.conf``
    :param external_host: the name the server is to answer to, instead of the archive's
    :param only_stage: stop when everything lies ready beside what is there
    :param in_place: empty the database and load into it; cannot be undone and needs ``yes``
    :param allow_version_mismatch: treat other versions as warnings
    :param yes: what cannot be undone is agreed to
    :param skip_verify: trust the archive unread
    :param switch_inside: switch the entries of directories one by one
    :param state_dir: where the journal of a restore is; absent: ``/var/lib/zulip-backup``
    """
    options = request(
        keep_settings=keep_settings,
        keep_zulipconf=keep_zulipconf,
        keep_secrets=keep_secrets,
        skip_db=skip_db,
        skip_uploads=skip_uploads,
        skip_settings=skip_settings,
        external_host=external_host,
        only_stage=only_stage,
        in_place=in_place,
        allow_version_mismatch=allow_version_mismatch,
        yes=yes,
        skip_verify=skip_verify,
        ignore_space=ignore_space,
        switch_inside=switch_inside,
        jobs=jobs_of(jobs),
        state_dir=state_dir,
    )
    source = request(archive=archive, database=database, settings=settings, uploads=uploads)
    asked = {"verb": "restore", "site": Site._request(site), "source": source, "options": options}
    return planned(RestorePlan, asked, progress)


def rollback_restore(
    *, site: Site | None = None, state_dir: StrPath | None = None, progress: ProgressCallback | None = None
) -> EndReport:
    """Put back what the last restore replaced."""
    return _end("rollback-restore", site, state_dir, progress)


def commit_restore(
    *, site: Site | None = None, state_dir: StrPath | None = None, progress: ProgressCallback | None = None
) -> EndReport:
    """Remove what the last restore replaced. It cannot be rolled back afterwards."""
    return _end("commit-restore", site, state_dir, progress)


def _end(
    verb: str, site: Site | None, state_dir: StrPath | None, progress: ProgressCallback | None
) -> EndReport:
    asked = {"verb": verb, "site": Site._request(site), "options": request(state_dir=state_dir)}
    return run(EndReport, asked, progress)
