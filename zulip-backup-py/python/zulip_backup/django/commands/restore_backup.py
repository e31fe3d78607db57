"""``manage.py restore_backup``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from zulip_backup import commit_restore, plan_restore, rollback_restore
from zulip_backup.django.command import FINDINGS, ZulipBackupCommand, add_dry_run, add_jobs

FLAGS = {
    "keep_settings": "Keep the server's settings.py.",
    "keep_zulipconf": "Keep the server's zulip.conf.",
    "keep_secrets": "Keep the server's zulip-secrets.conf.",
    "skip_db": "Leave the server's database as it is.",
    "skip_uploads": "Leave the server's uploads as they are.",
    "skip_settings": "Leave the server's settings as they are.",
    "only_stage": "Stop when everything lies ready beside what is there.",
    "in_place": "Empty the database and load into it: cannot be undone, needs --yes.",
    "allow_version_mismatch": "Treat other versions as warnings.",
    "yes": "Agree to what cannot be undone.",
    "skip_verify": "Trust the archive unread.",
    "ignore_space": "Begin even if the space seems too little.",
    "switch_inside": "Switch the entries of directories one by one.",
}


class Command(ZulipBackupCommand):
    """Restore a server."""

    help = (
        "Restore a backup beside what is there, check it, and switch; --rollback puts back what was there. As Zulip is "
        "stopped and started again, root has to run it on a production server."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Which archive, and what of it."""
        super().add_arguments(parser)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("archive", nargs="?", help="The backup.")
        what.add_argument("--rollback", action="store_true", help="Put back what the last restore replaced.")
        what.add_argument("--commit", action="store_true", help="Remove what the last restore replaced.")
        for name, text in FLAGS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", action="store_true", help=text)
        parser.add_argument("--external-host", help="The name the server is to answer to, instead of the archive's.")
        parser.add_argument("--state-dir", help="Where the journal is (default: /var/lib/zulip-backup).")
        add_jobs(parser)
        add_dry_run(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Restores."""
        site, progress = self.site(options), self.progress(options)
        if options["rollback"] or options["commit"]:
            end = rollback_restore if options["rollback"] else commit_restore
            self.show(end(site=site, state_dir=options["state_dir"], progress=progress), options)
            return
        if options["archive"] is None:
            raise CommandError("name an archive, or give --rollback or --commit", returncode=2)
        plan = plan_restore(
            options["archive"],
            site=site,
            external_host=options["external_host"],
            jobs=options["jobs"],
            state_dir=options["state_dir"],
            progress=progress,
            **{name: options[name] for name in FLAGS},
        )
        if options["dry_run"]:
            preflight = plan.preflight(progress=progress)
            self.stdout.write(str(plan))
            self.show(preflight, options)
            self.exit_code = FINDINGS if plan.has_findings or preflight.has_findings else 0
            return
        if options["verbosity"] >= 1 and not options["json"]:
            self.stderr.write(str(plan))
        self.show(plan.execute(progress=progress), options)
