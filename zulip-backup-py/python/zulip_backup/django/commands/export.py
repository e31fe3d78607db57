"""``manage.py export``: Zulip's own command, and what it lacks."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from zulip_backup import plan_export
from zulip_backup.django.command import ZulipBackupCommand, add_dry_run, add_jobs
from zulip_backup.django.output import tarball_of


class Command(ZulipBackupCommand):
    """Export an organisation."""

    help = "Export an organisation, in the format that Zulip's importer reads: one tarball, of one moment."

    def add_arguments(self, parser: CommandParser) -> None:
        """Zulip's own, and ours."""
        super().add_arguments(parser)
        parser.add_argument("-r", "--realm", required=True, help="The organisation's id or subdomain; '' for the root.")
        parser.add_argument(
            "--output",
            "--output-dir",
            dest="output",
            help="The tarball is written beside this directory, under its name and .tar.gz; or where this ends in .tar.gz "
            "or .tar.zst, there (default: in the temp directory).",
        )
        kinds = parser.add_mutually_exclusive_group()
        kinds.add_argument("--public-only", action="store_true", help="Public channels alone.")
        kinds.add_argument("--export-full-with-consent", action="store_true", help="And what users consent to.")
        kinds.add_argument(
            "--consent-message-id",
            type=int,
            help="On Zulip before 10: and what is of users who reacted to this message with an outbox tray.",
        )
        parser.add_argument("--deactivate-realm", action="store_true", help="Deactivate the organisation before.")
        parser.add_argument("--force", action="store_true", help="Export also where nobody could use the result.")
        parser.add_argument(
            "--upload",
            action="store_true",
            help="Put the tarball where the server hands it out to whoever knows its address, and print that.",
        )
        parser.add_argument("--compat", choices=["fixed", "strict"], default="fixed", help="Where Zulip is wrong.")
        parser.add_argument("--no-record", action="store_true", help="Leave no trace in the database.")
        parser.add_argument("--allow-unknown", action="store_true", help="Leave out columns that are not known.")
        add_jobs(parser, "--threads", "--parallel")
        add_dry_run(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Exports."""
        if options["public_only"]:
            kind = "public"
        else:
            kind = "full-with-consent" if options["export_full_with_consent"] else "full"
        plan = plan_export(
            options["realm"],
            site=self.site(options),
            output=tarball_of(options["output"]),
            upload=options["upload"],
            kind=kind,  # type: ignore[arg-type]
            consent_message=options["consent_message_id"],
            compat=options["compat"],
            no_record=options["no_record"],
            deactivate=options["deactivate_realm"],
            force=options["force"],
            allow_unknown=options["allow_unknown"],
            jobs=options["jobs"],
        )
        if not options["json"] and not options["dry_run"]:
            self.stdout.write(f"\033[94mExporting realm\033[0m: {plan.realm}")
            if plan.deactivate:
                self.stdout.write(f"\033[94mDeactivating realm\033[0m: {plan.realm}")
        report = self.carry_out(plan, options)
        if report is not None:
            uploaded = "" if report.url is None else f"\nUploaded to {report.url}"
            self.show(report, options, f"Tarball written to {report.path}{uploaded}")
