"""What the wheel brings along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import zulip_backup

COMMAND = Path(sys.executable).with_name("zulip-backup")


def test_the_command_comes_with_the_package(backup: zulip_backup.BackupReport) -> None:
    assert COMMAND.read_bytes().startswith(b"\x7fELF"), "the program itself: nothing of Python starts it"
    version = subprocess.run([COMMAND, "--version"], check=True, capture_output=True, text=True).stdout
    assert version.split()[:2] == ["zulip-backup", zulip_backup.__version__]
    subprocess.run([COMMAND, "verify", "--quick", backup.path], check=True, capture_output=True)
