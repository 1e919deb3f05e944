"""What the commands of the data fabric can be told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from .options import Told
from .places import folders

STORE = "store"


class StoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which store."""

    store: Annotated[Path | None, Told("The store; without it `store` in the data folder of `tradewind doctor --paths`.")] = None

    def place(self, environment: Mapping[str, str]) -> Path:
        """The store's folder."""
        return self.store or folders(environment).data / STORE


class IngestOptions(StoreOptions, frozen=True, kw_only=True):
    """Tapes are judged row by row and taken into the lake, the quarantine and the catalogue."""

    tapes: Annotated[list[Path], Told("Tape folders, as `tradewind import` makes them.", argument=True)]


class CoverageOptions(StoreOptions, frozen=True, kw_only=True):
    """How much there is of each series and day, and what is missing."""

    series: Annotated[str, Told("Only series whose name begins so, e.g. `binance:BTC/USDT`.")] = ""


class QualityOptions(CoverageOptions, frozen=True, kw_only=True):
    """How good each series is on each day, as one self-contained page with plots."""

    out: Annotated[Path, Told("HTML file to write.")] = Path("quality.html")


class QueryOptions(StoreOptions, frozen=True, kw_only=True):
    """A SELECT over the lake's tables."""

    sql: Annotated[str, Told("The query, e.g. `SELECT ts, price FROM trades LIMIT 5`.", argument=True)]
    limit: Annotated[int, Told("Rows of the answer at most.")] = 1000


class ExportOptions(StoreOptions, frozen=True, kw_only=True):
    """The answer to a query, or a table's range, as a file."""

    table: Annotated[str, Told("A table of the lake.", argument=True)]
    out: Annotated[Path, Told("File to write; its ending says what: `.parquet` or `.csv`.")]
    series: Annotated[str, Told("One instrument, e.g. `binance:BTC/USDT`.")] = ""
    start: Annotated[str, Told("First moment, UTC.")] = ""
    stop: Annotated[str, Told("End (not included), UTC.")] = ""


class LakeVerifyOptions(StoreOptions, frozen=True, kw_only=True):
    """The lake is made again from the raw tapes and compared."""


class CompactOptions(StoreOptions, frozen=True, kw_only=True):
    """Small files are joined; old days go where a retention is given."""

    keep_days: Annotated[int, Told("Days to keep, counted from the youngest; 0 keeps all.")] = 0
    vacuum_hours: Annotated[int, Told("Delete files no version of the last so many hours needs; -1: none.")] = 168


class QuarantineOptions(CoverageOptions, frozen=True, kw_only=True):
    """What was refused: list it, release it, or confirm that it stays out."""

    action: Annotated[str, Told("list, release or confirm.", argument=True)]
    entries: Annotated[list[str], Told("Ids of entries.", argument=True)] = msgspec.field(default_factory=list)
    state: Annotated[str, Told("list: only held, released or confirmed ones.")] = ""
    by: Annotated[str, Told("Who decides.")] = ""
    note: Annotated[str, Told("Why.")] = ""


class ObserveOptions(StoreOptions, frozen=True, kw_only=True):
    """External numbers from a CSV or Parquet file become observations, known as of their publication."""

    name: Annotated[str, Told("Name of the series, e.g. `btc-active-addresses`.", argument=True)]
    file: Annotated[Path, Told("CSV (with a header) or Parquet file.", argument=True)]
    tape: Annotated[Path, Told("Tape folder to make of it.")]
    unit: Annotated[str, Told("What the number counts.")] = "value"
    value: Annotated[str, Told("Column of the value.")] = "value"
    event: Annotated[str, Told("Column of the time it speaks of.")] = "event"
    published: Annotated[str, Told("Column of the time it was published; empty: the event plus --delay.")] = "published"
    delay: Annotated[str, Told("Publication after the event, where no column tells it, e.g. `1h`.")] = "0s"


class SeriesOptions(StoreOptions, frozen=True, kw_only=True):
    """The numbers of an installed data type, as they are published now, become observations."""

    name: Annotated[str, Told("Name of the series, as its package has it.", argument=True)]
    tape: Annotated[Path, Told("Tape folder to make of it.")]
    since: Annotated[str, Told("Ask for what was published since, UTC; empty: from the beginning.")] = ""


class WebhookOptions(StoreOptions, frozen=True, kw_only=True):
    """Take observations by HTTP from whoever holds the token, until a signal; then, with --take-in, into the store."""

    tapes: Annotated[Path, Told("Folder for the tapes, one for each series and sitting.")]
    port: Annotated[int, Told("Port to listen on; 0 takes a free one.")] = 0
    host: Annotated[str, Told("Address to listen on; another than this computer's own needs --open.")] = "127.0.0.1"
    open: Annotated[bool, Told("Listen to other computers too; put TLS before it.")] = False
    token_file: Annotated[
        Path | None, Told("File with the token, 16 characters or more; else the environment's TRADEWIND_WEBHOOK_TOKEN.")
    ] = None
    names: Annotated[str, Told("The series that are taken, with commas; empty: any name.")] = ""
    take_in: Annotated[bool, Told("Take what came into the store at the end.")] = False


class DownloadOptions(StoreOptions, frozen=True, kw_only=True):
    """History by REST, day by day: what the store lacks becomes tapes and is taken in."""

    symbol: Annotated[str, Told("Venue and its own symbol, e.g. `binance:BTCUSDT`, or `bridge:okx:BTC/USDT`.", argument=True)]
    first: Annotated[str, Told("First day, YYYY-MM-DD (UTC).")]
    last: Annotated[str, Told("Last day.")]
    timeframe: Annotated[str, Told("Length of the bars, e.g. `1m`; empty: trades.")] = "1m"
    tapes: Annotated[Path | None, Told("Folder for the tapes; without it `raw` in the store.")] = None
    source: Annotated[str, Told("live, sandbox, or auto: the sandbox where the venue cannot be reached.")] = "live"


class BuildOptions(StoreOptions, frozen=True, kw_only=True):
    """A specification becomes an immutable, labelled dataset, named by its content."""

    spec: Annotated[Path, Told("TOML file, as docs/datasets.md describes it.", argument=True)]


class DatasetListOptions(StoreOptions, frozen=True, kw_only=True):
    """All datasets."""


class DatasetShowOptions(StoreOptions, frozen=True, kw_only=True):
    """A dataset's manifest, and its card with plots as one page."""

    dataset: Annotated[str, Told("Id, the beginning of one, or a name.", argument=True)]
    out: Annotated[Path | None, Told("HTML file to write the card to.")] = None


class DatasetDiffOptions(StoreOptions, frozen=True, kw_only=True):
    """Which rows of two datasets differ, and why."""

    a: Annotated[str, Told("One dataset.", argument=True)]
    b: Annotated[str, Told("The other.", argument=True)]


class DatasetGcOptions(StoreOptions, frozen=True, kw_only=True):
    """Removes stale datasets."""

    dry: Annotated[bool, Told("Only tell what would go.")] = False
