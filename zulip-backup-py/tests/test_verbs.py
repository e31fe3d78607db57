"""Every verb, on a real server."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import tarfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import zulip_backup
from conftest import Host
from throwaway import WORKSPACE, PostgresServer, sample
from zulip_backup import BackupReport, Report, Site, realm


@pytest.fixture(scope="module")
def site(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A server of its own, which the tests of this module change."""
    root = tmp_path_factory.mktemp("changed")
    url = postgres.create("changed")
    sample("--messages", "300", "--uploads-bytes", "300000", "--database-url", url, "--root", root)
    return Site(root=root, database_url=url)


@pytest.fixture(scope="module")
def exported(site: Site, tmp_path_factory: pytest.TempPathFactory) -> zulip_backup.ExportReport:
    largest = max(realm.list_all(site=site).realms, key=lambda one: one.messages)
    output = tmp_path_factory.mktemp("exports") / "export"
    return zulip_backup.export(largest.string_id, site=site, output=output, no_record=True, jobs=2)


def declared(product: Any) -> None:
    """Every key of the JSON has its attribute, all the way down."""
    missing: list[str] = []

    def walk(value: Any, data: Any, where: str) -> None:
        if dataclasses.is_dataclass(value) and isinstance(data, dict):
            names = {field.metadata.get("key", field.name): field.name for field in dataclasses.fields(value)}
            missing.extend(f"{where}.{key}" for key in data if key not in names)
            for key in names.keys() & data.keys():
                walk(getattr(value, names[key]), data[key], f"{where}.{key}")
        elif isinstance(value, dict):
            for key, element in value.items():
                walk(element, data[key], f"{where}.{key}")
        elif isinstance(value, tuple):
            items = data["list"] if isinstance(data, dict) and "list" in data else data
            for at, (one, of) in enumerate(zip(value, items, strict=True)):
                walk(one, of, f"{where}[{at}]")
        else:
            # A key of an export may have any value.
            assert not isinstance(value, list) or ".defaulted." in where, (where, data)

    walk(product, product.to_dict(), type(product).__name__)
    # What a step works on differs from step to step.
    assert [key for key in missing if ".steps[" not in key] == []
    assert str(product)
    assert repr(product).startswith(f"<{type(product).__name__} ")


def test_site(site: Site, tmp_path: Path) -> None:
    report = site.report()
    declared(report)
    assert report.zulip.value is not None and report.zulip.value.version == "10.1"
    assert report.zulip.origin is not None and report.zulip.origin.endswith("/version.py")
    assert report.uploads.value is not None and report.uploads.value.dir is not None
    assert report.kind.value == "production"
    unknown = Site(root=tmp_path, deployment="/nonexistent").report().deployment
    assert unknown.value is None and unknown.unknown is not None
    assert "hunter2" not in repr(Site(database_url="postgresql://zulip:hunter2@/zulip"))


def test_archives(backup: BackupReport, tmp_path: Path) -> None:
    for product in (backup, zulip_backup.inspect(backup.path), zulip_backup.verify(backup.path)):
        declared(product)
    report = zulip_backup.extract(backup.path, tmp_path / "out", ["zulip-version", "settings"], jobs=1)
    declared(report)
    assert report.files >= 3 and not report.has_findings
    assert (tmp_path / "out/zulip-backup/zulip-version").read_text().startswith("10.1")


def test_a_plan_says_what_will_be_done_and_does_it_once(server: Host, tmp_path: Path) -> None:
    plan = zulip_backup.plan_create(site=server.site(), output=tmp_path / "a.tar.zst")
    declared(plan)
    assert (plan.output, plan.compression) == (tmp_path / "a.tar.zst", "zstd")
    assert plan.database is not None and plan.database.size_bytes > 0
    assert not plan.output.exists()
    assert plan.execute().path == plan.output
    with pytest.raises(zulip_backup.UsageError, match="executed already"):
        plan.execute()


def test_a_plan_is_of_one_process(server: Host, tmp_path: Path) -> None:
    plan = zulip_backup.plan_create(site=server.site(), output=tmp_path / "a.tar.gz")
    child = os.fork()
    if child == 0:  # nothing of pytest may run in here
        code = 1
        try:
            plan.execute()
        except zulip_backup.UsageError as error:
            # What is new works.
            code = 0 if "process" in str(error) and zulip_backup.plan_create(site=server.site()) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert plan.execute().path.exists()


def test_drill(backup: BackupReport, tmp_path: Path) -> None:
    certificate = zulip_backup.drill(backup.path, certificate=tmp_path / "drill.json")
    declared(certificate)
    assert certificate.passed and certificate.archive == backup.path
    assert (tmp_path / "drill.json").exists()
    assert certificate.drilled_at.tzinfo is not None


