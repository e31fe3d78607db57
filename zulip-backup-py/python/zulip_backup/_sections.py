"""What an archive's sections hold: told by who writes one, and by who looks at one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SectionFacts:
    """What a section holds."""

    files: int
    """Regular files."""
    directories: int
    """Directories."""
    bytes: int
    """Bytes of the files' contents as they lie in the archive's members."""
