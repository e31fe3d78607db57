"""What the wheel brings along."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import zulip_backup

COMMAND = Path(sys.executable).with_name("zulip-backup")


def test_the_command_comes_with_the_package(backup: zulip_backup.BackupReport) -> None:
    assert COMMAND.read_bytes().startswith(b"\x7fELF"), "the program itself: nothing of Python starts it"
    version = subprocess.run([COMMAND, "--version"], check=True, capture_output=True, text=True).stdout
    assert version.split()[:2] == ["zulip-backup", zulip_backup.__version__]
    subprocess.run([COMMAND, "verify", "--quick", backup.path], check=True, capture_output=True)


def test_every_name_comes_from_where_type_checkers_see_it() -> None:
    stub = ast.parse(Path(zulip_backup.__file__).with_suffix(".pyi").read_text())
    seen = {
        alias.name: statement.module
        for statement in stub.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert sorted(seen) == sorted(zulip_backup.__all__)
    for name, module in seen.items():
        assert module is not None
        assert getattr(zulip_backup, name) is getattr(importlib.import_module(module), name), name
    assert set(seen) <= set(dir(zulip_backup))
    with pytest.raises(AttributeError, match="no attribute 'verfy'"):
        zulip_backup.verfy  # type: ignore[attr-defined]


def test_what_is_not_asked_for_is_not_loaded() -> None:
    program = "import sys, zulip_backup; zulip_backup.verify; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.split()
    assert "zulip_backup._archive" in loaded
    assert not {"zulip_backup._backup", "zulip_backup._restore", "zulip_backup._site"} & set(loaded)
