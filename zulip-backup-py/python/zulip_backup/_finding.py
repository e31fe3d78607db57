"""What is noticed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing noticed about one object."""

    code: str
    """What was noticed: a stable kebab-case word."""
    severity: Literal["note", "warning", "error"]
    """How much it matters."""
    object: str
    """The member, path, table, key or setting it is about."""
    message: str
    """What is the case, with both values where two differ."""
    hint: str | None = None
    """What the reader can do about it, where that is known."""

    def __str__(self) -> str:
        return f"{self.object}: {self.message} [{self.code}]"
