"""The rows of a dataset: believed bars, features by the machine's own steps, labels, and what taints them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes, reasons
from tradewind.domain.errors import BadUse
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.engine.batch import Loop
from tradewind.engine.batch import features as features_of
from tradewind.storage.projection import TRADES, Source, origin_of, pieces, schema
from tradewind.storage.tape import Tape

from . import labels, minutes, observations, quarantine
from .entries import RELEASED
from .gaps import Watch
from .sieve import PAGE, TAKEN, TWICE, Judge, Sieve
from .spec import Spec
from .store import Store

if TYPE_CHECKING:
    import polars as pl


LABELS = "labels 2"  # what this file and `labels` mean; another word where they mean something else
EDGE_NS = codes.SECOND  # a tape may end so much before a bar does and still hold all of it


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How good the raw rows of one instrument were, and what of it reached the dataset. `refused`: rows by reason."""

    instrument: str
    raw: int
    refused: dict[str, int]
    duplicates: int
    released: int
    rows: int
    tainted: int
    unlabelled: int
    missing_bars: int


class Made(msgspec.Struct, kw_only=True):
    """A dataset's rows and what is to be said of them."""

    frame: Any
    code: str
    features: dict[str, int]  # bars each column needs
    lookback: int  # bars
    quality: list[Quality]
    gaps: list[dict[str, Any]]
    released: list[str]


class Sifted(msgspec.Struct, kw_only=True):
    """One tape's believed rows by instrument name: frames of trades and bars in units, times of what was refused, gaps."""

    trades: dict[str, list[Any]] = {}
    bars: dict[str, list[Any]] = {}
    refused: dict[str, list[tuple[int, int]]] = {}  # (event time, reason)
    raw: Counter[str] = msgspec.field(default_factory=Counter)
    twice: Counter[str] = msgspec.field(default_factory=Counter)
    released: Counter[str] = msgspec.field(default_factory=Counter)
    gaps: list[dict[str, Any]] = []
    instruments: dict[str, Instrument] = {}
    spans: dict[str, list[tuple[int, int]]] = {}  # when each tape begins and ends, by the clock of the venue


def make(
    store: Store,
    spec: Spec,
    tapes: Sequence[Tape],
    say: Callable[[str], None],
    judge_for: Callable[[Tape], Judge | None],
    *,
    compiled: bool,
) -> Made:
    """The rows of a specification over its tapes. Raises BadUse where an instrument or feature is not there."""
    import polars as pl

    try:
        loop = Loop(spec.features.names, compiled=compiled)
    except BadUse as error:
        raise error.at("features.names") from None
    warm = {name: bars for name, _, bars in loop.outputs}
    sifted = Sifted()
    hashes = [loop.hash]
    for tape in tapes:
        say(f"judging {tape.folder.name}: {tape.rows:,} rows")
        hashes.append(_sift(store, tape, sifted, judge_for(tape)))
    parts, quality = [], []
    for name in spec.rows.instruments:
        if name not in sifted.instruments:
            raise BadUse(f"no tape has {name}", where="rows.instruments", expected=", ".join(sorted(sifted.instruments)))
        say(f"features of {name}")
        part, missing = _rows(store, spec, name, sifted, loop)
        parts.append(part)
        counted = Counter(reasons.name(reason) for _, reason in sifted.refused.get(name, []))
        quality.append(
            Quality(
                instrument=name, raw=sifted.raw[name], refused=dict(sorted(counted.items())), duplicates=sifted.twice[name],
                released=sifted.released[name], rows=part.height, tainted=int(part["tainted"].sum()),
                unlabelled=part["label"].null_count(), missing_bars=missing,
            )
        )  # fmt: skip
    named = {tuple(name.partition(":")[::2]) for name in spec.rows.instruments}
    gaps = [gap for gap in sifted.gaps if (gap["venue"], gap["instrument"]) in named]
    released = sorted(row["id"] for row in store.records.rows("quarantine", state=RELEASED))
    return Made(
        frame=pl.concat(parts), code=_code(hashes), features=warm, lookback=max(warm.values()), quality=quality, gaps=gaps,
        released=released if any(sifted.released.values()) else [],
    )  # fmt: skip


def _code(hashes: Sequence[str]) -> str:
    """The hash of the code that made the content: the machines that judged and computed, the page between, the labels."""
    hashed = hashlib.sha256((PAGE + LABELS).encode())
    for text in sorted(set(hashes)):
        hashed.update(text.encode())
    return hashed.hexdigest()[:16]


