"""docs/venues.md, made from the adapters themselves: what they send, what they read, what they hold for true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tradewind.domain.instruments import Instrument
from tradewind.venues import adapter as fabric
from tradewind.venues.adapter import Ask, Fact, Topic
from tradewind.venues.binance import answers as binance_answers
from tradewind.venues.binance import stream as binance_stream
from tradewind.venues.binance import wire as binance_wire
from tradewind.venues.binance.adapter import BinanceAdapter
from tradewind.venues.coinbase import answers as coinbase_answers
from tradewind.venues.coinbase import wire as coinbase_wire
from tradewind.venues.coinbase.adapter import CoinbaseAdapter
from tradewind.venues.facts import NAMES, shown
from tradewind.venues.kraken import answers as kraken_answers
from tradewind.venues.kraken import stream as kraken_stream
from tradewind.venues.kraken import wire as kraken_wire
from tradewind.venues.kraken.adapter import KrakenAdapter

HEAD = """# Venues

<!-- Made by tools/pages.py from src/tradewind/venues. Do not edit. -->

What Tradewind sends to a venue, which fields it reads of what comes back, and which of the venue's rules it keeps. Every field
has a document with its date behind it; the last column says who else saw it: a recording, an example of the venue's own, or a
client that others wrote. Where nobody did it is a **guess**, and `tradewind doctor` lists it.

A frame or an answer that lacks a field, has another type in its place, names a key twice or holds a number that is none is
refused with its reason and counted; unknown fields are passed over. Numbers go from text to integers, never through a float.
"""
_RECORDED = {"binance": "recording of 2024-08-08", "kraken": "recording of 2026-08-24", "coinbase": "recording of 2026-08-24"}
_SAMPLES = "example of the document, kept by nautilus_trader"
Reads = tuple[tuple[str, tuple[Any, ...], str], ...]

SPOT_READS: Reads = (
    (fabric.DEPTH, (binance_wire.DepthUpdate,), _RECORDED["binance"]),
    (fabric.QUOTE, (binance_wire.BookTicker,), _RECORDED["binance"]),
    (fabric.TRADE, (binance_wire.Trade, binance_stream.AggTrade), _RECORDED["binance"]),
    (fabric.BAR, (binance_stream.Candle,), _SAMPLES),
    ("replies", (binance_stream.Reply, binance_stream.Shutdown), "document"),
)
USDM_READS: Reads = (
    *SPOT_READS[:4],
    (fabric.MARK, (binance_stream.MarkPrice,), _SAMPLES),
    (fabric.LIQUIDATION, (binance_stream.ForcedOrder,), _SAMPLES),
)
KRAKEN_READS: Reads = (
    (fabric.DEPTH, (kraken_wire.BookData, kraken_wire.Level), _RECORDED["kraken"]),
    (fabric.TRADE, (kraken_stream.TradeData,), _SAMPLES),
    (fabric.QUOTE, (kraken_stream.TickerData,), _SAMPLES),
    (fabric.BAR, (kraken_stream.CandleData,), _SAMPLES),
    ("instrument", (kraken_stream.PairData,), "recording of 2023 (683 pairs)"),
    ("replies", (kraken_stream.Reply, kraken_stream.StatusData), _RECORDED["kraken"]),
)
COINBASE_READS: Reads = (
    (fabric.DEPTH, (coinbase_wire.BookEvent, coinbase_wire.Level), _RECORDED["coinbase"]),
    (fabric.TRADE, (coinbase_wire.Trade,), _SAMPLES),
    (fabric.QUOTE, (coinbase_wire.Ticker,), _SAMPLES),
    (fabric.BAR, (coinbase_wire.Candle,), _SAMPLES),
    ("heartbeats", (coinbase_wire.Heartbeat,), _SAMPLES),
)
ANSWERS: dict[str, tuple[tuple[str, Any, str], ...]] = {
    "binance": (
        ("instruments", binance_answers.Symbol, _SAMPLES), ("filters", binance_answers.Filter, "filter examples of the document"),
        ("snapshot", binance_wire.DepthSnapshot, _RECORDED["binance"]), ("trades", binance_answers.OldTrade, _SAMPLES),
        ("time", binance_answers.Time, _SAMPLES), ("open interest", binance_answers.OpenInterest, "document"),
    ),
    "kraken": (
        ("instruments", kraken_answers.Pair, _SAMPLES), ("time", kraken_answers.Time, "real answer of 2025-11-11"),
    ),
    "coinbase": (
        ("instruments", coinbase_answers.Product, _SAMPLES), ("snapshot", coinbase_answers.PriceBook, "answer of 2026-04-07"),
        ("trades", coinbase_wire.Trade, "answer of 2026-04-07"), ("candles", coinbase_answers.Candle, _SAMPLES),
        ("time", coinbase_answers.Time, "document"),
    ),
}  # fmt: skip


def _adapter(made: Any, symbol: str, base: str, quote: str) -> Any:
    names = {"venue": made.venue, "symbol": symbol, "base": base, "quote": quote}
    made.adopt([Instrument(**names, price_exponent=2, quantity_exponent=8)])
    return made


def _venues() -> Iterator[tuple[str, Any, Reads, str]]:
    yield "Binance spot", _adapter(BinanceAdapter(), "BTCUSDT", "BTC", "USDT"), SPOT_READS, "binance"
    yield "Binance USD-M", _adapter(BinanceAdapter("binance-usdm"), "BTCUSDT", "BTC", "USDT"), USDM_READS, "binance"
    yield "Kraken", _adapter(KrakenAdapter(), "BTC/USD", "BTC", "USD"), KRAKEN_READS, "kraken"
    yield "Coinbase", _adapter(CoinbaseAdapter(), "BTC-USD", "BTC", "USD"), COINBASE_READS, "coinbase"


def page() -> str:
    """docs/venues.md."""
    lines = [HEAD]
    for title, adapter, reads, answers in _venues():
        lines += [f"## {title}\n", "Subscriptions: what is sent, and the fields read of what it brings.\n"]
        lines += ["| channel | sent | fields read | seen in |", "|---|---|---|---|"]
        lines += list(_subscriptions(adapter, reads))
        lines += _asked(adapter)
        lines += ["", "| answer | fields read | seen in |", "|---|---|---|"]
        lines += [f"| {name} | {_fields(struct)} | {seen} |" for name, struct, seen in ANSWERS[answers]]
        lines += _ruled(adapter)
        lines.append("")
    return "\n".join(lines)


def ours(venue: str) -> Any:
    """An adapter of ours that has adopted an example; None where the venue is none of ours."""
    return next((adapter for _, adapter, _, _ in _venues() if adapter.venue == venue), None)


def page_of(adapter: Any) -> str:
    """The page of one venue by its adapter, which has adopted an instrument: what a package's author shows his readers."""
    lines = [f"# {adapter.venue}\n", "Subscriptions.\n", "| channel | sent |", "|---|---|"]
    lines += [f"| {channel} | {f'`{text}`' if text else ''} |" for channel, text in sent(adapter)]
    return "\n".join([*lines, *_asked(adapter), *_ruled(adapter), ""])


