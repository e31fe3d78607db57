"""See :mod:`zulip_backup.django.commands.verify_backup`."""

from zulip_backup.django.commands.verify_backup import Command as Command
