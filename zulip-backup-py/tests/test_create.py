"""Backups: what the report says, what the progress says, and how a backup is stopped."""

from __future__ import annotations

import os
import signal
import tarfile
import threading
import time
from pathlib import Path
from types import FrameType

import pytest
import zulip_backup
from conftest import Host
from zulip_backup import BackupReport, ProgressEvent


def left_over(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.name != "host" and not path.name.startswith(".zulip-backup.")]


def test_the_report_tells_what_is_in_the_archive(backup: BackupReport) -> None:
    assert backup.path.stat().st_size == backup.archive_bytes
    assert backup.tables > 50
    assert backup.rows > 300
    assert backup.content_bytes > 0
    assert backup.seconds > 0
    assert len(backup.manifest_sha256) == 64
    assert not backup.has_findings, [str(finding) for finding in backup.findings]
    everything = backup.to_dict()
    assert everything["path"] == str(backup.path)
    assert everything["rows"] == backup.rows
    assert set(everything["sections"]) >= {"database", "settings", "uploads"}
    assert f"{backup.tables} tables" in str(backup)
    assert str(backup.path) in repr(backup)
    with tarfile.open(backup.path) as archive:
        assert "zulip-backup/settings/zulip-secrets.conf" in archive.getnames()


def test_attributes_cannot_be_changed(backup: BackupReport) -> None:
    with pytest.raises(AttributeError):
        backup.rows = 1  # type: ignore[misc]


def test_progress_is_told_in_order_on_the_calling_thread(server: Host, tmp_path: Path) -> None:
    events: list[ProgressEvent] = []
    threads = set()

    def observe(event: ProgressEvent) -> None:
        threads.add(threading.get_ident())
        events.append(event)

    report = zulip_backup.create(
        output=tmp_path / "a.tar.zst", site=server.site(), jobs=2, progress=observe
    )
    assert report.path == tmp_path / "a.tar.zst"
    assert threads == {threading.get_ident()}
    begun: dict[str, int] = {}
    ended: dict[str, int] = {}
    for event in events:
        if event["event"] == "begin":
            begun[event["task"]] = 0
        elif event["event"] == "progress":
            assert event["task"] not in ended
            assert event["done"] >= begun[event["task"]]
            begun[event["task"]] = event["done"]
        elif event["event"] == "end":
            assert event["task"] in begun
            assert event["done"] >= begun[event["task"]]
            ended[event["task"]] = event["done"]
    assert begun, "nothing was told"
    assert set(ended) == set(begun)
    assert sum(ended.values()) > 0


def test_findings_are_told_and_reported(host: Host, tmp_path: Path) -> None:
    told = []

    def observe(event: ProgressEvent) -> None:
        if event["event"] == "finding":
            told.append(event["finding"]["code"])

    report = zulip_backup.create(
        output=tmp_path / "a.tar.gz", site=host.site(), skip_db=True, progress=observe
    )
    codes = [finding.code for finding in report.findings]
    assert "postgres-version-unknown" in codes
    assert report.has_findings
    assert report.tables == 0
    finding = report.findings[codes.index("postgres-version-unknown")]
    assert finding.severity == "warning"
    assert finding.object and finding.message
    assert finding.hint is None or finding.hint
    assert finding == report.findings[codes.index("postgres-version-unknown")]
    assert str(finding).endswith("[postgres-version-unknown]")
    assert set(told) <= set(codes)


def test_what_the_callable_raises_stops_the_backup(host: Host, tmp_path: Path) -> None:
    host.endless_upload()

    class Enough(Exception):
        pass

    calls = 0

    def observe(event: ProgressEvent) -> None:
        nonlocal calls
        calls += 1
        if event["event"] == "progress":
            raise Enough

    with pytest.raises(Enough):
        create_endless(host, tmp_path, observe)
    seen = calls
    assert left_over(tmp_path) == []
    assert calls == seen


def create_endless(
    host: Host, directory: Path, progress: zulip_backup.ProgressCallback | None = None
) -> BackupReport:
    return zulip_backup.create(
        output=directory / "endless.tar.gz",
        site=host.site(),
        skip_db=True,
        ignore_space=True,
        jobs=1,
        progress=progress,
    )


def test_ctrl_c_stops_the_backup(host: Host, tmp_path: Path) -> None:
    host.endless_upload()

    def press() -> None:
        deadline = time.monotonic() + 30
        while not any(tmp_path.glob("*.partial")) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        create_endless(host, tmp_path)
    presser.join()
    assert time.monotonic() - started < 60
    assert left_over(tmp_path) == []


def test_what_another_signal_s_handler_raises_stops_it_too(host: Host, tmp_path: Path) -> None:
    host.endless_upload()

    def out_of_time(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError("enough")

    previous = signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(TimeoutError, match="enough"):
            create_endless(host, tmp_path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert left_over(tmp_path) == []


def test_other_threads_run_meanwhile(host: Host, tmp_path: Path) -> None:
    """Two backups at once, each of them on a thread that is not the main one, stopped by the main one."""
    host.endless_upload()
    stop = threading.Event()
    outcomes: list[BaseException] = []

    class Stopped(Exception):
        pass

    def observe(_event: ProgressEvent) -> None:
        if stop.is_set():
            raise Stopped

    def work(name: str) -> None:
        directory = tmp_path / name
        directory.mkdir()
        try:
            create_endless(host, directory, observe)
        except Stopped as stopped:
            outcomes.append(stopped)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*/*.partial"))) < 2:
        assert time.monotonic() < deadline, "they do not run at the same time"
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == 2
