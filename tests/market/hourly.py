"""The hourly files of six venues as bar rows, with their defects: hours told twice, stamps in seconds among milliseconds."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import zstandard

from tradewind.domain import codes
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import Rows, pack_range, rows
from tradewind.storage.tape import Tape, TapeWriter

FILES = {
    "binance:BTC/USDT": "Binance_BTCUSDT_1h_2017-08_2020-12", "binance:ETH/USDT": "Binance_ETHUSDT_1h_2017-08_2020-12",
    "bitfinex:BTC/USD": "Bitfinex_BTCUSD_1h_2017-10_2019-03", "bitstamp:BTC/USD": "Bitstamp_BTCUSD_1h_2017-07_2019-03",
    "coinbase:BTC/USD": "Coinbase_BTCUSD_1h_2017-07_2019-10", "coinbase:ETH/USD": "Coinbase_ETHUSD_1h_2017-07_2018-06",
    "gemini:BTC/USD": "Gemini_BTCUSD_1h_2015-10_2020-12", "kraken:BTC/USD": "Kraken_BTCUSD_1h_2017-07_2019-12",
    "kraken:ETH/USD": "Kraken_ETHUSD_1h_2017-07_2019-12",
}  # fmt: skip
HOUR = codes.TIMEFRAME_NAMES.index("1h")
EXPONENT = 4


def instrument(name: str) -> Instrument:
    venue, _, pair = name.partition(":")
    base, _, quote = pair.partition("/")
    return Instrument(venue=venue, symbol=base + quote, base=base, quote=quote, price_exponent=EXPONENT, quantity_exponent=4)


def _opened(text: str) -> int:
    """ns of the hour a date column names, in either of its dialects."""
    form = "%Y-%m-%d %I-%p" if text.endswith("M") else "%Y-%m-%d %H:%M:%S"
    return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()) * codes.SECOND


def bars(data: Path, name: str, first: str, end: str, unix_ns: int = 0) -> Rows:
    """The file's hours in [first, end) (ISO dates), oldest first. unix_ns: trust the unix column, taken for units of so many ns."""
    path = data / "ohlcv" / "hourly_multi_venue" / f"{FILES[name]}.csv.zst"
    text = zstandard.ZstdDecompressor().decompress(path.read_bytes(), max_output_size=1 << 28).decode("utf-8", "replace")
    lines = [line for line in text.splitlines() if line and "Download" not in line]
    table = csv.reader(io.StringIO("\n".join(lines)), delimiter=";" if ";" in lines[0] else ",")
    head = [word.lower() for word in next(table)]
    at = {
        word: next(k for k, column in enumerate(head) if column.startswith(word))
        for word in ("date", "open", "high", "low", "close")
    }
    volume = next(k for k, column in enumerate(head) if column.startswith("volume"))
    kept = [line for line in table if first <= line[at["date"]][:10] < end]
    made = rows(len(kept))
    for row, line in zip(made, kept, strict=True):
        o, h, low, c = (round(float(line[at[word]]) * 10**EXPONENT) for word in ("open", "high", "low", "close"))
        row["price"], row["ref"], row["value"] = c, o, pack_range(h - max(o, c), min(o, c) - low)
        row["ts_local"] = _opened(line[at["date"]]) + codes.HOUR
        row["ts_venue"] = int(float(line[0])) * unix_ns + codes.HOUR if unix_ns else row["ts_local"]
        row["quantity"] = round(float(line[volume]) * 1e4) if line[volume].replace(".", "").isdigit() else 1
    made["kind"], made["marks"], made["strategy"] = codes.BAR, codes.WHOLE, HOUR
    return made[np.argsort(made["ts_local"], kind="stable")]


def tape(parts: dict[str, Rows], out: Path) -> Tape:
    """A tape of several files' bars, by time."""
    for i, part in enumerate(parts.values()):
        part["instrument"] = part["source"] = i
        part["stream_seq"] = 1 + np.arange(len(part))
    merged = np.concatenate(list(parts.values()))
    merged = merged[np.argsort(merged["ts_local"], kind="stable")]
    streams = [Stream(venue=name.partition(":")[0], channel="bar", instrument=i) for i, name in enumerate(parts)]
    with TapeWriter(out, [instrument(name) for name in parts], streams, "hourly bars") as writer:
        writer.append(merged)
        writer.close({})
    return Tape.open(out)
