#!/usr/bin/env python3
"""Shows the commands on a throw-away server: back up, verify, rehearse, export, check, import. `make example-django` runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from throwaway import PostgresServer, sample

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Shows them."""
    with PostgresServer() as server, tempfile.TemporaryDirectory(dir="/tmp") as directory:
        place = Path(directory)
        place.chmod(0o755)
        (place / "host").mkdir()
        sample("--messages", "500", "--database-url", server.create("zulip"), "--root", place / "host")
        environment = {
            **os.environ,
            "EXAMPLE_HOST": str(server.directory),
            "EXAMPLE_USER": "postgres",
            "EXAMPLE_UPLOADS": str(place / "host/home/zulip/uploads"),
            "EXAMPLE_ZULIP_BACKUP": json.dumps(
                {"root": str(place / "host"), "deployment": str(place / "host/home/zulip/deployments/current")}
            ),
        }

        # 1 means: done, and something for a person to look at.
        def manage(*arguments: str | Path, expected: tuple[int, ...] = (0, 1)) -> None:
            print("\n$ ./manage.py", *arguments, flush=True)
            done = subprocess.run(
                [sys.executable, HERE / "manage.py", *arguments], env=environment, stdout=subprocess.PIPE, text=True
            )
            print(done.stdout, end="", flush=True)
            if done.returncode not in expected:
                sys.exit(f"it ended with {done.returncode}, expected {expected}")

        manage("backup", "--output", place / "backup.tar.gz")
        manage("verify_backup", place / "backup.tar.gz")
        manage("drill_backup", place / "backup.tar.gz")
        manage("restore_backup", place / "backup.tar.gz", "--dry-run", "--skip-db", "--state-dir", place / "state")
        manage("export", "-r", "", "--output", place / "export")
        manage("validate_export", place / "export.tar.gz")
        # The organisation is there already: every reason is told, and nothing is done.
        manage("import", "copy", place / "export.tar.gz", expected=(3,))


if __name__ == "__main__":
    main()
