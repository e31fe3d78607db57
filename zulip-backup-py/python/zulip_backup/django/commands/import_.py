"""``manage.py import``: Zulip's own command, and what it lacks."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.module_loading import import_string

from zulip_backup import plan_import
from zulip_backup.django.command import ZulipBackupCommand, add_dry_run, add_jobs


class Command(ZulipBackupCommand):
    """Import an organisation."""

    help = "Import an organisation from an export, a directory or a tarball: the whole of it, or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """Zulip's own, and ours."""
        super().add_arguments(parser)
        parser.add_argument("subdomain", help="The new organisation's subdomain; '' for the root domain.")
        parser.add_argument("export_paths", nargs="+", metavar="export path", help="The export.")
        parser.add_argument("--import-into-nonempty", action="store_true", help="Accepted: it is always so.")
        parser.add_argument("--destroy-rebuild-database", action="store_true", help="Not offered: it destroys first.")
        parser.add_argument("--allow-reserved-subdomain", action="store_true", help="Take a reserved subdomain.")
        parser.add_argument("--keep-name", action="store_true", help="Keep the organisation's name.")
        parser.add_argument(
            "--fix-links", action=BooleanOptionalAction, help="Whether links in messages follow the new ids."
        )
        parser.add_argument("--trust-server-powers", action="store_true", help="Let users keep server-wide powers.")
        parser.add_argument(
            "--render",
            metavar="MODULE.FUNCTION",
            help="What gives messages their HTML whose export has none: a function of a list of zulip_backup.Unrendered.",
        )
        parser.add_argument("--compat", choices=["fixed", "strict"], default="fixed", help="Where Zulip is wrong.")
        add_jobs(parser, "--processes")
        add_dry_run(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Imports."""
        if options["destroy_rebuild_database"]:
            raise CommandError("--destroy-rebuild-database is not offered: nothing destroys first here", returncode=2)
        (path, *others) = options["export_paths"]
        if others:
            message = f"{len(others) + 1} exports are named, and one subdomain: run it once for each"
            raise CommandError(message, returncode=2)
        try:
            render = import_string(options["render"]) if options["render"] else None
        except ImportError as error:
            raise CommandError(f"--render: {error}", returncode=2) from error
        if not options["json"] and not options["dry_run"]:
            self.stdout.write(f"Processing dump: {path} ...")
        plan = plan_import(
            options["subdomain"],
            path,
            site=self.site(options),
            allow_reserved_subdomain=options["allow_reserved_subdomain"],
            keep_name=options["keep_name"],
            fix_links=options["fix_links"],
            trust_server_powers=options["trust_server_powers"],
            compat=options["compat"],
            jobs=options["jobs"],
            progress=self.progress(options),
        )
        report = self.carry_out(plan, options, render=render)
        if report is not None:
            self.show(report, options)
