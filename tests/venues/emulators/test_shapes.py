"""The emulated messages have the form of what the venues really sent: same fields, same sorts of values, same order on the wire.

Witnesses: recordings of 2024 and 2026, and examples of the venues' documents, none of them made by this project.
"""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tradewind.venues.emulators.faults import Faults
from tradewind.venues.emulators.flow import Flow, Pace
from tradewind.venues.emulators.listings import LISTINGS
from tradewind.venues.emulators.sandbox import VENUES
from tradewind.venues.emulators.stage import Stage
from tradewind.venues.emulators.venue import Session, Venue

from .test_venues import START_NS

NUMBER = re.compile(r"-?\d+(\.\d+)?$")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
BINANCE_STREAMS = "btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@trade/btcusdt@aggTrade/btcusdt@kline_1m"


def shape(value: Any) -> Any:
    """Names in order and sorts of values; a list is its longest element's."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        if value and not isinstance(value[0], dict | list):
            return [shape(item) for item in value]
        return [shape(value[0])] if value else []
    if isinstance(value, str):
        return "number" if NUMBER.match(value) else "time" if TIME.match(value) else "text"
    return type(value).__name__


@cache
def said(name: str) -> tuple[Venue, list[Any]]:
    """A venue and everything it said to a client of all its channels in half a minute."""
    flow = Flow({name: LISTINGS[name]}, 3, START_NS - 20 * 10**9, Pace(orders_per_s=40.0))
    stage = Stage(flow, START_NS - 20 * 10**9)
    venue = VENUES[name](stage, Faults(), 3)
    stage.run_until(START_NS)
    frames: list[Any] = []
    path = {"kraken": "/v2", "coinbase": "/"}.get(name, "/stream")
    session = Session(1, path, {"streams": BINANCE_STREAMS} if path == "/stream" else {}, stage.now_ns)
    session.send = lambda frame: frames.append(json.loads(frame))  # type: ignore[arg-type]
    venue.opened(session)
    for channel in ("book", "trade", "ticker", "ohlc") if name == "kraken" else ():
        venue.heard(session, json.dumps({"method": "subscribe", "params": {"channel": channel, "symbol": ["BTC/USD"]}}))
    for channel in ("level2", "market_trades", "ticker", "candles", "heartbeats") if name == "coinbase" else ():
        venue.heard(session, json.dumps({"type": "subscribe", "channel": channel, "product_ids": ["BTC-USD"]}))
    if name == "kraken":
        venue.heard(session, '{"method":"subscribe","params":{"channel":"instrument"}}')
    stage.run_until(START_NS + 30 * 10**9)
    return venue, frames


def asked(name: str, path: str, **query: str) -> Any:
    return json.loads(said(name)[0].rest(path, query).body)


def recorded_lines(path: Path) -> list[Any]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    return [json.loads(line[line.index("{") :]) for line in text.splitlines()[:4_000] if "{" in line]


def first(frames: list[Any], *words: str, filled: bool = True) -> Any:
    """The first frame that holds all words; of those with the most levels or trades where `filled`."""
    found = [frame for frame in frames if all(word in json.dumps(frame) for word in words)]
    assert found, words
    return max(found, key=lambda frame: json.dumps(frame).count("{") + json.dumps(frame).count("[")) if filled else found[0]


@pytest.mark.parametrize(("venue", "file"), [("binance", "spot_btcusdt"), ("binance-usdm", "usdm_btcusdt")])
@pytest.mark.parametrize("event", ['"depthUpdate"', "@bookTicker", '"trade"'])
def test_binance_streams_have_the_form_of_a_recording(venue: str, file: str, event: str, shared_data: Path) -> None:
    lines = recorded_lines(shared_data / f"ws/binance_hftbacktest/{file}_20240808.gz")
    real, ours = (first(frames, event)["data"] for frames in (lines, said(venue)[1]))
    assert list(ours) == list(real)
    assert {name: item for name, item in shape(ours).items() if name not in "ab"} == {
        name: item for name, item in shape(real).items() if name not in "ab"
    }
    assert [len(text.partition(".")[2]) for text in _numbers(ours)] == [len(text.partition(".")[2]) for text in _numbers(real)]


def _numbers(event: Any) -> list[str]:
    """One price and one size of an event."""
    if "b" in event and isinstance(event["b"], list):
        return list((event["b"] or event["a"])[0])
    return [event["p"], event["q"]] if "p" in event else [event["b"], event["B"]]


@pytest.mark.parametrize("venue", ["binance", "binance-usdm"])
def test_binance_snapshot_has_the_form_of_a_recording(venue: str, shared_data: Path) -> None:
    file = {"binance": "spot", "binance-usdm": "usdm"}[venue]
    real = first(recorded_lines(shared_data / f"ws/binance_hftbacktest/{file}_btcusdt_20240808.gz"), "lastUpdateId", filled=False)
    path = "/api/v3/depth" if venue == "binance" else "/fapi/v1/depth"
    assert shape(asked(venue, path, symbol="BTCUSDT")) == shape(real)
    assert list(asked(venue, path, symbol="BTCUSDT")) == list(real)


DOCUMENTED = {
    "/api/v3/trades": {"symbol": "BTCUSDT"},
    "/api/v3/aggTrades": {"symbol": "BTCUSDT"},
    "/api/v3/klines": {"symbol": "BTCUSDT", "interval": "1m"},
    "/api/v3/time": {},
    "/api/v3/ticker/bookTicker": {"symbol": "BTCUSDT"},
    "/api/v3/ticker/price": {"symbol": "BTCUSDT"},
}


@pytest.mark.parametrize("path", DOCUMENTED)
def test_binance_answers_have_the_form_of_a_documented_example(path: str, shared_data: Path) -> None:
    file = shared_data / "official/binance_doc_examples.jsonl.gz"
    ours = shape(asked("binance", path, **DOCUMENTED[path]))
    examples = [shape(item) for item in _examples(file)]
    assert ours in examples, f"no documented example looks like {ours}"


def _examples(file: Path) -> list[Any]:
    """Every JSON value of the examples that is an object or a list."""
    found = []
    for line in gzip.decompress(file.read_bytes()).decode().splitlines():
        row = json.loads(line)
        for item in row.values():
            if isinstance(item, str) and item.lstrip()[:1] in "{[" and item.strip():
                try:
                    item = json.loads(item)
                except ValueError:
                    continue
            if isinstance(item, dict | list):
                found.append(item)
    return found


@pytest.mark.parametrize(
    "words", [('"status"', '"system"'), ('"subscribe"', '"book"'), ('"book"', '"snapshot"', '"bids"'), ('"book"', '"update"')]
)
def test_kraken_frames_have_the_form_of_a_recording(words: tuple[str, ...], shared_data: Path) -> None:
    lines = recorded_lines(shared_data / "ws/tickvault_2026-08-24/kraken_book.jsonl")
    real, ours = (first(frames, *words) for frames in (lines, said("kraken")[1]))
    assert list(ours) == list(real)
    assert _without_levels(shape(ours)) == _without_levels(shape(real))


def _without_levels(told: Any) -> Any:
    """Levels are there or not from message to message; their own form is compared where both have some."""
    for data in told.get("data", []) if isinstance(told.get("data"), list) else []:
        for side in ("bids", "asks"):
            if isinstance(data, dict) and side in data:
                assert data.pop(side) in ([], [{"price": "float", "qty": "float"}])
    return told


SAMPLES = [
    ("kraken", "ws_trade_update.json", ('"trade"', '"update"')),
    ("kraken", "ws_ticker_snapshot.json", ('"ticker"', '"snapshot"', '"vwap"')),
    ("coinbase", "ws_market_trades.json", ('"market_trades"', '"update"', "trade_id")),
    ("coinbase", "ws_ticker.json", ('"ticker"', '"snapshot"', "best_bid")),
    ("coinbase", "ws_candles.json", ('"candles"', '"update"', "open")),
    ("coinbase", "ws_heartbeats.json", ("heartbeat_counter",)),
]


@pytest.mark.parametrize(("venue", "name", "words"), SAMPLES)
def test_frames_have_the_fields_of_samples(venue: str, name: str, words: tuple[str, ...], shared_data: Path) -> None:
    rows = [json.loads(line) for line in (shared_data / f"api_samples/nautilus_{venue}.jsonl").read_text().splitlines()]
    real = next(row["payload"] for row in rows if row["name"] == name)
    real.pop("client_id", None)  # documented, and absent from every frame that was recorded
    ours = first(said(venue)[1], *words)
    assert fields(ours) == fields(real)


def fields(value: Any) -> Any:
    """Names without order, and whether a value is a number, a text of one, or neither."""
    if isinstance(value, dict):
        return {name: fields(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [fields(value[0])] if value else []
    return {"int": "number", "float": "number"}.get(shape(value), shape(value) if shape(value) != "number" else "digits")


@pytest.mark.parametrize(
    ("venue", "name", "path", "query"),
    [
        ("kraken", "http_asset_pairs.json", "/0/public/AssetPairs", {"pair": "XBTUSD"}),
        ("kraken", "http_order_book.json", "/0/public/Depth", {"pair": "XBTUSD"}),
        ("kraken", "http_trades.json", "/0/public/Trades", {"pair": "XBTUSD"}),
        ("kraken", "http_ohlc.json", "/0/public/OHLC", {"pair": "XBTUSD"}),
        ("kraken", "http_ticker.json", "/0/public/Ticker", {"pair": "XBTUSD"}),
        ("kraken", "http_server_time.json", "/0/public/Time", {}),
        ("coinbase", "http_product.json", "/api/v3/brokerage/market/products/BTC-USD", {}),
        ("coinbase", "http_products.json", "/api/v3/brokerage/market/products", {}),
        ("coinbase", "http_product_book.json", "/api/v3/brokerage/market/product_book", {"product_id": "BTC-USD"}),
        ("coinbase", "http_ticker.json", "/api/v3/brokerage/market/products/BTC-USD/ticker", {}),
        (
            "coinbase",
            "http_candles.json",
            "/api/v3/brokerage/market/products/BTC-USD/candles",
            {"granularity": "ONE_HOUR", "start": "since"},
        ),
    ],
)
def test_answers_have_the_fields_of_samples(venue: str, name: str, path: str, query: dict[str, str], shared_data: Path) -> None:
    rows = [json.loads(line) for line in (shared_data / f"api_samples/nautilus_{venue}.jsonl").read_text().splitlines()]
    real = next(row["payload"] for row in rows if row["name"] == name)
    wanted = {key: str(START_NS // 10**9 - 36_000) if value == "since" else value for key, value in query.items()}
    ours = asked(venue, path, **wanted)
    if venue == "kraken" and isinstance(real["result"], dict):
        # The pair's name is a key, and `last` was cut from some samples.
        real, ours = (next(item for key, item in told["result"].items() if key != "last") for told in (real, ours))
        if isinstance(real, list):
            real, ours = real[-1], ours[-1]
    for emptied in (
        "leverage_buy",
        "leverage_sell",
        "long_position_limit",
        "short_position_limit",
        "alias_to",
        "fees",
        "fees_maker",
    ):
        for told in (real, ours):
            if isinstance(told, dict):
                told.pop(emptied, None)
                for row in told.get("products", []):
                    row.pop(emptied, None)
    assert fields(ours) == fields(real)
