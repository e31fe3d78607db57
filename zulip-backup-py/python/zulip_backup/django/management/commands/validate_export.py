"""See :mod:`zulip_backup.django.commands.validate_export`."""

from zulip_backup.django.commands.validate_export import Command as Command
