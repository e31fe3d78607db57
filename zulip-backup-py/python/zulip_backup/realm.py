"""Organisations of a server: what Zulip's own commands do to them, and deletion without remains.

>>> from zulip_backup import realm
>>> plan = realm.plan_delete("test-import")  # doctest: +SKIP
>>> print(plan)  # doctest: +SKIP
>>> plan.execute()  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zulip_backup._arguments import request
from zulip_backup._finding import Finding
from zulip_backup._objects import Plan, Report, planned, run, run_if_any
from zulip_backup._site import Site

__all__ = [
    "DeactivatePlan",
    "DeactivateReport",
    "DeletePlan",
    "DeleteReport",
    "FileCount",
    "FilePresence",
    "FinishReport",
    "ReactivatePlan",
    "ReactivateReport",
    "RealmDetails",
    "RealmList",
    "RealmSummary",
    "RenamePlan",
    "RenameReport",
    "TableRows",
    "finish_deletion",
    "list_all",
    "plan_deactivate",
    "plan_delete",
    "plan_reactivate",
    "plan_rename",
    "show",
]


@dataclass(frozen=True, kw_only=True)
class RealmSummary:
    """An organisation of a server."""

    id: int
    """Its id."""
    string_id: str
    """Its subdomain; empty at the root domain."""
    name: str
    """Its name."""
    deactivated: bool
    """Whether it is deactivated."""
    active_users: int
    """Users who can log in, bots included."""
    messages: int
    """Messages."""
    upload_bytes: int
    """Bytes of attachments."""


@dataclass(frozen=True, kw_only=True)
class UsersByRole:
    """The users of an organisation."""

    owners: int
    """Owners who can log in."""
    administrators: int
    """Administrators who can log in."""
    moderators: int
    """Moderators who can log in."""
    members: int
    """Members who can log in."""
    guests: int
    """Guests who can log in."""
    bots: int
    """Active bots."""
    deactivated: int
    """Deactivated people and bots."""
    mirror_dummies: int
    """Users who only stand for their messages."""


@dataclass(frozen=True, kw_only=True)
class Channels:
    """The channels of an organisation."""

    public: int
    """Channels that everybody may join."""
    private: int
    """Channels by invitation."""
    archived: int
    """Channels that are archived, of both kinds."""


@dataclass(frozen=True, kw_only=True)
class RealmExports:
    """The exports of an organisation that its database knows of."""

    count: int
    """How many."""
    last_succeeded: str | None = None
    """When the last one succeeded, as ISO 8601."""


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """Rows of a table."""

    table: str
    """The table."""
    rows: int
    """How many rows."""


@dataclass(frozen=True, kw_only=True)
class FileCount:
    """How many files there are, or were removed."""

    files: int
    """Files."""
    bytes: int
    """Their bytes."""


@dataclass(frozen=True, kw_only=True)
class FilePresence:
    """Whether files are there."""

    present: int | None = None
    """How many are."""
    missing: int | None = None
    """How many are not."""
    first_missing: tuple[str, ...] = ()
    """The first few that are not, by path."""
    unknown: str | None = None
    """Why they could not be looked for."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RealmList(Report):
    """The organisations of a server, in order of their ids. Its ``Display`` is a table."""

    realms: tuple[RealmSummary, ...]
    """The organisations."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RealmDetails(Report):
    """One organisation in full."""

    id: int
    """Its id."""
    string_id: str
    """Its subdomain; empty at the root domain."""
    name: str
    """Its name."""
    host: str | None = None
    """The host it answers to, where the server's name is known."""
    description: str
    """What it says of itself."""
    uuid: str | None = None
    """What tells it from all others, on other servers too."""
    date_created: str | None = None
    """When it was made, as ISO 8601."""
    deactivated: bool
    """Whether it is deactivated."""
    deactivated_redirect: str | None = None
    """Where visitors of the deactivated organisation are sent."""
    scheduled_deletion_date: str | None = None
    """When the server will scrub it, as ISO 8601."""
    demo_organization_scheduled_deletion_date: str | None = None
    """When the server will delete it, if it is a demonstration, as ISO 8601."""
    users: UsersByRole
    """Its users."""
    channels: Channels
    """Its channels."""
    direct_message_groups: int
    """Groups of direct messages with one of its users in them."""
    messages: int
    """Messages."""
    archived_messages: int
    """Messages that were deleted or have expired, and can be restored for a while."""
    attachments: int
    """Attachments."""
    attachment_bytes: int
    """Their bytes."""
    emoji: int
    """Custom emoji in use."""
    exports: RealmExports
    """Its exports."""
    authentication_methods: tuple[str, ...]
    """Ways to log in."""
    settings: dict[str, Any]
    """Settings that matter to whoever moves or ends it, by their names in the database."""
    files: FilePresence
    """Whether the files of attachments are there."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class DeactivateReport(Report):
    """What a deactivation did."""

    realm_id: int
    """The organisation's id."""
    realm: str
    """Its ``string_id``."""
    already: bool
    """Whether it had been deactivated before."""
    redirect_url: str | None = None
    """Where visitors are sent from now on, if that was changed."""
    ended_sessions: int
    """How many sessions of its users were ended."""
    deleted_emails: int
    """How many e-mails on their way were deleted."""
    findings: tuple[Finding, ...]
    """What was noticed."""
    next_steps: tuple[str, ...]
    """What is left to do by hand: commands, in order."""
    seconds: float
    """What all took, in seconds."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ReactivateReport(Report):
    """What a reactivation did."""

    realm_id: int
    """The organisation's id."""
    realm: str
    """Its ``string_id``."""
    already: bool
    """Whether it was active before."""
    findings: tuple[Finding, ...]
    """What was noticed."""
    next_steps: tuple[str, ...]
    """What is left to do by hand: commands, in order."""
    seconds: float
    """What all took, in seconds."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RenameReport(Report):
    """What a change of name did."""

    realm_id: int
    """The organisation's id."""
    old_realm: str
    """Its ``string_id`` before."""
    realm: str
    """Its ``string_id`` now."""
    name: str
    """Its name now."""
    ended_sessions: int
    """How many sessions of its users were ended: they log in at the new address."""
    redirects: int
    """How many deactivated organisations lead to the new address now, and led to the old one."""
    findings: tuple[Finding, ...]
    """What was noticed."""
    next_steps: tuple[str, ...]
    """What is left to do by hand, in order."""
    seconds: float
    """What all took, in seconds."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class DeleteReport(Report):
    """What a deletion did."""

    realm_id: int
    """The organisation's id."""
    realm: str
    """Its ``string_id``."""
    tables: tuple[TableRows, ...]
    """Deleted rows, by table, the most first."""
    rows: int
    """All of them."""
    ended_sessions: int
    """How many sessions of its users were ended."""
    files: FileCount
    """Removed files."""
    findings: tuple[Finding, ...]
    """What was noticed."""
    next_steps: tuple[str, ...]
    """What is left to do by hand: commands, in order."""
    seconds: float
    """What all took, in seconds."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class FinishReport(Report):
    """What was left to do of a deletion that was stopped between the rows and the files, and is done now."""

    findings: tuple[Finding, ...]
    """What was done, and noticed."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class DeactivatePlan(Plan["DeactivateReport"]):
    """What a deactivation will do. This is the dry run."""

    _report = DeactivateReport

    realm_id: int
    """The organisation's id."""
    realm: str
    """Its ``string_id``."""
    name: str
    """Its name."""
    already: bool
    """Whether it is deactivated already: then only the address to lead to changes, if one is given."""
    reason: str
    """Why, for the audit log."""
    redirect_url: str | None = None
    """Where visitors are sent from now on."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ReactivatePlan(Plan["ReactivateReport"]):
    """What a reactivation will do. This is the dry run."""

    _report = ReactivateReport

    realm_id: int
    """The organisation's id."""
    realm: str
    """Its ``string_id``."""
    name: str
    """Its name."""
    already: bool
    """Whether it is active already: then nothing changes."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RenamePlan(Plan["RenameReport"]):
    """What a change of name will do. This is the dry run."""

    _report = RenameReport

    realm_id: int
    """The organisation's id."""
    realm: str
    """Its ``string_id`` now."""
    name: str
    """Its name now."""
    new_subdomain: str | None = None
    """Its subdomain afterwards, where that changes."""
    new_name: str | None = None
    """Its name afterwards, where that changes."""
    new_host: str | None = None
    """The host it answers to afterwards, where the server's name is known."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class DeletePlan(Plan["DeleteReport"]):
    """What a deletion will do, before anything is done. This is the dry run."""

    _report = DeleteReport

    realm_id: int
    """The organisation's id."""
    realm: str
    """Its ``string_id``: what has to be typed to confirm it."""
    name: str
    """Its name."""
    deactivated: bool
    """Whether it is deactivated: while it is not, its users can go on until the end."""
    tables: tuple[TableRows, ...]
    """Its rows, by table, the most first; as many as there are now."""
    rows: int
    """All of them."""
    files: FileCount
    """Its files."""


