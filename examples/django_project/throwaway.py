"""A throw-away PostgreSQL, and a sample Zulip server in it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

WORKSPACE = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", WORKSPACE / "target"))


class PostgresServer:
    """A throw-away server. It refuses to be root's, so root runs it as another user."""

    def __init__(self) -> None:
        found = subprocess.run([WORKSPACE / "scripts/find-postgres"], check=True, capture_output=True, text=True)
        self.bin = Path(found.stdout.strip())
        self.user = next(filter(None, map(_user, ("postgres", "nobody")))) if os.geteuid() == 0 else None
        # Only its own user may enter most other directories.
        self.directory = Path(tempfile.mkdtemp(prefix="zulip-backup-py-", dir="/tmp"))
        if self.user is not None:
            os.chown(self.directory, self.user.pw_uid, self.user.pw_gid)

    def __enter__(self) -> PostgresServer:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, program: str, *arguments: str) -> None:
        """Runs one of PostgreSQL's programs."""
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
        """Makes it and starts it."""
        data = str(self.directory / "data")
        self.run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-k {self.directory} -c listen_addresses='' -c fsync=off"
        self.run("pg_ctl", "start", "-w", "-D", data, "-l", str(self.directory / "log"), "-o", options)

    def stop(self) -> None:
        """Ends it; nothing is left."""
        try:
            if (self.directory / "data/postmaster.pid").exists():
                self.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.directory / "data"))
        finally:
            shutil.rmtree(self.directory)

    def create(self, database: str) -> str:
        """Makes a database; how to reach it."""
        self.run("createdb", "-h", str(self.directory), "-U", "postgres", database)
        return self.url(database)

    def url(self, database: str) -> str:
        """How to reach a database."""
        return f"host={self.directory} user=postgres dbname={database}"


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def sample(*arguments: str | Path) -> None:
    """Makes a sample Zulip server."""
    program = TARGET / "debug/sample-server"
    if not program.exists():
        raise FileNotFoundError(f"there is no {program}: cargo build -p zulip-backup-examples --bin sample-server")
    subprocess.run([program, *arguments], check=True, stdout=subprocess.DEVNULL)
