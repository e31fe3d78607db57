"""See :mod:`zulip_backup.django.commands.export`."""

from zulip_backup.django.commands.export import Command as Command
