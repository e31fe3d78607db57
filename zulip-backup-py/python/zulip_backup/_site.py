"""Which server, and what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zulip_backup._arguments import StrPath, request
from zulip_backup._finding import Finding
from zulip_backup._objects import Report, run


@dataclass(frozen=True, kw_only=True)
class Container:
    """What speaks for the host being a container."""

    is_container: bool
    """Whether anything does."""
    is_docker_zulip: bool
    """Whether it is Zulip's own image, where ``settings.py`` and ``zulip.conf`` are made anew at every start."""
    evidence: tuple[str, ...]
    """What it is told by."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class SiteReport(Report):
    """Everything that can be told about a server. Secrets are there by name only."""

    deployment: dict[str, Any]
    """The deployment."""
    kind: dict[str, Any]
    """Production or development."""
    zulip: dict[str, Any]
    """The Zulip version."""
    os: dict[str, Any]
    """The operating system, as a backup's ``os-version`` has it."""
    settings_dir: dict[str, Any]
    """The settings directory."""
    zulip_conf: dict[str, Any]
    """``zulip.conf``."""
    secrets_file: dict[str, Any]
    """The secrets file."""
    secrets: dict[str, Any]
    """The names of the secrets that have a value."""
    external_host: dict[str, Any]
    """The name the server answers to."""
    database: dict[str, Any]
    """The database."""
    uploads: dict[str, Any]
    """The uploads."""
    roles: dict[str, Any]
    """The services."""
    container: Container
    """Whether it is a container."""
    config_file: dict[str, Any] | None = None
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
