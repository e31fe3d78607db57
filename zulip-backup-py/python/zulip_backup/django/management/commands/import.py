"""See :mod:`zulip_backup.django.commands.import_`."""

from zulip_backup.django.commands.import_ import Command as Command
