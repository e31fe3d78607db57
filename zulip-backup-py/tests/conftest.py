"""A sample Zulip server to back up: a host laid out in a directory, and its database on a PostgreSQL of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import django
import pytest
import zulip_backup
from throwaway import PostgresServer, sample


def pytest_report_header() -> str:
    return f"zulip_backup {zulip_backup.__version__}, Django {django.__version__}"


@pytest.fixture(autouse=True, scope="session")
def _environment() -> Iterator[None]:
    """Nothing of the developer's own servers reaches the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("PG") or (name.startswith("ZULIP_BACKUP_") and name != "ZULIP_BACKUP_PG_BIN"):
                patch.delenv(name)
        patch.setenv("XDG_CONFIG_HOME", "/nonexistent")
        yield


@dataclass(frozen=True)
class Host:
    """A host that is laid out in a directory."""

    root: Path
    database_url: str

    def site(self) -> zulip_backup.Site:
        return zulip_backup.Site(root=self.root, database_url=self.database_url)

    def endless_upload(self) -> None:
        """From now on a backup of the uploads does not end by itself."""
        with (self.root / "home/zulip/uploads/files/endless").open("wb") as file:
            file.truncate(1 << 42)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def server(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A whole Zulip server."""
    root = tmp_path_factory.mktemp("host")
    url = postgres.create("zulip")
    sample("--messages", "300", "--uploads-bytes", "300000", "--database-url", url, "--root", root)
    return Host(root, url)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A Zulip server whose database is not reachable; each test has its own."""
    root = tmp_path / "host"
    root.mkdir()
    sample("--messages", "100", "--uploads-bytes", "100000", "--root", root)
    return Host(root, "host=/nonexistent user=zulip dbname=zulip")


@pytest.fixture(scope="session")
def backup(server: Host, tmp_path_factory: pytest.TempPathFactory) -> zulip_backup.BackupReport:
    """A backup of the whole server."""
    output = tmp_path_factory.mktemp("backups") / "backup.tar.gz"
    return zulip_backup.create(output=output, site=server.site())
