"""See :mod:`zulip_backup.django.commands.backup`."""

from zulip_backup.django.commands.backup import Command as Command
