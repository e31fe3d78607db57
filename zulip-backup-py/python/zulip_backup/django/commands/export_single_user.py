"""``manage.py export_single_user``: Zulip's own command, and what it lacks."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from zulip_backup import plan_export_user
from zulip_backup.django.command import ZulipBackupCommand, add_dry_run, add_jobs
from zulip_backup.django.output import tarball_of


class Command(ZulipBackupCommand):
    """Export what a single user has."""

    help = "Export what a single user has, in Zulip's own layout. No importer reads it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Zulip's own, and ours."""
        super().add_arguments(parser)
        parser.add_argument("email", help="The user's address.")
        parser.add_argument("-r", "--realm", help="The organisation, where the address is in several.")
        parser.add_argument("--output", help="As for export.")
        parser.add_argument("--compat", choices=["fixed", "strict"], default="fixed", help="Where Zulip is wrong.")
        parser.add_argument("--allow-unknown", action="store_true", help="Leave out columns that are not known.")
        add_jobs(parser)
        add_dry_run(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Exports."""
        plan = plan_export_user(
            options["email"],
            realm=options["realm"],
            site=self.site(options),
            output=tarball_of(options["output"]),
            compat=options["compat"],
            allow_unknown=options["allow_unknown"],
            jobs=options["jobs"],
        )
        if plan.user is not None and not options["json"] and not options["dry_run"]:
            self.stdout.write(f"Exporting user {plan.user.email}")
        report = self.carry_out(plan, options)
        if report is not None:
            self.show(report, options, f"Tarball written to {report.path}")
