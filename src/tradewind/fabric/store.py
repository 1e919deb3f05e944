"""The store: one folder with all the fabric keeps: lake, records, datasets. The raw tapes stay where they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tradewind.storage.lake import Lake
from tradewind.storage.records import Records, open_records

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

    def close(self) -> None:
        """Lets go of the records."""
        self.records.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
