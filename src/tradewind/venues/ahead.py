"""Work in a second thread: what releases the interpreter's lock (inflating, hashing, compiled code) runs beside the reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
ROOM = 4  # pieces that may wait


class _Ended(NamedTuple):
    error: BaseException | None


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items in the same order, made in a thread of their own a few ahead. What it raises is raised here, in its place."""
    ready: Queue[T | _Ended] = Queue(ROOM)
    stopped = Event()

    def make() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                ready.put(item)
                if stopped.is_set():
                    return
        except BaseException as raised:  # noqa: BLE001 — nothing is lost: the reader raises it
            error = raised
        ready.put(_Ended(error))

    thread = Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, _Ended):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        while thread.is_alive():
            try:
                ready.get(timeout=0.01)
            except Empty:
                continue


class Aside:
    """Hands items to `work` in a thread of its own, in order. Use as a context: leaving it waits, and raises what `work` raised."""

    def __init__(self, work: Callable[[Any], None]) -> None:
        self._work, self._error = work, list[BaseException]()
        self._waiting: Queue[object] = Queue(ROOM)
        self._thread = Thread(target=self._run, name="aside", daemon=True)

    def _run(self) -> None:
        while (item := self._waiting.get()) is not self:
            if not self._error:
                try:
                    self._work(item)
                except BaseException as raised:  # noqa: BLE001 — kept for the one who waits
                    self._error.append(raised)

    def __call__(self, item: object) -> None:
        """Give one item away."""
        self._waiting.put(item)

    def __enter__(self) -> Aside:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._waiting.put(self)
        self._thread.join()
        if self._error and kind is None:
            raise self._error[0]
