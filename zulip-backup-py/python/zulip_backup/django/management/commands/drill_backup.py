"""See :mod:`zulip_backup.django.commands.drill_backup`."""

from zulip_backup.django.commands.drill_backup import Command as Command
