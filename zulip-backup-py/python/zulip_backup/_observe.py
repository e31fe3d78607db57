"""What is told while a verb works: to the caller's callable, and to Python's logging."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from zulip_backup._events import ProgressCallback, ProgressEvent
from zulip_backup._finding import Finding

logger = logging.getLogger("zulip_backup")
logger.addHandler(logging.NullHandler())

_LEVELS = {"note": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Observer:
    """Logs what is noticed, and passes everything on."""

    def __init__(self, progress: ProgressCallback | None) -> None:
        self._progress = progress
        self._logged: set[tuple[str, str, str]] = set()

    def __call__(self, event: ProgressEvent) -> None:
        if event["event"] == "finding":
            finding = event["finding"]
            self._log(finding["code"], finding["severity"], finding["object"], finding["message"])
        elif event["event"] == "message":
            logger.info("%s", event["text"])
        if self._progress is not None:
            self._progress(event)

    def tick(self) -> None:
        """Comes ten times a second, whether there is news or not."""
        tick = getattr(self._progress, "tick", None)
        if tick is not None:
            tick()

    def log_rest(self, findings: Iterable[Finding]) -> None:
        """Logs what was found and not told while it was."""
        for finding in findings:
            self._log(finding.code, finding.severity, finding.object, finding.message)

    def _log(self, code: str, severity: str, what: str, message: str) -> None:
        key = (code, what, message)
        if key not in self._logged:
            self._logged.add(key)
            logger.log(_LEVELS.get(severity, logging.WARNING), "%s: %s [%s]", what, message, code)
