"""``manage.py validate_export``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from zulip_backup import validate
from zulip_backup.django.command import DAMAGED, ZulipBackupCommand, add_jobs


class Command(ZulipBackupCommand):
    """Check an export."""

    help = "Check an export of an organisation, of this program's or Zulip's own, without a server."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which export, and as what."""
        super().add_arguments(parser)
        parser.add_argument("export", help="The export: a directory or a tarball.")
        kinds = parser.add_mutually_exclusive_group()
        kinds.add_argument("--kind", choices=["full", "full-with-consent", "public"], help="Whose data it may hold.")
        kinds.add_argument(
            "--consent-message-id", type=int, help="The message by whose reactions users consented, on Zulip before 10."
        )
        add_jobs(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Checks it."""
        report = validate(
            options["export"],
            kind=options["kind"],
            consent_message=options["consent_message_id"],
            jobs=options["jobs"],
            progress=self.progress(options),
        )
        self.show(report, options)
        if not report.is_sound:
            raise CommandError(f"{report.path} is not sound", returncode=DAMAGED)
