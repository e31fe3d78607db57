"""Errors: each kind has its class, and the class has what the error knows."""

from __future__ import annotations

import fcntl
import os
import pickle
import re
import sys
import traceback
from pathlib import Path

import pytest
import zulip_backup
from conftest import Host
from zulip_backup import ZulipBackupError, _native

CONTRACT: dict[str, type[BaseException]] = {
    "usage": zulip_backup.UsageError,
    "incompatible": zulip_backup.IncompatibleError,
    "refused": zulip_backup.RefusedError,
    "damaged": zulip_backup.DamagedError,
    "locked": zulip_backup.LockedError,
    "postgres": zulip_backup.PostgresError,
    "store": zulip_backup.StoreError,
    "io": zulip_backup.IoError,
    "not-found": zulip_backup.NotFoundError,
    "config": zulip_backup.ConfigError,
    "interrupted": KeyboardInterrupt,
}


def test_every_kind_of_error_has_its_class() -> None:
    with pytest.raises(ValueError) as raised:
        _native._exception_class("no such kind")
    kinds = re.findall("`([a-z-]+)`", str(raised.value))
    assert kinds == list(CONTRACT), "the core's kinds of errors, in its order"
    assert {kind: _native._exception_class(kind) for kind in kinds} == CONTRACT


def test_the_tree() -> None:
    for kind, exception in CONTRACT.items():
        if kind != "interrupted":
            assert issubclass(exception, ZulipBackupError)
            assert exception.__name__ in zulip_backup.__all__
            assert exception.__doc__


def create(host: Host, output: Path, *, compression: str = "gzip", level: int = 1, jobs: int = 1) -> None:
    zulip_backup.create(
        output=output,
        site=host.site(),
        skip_db=True,
        compression=compression,  # type: ignore[arg-type]
        level=level,
        jobs=jobs,
    )


def test_usage(host: Host, tmp_path: Path) -> None:
    with pytest.raises(zulip_backup.UsageError, match="levels 1 to 12, not 99") as raised:
        create(host, tmp_path / "a.tar.gz", level=99)
    assert (raised.value.kind, raised.value.exit_code, raised.value.path) == ("usage", 2, None)
    with pytest.raises(zulip_backup.UsageError, match="unknown variant `lzma`"):
        create(host, tmp_path / "a.tar.gz", compression="lzma")
    with pytest.raises(zulip_backup.UsageError, match="jobs is 0"):
        create(host, tmp_path / "a.tar.gz", jobs=0)
    with pytest.raises(zulip_backup.UsageError, match="not UTF-8"):
        zulip_backup.inspect(os.fsdecode(b"/tmp/\xff.tar.gz"))
    with pytest.raises(TypeError):
        zulip_backup.create(no_such_option=1)  # type: ignore[call-arg]


def test_not_found(tmp_path: Path) -> None:
    with pytest.raises(zulip_backup.NotFoundError) as raised:
        zulip_backup.inspect(tmp_path / "none.tar.gz")
    assert raised.value.path == tmp_path / "none.tar.gz"
    assert str(tmp_path / "none.tar.gz") in str(raised.value)
    assert "No such file" in str(raised.value), "the cause is part of the text"
    assert raised.value.reasons == ()


def test_damaged(tmp_path: Path) -> None:
    noise = tmp_path / "noise.tar.gz"
    noise.write_bytes(b"nothing of the kind " * 1000)
    with pytest.raises(zulip_backup.DamagedError) as raised:
        zulip_backup.verify(noise)
    assert raised.value.path == noise
    assert raised.value.hint
    if sys.version_info >= (3, 11):
        assert f"hint: {raised.value.hint}" in "".join(traceback.format_exception(raised.value))


def test_refused(host: Host, tmp_path: Path) -> None:
    output = tmp_path / "a.tar.gz"
    output.write_text("precious")
    with pytest.raises(zulip_backup.RefusedError, match="exists") as raised:
        create(host, output)
    assert raised.value.path == output
    assert output.read_text() == "precious"


def test_locked(host: Host, tmp_path: Path) -> None:
    create(host, tmp_path / "first.tar.gz")
    locks = list(tmp_path.glob(".*lock*"))
    assert len(locks) == 1
    with locks[0].open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(zulip_backup.LockedError):
            create(host, tmp_path / "second.tar.gz")


def test_postgres(host: Host, tmp_path: Path) -> None:
    with pytest.raises(zulip_backup.PostgresError) as raised:
        zulip_backup.create(
            output=tmp_path / "a.tar.gz", site=zulip_backup.Site(root=host.root, database_url="postgres://zulip:hunter2@127.0.0.1:1/zulip")
        )
    shown = f"{raised.value!s} {raised.value!r} {raised.value.hint}"
    assert "127.0.0.1" in shown
    assert "hunter2" not in shown


def test_config(tmp_path: Path) -> None:
    config = tmp_path / "zulip-backup.toml"
    config.write_text("uplods_dir = '/srv'\n")
    config.chmod(0o600)
    with pytest.raises(zulip_backup.ConfigError, match="uplods_dir") as raised:
        zulip_backup.create(site=zulip_backup.Site(config=config))
    assert raised.value.path == config


def test_errors_can_cross_processes() -> None:
    error = zulip_backup.RefusedError(
        "no", kind="refused", exit_code=3, path=Path("/a"), hint="do something else", reasons=()
    )
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is zulip_backup.RefusedError
    assert (str(copy), copy.kind, copy.exit_code, copy.path, copy.hint) == (
        "no",
        "refused",
        3,
        Path("/a"),
        "do something else",
    )
