"""Arguments, made ready for the core."""

from __future__ import annotations

import os
from typing import Any

from zulip_backup._exceptions import UsageError

StrPath = str | os.PathLike[str]


def request(**arguments: Any) -> dict[str, Any]:
    """What was given. What is absent the core decides."""
    given = {name: value for name, value in arguments.items() if value is not None}
    return {name: path_of(name, value) if isinstance(value, os.PathLike) else value for name, value in given.items()}


def path_of(name: str, path: StrPath) -> str:
    """A path as text.

    :raises UsageError: for one that is not UTF-8 text
    """
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"{name} is a path of bytes: expected text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{name} is not UTF-8 text: {text!r}", kind="usage", exit_code=2) from None
    return text


def jobs_of(jobs: int | None) -> int | None:
    """How many threads.

    :raises UsageError: for none at all
    """
    if jobs is not None and jobs < 1:
        hint = "leave it out for one job per processor"
        raise UsageError(f"jobs is {jobs}: expected 1 or more", kind="usage", exit_code=2, hint=hint)
    return jobs