def test_exports(site: Site, exported: zulip_backup.ExportReport, tmp_path: Path) -> None:
    declared(exported)
    report = zulip_backup.validate(exported.path)
    declared(report)
    assert report.is_sound and report.kind == "full" and report.messages == exported.messages
    public = zulip_backup.plan_export(exported.realm, site=site, output=tmp_path / "public.tar.gz", kind="public")
    declared(public)
    assert public.execute().archive_bytes == (tmp_path / "public.tar.gz").stat().st_size
    difference = zulip_backup.diff(exported.path, tmp_path / "public.tar.gz", limit=2)
    declared(difference)
    assert not difference.is_same and zulip_backup.diff(exported.path, exported.path).is_same
    with pytest.raises(zulip_backup.UsageError, match="kind|variant"):
        zulip_backup.export(exported.realm, site=site, kind="secret")  # type: ignore[arg-type]


def test_an_export_of_another_release(exported: zulip_backup.ExportReport, tmp_path: Path) -> None:
    plan = zulip_backup.plan_upgrade_export(exported.path, to="12.1", output=tmp_path / "newer.tar.zst", jobs=1)
    declared(plan)
    assert (plan.from_, plan.to, [step.to for step in plan.steps]) == ("10", "12.1", ["11", "12"])
    report = plan.execute()
    declared(report)
    checked = zulip_backup.validate(report.path)
    assert (checked.release, checked.release_from, checked.zulip_version) == ("12", "migrations", "12.1")
    summary = zulip_backup.summarize(report.path)
    declared(summary)
    assert summary.fits is not None and summary.fits.zulip_versions == ("12.x",)
    assert (summary.realm, summary.kind, summary.fits.postgres_majors["18"]) == (exported.realm, "full", "*")
    with pytest.raises(zulip_backup.IncompatibleError):
        zulip_backup.upgrade_export(exported.path, to="9.0", output=tmp_path / "older")


def test_a_single_user(site: Site, exported: zulip_backup.ExportReport, tmp_path: Path) -> None:
    with pytest.raises(zulip_backup.ZulipBackupError):
        zulip_backup.export_user("nobody@example.com", site=site, output=tmp_path / "nobody")
    users = json.loads((exported.path / "realm.json").read_text())["zerver_userprofile"]
    email = next(user["delivery_email"] for user in users if not user["is_bot"])
    plan = zulip_backup.plan_export_user(email, site=site, output=tmp_path / "user")
    declared(plan)
    assert plan.user is not None and plan.user.email == email
    assert plan.execute().path == tmp_path / "user"


def test_organisations(site: Site, exported: zulip_backup.ExportReport) -> None:
    listed = realm.list_all(site=site)
    declared(listed)
    declared(realm.show(exported.realm, site=site))
    # The file is of this server: another would have another uuid.
    file = exported.path / "realm.json"
    data = json.loads(file.read_text())
    data["zerver_realm"][0]["uuid"] = "0d9f5c1e-3f1b-4c3e-9f0a-2f6d5a1b7c11"
    file.write_text(json.dumps(data))
    plan = zulip_backup.plan_import("copy", exported.path, site=site, jobs=2)
    declared(plan)
    report = plan.execute()
    declared(report)
    assert report.subdomain == "copy" and report.rows["zerver_message"] == exported.messages
    with pytest.raises(zulip_backup.RefusedError) as refused:
        zulip_backup.import_("copy", exported.path, site=site)
    codes = {reason.code for reason in refused.value.reasons}
    assert {"subdomain-taken", "realm-exists"} <= codes, codes
    gone_to = "https://new.example.com"
    deactivated = realm.plan_deactivate("copy", reason="owner_request", redirect_url=gone_to, site=site)
    declared(deactivated)
    done = deactivated.execute()
    declared(done)
    assert done.redirect_url == gone_to
    back = realm.plan_reactivate("copy", site=site)
    declared(back)
    declared(back.execute())
    renamed = realm.plan_rename("copy", subdomain="renamed", name="Renamed", site=site)
    declared(renamed)
    assert renamed.execute().realm == "renamed"
    deleted = realm.plan_delete("renamed", site=site)
    declared(deleted)
    gone = deleted.execute()
    declared(gone)
    assert gone.rows > exported.messages
    assert [one.string_id for one in realm.list_all(site=site).realms] == [one.string_id for one in listed.realms]


