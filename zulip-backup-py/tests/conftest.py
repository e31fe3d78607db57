"""A sample Zulip server to back up: a host laid out in a directory, and its database on a PostgreSQL of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zulip_backup

WORKSPACE = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", WORKSPACE / "target"))


@pytest.fixture(autouse=True, scope="session")
def _environment() -> Iterator[None]:
    """Nothing of the developer's own servers reaches the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("PG") or (name.startswith("ZULIP_BACKUP_") and name != "ZULIP_BACKUP_PG_BIN"):
                patch.delenv(name)
        patch.setenv("XDG_CONFIG_HOME", "/nonexistent")
        yield


class PostgresServer:
    """A throw-away server. It refuses to be root's, so root's tests run it as another user."""

    def __init__(self) -> None:
        found = subprocess.run([WORKSPACE / "scripts/find-postgres"], check=True, capture_output=True, text=True)
        self.bin = Path(found.stdout.strip())
        self.user = next(filter(None, map(_user, ("postgres", "nobody")))) if os.geteuid() == 0 else None
        # Not pytest's directory: only its own user may enter that.
        self.directory = Path(tempfile.mkdtemp(prefix="zulip-backup-py-", dir="/tmp"))
        if self.user is not None:
            os.chown(self.directory, self.user.pw_uid, self.user.pw_gid)

    def run(self, program: str, *arguments: str) -> None:
        identity: dict[str, Any] = {}
        if self.user is not None:
            identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        # The server inherits the output and would keep a pipe open.
        subprocess.run(
            [self.bin / program, *arguments],
            check=True,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            **identity,
        )

    def start(self) -> None:
        data = str(self.directory / "data")
        self.run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-k {self.directory} -c listen_addresses='' -c fsync=off"
        self.run("pg_ctl", "start", "-w", "-D", data, "-l", str(self.directory / "log"), "-o", options)

    def stop(self) -> None:
        try:
            if (self.directory / "data/postmaster.pid").exists():
                self.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.directory / "data"))
        finally:
            shutil.rmtree(self.directory)

    def url(self, database: str) -> str:
        return f"host={self.directory} user=postgres dbname={database}"


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


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


def sample(*arguments: str | Path) -> None:
    program = TARGET / "debug/sample-server"
    if not program.exists():
        pytest.fail(f"there is no {program}: cargo build -p zulip-backup-examples --bin sample-server")
    subprocess.run([program, *arguments], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def server(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A whole Zulip server."""
    root = tmp_path_factory.mktemp("host")
    postgres.run("createdb", "-h", str(postgres.directory), "-U", "postgres", "zulip")
    url = postgres.url("zulip")
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