def list_all(*, site: Site | None = None) -> RealmList:
    """The organisations of a server."""
    return run(RealmList, {"verb": "realm-list", "site": Site._request(site)}, None)


def show(realm: str, *, site: Site | None = None) -> RealmDetails:
    """What is known about an organisation, by its id or ``string_id``."""
    return run(RealmDetails, {"verb": "realm-show", "site": Site._request(site), "realm": realm}, None)


def plan_deactivate(
    realm: str, *, reason: str, redirect_url: str | None = None, site: Site | None = None
) -> DeactivatePlan:
    """Say what a deactivation will do.

    :param reason: why, for the audit log: a word such as ``owner_request`` or ``self_hosting_migration``
    :param redirect_url: where visitors are sent from then on
    """
    options = request(realm=realm, reason=reason, redirect_url=redirect_url)
    return planned(DeactivatePlan, {"verb": "deactivate", "site": Site._request(site), "options": options}, None)


def plan_reactivate(realm: str, *, site: Site | None = None) -> ReactivatePlan:
    """Say what a reactivation will do."""
    return planned(ReactivatePlan, {"verb": "reactivate", "site": Site._request(site), "realm": realm}, None)


def plan_rename(
    realm: str,
    *,
    subdomain: str | None = None,
    name: str | None = None,
    allow_reserved_subdomain: bool = False,
    site: Site | None = None,
) -> RenamePlan:
    """Say what another subdomain, or another name, will change."""
    options = request(
        realm=realm, subdomain=subdomain, name=name, allow_reserved_subdomain=allow_reserved_subdomain
    )
    return planned(RenamePlan, {"verb": "rename", "site": Site._request(site), "options": options}, None)


def plan_delete(realm: str, *, site: Site | None = None) -> DeletePlan:
    """Say what a deletion will remove: rows, files and caches. It cannot be undone."""
    return planned(DeletePlan, {"verb": "delete", "site": Site._request(site), "realm": realm}, None)


def finish_deletion(realm: str, *, site: Site | None = None) -> FinishReport | None:
    """Bring a deletion to its end that was stopped between the rows and the files.

    Every change of an organisation does so before it begins, but says of it only what was noticed. Ask here where
    :func:`plan_delete` does not find the organisation any more: None if there was nothing left to do of this one.
    """
    return run_if_any(FinishReport, {"verb": "finish-deletion", "site": Site._request(site), "realm": realm}, None)
