"""Who does what nobody waits for: at once, or on a thread of its own with a bounded queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Queue
from typing import Protocol

MOST_WAITING = 4  # jobs; then whoever gives the next one waits, so that a slow disk cannot fill the memory
Job = Callable[[], None]


class Worker(Protocol):
    """Does jobs one after another. After one that failed it does no other, and says so to whoever asks next."""

    spent_ns: int

    def do(self, job: Job) -> None:
        """Takes a job. Raises what an earlier one raised."""

    def wait(self) -> None:
        """Returns when all jobs are done. Raises what one of them raised."""

    def close(self) -> None:
        """Ends when all jobs are done. Raises nothing."""


class Inline:
    """Every job is done when `do` returns."""

    spent_ns = 0  # nothing beside its caller's

    def do(self, job: Job) -> None:
        job()

    def wait(self) -> None:
        return

    def close(self) -> None:
        return


class Background:
    """A thread. `clock` measures its own processor time, in `spent_ns` after each job: `time.thread_time_ns`, or nothing."""

    def __init__(self, name: str, clock: Callable[[], int] = lambda: 0) -> None:
        self.spent_ns = 0
        self._clock = clock
        self._error: BaseException | None = None
        self._jobs: Queue[Job | None] = Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(self, job: Job) -> None:
        self._told()
        self._jobs.put(job)

    def wait(self) -> None:
        self._jobs.join()
        self._told()

    def close(self) -> None:
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()

    def _told(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                if self._error is None:
                    job()
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever asks next: here nobody would hear it
                self._error = error
            self.spent_ns = self._clock()
            self._jobs.task_done()