def sent(adapter: Any) -> list[tuple[str, str]]:
    """By channel, the first frame that subscribes to it; "" where it comes by request."""
    return [(channel, _sent(adapter, channel)) for channel in adapter.channels()]


def asked(adapter: Any) -> list[tuple[str, str, int]]:
    """What is asked by REST: what for, the request, its weight."""
    return [(name, f"{ask.method} {ask.path}{_query(ask)}", ask.weight) for name, ask in _requests(adapter)]


def _asked(adapter: Any) -> list[str]:
    lines = ["", "Requests, with their weight in the venue's budget.\n", "| for | request | weight |", "|---|---|---|"]
    return [*lines, *(f"| {name} | `{request}` | {weight} |" for name, request, weight in asked(adapter))]


def _ruled(adapter: Any) -> list[str]:
    lines = ["", "Rules.\n", "| rule | value | document | date | witness |", "|---|---|---|---|---|"]
    return [*lines, *(_rule(name, fact) for name, fact in adapter.facts.items())]


def _sent(adapter: Any, channel: str) -> str:
    frames: list[bytes] = adapter.subscribe([Topic(channel, 0)], 1)[:1]
    return b" ".join(frames).decode()


def _subscriptions(adapter: Any, reads: Reads) -> Iterator[str]:
    for channel, structs, seen in reads:
        sent = _sent(adapter, channel) if channel in fabric.CHANNELS else ""
        fields = "; ".join(_fields(struct) for struct in structs)
        yield f"| {channel} | {f'`{sent}`' if sent else ''} | {fields} | {seen} |"


def _fields(struct: Any) -> str:
    return ", ".join(f"`{field.encode_name}`" for field in msgspec.structs.fields(struct))


def _requests(adapter: Any) -> Iterator[tuple[str, Ask]]:
    depth, trade, bar = (Topic(channel, 0) for channel in (fabric.DEPTH, fabric.TRADE, fabric.BAR))
    asks = {
        "instruments": adapter.ask_instruments(),
        "snapshot": adapter.ask_snapshot(depth),
        "book, for comparing": adapter.ask_depth(depth) if hasattr(adapter, "ask_depth") else None,
        "trades after an id or a time": adapter.ask_trades(trade, 1_000, 1_700_000_000_000_000_000),
        "candles": adapter.ask_candles(bar, "1m", 1_700_000_040_000_000_000, 1_700_003_640_000_000_000),
        "open interest": adapter.ask_open_interest(depth) if hasattr(adapter, "ask_open_interest") else None,
        "time": adapter.ask_time(),
    }
    return ((name, ask) for name, ask in asks.items() if ask is not None)


def _query(ask: Ask) -> str:
    return "?" + "&".join(f"{name}={value}" for name, value in ask.query) if ask.query else ""


def _rule(name: str, fact: Fact) -> str:
    words = NAMES.get(name, name)
    return f"| `{name}`: {words} | {shown(fact)} | {fact.source} | {fact.date} | {fact.witness or '**guess**'} |"
