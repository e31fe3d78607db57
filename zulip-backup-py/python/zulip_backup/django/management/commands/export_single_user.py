"""See :mod:`zulip_backup.django.commands.export_single_user`."""

from zulip_backup.django.commands.export_single_user import Command as Command
