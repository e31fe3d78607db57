"""What the commands share."""

from __future__ import annotations

import json
import sys
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from zulip_backup import Finding, Plan, ProgressEvent, Report, Site, ZulipBackupError
from zulip_backup.django.site import site_of

_R = TypeVar("_R", bound=Report)

#: What a command ends with that found something for a person to look at, and otherwise did all it should.
FINDINGS = 1
#: What a command ends with whose object cannot be trusted.
DAMAGED = 4


class ZulipBackupCommand(BaseCommand):
    """A command whose work is the library's."""

    # Nothing of Django's models or URLs is used.
    requires_system_checks: list[str] = []
    #: What ``manage.py`` ends with, when nothing was raised.
    exit_code = 0

    def add_arguments(self, parser: CommandParser) -> None:
        """Arguments of every command."""
        parser.add_argument("--json", action="store_true", help="Print the report as JSON.")
        parser.add_argument("--database", default="default", help="Which of DATABASES (default: default).")
        # All of Zulip's commands have these, for its error reports.
        automated = parser.add_mutually_exclusive_group()
        automated.add_argument("--automated", action="store_true", help="Accepted for the sake of Zulip's own command.")
        automated.add_argument("--no-automated", dest="automated", action="store_false", help="The same.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Does what the command does; errors of the library become Django's."""
        self.exit_code = 0
        try:
            self.run(options)
        except ZulipBackupError as error:
            raise CommandError(explained(error), returncode=error.exit_code) from error
        except ImproperlyConfigured as error:
            raise CommandError(str(error), returncode=6) from error

    def run(self, options: dict[str, Any]) -> None:
        """What the command does."""
        raise NotImplementedError

    def run_from_argv(self, argv: list[str]) -> None:
        """Runs as a process of its own, whose status says what came of it."""
        super().run_from_argv(argv)
        if self.exit_code:
            sys.exit(self.exit_code)

    def site(self, options: dict[str, Any]) -> Site:
        """The server of Django's settings."""
        return site_of(settings, options["database"])

    def carry_out(self, plan: Plan[_R], options: dict[str, Any], **more: Any) -> _R | None:
        """Shows the plan, or does what it says; ``more`` is for its ``execute``."""
        if options["dry_run"]:
            self.show(plan, options)
            return None
        if options["verbosity"] >= 2:
            self.stderr.write(str(plan))
        return plan.execute(progress=self.progress(options), **more)

    def show(self, product: Report | Plan[Any], options: dict[str, Any], text: str | None = None) -> None:
        """Prints what came of it, and says what a person should look at."""
        if options["json"]:
            self.stdout.write(json.dumps(product.to_dict(), indent=2))
        else:
            self.stdout.write(str(product) if text is None else text)
        if product.has_findings:
            self.exit_code = FINDINGS
        if text is not None or options["json"]:
            for finding in product._findings():
                if finding.severity != "note":
                    self.stderr.write("\n".join(lines_of(finding, f"{finding.severity}: ")))

    def progress(self, options: dict[str, Any]) -> Any:
        """Tells of the work as it goes on, where that was asked for."""
        if options["verbosity"] < 2:
            return None

        def tell(event: ProgressEvent) -> None:
            if event["event"] == "begin":
                self.stderr.write(f"{event['task']} …")
            elif event["event"] == "end":
                self.stderr.write(f"{event['task']}: {event['done']} in {event['seconds']:.1f} s")
            elif event["event"] == "message":
                self.stderr.write(event["text"])

        return tell


def explained(error: ZulipBackupError) -> str:
    """An error with its reasons and what to do about it."""
    reasons = [line for reason in error.reasons for line in lines_of(reason, "  ")]
    hint = [] if error.hint is None else [f"hint: {error.hint}"]
    return "\n".join([str(error), *reasons, *hint])


def lines_of(finding: Finding, before: str) -> list[str]:
    """A finding, and below it what to do about it."""
    hint = [] if finding.hint is None else [f"{' ' * (len(before) - len(before.lstrip()))}    {finding.hint}"]
    return [f"{before}{finding}", *hint]


def add_dry_run(parser: CommandParser) -> None:
    """The argument of commands with a plan."""
    parser.add_argument("--dry-run", action="store_true", help="Say what would be done, and do nothing.")


def add_jobs(parser: CommandParser, *others: str) -> None:
    """How many threads; ``others`` are the names that Zulip's own command has for it."""
    parser.add_argument("--jobs", *others, dest="jobs", type=int, help="How many threads (default: all processors).")
