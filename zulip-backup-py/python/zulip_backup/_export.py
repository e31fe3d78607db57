"""Exporting an organisation, or what a single user has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zulip_backup._arguments import StrPath, jobs_of, request
from zulip_backup._events import ProgressCallback
from zulip_backup._finding import Finding
from zulip_backup._objects import Plan, Report, planned
from zulip_backup._site import Site

Kind = Literal["full", "full-with-consent", "public"]
"""Whose data an export holds."""

Compat = Literal["fixed", "strict"]
"""What is done where upstream is wrong."""


@dataclass(frozen=True, kw_only=True)
class PlannedUser:
    """The user of a single user's export."""

    id: int
    """The user's id."""
    email: str
    """The address (``delivery_email``)."""


@dataclass(frozen=True, kw_only=True)
class Consent:
    """The message that users were asked by, and how many consented."""

    message_id: int
    """The message's id."""
    content: str
    """What it says."""
    users: int
    """How many users consented."""
    of: int
    """How many there are who could have: active people with more rights than guests."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ExportReport(Report):
    """What an export did. Its JSON is stable: keys are added, never changed."""

    path: Path
    """The directory or archive."""
    url: str | None = None
    """The address at which the server hands it out."""
    realm: str
    """The organisation's ``string_id``."""
    kind: Literal["full", "full-with-consent", "public"]
    """Whose data it has."""
    messages: int
    """Messages."""
    users: int
    """Users with an account."""
    rows: int
    """Rows of all lists together."""
    files: int
    """Uploaded files."""
    files_bytes: int
    """Their bytes."""
    archive_bytes: int | None = None
    """Size of an archive."""
    sha256: str | None = None
    """SHA-256 of an archive."""
    ended_sessions: int | None = None
    """Where the organisation was deactivated: how many sessions of its users were ended."""
    findings: tuple[Finding, ...]
    """What was noticed."""
    next_steps: tuple[str, ...]
    """What is left to do by hand: commands, in order."""
    seconds: float
    """What all took, in seconds."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ExportPlan(Plan["ExportReport"]):
    """What an export will do, before anything is done. This is the dry run."""

    _report = ExportReport

    output: Path
    """The directory or archive that will be written."""
    format: Literal["directory", "tar.gz", "tar.zst"]
    """Which of them."""
    url: str | None = None
    """The address at which the server will hand it out."""
    realm_id: int
    """The organisation's id."""
    realm: str
    """Its ``string_id``."""
    user: PlannedUser | None = None
    """The user whose data alone is exported."""
    kind: Literal["full", "full-with-consent", "public"]
    """Whose data."""
    consent: Consent | None = None
    """The message by whose reactions users consented, where that is how they do."""
    compat: Literal["fixed", "strict"]
    """What is done where upstream is wrong."""
    record: bool
    """Whether the export is recorded in the database."""
    deactivate: bool
    """Whether the organisation is deactivated before."""
    jobs: int
    """How many threads and connections."""
    zulip_version: str
    """The server's Zulip version."""
    uploads_dir: Path
    """Where the uploads are."""
    estimate_bytes: int
    """What the export may take at most, in bytes."""
    free_bytes: int
    """What is free where it goes, in bytes."""
    findings: tuple[Finding, ...]
    """What was noticed."""


def plan_export(
    realm: str,
    *,
    site: Site | None = None,
    output: StrPath | None = None,
    upload: bool = False,
    kind: Kind = "full",
    consent_message: int | None = None,
    compat: Compat = "fixed",
    no_record: bool = False,
    deactivate: bool = False,
    force: bool = False,
    allow_unknown: bool = False,
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
) -> ExportPlan:
    """Look at the server and say what an export of an organisation will do.

    :param realm: the organisation's id or ``string_id``; empty for the one at the root domain
    :param output: the directory to write, or the archive where the name ends in ``.tar.gz``, ``.tgz`` or ``.tar.zst``
    :param upload: put the archive where the server hands it out to everybody who knows its address (``url`` of plan and
        report); of ``output`` the name alone counts then
    :param kind: whose data
    :param consent_message: the id of the message by whose reactions users consented, on Zulip before 10; the kind is
        ``"full-with-consent"`` then
    :param compat: what to do where upstream is wrong
    :param no_record: leave no trace in the database
    :param deactivate: deactivate the organisation before
    :param force: export also where nobody could use the result
    :param allow_unknown: export also where the database has tables or columns that are not known
    :param jobs: how many threads and connections; absent: the machine's processors
    """
    options = request(
        realm=realm,
        output=output,
        upload=upload,
        kind=kind,
        consent_message=consent_message,
        compat=compat,
        no_record=no_record,
        deactivate=deactivate,
        force=force,
        allow_unknown=allow_unknown,
        jobs=jobs_of(jobs),
    )
    return planned(ExportPlan, {"verb": "export", "site": Site._request(site), "options": options}, progress)


def export(
    realm: str,
    *,
    site: Site | None = None,
    output: StrPath | None = None,
    upload: bool = False,
    kind: Kind = "full",
    consent_message: int | None = None,
    compat: Compat = "fixed",
    no_record: bool = False,
    deactivate: bool = False,
    force: bool = False,
    allow_unknown: bool = False,
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
) -> ExportReport:
    """Export an organisation. The arguments are those of :func:`plan_export`."""
    plan = plan_export(
        realm,
        site=site,
        output=output,
        upload=upload,
        kind=kind,
        consent_message=consent_message,
        compat=compat,
        no_record=no_record,
        deactivate=deactivate,
        force=force,
        allow_unknown=allow_unknown,
        jobs=jobs,
        progress=progress,
    )
    return plan.execute(progress=progress)


def plan_export_user(
    email: str,
    *,
    realm: str | None = None,
    site: Site | None = None,
    output: StrPath | None = None,
    compat: Compat = "fixed",
    allow_unknown: bool = False,
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
) -> ExportPlan:
    """Look at the server and say what an export of a single user will do.

    :param email: the user's address (``delivery_email``)
    :param realm: the organisation, where the address is in several
    """
    options = request(
        realm=realm,
        user=email,
        output=output,
        compat=compat,
        no_record=True,
        allow_unknown=allow_unknown,
        jobs=jobs_of(jobs),
    )
    return planned(ExportPlan, {"verb": "export", "site": Site._request(site), "options": options}, progress)


def export_user(
    email: str,
    *,
    realm: str | None = None,
    site: Site | None = None,
    output: StrPath | None = None,
    compat: Compat = "fixed",
    allow_unknown: bool = False,
    jobs: int | None = None,
    progress: ProgressCallback | None = None,
) -> ExportReport:
    """Export what a single user has. No importer reads it. The arguments are those of :func:`plan_export_user`."""
    plan = plan_export_user(
        email,
        realm=realm,
        site=site,
        output=output,
        compat=compat,
        allow_unknown=allow_unknown,
        jobs=jobs,
        progress=progress,
    )
    return plan.execute(progress=progress)
