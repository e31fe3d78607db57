"""What a progress callable is called with: the events that the command writes as JSON lines, as dictionaries."""

from collections.abc import Callable
from typing import Literal, TypedDict


class Begin(TypedDict):
    """A task begins. ``total`` is how much there is to do, in ``unit``, where that is known."""

    event: Literal["begin"]
    task: str
    unit: Literal["bytes", "rows", "files", "steps"]
    total: int | None


class Step(TypedDict):
    """A task has gone on. At most ten of these come in a second for each task."""

    event: Literal["progress"]
    task: str
    done: int
    total: int | None


class End(TypedDict):
    """A task is complete."""

    event: Literal["end"]
    task: str
    done: int
    seconds: float


class Message(TypedDict):
    """One line about what happens now."""

    event: Literal["message"]
    text: str


class _FindingRequired(TypedDict):
    code: str
    severity: Literal["note", "warning", "error"]
    object: str
    message: str


class FindingDict(_FindingRequired, total=False):
    """A Finding as a dictionary; ``hint`` is absent where there is none."""

    hint: str


class FindingEvent(TypedDict):
    """Something was noticed. The report has it too."""

    event: Literal["finding"]
    finding: FindingDict


ProgressEvent = Begin | Step | End | Message | FindingEvent
"""What a progress callable is called with. More events may come in later versions: ignore those you do not know."""

ProgressCallback = Callable[[ProgressEvent], object]
"""What may be given as ``progress``. What it returns is ignored; what it raises stops the work."""
