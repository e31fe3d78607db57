"""The app, in two ways."""

from pkgutil import iter_modules

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands

from zulip_backup.django.management import commands


class ZulipBackupConfig(AppConfig):
    """Commands only: it has no models."""

    name = "zulip_backup.django"
    label = "zulip_backup"
    verbose_name = "zulip-backup"
    default = True


class FirstConfig(ZulipBackupConfig):
    """The same, and its commands come before those of all other apps, wherever it stands among them.

    Zulip has no setting for apps in front of its own: what ``EXTRA_INSTALLED_APPS`` names comes behind.
    """

    default = False

    def ready(self) -> None:
        """Puts the commands in their place."""
        ours = {module.name: self.name for module in iter_modules(commands.__path__)}
        # Django looks for commands once, and goes by what it found.
        get_commands().update(ours)
        lost = [name for name in ours if get_commands()[name] != self.name]
        if lost:
            raise ImproperlyConfigured(
                f"this version of Django does not let {self.name} replace the commands {', '.join(lost)}:"
                " put it in front of the others in INSTALLED_APPS"
            )