def test_restore(site: Site, backup: BackupReport, tmp_path: Path) -> None:
    plan = zulip_backup.plan_restore(backup.path, site=site, state_dir=tmp_path / "state", skip_db=True)
    declared(plan)
    assert [step.step for step in plan.steps]
    preflight = plan.preflight()
    declared(preflight)
    assert preflight.is_clear, str(preflight)
    backend = site.report().uploads.value
    assert backend is not None and backend.dir is not None
    uploads = backend.dir
    before = sorted(path.name for path in uploads.rglob("*"))
    report = plan.execute()
    declared(report)
    assert report.switched and {tree.tree for tree in report.trees} >= {"uploads"}
    declared(zulip_backup.rollback_restore(site=site, state_dir=tmp_path / "state"))
    assert sorted(path.name for path in uploads.rglob("*")) == before
    with pytest.raises(zulip_backup.UsageError, match="one or the other"):
        zulip_backup.plan_restore(backup.path, site=site, uploads=tmp_path)


def test_logging_gets_what_is_noticed(host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="zulip_backup"):
        report = zulip_backup.create(output=tmp_path / "a.tar.gz", site=host.site(), skip_db=True)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert sorted(warnings) == sorted(str(finding) for finding in report.findings if finding.severity == "warning")
    assert warnings


def test_progress_as_an_iterator(server: Host, tmp_path: Path) -> None:
    with zulip_backup.watch(zulip_backup.create, site=server.site(), output=tmp_path / "a.tar.gz") as work:
        events = [event["event"] for event in work]
    assert work.result().path == tmp_path / "a.tar.gz"
    assert "begin" in events and "end" in events
    with zulip_backup.watch(zulip_backup.inspect, tmp_path / "none.tar.gz") as failing:
        assert list(failing) == []
    with pytest.raises(zulip_backup.NotFoundError):
        failing.result()


def test_leaving_an_iteration_stops_the_work(host: Host, tmp_path: Path) -> None:
    host.endless_upload()
    output = tmp_path / "a.tar.gz"
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        with zulip_backup.watch(zulip_backup.create, site=host.site(), output=output, skip_db=True, ignore_space=True) as work:
            for event in work:
                if event["event"] == "progress":
                    raise KeyboardInterrupt
    assert time.monotonic() - started < 30
    assert not output.exists() and not list(tmp_path.glob("*.partial"))


def test_reports_are_reports(exported: zulip_backup.ExportReport) -> None:
    assert isinstance(exported, Report)
    with pytest.raises(dataclasses.FrozenInstanceError):
        exported.realm = "other"  # type: ignore[misc]
    changed = exported.to_dict()
    changed["realm"] = "other"
    assert exported.to_dict()["realm"] == exported.realm


def test_messages_without_html_are_rendered_by_a_callable(postgres: PostgresServer, tmp_path: Path) -> None:
    converted = WORKSPACE / "../shared/convert/slack-converted.tar.gz"
    if not converted.exists():
        pytest.skip(f"{converted} is absent")
    root = tmp_path / "host"
    root.mkdir()
    url = postgres.create("rendered")
    sample("--messages", "100", "--uploads-bytes", "10000", "--database-url", url, "--root", root)
    site = Site(root=root, database_url=url)
    with tarfile.open(converted) as members:
        members.extractall(tmp_path, filter="data")
    export = tmp_path / "slack-converted"
    threads = set()
    seen: list[zulip_backup.Unrendered] = []

    def render(messages: Sequence[zulip_backup.Unrendered]) -> list[str | None]:
        threads.add(threading.get_ident())
        seen.extend(messages)
        return [None if message.sender_is_bot else f"<p>{len(message.content)}</p>" for message in messages]

    def fails(messages: Sequence[zulip_backup.Unrendered]) -> list[str | None]:
        raise LookupError("no such emoji")

    before = realm.list_all(site=site)
    with pytest.raises(LookupError, match="no such emoji"):
        zulip_backup.import_("slack", export, site=site, render=fails)
    for wrong in ([1], ["<p>"], []):
        with pytest.raises((TypeError, zulip_backup.UsageError)):
            zulip_backup.import_("slack", export, site=site, render=lambda _, wrong=wrong: wrong)  # type: ignore[misc]
    assert realm.list_all(site=site).to_dict() == before.to_dict()
    report = zulip_backup.import_("slack", export, site=site, render=render)
    assert threads == {threading.get_ident()}
    assert len(seen) == report.rows["zerver_message"] and {message.realm_id for message in seen} == {report.realm_id}
    bots = sum(message.sender_is_bot for message in seen)
    left = [finding for finding in report.findings if finding.code == "messages-unrendered"]
    assert [finding.message.split()[0] for finding in left] == ([str(bots)] if bots else [])
