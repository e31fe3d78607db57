"""Messages whose export has no HTML, and what gives them some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Unrendered:
    """A message whose export has no HTML."""

    id: int
    """Its new id."""
    realm_id: int
    """The new organisation's id; nobody else sees it yet."""
    sender_id: int
    """Its sender's new id."""
    sender_is_bot: bool
    """Whether its sender is a bot: some of Markdown is for people only."""
    translate_emoticons: bool
    """Whether its sender wants ``:)`` to become an emoji."""
    content: str
    """Its Markdown."""


Renderer = Callable[[Sequence[Unrendered]], Iterable[str | None]]
"""Gives messages their HTML, in their order; ``None`` for one that Zulip renders when it is first looked at."""
