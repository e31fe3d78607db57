"""Which server Django's settings describe."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured

from zulip_backup import Site

#: Settings that the library asks for. What Django knows, it need not ask Zulip's Python again.
ASKED = (
    "EXTERNAL_HOST",
    "EXTERNAL_URI_SCHEME",
    "FAKE_EMAIL_DOMAIN",
    "LOCAL_UPLOADS_DIR",
    "MEMCACHED_LOCATION",
    "MEMCACHED_USERNAME",
    "REMOTE_POSTGRES_HOST",
    "REMOTE_POSTGRES_PORT",
    "REMOTE_POSTGRES_SSLMODE",
    "ROOT_DOMAIN_LANDING_PAGE",
    "S3_ADDRESSING_STYLE",
    "S3_AUTH_UPLOADS_BUCKET",
    "S3_AVATAR_BUCKET",
    "S3_ENDPOINT_URL",
    "S3_EXPORT_BUCKET",
    "S3_REGION",
    "S3_UPLOADS_STORAGE_CLASS",
    "SELF_HOSTING_MANAGEMENT_SUBDOMAIN",
    "SOCIAL_AUTH_SUBDOMAIN",
)

#: Options of a database that are Django's and psycopg's own; libpq has never heard of them.
NOT_LIBPQ = frozenset(
    {
        "assume_role",
        "client_encoding",
        "connection_factory",
        "context",
        "cursor_factory",
        "isolation_level",
        "pool",
        "prepare_threshold",
        "row_factory",
        "server_side_binding",
    }
)

#: Databases that are not PostgreSQL. An engine of one's own may be called anything.
OTHERS = ("mysql", "oracle", "sqlite3", "spatialite", "dummy")


def site_of(settings: LazySettings, database: str = "default") -> Site:
    """The server that these settings describe.

    ``ZULIP_BACKUP`` in the settings, a dictionary of arguments of :class:`zulip_backup.Site`, overrides what they say.

    :raises ImproperlyConfigured: for a database that is not PostgreSQL, and where a setting is missing
    """
    overrides: dict[str, Any] = getattr(settings, "ZULIP_BACKUP", {})
    places = (overrides.get("deployment"), getattr(settings, "DEPLOY_ROOT", None), getattr(settings, "BASE_DIR", None))
    root = Path(next(filter(None, places), os.getcwd()))
    arguments: dict[str, Any] = {
        "deployment": root,
        "database_url": conninfo(settings.DATABASES.get(database), database),
        "settings": {name: str(getattr(settings, name)) for name in ASKED if hasattr(settings, name)},
    }
    if not (root / "version.py").is_file():
        # A project that is not Zulip's.
        arguments["zulip_version"] = str(getattr(settings, "ZULIP_VERSION", "unknown"))
    uploads = getattr(settings, "LOCAL_UPLOADS_DIR", getattr(settings, "MEDIA_ROOT", None) or None)
    if uploads is not None:
        arguments["uploads_dir"] = root / uploads
    return Site(**{**arguments, **overrides})


def conninfo(database: Mapping[str, Any] | None, alias: str) -> str:
    """A database of Django's settings in libpq's words."""
    if not database:
        raise ImproperlyConfigured(f"DATABASES has no {alias!r}")
    engine = str(database.get("ENGINE", ""))
    if engine.rpartition(".")[2] in OTHERS:
        raise ImproperlyConfigured(f"DATABASES[{alias!r}] is of the engine {engine}: expected PostgreSQL")
    words = {
        "dbname": database.get("NAME"),
        "user": database.get("USER"),
        "password": database.get("PASSWORD"),
        "host": database.get("HOST"),
        "port": database.get("PORT"),
    }
    options = {name: value for name, value in database.get("OPTIONS", {}).items() if name not in NOT_LIBPQ}
    given = {name: str(value) for name, value in {**words, **options}.items() if value not in (None, "")}
    return " ".join(f"{name}={quoted(value)}" for name, value in given.items())


def quoted(value: str) -> str:
    """A value as libpq reads it back."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
