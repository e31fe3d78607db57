"""Progress as an iterator."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, ParamSpec, TypeVar, cast

from zulip_backup._events import ProgressEvent

_P = ParamSpec("_P")
_T = TypeVar("_T")

_ENDED = None


class _Stopped(BaseException):
    """Ends work that nobody waits for any more."""


class _Relay:
    def __init__(self, put: Callable[[ProgressEvent], None], stop: threading.Event) -> None:
        self._put = put
        self._stop = stop

    def __call__(self, event: ProgressEvent) -> None:
        self._put(event)
        self.tick()

    def tick(self) -> None:
        if self._stop.is_set():
            raise _Stopped


class Watch(Generic[_T]):
    """Work that goes on while somebody looks at it::

        with watch(create, output="/srv/backups/zulip.tar.gz") as work:
            for event in work:
                print(event)
        report = work.result()

    Leaving the block by an exception, Ctrl-C included, stops the work and waits until it has cleaned up.
    """

    def __init__(self, function: Callable[..., _T], *args: object, **kwargs: object) -> None:
        # Bounded: who does not look holds the work up, and memory does not grow.
        self._events: queue.Queue[ProgressEvent | None] = queue.Queue(maxsize=1024)
        self._stop = threading.Event()
        self._over = False
        self._result: _T | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._work, args=(function, args, kwargs), name=f"zulip-backup {function.__name__}"
        )

    def _work(self, function: Callable[..., _T], args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        try:
            self._result = function(*args, **kwargs, progress=_Relay(self._put, self._stop))
        except _Stopped:
            pass
        except BaseException as error:  # it is raised again where the result is asked for
            self._error = error
        finally:
            self._put(_ENDED)

    def _put(self, event: ProgressEvent | None) -> None:
        while not self._stop.is_set():
            try:
                return self._events.put(event, timeout=0.1)
            except queue.Full:
                continue

    def __enter__(self) -> Watch[_T]:
        self._thread.start()
        return self

    def __iter__(self) -> Iterator[ProgressEvent]:
        while not self._over:
            event = self._events.get()
            if event is _ENDED:
                self._over = True
            else:
                yield event

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stop.set()
        else:
            # Nobody looks at what is left.
            for _ in self:
                pass
        self._thread.join()

    def result(self) -> _T:
        """What the work gave back; what it raised is raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return cast("_T", self._result)


def watch(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Watch[_T]:
    """Do something that takes ``progress`` on a thread of its own, and iterate over its events meanwhile.

    :param function: :func:`create`, :func:`verify`, a plan's ``execute``, …
    """
    return Watch(function, *args, **kwargs)
