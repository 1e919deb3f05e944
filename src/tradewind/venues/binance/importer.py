"""Recordings of Binance: one message a line, local receive time in ns, a space, the JSON.

Order on the tape is the order of recording. Diffs that wait for their snapshot go out right behind it, at its local time;
those it contains are dropped and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import UNSET

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument
from tradewind.domain.pieces import gathered
from tradewind.domain.rows import Rows
from tradewind.venues.base import NO_ROWS
from tradewind.venues.binance import layouts, wire
from tradewind.venues.binance.join import Joins, messages
from tradewind.venues.binance.market import EXPONENT, Batch, Built, to_ns
from tradewind.venues.imported import Grids, Imported, Sink, Streams, merged
from tradewind.venues.lines import MAX_USELESS_LINES, Progress, Refusals, texts
from tradewind.venues.scanner import Scanner
from tradewind.venues.symbols import split_symbol
from tradewind.venues.walk import R_CLAMPED, R_LAST_LOCAL

BATCH_ROWS = 1 << 14
BATCH_MESSAGES = 8_192
EARLIEST_NS, LATEST_NS = 1_230_768_000 * codes.SECOND, 4_102_444_800 * codes.SECOND  # 2009 and 2100
NS_DIGITS = 19
LINE_EXPECTED = "local time in ns, a space, a JSON message"
CHANNELS = ("depth", "quote", "trade")  # a row's source, until it is given its stream: instrument * 3 + place of the channel


class _Slow:
    """Messages that were decoded one by one, and where each stood."""

    def __init__(self) -> None:
        self.batch, self.lines = Batch(), list[int]()


class BinanceImporter:
    """Turns recordings of one dialect (`binance` or `binance-usdm`) into rows. Use once: `run`."""

    def __init__(self, dialect: str, files: Sequence[Path], refusals: Refusals, progress: Progress | None = None) -> None:
        self.dialect, self.files = dialect, list(files)
        self._refusals, self._progress = refusals, progress
        self._streams, self._grids = Streams(), Grids()
        self._joins = Joins()
        self._last_id: dict[int, int] = {}  # per source of quotes and trades
        self._ignored: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._symbols: dict[str, int] = {}  # those with a quote asset we know, in the order read
        self._clock_lag = codes.NEVER  # smallest local minus venue time: below zero the local clock runs behind
        self._last_ts = 0

    def run(self, sink: Sink) -> Imported:
        """Read every file, give rows to `sink`. Raises BadData where a file holds nothing of this dialect."""
        readers = [self._rows(index) for index in range(len(self.files))]
        for rows in gathered(merged(readers), BATCH_ROWS):
            self._flush(rows, sink)
        joined = self._joins.ended()
        settled = [self._grids.settle(index, made) for index, made in enumerate(self._streams.instruments)]
        return Imported(
            instruments=[instrument for instrument, _ in settled],
            streams=self._streams.streams,
            scales=[scales for _, scales in settled],
            notes=self._notes(joined),
        )

    def proofs(self) -> tuple[dict[int, int], dict[int, int]]:
        """(proof code, levels a side kept) by instrument: update ids, and no level is ever forgotten."""
        return {index: made.proof for index, made in enumerate(self._streams.instruments)}, {}

    def _notes(self, joined: dict[str, int]) -> dict[str, Any]:
        return {
            "ticks_and_lots": "inferred from the data",
            **joined,
            "ignored": dict(sorted(self._ignored.items())),
            "smallest_local_minus_venue_ns": None if self._clock_lag == codes.NEVER else self._clock_lag,
            **{
                name: self._counts[name] for name in ("clamped_ts_local", "missing_trade_ids", "repeated_quotes", "repeated_trades")
            },
        }

    # Lines to messages ------------------------------------------------------------------------------------------------

    def _rows(self, file: int) -> Iterator[Rows]:
        """Rows of one file in its order, times non-decreasing: known frames by the block, the others one by one."""
        path, symbols, waiting = self.files[file], dict[str, int](), list[tuple[int, int, wire.DepthSnapshot]]()
        scanner, slow, taken, last = self._scanner(symbols), _Slow(), 0, 0
        place = 0  # of the last line taken
        for text in texts(path, self._refusals, self._progress):
            at = 0
            while at < len(text):
                scanner.table[R_LAST_LOCAL] = last
                rows, count, at = scanner.lines(text, at) if symbols else (NO_ROWS, 0, at)
                if count:
                    yield self._close(slow, path.name)
                    yield rows
                    slow, taken, place, last = _Slow(), taken + count, place + count, int(scanner.table[R_LAST_LOCAL])
                    continue
                end = text.index(b"\n", at)
                line, at, place = text[at:end], end + 1, place + 1
                read = self._read(line, path.name, place) if line.strip() else None
                if read is None or not _believable(*read, last):
                    if read is not None:
                        reason = "a local time days away from the venue's or the line before"
                        self._refusals.add(reason, path.name, place, line)
                    if not taken and place > MAX_USELESS_LINES:
                        raise self._useless(path)
                    continue
                taken, last = taken + 1, self._never_back(read[0], last)
                known = len(symbols)
                self._take(slow, (last, place, read[1]), (symbols, waiting), path.name)
                if len(symbols) > known:
                    self._counts["clamped_ts_local"] += int(scanner.table[R_CLAMPED])
                    scanner = self._scanner(symbols)
                if len(slow.lines) >= BATCH_MESSAGES:
                    yield self._close(slow, path.name)
                    slow = _Slow()
        self._counts["clamped_ts_local"] += int(scanner.table[R_CLAMPED])
        for early in waiting:
            self._refusals.add("a snapshot in a file without any symbol", path.name, early[1])
        if taken == len(waiting):
            raise self._useless(path)
        yield self._close(slow, path.name)

    def _scanner(self, symbols: dict[str, int]) -> Scanner:
        known = layouts.USDM if self.dialect == wire.USDM else layouts.SPOT
        trades = layouts.USDM_TRADE if self.dialect == wire.USDM else layouts.SPOT_TRADE
        return Scanner([*known, trades], [(name, index, EXPONENT, EXPONENT) for name, index in symbols.items()], len(CHANNELS))

    def _never_back(self, ts_local: int, last: int) -> int:
        self._counts["clamped_ts_local"] += ts_local < last
        return max(ts_local, last)

    def _take(
        self,
        slow: _Slow,
        entry: tuple[int, int, wire.Message],
        file: tuple[dict[str, int], list[tuple[int, int, wire.DepthSnapshot]]],
        name: str,
    ) -> None:
        """One message to the batch; a snapshot takes the symbol of its file, or waits for it."""
        (ts_local, line, message), (symbols, waiting) = entry, file
        if not isinstance(message, wire.DepthSnapshot):
            instrument = self._instrument(message.symbol, symbols, name, line)
            if instrument is None:
                return
            for early in waiting:
                self._put(slow, early, instrument)
            waiting.clear()
            self._put(slow, (ts_local, line, message), instrument)
        elif len(symbols) == 1:
            self._put(slow, (ts_local, line, message), next(iter(symbols.values())))
        elif symbols:
            self._refusals.add("a snapshot in a file of several symbols: whose is it?", name, line)
        else:
            waiting.append((ts_local, line, message))

    def _instrument(self, symbol: str, symbols: dict[str, int], file: str, line: int) -> int | None:
        """The number of a symbol among all that were read; None for one that cannot be understood."""
        if symbol not in symbols:
            try:
                split_symbol(symbol)
            except BadData as error:
                self._refusals.add(error.what, file, line)
                return None
            symbols[symbol] = self._symbols.setdefault(symbol, len(self._symbols))
        return symbols[symbol]

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

    def _put(self, slow: _Slow, entry: tuple[int, int, wire.Message], instrument: int) -> None:
        (ts_local, line, message), batch = entry, slow.batch
        source = instrument * len(CHANNELS)
        if isinstance(message, wire.BookTicker):
            batch.ticker(message, ts_local, source + 1, instrument)
        elif isinstance(message, wire.Trade):
            batch.trade(message, ts_local, source + 2, instrument)
        elif isinstance(message, wire.DepthUpdate):
            batch.depth(message, ts_local, source, instrument)
        else:
            batch.snapshot(message, ts_local, source, instrument)
        slow.lines.append(line)

    def _close(self, slow: _Slow, file: str) -> Rows:
        def refuse(index: int, reason: str, example: str) -> None:
            self._refusals.add(reason, file, slow.lines[index], example)

        return slow.batch.rows(refuse).rows if slow.lines else NO_ROWS

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

    def _settle(self, rows: Rows) -> None:
        """Give rows the instruments and streams they belong to, numbered in the order of the tape."""
        names, found = list(self._symbols), rows["source"]
        kinds, first = np.unique(found, return_index=True)
        streams = np.zeros(int(kinds[-1]) + 1, np.int16)
        instruments = np.zeros_like(streams)
        for kind in kinds[np.argsort(first)].tolist():
            index = self._streams.instrument(names[kind // len(CHANNELS)], self._make)
            streams[kind] = self._streams.source(index, CHANNELS[kind % len(CHANNELS)])
            instruments[kind] = index
        rows["source"], rows["instrument"] = streams[found], instruments[found]

    def _flush(self, rows: Rows, sink: Sink) -> None:
        self._settle(rows)
        built = messages(rows)
        keep = np.ones(len(rows), np.bool_)
        self._watch_ids(built, keep)
        rows = self._joins.arranged(built, keep)
        if not len(rows):
            return
        self._watch_clock(rows)
        self._streams.number(rows)
        self._grids.see(rows)
        sink(rows)

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
