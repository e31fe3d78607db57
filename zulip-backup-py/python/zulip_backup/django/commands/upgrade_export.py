"""``manage.py upgrade_export``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from zulip_backup import plan_upgrade_export
from zulip_backup.django.command import ZulipBackupCommand, add_dry_run, add_jobs


class Command(ZulipBackupCommand):
    """Make an export of an older Zulip one of a newer."""

    help = "Make an export of an older Zulip one that a newer Zulip imports. Needs no server."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which export, and where to."""
        super().add_arguments(parser)
        parser.add_argument("export", help="The export of the older Zulip: a directory or a tarball.")
        parser.add_argument("--to", required=True, help="The Zulip version that it is to be of: 10.1.")
        parser.add_argument(
            "--output", required=True, help="The directory to write, or the archive: NAME.tar.gz or NAME.tar.zst."
        )
        add_jobs(parser)
        add_dry_run(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Upgrades it."""
        plan = plan_upgrade_export(
            options["export"],
            to=options["to"],
            output=options["output"],
            jobs=options["jobs"],
            progress=self.progress(options),
        )
        report = self.carry_out(plan, options)
        if report is not None:
            self.show(report, options)
