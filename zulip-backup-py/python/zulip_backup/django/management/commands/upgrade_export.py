"""See :mod:`zulip_backup.django.commands.upgrade_export`."""

from zulip_backup.django.commands.upgrade_export import Command as Command
