"""zulip-backup as commands of Django's manage.py.

Add ``"zulip_backup.django"`` to ``INSTALLED_APPS``; in front of ``"zerver"``, its ``backup``, ``export``, ``import`` and
``export_single_user`` take the place of Zulip's own. As ``"zulip_backup.django.apps.FirstConfig"`` they do so wherever it
stands. Or replace one of them by a module of that name below ``management/commands`` of the app whose command it is, or of
one in front of it, with one line::

    from zulip_backup.django.commands.backup import Command as Command

Database, uploads and version are those of Django's settings (:func:`zulip_backup.django.site.site_of`). Django's own
connection is not used.
"""
