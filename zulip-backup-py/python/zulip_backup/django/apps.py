"""The app."""

from django.apps import AppConfig


class ZulipBackupConfig(AppConfig):
    """Commands only: it has no models."""

    name = "zulip_backup.django"
    label = "zulip_backup"
    verbose_name = "zulip-backup"
