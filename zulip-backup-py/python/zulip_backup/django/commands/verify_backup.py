"""``manage.py verify_backup``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from zulip_backup import verify
from zulip_backup.django.command import DAMAGED, ZulipBackupCommand, add_jobs


class Command(ZulipBackupCommand):
    """Prove an archive."""

    help = "Prove a backup, and name all damage that can be found."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which archive, and how much of it."""
        super().add_arguments(parser)
        parser.add_argument("archive", help="The backup.")
        parser.add_argument("--quick", action="store_true", help="Look at its index and its ends only.")
        add_jobs(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Proves it."""
        report = verify(
            options["archive"], quick=options["quick"], jobs=options["jobs"], progress=self.progress(options)
        )
        self.show(report, options)
        if not report.is_sound:
            raise CommandError(f"{report.archive} is damaged", returncode=DAMAGED)
