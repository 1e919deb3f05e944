"""Adapters ready to read, answers as they arrive, and the examples of the venues' documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tradewind.domain import codes
from tradewind.domain.instruments import Instrument
from tradewind.venues.adapter import Answer
from tradewind.venues.binance.adapter import BinanceAdapter
from tradewind.venues.coinbase.adapter import CoinbaseAdapter
from tradewind.venues.kraken.adapter import KrakenAdapter

LATE = 1 << 62
SPOT_SYMBOLS = {"BTCUSDT": (2, 8), "ETHUSDT": (2, 8), "BNBUSDT": (8, 8), "BNBBTC": (8, 8)}


def made(venue: str, symbol: str, base: str, quote: str, exponents: tuple[int, int]) -> Instrument:
    proof = {"kraken": codes.PROOF_CRC32, "coinbase": codes.PROOF_NONE}.get(venue, codes.PROOF_CHAIN)
    names = {"venue": venue, "symbol": symbol, "base": base, "quote": quote}
    return Instrument(**names, price_exponent=exponents[0], quantity_exponent=exponents[1], proof=proof)


def binance(aggregated: bool = False) -> BinanceAdapter:
    adapter = BinanceAdapter(aggregated=aggregated)
    adapter.adopt([made("binance", symbol, symbol[:3], symbol[3:], exponents) for symbol, exponents in SPOT_SYMBOLS.items()])
    return adapter


def usdm(aggregated: bool = True) -> BinanceAdapter:
    adapter = BinanceAdapter("binance-usdm", aggregated)
    symbols = {"BTCUSDT": (4, 3), "BNBUSDT": (8, 8)}
    adapter.adopt([made("binance-usdm", symbol, symbol[:3], "USDT", exponents) for symbol, exponents in symbols.items()])
    return adapter


def kraken(depth: int = 10) -> KrakenAdapter:
    adapter = KrakenAdapter(depth)
    adapter.adopt([made("kraken", "BTC/USD", "BTC", "USD", (1, 8)), made("kraken", "ETH/USD", "ETH", "USD", (2, 8))])
    return adapter


def coinbase() -> CoinbaseAdapter:
    adapter = CoinbaseAdapter()
    adapter.adopt([made("coinbase", "BTC-USD", "BTC", "USD", (2, 8)), made("coinbase", "ETH-USD", "ETH", "USD", (2, 8))])
    return adapter


def answer(payload: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Answer(status=status, headers=headers or {}, body=body, sent_ns=LATE, received_ns=7)


def samples(shared_data: Path, venue: str) -> dict[str, Any]:
    lines = (shared_data / "api_samples" / f"nautilus_{venue}.jsonl").read_text().splitlines()
    return {one["name"]: one["payload"] for one in map(json.loads, lines)}
