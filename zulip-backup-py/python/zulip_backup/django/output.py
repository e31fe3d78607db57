"""Where an export goes, as Zulip's commands name it."""

from __future__ import annotations

import os
import secrets
import tempfile

ENDINGS = (".tar.gz", ".tgz", ".tar.zst")


def tarball_of(output: str | None) -> str:
    """The tarball for an ``--output``: of a directory, the one beside it, where Zulip's commands write theirs."""
    if output is None:
        output = os.path.join(tempfile.gettempdir(), f"zulip-export-{secrets.token_hex(4)}")
    path = os.path.realpath(os.path.expanduser(output))
    return path if path.endswith(ENDINGS) else f"{path}.tar.gz"
