"""``manage.py backup``: Zulip's own command, and what it lacks."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from zulip_backup import plan_create
from zulip_backup.django.command import ZulipBackupCommand, add_dry_run, add_jobs


class Command(ZulipBackupCommand):
    """Back the server up into one archive."""

    help = "Create a backup of database, settings and uploads: one archive that proves itself."

    def add_arguments(self, parser: CommandParser) -> None:
        """Zulip's own, and ours."""
        super().add_arguments(parser)
        parser.add_argument("--output", help="The archive to write (default: a new file in the temp directory).")
        parser.add_argument("--skip-db", action="store_true", help="Leave the database out.")
        parser.add_argument("--skip-uploads", action="store_true", help="Leave the uploads out.")
        parser.add_argument("--compression", choices=["gzip", "zstd"], help="Default: by the output's name, else gzip.")
        parser.add_argument("--level", type=int, help="How hard to compress.")
        parser.add_argument("--force", action="store_true", help="Replace an existing output.")
        parser.add_argument("--ignore-space", action="store_true", help="Begin even if the space seems too little.")
        add_jobs(parser)
        add_dry_run(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Backs up."""
        plan = plan_create(
            site=self.site(options),
            output=options["output"],
            skip_db=options["skip_db"],
            skip_uploads=options["skip_uploads"],
            compression=options["compression"],
            level=options["level"],
            jobs=options["jobs"],
            force=options["force"],
            ignore_space=options["ignore_space"],
        )
        report = self.carry_out(plan, options)
        if report is not None:
            # The very words of Zulip's own command: scripts look for them.
            self.show(report, options, f"Backup tarball written to {report.path}")