def _sift(store: Store, tape: Tape, into: Sifted, judge: Judge | None) -> str:
    """Judges a tape and keeps what is believed of it."""
    manifest = tape.manifest
    sieve = Sieve(manifest.instruments, manifest.streams, judge, manifest.notes)
    watch = Watch(manifest.instruments, manifest.streams)
    into.instruments |= {instrument.name: instrument for instrument in manifest.instruments}
    for index, segment in enumerate(manifest.segments):
        rows = tape.segment(index)
        if not index:
            for number, instrument in enumerate(manifest.instruments):
                ahead = _ahead(rows[rows["instrument"] == number])
                span = manifest.segments[0].first_ts + ahead, manifest.segments[-1].last_ts + ahead
                into.spans.setdefault(instrument.name, []).append(span)
        fates = sieve.fates(rows)
        into.gaps += watch.see(rows, fates, segment.sha256)
        for at in quarantine.released_rows(store, segment.sha256):
            fates[at] = TAKEN
            into.released[manifest.instruments[int(rows["instrument"][at])].name] += 1
        _keep(rows, fates, Source(origin_of(segment.sha256), manifest.instruments), into)
    into.gaps += watch.close()
    return sieve.judge.hash


def _ahead(rows: Rows) -> int:
    """How far a venue's clock goes before that of whoever recorded it, in ns: bars end by the one, tapes by the other."""
    told = rows[rows["ts_venue"] > 0]
    return int(np.median(told["ts_venue"] - told["ts_local"])) if len(told) else 0


def _keep(rows: Rows, fates: NDArray[np.int16], source: Source, into: Sifted) -> None:
    market = np.isin(rows["kind"], (codes.DEPTH, codes.QUOTE, codes.TRADE, codes.BAR))
    for number, instrument in enumerate(source.instruments):
        mine = market & (rows["instrument"] == number)
        into.raw[instrument.name] += int(mine.sum())
        into.twice[instrument.name] += int(np.sum(mine & (fates == TWICE)))
        bad = np.flatnonzero(mine & (fates > 0))
        event = np.where(rows["ts_venue"][bad] > 0, rows["ts_venue"][bad], rows["ts_local"][bad])
        into.refused.setdefault(instrument.name, []).extend(zip(event.tolist(), fates[bad].tolist(), strict=True))
    taken = np.flatnonzero((fates == TAKEN) & np.isin(rows["kind"], (codes.TRADE, codes.BAR)))
    for piece in pieces(rows[taken], taken, source):
        kept = into.trades if piece.table == "trades" else into.bars
        kept.setdefault(f"{piece.venue}:{piece.instrument}", []).append(piece.frame)


