"""Recordings of Binance: one message a line, local receive time in ns, a space, the JSON.

Order on the tape is the order of recording. Diffs that wait for their snapshot go out right behind it, at its local time;
those it contains are dropped and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import UNSET

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.venues.binance import wire
from tradewind.venues.binance.join import Join, Verdict
from tradewind.venues.binance.market import EXPONENT, KIND, MARKS, REF, TS_LOCAL, VALUE, Batch, Built, to_ns
from tradewind.venues.imported import Grids, Imported, Sink, Streams
from tradewind.venues.lines import MAX_USELESS_LINES, Progress, Refusals, blocks
from tradewind.venues.symbols import split_symbol

BATCH_MESSAGES = 8_192
BATCH_TEXTS = 1 << 18
EARLIEST_NS, LATEST_NS = 1_230_768_000 * codes.SECOND, 4_102_444_800 * codes.SECOND  # 2009 and 2100
NS_DIGITS = 19
LINE_EXPECTED = "local time in ns, a space, a JSON message"
Entry = tuple[int, int, int, str, wire.Message]
"""(ts_local, index of the file, line, symbol, message)"""


class BinanceImporter:
    """Turns recordings of one dialect (`binance` or `binance-usdm`) into rows. Use once: `run`."""

    def __init__(self, dialect: str, files: Sequence[Path], refusals: Refusals, progress: Progress | None = None) -> None:
        self.dialect, self.files = dialect, list(files)
        self._refusals, self._progress = refusals, progress
        self._streams, self._grids = Streams(), Grids()
        self._joins: dict[int, Join] = {}
        self._last_id: dict[int, int] = {}  # per source of quotes and trades
        self._ignored: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._clock_lag = codes.NEVER  # smallest local minus venue time: below zero the local clock runs behind
        self._last_ts = 0

    def run(self, sink: Sink) -> Imported:
        """Read every file, give rows to `sink`. Raises BadData where a file holds nothing of this dialect."""
        readers = [self._messages(index) for index in range(len(self.files))]
        entries = readers[0] if len(readers) == 1 else merge(*readers, key=itemgetter(0))
        batch, origins = Batch(), list[tuple[int, int]]()
        for entry in entries:
            self._put(entry, batch, origins)
            if len(batch.heads) >= BATCH_MESSAGES or len(batch.texts) >= BATCH_TEXTS:
                self._flush(batch, origins, sink)
                batch, origins = Batch(), []
        self._flush(batch, origins, sink)
        for join in self._joins.values():
            join.end()
        settled = [self._grids.settle(index, made) for index, made in enumerate(self._streams.instruments)]
        return Imported(
            instruments=[instrument for instrument, _ in settled],
            streams=self._streams.streams,
            scales=[scales for _, scales in settled],
            notes=self._notes(),
        )

    def proofs(self) -> tuple[dict[int, int], dict[int, int]]:
        """(proof code, levels a side kept) by instrument: update ids, and no level is ever forgotten."""
        return {index: made.proof for index, made in enumerate(self._streams.instruments)}, {}

    def _notes(self) -> dict[str, Any]:
        joins = self._joins.values()
        return {
            "ticks_and_lots": "inferred from the data",
            "snapshots": sum(join.snapshots for join in joins),
            "chain_breaks": sum(join.gaps for join in joins),
            "contained_in_snapshot": sum(join.contained for join in joins),
            "diffs_without_snapshot": sum(join.unjoined for join in joins),
            "ignored": dict(sorted(self._ignored.items())),
            "smallest_local_minus_venue_ns": None if self._clock_lag == codes.NEVER else self._clock_lag,
            **{
                name: self._counts[name] for name in ("clamped_ts_local", "missing_trade_ids", "repeated_quotes", "repeated_trades")
            },
        }

    # Lines to messages ------------------------------------------------------------------------------------------------

    def _messages(self, file: int) -> Iterator[Entry]:
        """Messages of one file, its times made non-decreasing; a snapshot takes the symbol of its file."""
        path, symbols, waiting, last, taken = self.files[file], set[str](), list[Entry](), 0, 0
        name = path.name
        for number, lines in blocks(path, self._refusals, self._progress):
            for at, line in enumerate(lines, number):
                read = self._read(line, name, at) if line.strip() else None
                if read is None:
                    if not taken and at > MAX_USELESS_LINES:
                        raise self._useless(path)
                    continue
                ts_local, message = read
                if not _believable(ts_local, message, last):
                    self._refusals.add("a local time days away from the venue's or the line before", name, at, line)
                    continue
                taken += 1
                if ts_local < last:
                    ts_local = last
                    self._counts["clamped_ts_local"] += 1
                last = ts_local
                if isinstance(message, wire.DepthSnapshot):
                    if len(symbols) == 1:
                        yield ts_local, file, at, next(iter(symbols)), message
                    elif symbols:
                        self._refusals.add("a snapshot in a file of several symbols: whose is it?", path.name, at, line)
                    else:
                        waiting.append((ts_local, file, at, "", message))
                    continue
                symbols.add(message.symbol)
                for early in waiting:
                    yield *early[:3], message.symbol, early[4]
                waiting.clear()
                yield ts_local, file, at, message.symbol, message
        for early in waiting:
            self._refusals.add("a snapshot in a file without any symbol", path.name, early[2])
        if taken == len(waiting):
            raise self._useless(path)

    def _read(self, line: bytes, file: str, at: int) -> tuple[int, wire.Message] | None:
        head, _, body = line.partition(b" ")
        if len(head) != NS_DIGITS or not head.isdigit() or not EARLIEST_NS < (ts_local := int(head)) < LATEST_NS:
            self._refusals.add("no local time in ns at the line's beginning", file, at, line)
            return None
        try:
            message = wire.decode(body)
        except BadData as error:
            self._refusals.add(_reason(error), file, at, body)
            return None
        if isinstance(message, wire.Ignored):
            self._ignored[message.channel] += 1
            return None
        if message.dialect != self.dialect and not isinstance(message, wire.DepthSnapshot):
            self._refusals.add(f"a message of {message.dialect}, not of {self.dialect}", file, at, body)
            return None
        return ts_local, message

    def _useless(self, path: Path) -> BadData:
        return BadData(
            f"nothing in it can be used: {self._refusals.first()}",
            where=str(path),
            expected=f"a {self.dialect} recording: {LINE_EXPECTED}",
            todo="check the format's name and the file",
        )

    # Messages to rows ---------------------------------------------------------------------------------------------------

    def _put(self, entry: Entry, batch: Batch, origins: list[tuple[int, int]]) -> None:
        ts_local, file, line, symbol, message = entry
        try:
            instrument = self._streams.instrument(symbol, self._make)
        except BadData as error:
            self._refusals.add(error.what, self.files[file].name, line)
            return
        if isinstance(message, wire.BookTicker):
            batch.ticker(message, ts_local, self._streams.source(instrument, "quote"), instrument)
        elif isinstance(message, wire.Trade):
            batch.trade(message, ts_local, self._streams.source(instrument, "trade"), instrument)
        elif isinstance(message, wire.DepthUpdate):
            batch.depth(message, ts_local, self._streams.source(instrument, "depth"), instrument)
        else:
            batch.snapshot(message, ts_local, self._streams.source(instrument, "depth"), instrument)
        origins.append((file, line))

    def _make(self, symbol: str) -> Instrument:
        base, quote = split_symbol(symbol)
        return Instrument(
            venue=self.dialect,
            symbol=symbol,
            base=base,
            quote=quote,
            price_exponent=EXPONENT,
            quantity_exponent=EXPONENT,
            payoff=codes.SPOT if self.dialect == wire.SPOT else codes.LINEAR,
            proof=codes.PROOF_CHAIN,
        )

    def _flush(self, batch: Batch, origins: list[tuple[int, int]], sink: Sink) -> None:
        if not batch.heads:
            return

        def refuse(index: int, reason: str, example: str) -> None:
            file, line = origins[index]
            self._refusals.add(reason, self.files[file].name, line, example)

        built = batch.rows(refuse)
        keep = np.ones(len(built.rows), np.bool_)
        self._watch_ids(built, keep)
        rows = self._join(built, keep)
        if not len(rows):
            return
        self._watch_clock(rows)
        self._streams.number(rows)
        self._grids.see(rows)
        sink(rows)

    def _join(self, built: Built, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> Rows:
        """Rows in tape order: held and dropped diffs taken out, released ones put behind their snapshot."""
        rows, starts, heads = built
        pieces, cut = list[Rows](), 0
        for index in np.flatnonzero(heads[:, KIND] == codes.DEPTH).tolist():
            start, end = int(starts[index]), int(starts[index + 1])
            mine = rows[start:end]
            join = self._joins.setdefault(int(mine["instrument"][0]), Join())
            if not heads[index, MARKS] & codes.SNAPSHOT:
                verdict = join.diff(int(heads[index, VALUE]), int(heads[index, REF]), mine)
                if verdict in (Verdict.HOLD, Verdict.DROP):
                    keep[start:end] = False
                continue
            rejoined = join.snapshots > 0
            passed, released = join.snapshot(int(heads[index, REF]))
            if not passed:
                keep[start:end] = False
                continue
            if rejoined:
                mine["marks"][0] |= codes.RESYNC
            for held in released:
                held["ts_local"] = heads[index, TS_LOCAL]
            pieces += [rows[cut:end][keep[cut:end]], *released]
            cut = end
        return np.concatenate([*pieces, rows[cut:][keep[cut:]]])

    def _watch_ids(self, built: Built, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        """Drop quotes and trades whose id does not rise (the same stream twice); count trades that are missing."""
        rows = built.rows
        ends = (rows["marks"] & codes.LAST) != 0
        for kind, name in ((codes.QUOTE, "repeated_quotes"), (codes.TRADE, "repeated_trades")):
            for source in np.unique(rows["source"][rows["kind"] == kind]).tolist():
                at = np.flatnonzero((rows["source"] == source) & ends)
                ids = rows["ref"][at]
                before = np.maximum.accumulate(np.concatenate(([self._last_id.get(source, ids[0] - 1)], ids)))
                repeated = ids <= before[:-1]
                self._last_id[source] = int(before[-1])
                self._counts[name] += int(repeated.sum())
                if kind == codes.TRADE:
                    self._counts["missing_trade_ids"] += int((ids - before[:-1] - 1)[~repeated].sum())
                if repeated.any():
                    keep[np.isin(np.arange(len(rows)), at[repeated])] = False
                    if kind == codes.QUOTE:
                        keep[at[repeated] - 1] = False

    def _watch_clock(self, rows: Rows) -> None:
        stamped = rows["ts_venue"] > 0
        if stamped.any():
            self._clock_lag = min(self._clock_lag, int((rows["ts_local"] - rows["ts_venue"])[stamped].min()))


def _believable(ts_local: int, message: wire.Message, last: int) -> bool:
    """False for a local time that would drag all later ones with it: by the venue's stamp, else by the time before."""
    stamp = UNSET if isinstance(message, wire.DepthSnapshot) else message.event_time
    if stamp is UNSET:
        return not last or ts_local - last < codes.DAY
    return abs(ts_local - to_ns(stamp)) < codes.DAY


def _reason(error: BadData) -> str:
    """A reason that repeats: without the places and values of one line."""
    what = error.what.partition(" - at ")[0].partition(" (byte ")[0]
    return what if len(what) <= 100 else what[:100]
