"""Django's commands, on the example project: called from Python, and as ``manage.py`` in a process of its own."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import django
import pytest
import zulip_backup
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.test.utils import override_settings
from throwaway import WORKSPACE, PostgresServer, sample
from zulip_backup import realm
from zulip_backup.django.output import tarball_of
from zulip_backup.django.site import conninfo, site_of

PROJECT = WORKSPACE / "examples/django_project"

Run = Callable[..., str]


class Failed(Exception):
    """A command that ended with an error: its status, and what it said."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status
        self.said = said


@pytest.fixture(scope="module")
def project(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The project's environment: a server of its own."""
    root = tmp_path_factory.mktemp("django")
    sample("--messages", "300", "--uploads-bytes", "300000", "--database-url", postgres.create("django"), "--root", root)
    environment = {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "EXAMPLE_DATABASE": "django",
        "EXAMPLE_USER": "postgres",
        "EXAMPLE_HOST": str(postgres.directory),
        "EXAMPLE_UPLOADS": str(root / "home/zulip/uploads"),
        "EXAMPLE_ZULIP_BACKUP": json.dumps(
            {"root": str(root), "deployment": str(root / "home/zulip/deployments/current")}
        ),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        if not settings.configured:
            django.setup()
        yield environment


@pytest.fixture(params=["called", "process"])
def run(request: pytest.FixtureRequest, project: dict[str, str]) -> Run:
    """Runs a command; what it printed. Findings alone are no failure."""

    def called(*arguments: str | Path) -> str:
        out, err = io.StringIO(), io.StringIO()
        (command, *others) = arguments
        try:
            call_command(str(command), *map(str, others), stdout=out, stderr=err)
        except CommandError as error:
            raise Failed(error.returncode, str(error)) from error
        return out.getvalue()

    def process(*arguments: str | Path) -> str:
        command = [sys.executable, PROJECT / "manage.py", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **project})
        if done.returncode > 1:
            assert "Traceback" not in done.stderr
            raise Failed(done.returncode, done.stderr)
        return done.stdout

    return called if request.param == "called" else process


def test_backup_says_what_zulips_own_says(run: Run, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar.gz"
    assert run("backup", "--output", archive, "--automated") == f"Backup tarball written to {archive}\n"
    with tarfile.open(archive) as members:
        names = members.getnames()
    assert "zulip-backup/zulip-version" in names and any(name.startswith("zulip-backup/uploads/") for name in names)
    assert "sound" in run("verify_backup", archive)
    assert json.loads(run("verify_backup", archive, "--quick", "--json"))["depth"] == "quick"
    planned = run("backup", "--output", tmp_path / "other.tar.zst", "--skip-db", "--skip-uploads", "--dry-run")
    assert "other.tar.zst" in planned and not (tmp_path / "other.tar.zst").exists()
    with pytest.raises(Failed, match="exists") as refused:
        run("backup", "--output", archive)
    assert refused.value.status == 3 and "hint: name another --output" in refused.value.said
    damaged = bytearray(archive.read_bytes())
    damaged[len(damaged) // 3] ^= 0xFF
    archive.write_bytes(damaged)
    with pytest.raises(Failed) as failed:
        run("verify_backup", archive)
    assert failed.value.status == 4


def test_a_rehearsal(run: Run, backup: zulip_backup.BackupReport, tmp_path: Path) -> None:
    certificate = tmp_path / "drill.json"
    assert "passed" in run("drill_backup", backup.path, "--certificate", certificate)
    assert json.loads(certificate.read_text())["passed"]


def test_a_restore(run: Run, backup: zulip_backup.BackupReport, tmp_path: Path) -> None:
    state = ["--state-dir", tmp_path / "state"]
    assert "nothing speaks against" in run("restore_backup", backup.path, "--skip-db", "--dry-run", *state)
    for arguments in (["--rollback"], []):
        with pytest.raises(Failed) as refused:
            run("restore_backup", *arguments, *state)
        assert refused.value.status


def test_exports(run: Run, project: dict[str, str], tmp_path: Path) -> None:
    name = largest(project).string_id
    exported = run("export", "-r", name, "--output", tmp_path / "export", "--threads=2", "--no-record")
    tarball = tmp_path / "export.tar.gz"
    assert exported == f"\033[94mExporting realm\033[0m: {name}\nTarball written to {tarball}\n"
    assert "sound" in run("validate_export", tarball)
    with tarfile.open(tarball) as members:
        realm_json = next(member for member in members if member.name.endswith("/realm.json"))
        file = members.extractfile(realm_json)
        assert file is not None
        users = json.load(file)["zerver_userprofile"]
    email = next(user["delivery_email"] for user in users if not user["is_bot"])
    output = tmp_path / "newer.tar.gz"
    newer = json.loads(run("upgrade_export", tarball, "--to", "11.0", "--output", output, "--json"))
    assert newer["path"] == str(output) and newer["zulip_version"] == "11.0"
    single = run("export_single_user", email, "--output", tmp_path / "user")
    assert single == f"Exporting user {email}\nTarball written to {tmp_path / 'user.tar.gz'}\n"
    public = json.loads(run("export", "-r", name, "--output", tmp_path / "public.tar.zst", "--public-only", "--json"))
    assert public["kind"] == "public" and (tmp_path / "public.tar.zst").exists()
    with pytest.raises(Failed, match="no-such-place") as unknown:
        run("export", "-r", "no-such-place", "--output", tmp_path / "none")
    assert unknown.value.status == 6
    written, uploaded = run("export", "-r", name, "--output", tmp_path / "handed out", "--upload").splitlines()[1:]
    place = Path(written.removeprefix("Tarball written to "))
    assert place.is_relative_to(Path(project["EXAMPLE_UPLOADS"]) / "avatars/exports") and place.exists()
    address = f"/user_avatars/exports/{place.parent.parent.name}/{place.parent.name}/handed%20out.tar.gz"
    host = "chat.example.com" if name == "" else f"{name}.chat.example.com"
    assert uploaded == f"Uploaded to https://{host}{address}"
    assert not (tmp_path / "handed out.tar.gz").exists()


def test_imports(run: Run, project: dict[str, str], tmp_path: Path) -> None:
    run("export", "-r", largest(project).string_id, "--output", tmp_path / "export", "--no-record")
    tarball = tmp_path / "export.tar.gz"
    with pytest.raises(Failed, match="cannot be imported") as refused:
        run("import", "copy", tarball, "--dry-run")
    # All reasons, each on its line.
    assert refused.value.status == 3 and "[realm-exists]" in refused.value.said
    realm.plan_delete(largest(project).string_id, site=site(project)).execute()
    assert "copy" in run("import", "copy", tarball, "--dry-run", "--processes=1")
    assert f"Processing dump: {tarball} ...\n" in run("import", "copy", tarball, "--keep-name", "--no-fix-links")
    assert largest(project).string_id == "copy"
    for arguments in (["--destroy-rebuild-database"], [tarball]):
        with pytest.raises(Failed) as refused:
            run("import", "other", tarball, *arguments)
        assert refused.value.status == 2


def site(project: dict[str, str]) -> zulip_backup.Site:
    return site_of(settings)


def largest(project: dict[str, str]) -> realm.RealmSummary:
    return max(realm.list_all(site=site(project)).realms, key=lambda one: one.messages)


def test_findings_are_told_and_show_in_the_status(project: dict[str, str], tmp_path: Path) -> None:
    environment = {**os.environ, **project, "EXAMPLE_HOST": "/nonexistent"}
    output = str(tmp_path / "a.tar.gz")
    command = [sys.executable, str(PROJECT / "manage.py"), "backup", "--skip-db", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert "[postgres-version-unknown]" in done.stderr
    assert done.stdout == f"Backup tarball written to {output}\n"


def test_a_project_that_is_not_zulips(postgres: PostgresServer, tmp_path: Path) -> None:
    """Database, uploads and nothing else: no version.py, no zulip.conf, no secrets."""
    base = tmp_path / "project"
    (base / "media").mkdir(parents=True)
    (base / "media/picture.txt").write_text("a picture")
    own = {"BASE_DIR": base, "MEDIA_ROOT": str(base / "media"), "ZULIP_BACKUP": {}}
    with override_settings(**own):
        del settings.LOCAL_UPLOADS_DIR
        del settings.ZULIP_VERSION
        out = io.StringIO()
        call_command("backup", "--output", str(tmp_path / "a.tar.gz"), stdout=out, stderr=io.StringIO())
    inspected = zulip_backup.inspect(tmp_path / "a.tar.gz")
    assert (inspected.zulip_version, inspected.production) == ("unknown", False)
    assert inspected.sections["uploads"].files == 1 and inspected.database is not None


@pytest.mark.parametrize(
    ("apps", "expected"),
    [
        (["theirs", "zulip_backup.django"], "theirs.management.commands.backup"),
        (["zulip_backup.django", "theirs"], "zulip_backup.django.commands.backup"),
        (["theirs", "zulip_backup.django.apps.FirstConfig"], "zulip_backup.django.commands.backup"),
        # By one line in an app that comes first.
        (["ours", "theirs"], "zulip_backup.django.commands.backup"),
    ],
)
def test_whose_command_it_is(tmp_path: Path, apps: list[str], expected: str) -> None:
    for app, line in (
        ("theirs", "from django.core.management.base import BaseCommand\nclass Command(BaseCommand): pass"),
        ("ours", "from zulip_backup.django.commands.backup import Command as Command"),
    ):
        commands = tmp_path / app / "management/commands"
        commands.mkdir(parents=True)
        for package in (tmp_path / app, commands.parent, commands):
            (package / "__init__.py").touch()
        (commands / "backup.py").write_text(line + "\n")
    program = (
        "import django; from django.conf import settings; import sys;"
        "settings.configure(INSTALLED_APPS=sys.argv[1:]); django.setup();"
        "from django.core.management import get_commands, load_command_class;"
        "print(load_command_class(get_commands()['backup'], 'backup').__class__.__module__, len(get_commands()))"
    )
    command = [sys.executable, "-c", program, *apps]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    module, found = done.stdout.split()
    assert module == expected
    # Those of Django itself are there as always.
    assert int(found) > 20


def test_every_command_is_there(project: dict[str, str]) -> None:
    expected = {
        "backup",
        "drill_backup",
        "export",
        "export_single_user",
        "import",
        "restore_backup",
        "upgrade_export",
        "validate_export",
        "verify_backup",
    }
    found = {name for name, app in get_commands().items() if app == "zulip_backup.django"}
    assert found == expected
    for name in expected:
        command: Any = load_command_class("zulip_backup.django", name)
        text = command.create_parser("manage.py", name).format_help()
        assert command.help.split(",")[0].split()[0] in text


def test_the_database_of_the_settings() -> None:
    database = {
        "ENGINE": "zerver.lib.db.own_engine",
        "NAME": "zulip",
        "USER": "it's",
        "PASSWORD": "a b\\c",
        "HOST": "",
        "PORT": 5433,
        "OPTIONS": {"sslmode": "verify-full", "connection_factory": object(), "target_session_attrs": "read-write"},
    }
    words = conninfo(database, "default")
    assert words == (
        "dbname='zulip' user='it\\'s' password='a b\\\\c' port='5433' sslmode='verify-full'"
        " target_session_attrs='read-write'"
    )
    for wrong in (None, {}, {"ENGINE": "django.db.backends.sqlite3", "NAME": "x"}):
        with pytest.raises(ImproperlyConfigured):
            conninfo(wrong, "default")


def test_a_password_with_signs_reaches_the_server(postgres: PostgresServer, project: dict[str, str], tmp_path: Path) -> None:
    """With an engine that is not even there: Django's own connection is not made, nor what makes it loaded."""
    hba = postgres.directory / "data/pg_hba.conf"
    hba.write_text(f"local all checked scram-sha-256\n{hba.read_text()}")
    postgres.run("pg_ctl", "reload", "-D", str(hba.parent))
    password = "it's \\ 'all' quoted"
    create = "CREATE ROLE checked SUPERUSER LOGIN PASSWORD 'it''s \\ ''all'' quoted'"
    postgres.run("psql", "-h", str(postgres.directory), "-U", "postgres", "-d", "django", "-c", create)
    own = {"ENGINE": "zerver.lib.own_engine", "USER": "checked", "PASSWORD": password}
    with mock.patch.dict(settings.DATABASES["default"], {**own, "OPTIONS": {"connection_factory": object}}):
        assert realm.list_all(site=site_of(settings)).realms
        call_command("backup", "--output", str(tmp_path / "a.tar.gz"), stdout=io.StringIO(), stderr=io.StringIO())
        assert zulip_backup.inspect(tmp_path / "a.tar.gz").database is not None
        with mock.patch.dict(settings.DATABASES["default"], PASSWORD="another"):
            with pytest.raises(CommandError, match="password authentication failed"):
                call_command("backup", "--dry-run")
        with mock.patch.dict(settings.DATABASES["default"], OPTIONS={"sslmode": "nonsense"}):
            with pytest.raises(CommandError, match="cannot be understood") as failed:
                call_command("backup", "--dry-run")
    assert "quoted" not in str(failed.value)


def test_where_an_export_goes() -> None:
    assert tarball_of("/srv/a") == "/srv/a.tar.gz" and tarball_of("/srv/a/") == "/srv/a.tar.gz"
    assert tarball_of("/srv/a.tar.zst") == "/srv/a.tar.zst"
    assert tarball_of(None) != tarball_of(None)


def test_two_commands_at_once(project: dict[str, str], tmp_path: Path) -> None:
    """Each on a thread of its own, of one process: a backup, and an export that waits for nothing of it."""
    commands = {
        "backup": ["--output", str(tmp_path / "a.tar.gz")],
        "export": ["-r", largest(project).string_id, "--output", str(tmp_path / "export"), "--no-record"],
    }

    def called(command: str) -> str:
        out = io.StringIO()
        call_command(command, *commands[command], stdout=out, stderr=io.StringIO())
        return out.getvalue()

    with ThreadPoolExecutor() as threads:
        backup, export = threads.map(called, commands)
    assert backup == f"Backup tarball written to {tmp_path / 'a.tar.gz'}\n"
    assert export.endswith(f"Tarball written to {tmp_path / 'export.tar.gz'}\n")
    assert zulip_backup.verify(tmp_path / "a.tar.gz").is_sound
    assert zulip_backup.validate(tmp_path / "export.tar.gz").is_sound


def test_ctrl_c_stops_a_command_and_leaves_nothing(project: dict[str, str], tmp_path: Path) -> None:
    endless = Path(project["EXAMPLE_UPLOADS"]) / "files/endless"
    with endless.open("wb") as file:
        file.truncate(1 << 42)
    command = [sys.executable, str(PROJECT / "manage.py"), "backup", "--skip-db", "--ignore-space", "-v2"]
    command += ["--output", str(tmp_path / "a.tar.gz")]
    try:
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **project}) as process:
            assert process.stderr is not None
            # The work has begun.
            assert next(line for line in process.stderr if line.endswith("…\n"))
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        assert process.returncode == -signal.SIGINT
        # The lock of its place stays, as it does after every backup.
        assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")]
    finally:
        endless.unlink()