def _rows(store: Store, spec: Spec, name: str, sifted: Sifted, loop: Loop) -> tuple[pl.DataFrame, int]:
    """The rows of one instrument, and how many bars are missing between them."""
    import polars as pl

    length = codes.TIMEFRAME_NS[spec.every_code]
    bars, of_trades = _bars(spec, name, sifted)
    instrument = sifted.instruments[name]
    if bars.height:
        exponents = (int(bars["price_exponent"].max()), int(bars["quantity_exponent"].max()))  # type: ignore[arg-type]
        instrument = msgspec.structs.replace(instrument, price_exponent=exponents[0], quantity_exponent=exponents[1])
    frame = _plain(bars)
    given = frame.with_columns((pl.col("ts") - length).cast(pl.Datetime("ns", "UTC")).alias("timestamp"))
    inputs = features_of(given, spec.features.names, spec.rows.every, instrument, loop).drop("timestamp")
    ends = frame["ts"].to_numpy()
    cut = _cut(ends, length, sifted.spans.get(name, ())) if of_trades else np.zeros(len(ends), bool)
    label = labels.labeller(spec.label.kind)(frame, spec.label.horizon)
    label = label.cast(pl.Float64).set(pl.Series(_astray(ends, length, spec.label.horizon, cut)), None)
    warm = max(bars for _, _, bars in loop.outputs)
    taint = _tainted(ends, length, name, sifted) | cut
    reach = _reached(taint, warm - 1, spec.label.horizon)
    whole = pl.DataFrame([pl.repeat(name, frame.height, eager=True).alias("instrument"), *frame, *inputs])
    whole = whole.with_columns(label, pl.Series("bar_tainted", taint), pl.Series("tainted", reach))
    for external in spec.external:
        whole = whole.with_columns(observations.as_of(store.lake, external.name, whole["ts"]).alias(f"external.{external.name}"))
    start, stop = spec.span
    inside = whole.filter(pl.col("ts").is_between(start, stop, closed="right"))
    missing = int(((inside["ts"].diff().drop_nulls() // length) - 1).clip(0).sum())
    return inside, missing


def _bars(spec: Spec, name: str, sifted: Sifted) -> tuple[pl.DataFrame, bool]:
    """The believed bars in units: those of the tape where it has any of this length, else made from its trades (True)."""
    import polars as pl

    length = codes.TIMEFRAME_NS[spec.every_code]
    mine = [frame.filter(pl.col("timeframe") == spec.every_code) for frame in sifted.bars.get(name, [])]
    told: pl.DataFrame = pl.concat(mine) if mine else pl.DataFrame()
    if told.height:
        return told.sort("ts_venue", "ts_local", "origin", "at").unique("ts_venue", keep="first", maintain_order=True), False
    trades = sifted.trades.get(name, [])
    if not trades:
        return minutes.bars_of(_no_trades(), length), True
    keys = ["trade_id", "ts_venue", "side", "price_units", "quantity_units"]
    whole = pl.concat(trades).sort("ts_local", "origin", "at")
    once = whole.select(pl.struct(keys).is_first_distinct() | (pl.col("trade_id") == 0)).to_series()
    return minutes.bars_of(whole.filter(once), length), True


def _no_trades() -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(schema=schema(TRADES))


def _plain(bars: pl.DataFrame) -> pl.DataFrame:
    """ts (the bar's end) and open, high, low, close, volume in whole units of quote and base asset."""
    import polars as pl

    def number(name: str, exponent: str) -> pl.Expr:
        # Ten to an exponent by a table: a library's power function need not give the same bits everywhere.
        scale = pl.col(exponent).replace_strict(list(range(19)), [float(10**n) for n in range(19)], return_dtype=pl.Float64)
        return (pl.col(f"{name}_units").cast(pl.Float64) / scale).alias(name)

    prices = [number(name, "price_exponent") for name in ("open", "high", "low", "close")]
    return bars.select(pl.col("ts_venue").alias("ts"), *prices, number("volume", "quantity_exponent"))


def _tainted(ends: NDArray[np.int64], length: int, name: str, sifted: Sifted) -> NDArray[np.bool_]:
    """Which bars hold a refused row of their instrument, lie in a gap of it, or are the first after one."""
    found = np.zeros(len(ends), bool)
    refused = np.array(sorted(event for event, _ in sifted.refused.get(name, [])), np.int64)
    if len(refused):
        found |= np.searchsorted(refused, ends) > np.searchsorted(refused, ends - length)
    venue, _, rest = name.partition(":")
    for gap in sifted.gaps:
        if (gap["venue"], gap["instrument"]) == (venue, rest):
            # The first bar after a gap as well: whoever reads it and one before it looks across the gap.
            found |= (ends > gap["start_ns"]) & (ends - length <= gap["stop_ns"])
    return found


def _cut(ends: NDArray[np.int64], length: int, spans: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Which bars made of trades began before their tapes, or end behind them: part of the market only."""
    found = np.zeros(len(ends), bool)
    whole: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if whole and first <= whole[-1][1] + EDGE_NS:
            first, last = whole[-1][0], max(last, whole.pop()[1])
        whole.append((first, last))
    for edge in (at for span in whole for at in span):
        found |= (ends - length + EDGE_NS < edge) & (edge < ends - EDGE_NS)
    return found


def _astray(ends: NDArray[np.int64], length: int, horizon: int, cut: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows' labels would look further than the horizon, over bars that are missing, or at one that is not whole."""
    found = np.ones(len(ends), bool)
    if len(ends) > horizon:
        found[:-horizon] = (ends[horizon:] - ends[:-horizon] != horizon * length) | (_reached(cut, 0, horizon)[:-horizon])
    return found


def _reached(taint: NDArray[np.bool_], back: int, ahead: int) -> NDArray[np.bool_]:
    """Which rows read a tainted bar: among the `back` before them, themselves, or the `ahead` after."""
    total = np.concatenate([[0], np.cumsum(taint)])
    at = np.arange(len(taint))
    reached: NDArray[np.bool_] = total[np.minimum(at + ahead + 1, len(taint))] > total[np.maximum(at - back, 0)]
    return reached
