"""What is told while a verb works: to the caller's callable, and to Python's logging."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any, TypedDict

from zulip_backup._events import ProgressCallback, ProgressEvent
from zulip_backup._finding import Finding
from zulip_backup._render import Renderer, Unrendered

logger = logging.getLogger("zulip_backup")
logger.addHandler(logging.NullHandler())

_LEVELS = {"note": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Question(TypedDict):
    """What the library asks."""

    render: list[dict[str, Any]]


class Observer:
    """Logs what is noticed, and passes everything on."""

    def __init__(self, progress: ProgressCallback | None, render: Renderer | None = None) -> None:
        self._progress = progress
        self._render = render
        self._logged: set[Finding] = set()

    def __call__(self, event: ProgressEvent) -> None:
        if event["event"] == "finding":
            self.log([Finding(**event["finding"])])
        elif event["event"] == "message":
            logger.info("%s", event["text"])
        if self._progress is not None:
            self._progress(event)

    def tick(self) -> None:
        """Comes ten times a second, whether there is news or not."""
        tick = getattr(self._progress, "tick", None)
        if tick is not None:
            tick()

    def answer(self, question: Question) -> str:
        """What the library asks: for messages, their HTML."""
        assert self._render is not None
        messages = [Unrendered(**message) for message in question["render"]]
        html = list(self._render(messages))
        for one in html:
            if one is not None and not isinstance(one, str):
                raise TypeError(f"expected the HTML of a message or None, found {one!r}")
        return json.dumps(html)

    def log(self, findings: Iterable[Finding]) -> None:
        """Logs what was noticed, each once: some of it is told while the work goes on, all of it in the report."""
        for finding in findings:
            if finding not in self._logged:
                self._logged.add(finding)
                logger.log(_LEVELS.get(finding.severity, logging.WARNING), "%s", finding)
