"""Archives: inspected, proven, damaged."""

from __future__ import annotations

import datetime
import json
import shutil
from pathlib import Path

import pytest
import zulip_backup
from throwaway import WORKSPACE
from zulip_backup import BackupReport, ProgressEvent


def test_inspect(backup: BackupReport) -> None:
    report = zulip_backup.inspect(backup.path)
    assert report.archive == backup.path
    assert (report.kind, report.compression, report.production) == ("indexed", "gzip", True)
    assert report.archive_bytes == backup.archive_bytes
    assert report.format == 1
    assert report.zulip_version == "10.1"
    assert report.os_version == "debian 12"
    assert report.external_host == "chat.example.com"
    assert report.postgres_version is not None and report.postgres_version >= 100_000
    assert "zulip-backup" in report.made_by
    assert report.created_at is not None
    age = datetime.datetime.now(datetime.timezone.utc) - report.created_at
    assert datetime.timedelta(0) <= age < datetime.timedelta(hours=1)
    assert not report.has_findings, [str(finding) for finding in report.findings]
    everything = report.to_dict()
    assert everything["database"]["rows"] == backup.rows
    assert "avatar_salt" in everything["secrets"]["keys"]
    assert json.loads(json.dumps(everything)) == everything
    assert "Zulip 10.1" in str(report)


def test_a_path_is_text_or_a_path(backup: BackupReport) -> None:
    assert zulip_backup.inspect(str(backup.path)).to_dict() == zulip_backup.inspect(backup.path).to_dict()
    with pytest.raises(TypeError):
        zulip_backup.inspect(17)  # type: ignore[arg-type]


def test_a_sound_archive(backup: BackupReport) -> None:
    events: list[ProgressEvent] = []
    report = zulip_backup.verify(backup.path, jobs=2, progress=events.append)
    assert report.is_sound
    assert not report.has_findings
    assert report.findings == ()
    report.raise_if_damaged()
    assert (report.archive, report.kind, report.depth) == (backup.path, "indexed", "full")
    assert report.rows == backup.rows
    assert report.members > backup.tables
    assert report.archive_bytes == backup.archive_bytes
    assert report.seconds > 0
    assert report.to_dict()["depth"] == "full"
    assert "sound" in str(report)
    assert [event["event"] for event in events if event["event"] != "progress"] == ["begin", "end"]
    assert zulip_backup.verify(backup.path, quick=True).depth == "quick"


def test_a_damaged_archive(backup: BackupReport, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tar.gz"
    shutil.copy(backup.path, damaged)
    with damaged.open("r+b") as file:
        file.seek(backup.archive_bytes // 3)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0xFF]))
    report = zulip_backup.verify(damaged)
    assert not report.is_sound
    assert report.has_findings
    with pytest.raises(zulip_backup.DamagedError) as raised:
        report.raise_if_damaged()
    assert raised.value.path == damaged
    assert raised.value.kind == "damaged"
    assert raised.value.exit_code == 4
    assert [finding for finding in report.findings if finding.severity == "error"] == list(raised.value.reasons)
    assert raised.value.hint


def test_an_archive_made_by_zulip_itself() -> None:
    archive = WORKSPACE / "../shared/zulip/golden-backup.tar.gz"
    if not archive.exists():
        pytest.skip("../shared/zulip/golden-backup.tar.gz is absent")
    assert zulip_backup.inspect(archive).kind == "stream"
    assert zulip_backup.verify(archive).is_sound
