"""``manage.py drill_backup``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from zulip_backup import drill
from zulip_backup.django.command import DAMAGED, ZulipBackupCommand, add_jobs


class Command(ZulipBackupCommand):
    """Rehearse a restore."""

    help = "Restore a backup into a throw-away server, check what came of it, and certify that."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which archive, and where the rehearsal takes place."""
        super().add_arguments(parser)
        parser.add_argument("archive", help="The backup.")
        parser.add_argument("--work-dir", help="Where the throw-away server goes (default: the temp directory).")
        parser.add_argument("--certificate", help="Where the certificate goes (default: beside the archive).")
        parser.add_argument("--keep", action="store_true", help="Leave the restored files in place.")
        parser.add_argument("--ignore-space", action="store_true", help="Begin even if the space seems too little.")
        add_jobs(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Rehearses."""
        certificate = drill(
            options["archive"],
            work_dir=options["work_dir"],
            certificate=options["certificate"],
            keep=options["keep"],
            jobs=options["jobs"],
            ignore_space=options["ignore_space"],
            progress=self.progress(options),
        )
        self.show(certificate, options)
        if not certificate.passed:
            raise CommandError(f"the rehearsal of {certificate.archive} failed", returncode=DAMAGED)
