"""Which server, and what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from zulip_backup._arguments import StrPath, request
from zulip_backup._finding import Finding
from zulip_backup._objects import Report, run

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Container:
    """What speaks for the host being a container."""

    is_container: bool
    """Whether anything does."""
    is_docker_zulip: bool
    """Whether it is Zulip's own image, where ``settings.py`` and ``zulip.conf`` are made anew at every start."""
    evidence: tuple[str, ...]
    """What it is told by."""


@dataclass(frozen=True, kw_only=True)
class Part(Generic[_T]):
    """One part of a server: its value and where that comes from, or why it is not known."""

    value: _T | None = None
    """The value."""
    origin: str | None = field(default=None, metadata={"key": "from"})
    """Where it comes from (the key ``from``): an option, a file, an answer of the deployment."""
    unknown: str | None = None
    """Why it is not known, which matters only to a verb that needs it."""
    hint: str | None = None
    """What supplies it."""


@dataclass(frozen=True, kw_only=True)
class DeploymentSummary:
    """The deployment."""

    path: Path
    """The directory, links resolved."""
    named: Path
    """As it was named."""
    owner: str
    """Its owner's login name."""


@dataclass(frozen=True, kw_only=True)
class ZulipVersion:
    """A Zulip version."""

    version: str
    """What the server calls itself: ``10.1``, or what ``git describe`` says for a deployment from git."""
    git_describe: str | None = None
    """What ``git describe`` says in the deployment."""
    merge_base: str | None = None
    """The upstream version a modified deployment is based on."""
    feature_level: int | None = None
    """The API feature level."""


@dataclass(frozen=True, kw_only=True)
class SettingsDir:
    """The settings directory."""

    path: Path
    """The directory, links resolved."""
    named: Path
    """As it is called."""
    link_target: Path | None = None
    """Where the name itself is a symbolic link, what stands in it."""


@dataclass(frozen=True, kw_only=True)
class DatabaseAddress:
    """How the database is reached: no password."""

    hosts: tuple[str, ...]
    """Hosts; none for the local socket."""
    ports: tuple[int, ...]
    """Ports; none for 5432."""
    user: str | None = None
    """Role."""
    dbname: str | None = None
    """Database."""
    sslmode: str | None = None
    """libpq's ``sslmode``."""
    has_password: bool
    """Whether there is a password."""
    read_write: bool
    """Whether only a server that takes writes will do."""
    run_as: str | None = None
    """The system user whose identity opens the socket."""


@dataclass(frozen=True, kw_only=True)
class UploadsBackend:
    """Where the uploads are: the first four are of a directory, the others of S3."""

    backend: Literal["local", "s3"]
    """Which of the two."""
    dir: Path | None = None
    """The directory, links resolved where it exists."""
    named: Path | None = None
    """The directory as the settings name it."""
    link_target: Path | None = None
    """Where the name itself is a symbolic link, what stands in it."""
    exists: bool | None = None
    """Whether it exists."""
    uploads_bucket: str | None = None
    """``S3_AUTH_UPLOADS_BUCKET``: attachments."""
    avatar_bucket: str | None = None
    """``S3_AVATAR_BUCKET``: avatars, emoji, images of organisations."""
    export_bucket: str | None = None
    """``S3_EXPORT_BUCKET``; absent: exports are in the avatar bucket."""
    region: str | None = None
    """``S3_REGION``; absent: the client library decides."""
    endpoint_url: str | None = None
    """``S3_ENDPOINT_URL``; absent: Amazon's."""
    addressing_style: str | None = None
    """``S3_ADDRESSING_STYLE``."""
    storage_class: str | None = None
    """``S3_UPLOADS_STORAGE_CLASS``."""
    credentials: str | None = None
    """Where the access key comes from: ``secrets-file`` or ``environment-or-role``."""


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The services of a host."""

    app: bool
    """Serves the application."""
    once: bool
    """Runs what runs once per installation."""
    database: bool
    """Is where the database is."""
    programs: tuple[str, ...]
    """The supervisor programs."""
    files: tuple[Path, ...]
    """The supervisor files that were read."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class SiteReport(Report):
    """Everything that can be told about a server. Secrets are there by name only."""

    deployment: Part[DeploymentSummary]
    """The deployment."""
    kind: Part[Literal["production", "development"]]
    """Production or development."""
    zulip: Part[ZulipVersion]
    """The Zulip version."""
    os: Part[str]
    """The operating system, as a backup's ``os-version`` has it."""
    settings_dir: Part[SettingsDir]
    """The settings directory."""
    zulip_conf: Part[Path]
    """``zulip.conf``."""
    secrets_file: Part[Path]
    """The secrets file."""
    secrets: Part[tuple[str, ...]]
    """The names of the secrets that have a value."""
    external_host: Part[str]
    """The name the server answers to."""
    database: Part[DatabaseAddress]
    """The database."""
    uploads: Part[UploadsBackend]
    """The uploads."""
    roles: Part[Roles]
    """The services."""
    container: Container
    """Whether it is a container."""
    config_file: Part[Path] | None = None
    """The configuration file of zulip-backup."""
    findings: tuple[Finding, ...]
    """What is not as it should be."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """One Zulip server. What is absent is found out, as the command does: by environment variables, by
    ``zulip-backup.toml``, and by looking."""

    deployment: StrPath | None = None
    """Directory Zulip runs from; else ``/home/zulip/deployments/current``."""
    settings_dir: StrPath | None = None
    """Directory with ``settings.py`` and ``zulip.conf``; else ``/etc/zulip``."""
    secrets_file: StrPath | None = None
    """File with the secrets; else ``zulip-secrets.conf`` in the settings directory."""
    uploads_dir: StrPath | None = None
    """Directory of the uploaded files; else what ``LOCAL_UPLOADS_DIR`` says."""
    database_url: str | None = field(default=None, repr=False)
    """The database, as a URL or in libpq's ``key=value`` words; else what the settings say."""
    zulip_version: str | None = None
    """The Zulip version; else what ``version.py`` of the deployment says. With it, the deployment may be any directory."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Single Django settings, as ``str()`` prints them."""
    script_timeout_seconds: int | None = None
    """How long a question to the deployment's Python may take; else 60."""
    config: StrPath | None = None
    """The configuration file; else the user's, else the system's ``zulip-backup.toml``."""
    root: StrPath | None = None
    """The directory that stands for ``/``, to look at a host that is only laid out somewhere."""

    def report(self) -> SiteReport:
        """Everything that can be told about it. Reads, never writes."""
        return run(SiteReport, {"verb": "site", "site": Site._request(self)}, None)

    @staticmethod
    def _request(site: Site | None) -> dict[str, Any]:
        if site is None:
            return {}
        options = request(
            deployment=site.deployment,
            settings_dir=site.settings_dir,
            secrets_file=site.secrets_file,
            uploads_dir=site.uploads_dir,
            database_url=site.database_url,
            zulip_version=site.zulip_version,
            settings=dict(site.settings),
            script_timeout_seconds=site.script_timeout_seconds,
        )
        return request(options=options, config=site.config, root=site.root)
