"""The store: one folder with all the fabric keeps: lake, records, datasets. The raw tapes stay where they are."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tradewind.domain.errors import BadUse
from tradewind.storage import files
from tradewind.storage.lake import Lake
from tradewind.storage.records import SQLITE, Records, open_records

LAKE, DATASETS = "lake", "datasets"


class Store:
    """An open store. lake, records: elsewhere than in the folder (URLs); clock: ns UTC, dates what is written down."""

    def __init__(
        self,
        folder: Path | str,
        *,
        lake: str = "",
        records: str = "",
        options: Mapping[str, str] | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.clock = clock
        self.lake = Lake(lake or self.folder / LAKE, options, clock)
        self.records: Records = open_records(records or self.folder)
        self.datasets = self.folder / DATASETS
        self._held = 0

    @classmethod
    def existing(cls, folder: Path | str) -> Self:
        """The store at a folder, to be read. Raises BadUse where there is none: a misspelt place is no empty store."""
        if not (Path(folder) / SQLITE).is_file():
            raise BadUse("no store here", where=str(folder), expected="one that `tradewind data ingest` made")
        return cls(folder)

    def stamp(self) -> int:
        """When something is taken in or decided: later than all that was before, also where the computer's clock was set back.

        `verify` does everything again in the order of these times.
        """
        kept = (("segments", "ingested_ns"), ("quarantine", "decided_ns"), ("runs", "started_ns"))
        return max(self.clock(), max(self.records.latest(*one) for one in kept) + 1)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Holds the store against other writers; may be nested. Raises BadUse where another process holds it."""
        lock = files.lock_folder(self.folder) if not self._held else -1
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if lock >= 0:
                os.close(lock)

    def close(self) -> None:
        """Lets go of the records."""
        self.records.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
