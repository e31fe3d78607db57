"""See :mod:`zulip_backup.django.commands.restore_backup`."""

from zulip_backup.django.commands.restore_backup import Command as Command
