"""A Django project that is backed up by ``manage.py backup``. What differs from machine to machine is in the environment."""

import json
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "an example has nothing to keep"
USE_TZ = True

# This line is all it takes.
INSTALLED_APPS = ["zulip_backup.django"]

DATABASES = {
    "default": {
        "ENGINE": os.environ.get("EXAMPLE_ENGINE", "django.db.backends.postgresql"),
        "NAME": os.environ.get("EXAMPLE_DATABASE", "zulip"),
        "USER": os.environ.get("EXAMPLE_USER", "zulip"),
        "PASSWORD": os.environ.get("EXAMPLE_PASSWORD", ""),
        "HOST": os.environ.get("EXAMPLE_HOST", ""),
        "PORT": os.environ.get("EXAMPLE_PORT", ""),
        "OPTIONS": json.loads(os.environ.get("EXAMPLE_OPTIONS", "{}")),
    }
}

# A project of one's own would have MEDIA_ROOT; Zulip calls it so.
LOCAL_UPLOADS_DIR = os.environ.get("EXAMPLE_UPLOADS", "uploads")
EXTERNAL_HOST = "chat.example.com"
ZULIP_VERSION = "10.1"

# Arguments of zulip_backup.Site, where Django's settings do not say it all.
ZULIP_BACKUP = json.loads(os.environ.get("EXAMPLE_ZULIP_BACKUP", "{}"))
