"""The independent witness: an unmodified ccxt, REST and WebSocket, on all three emulators, with only the hosts replaced."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tradewind.venues.emulators.book import Market
from tradewind.venues.emulators.flow import Pace
from tradewind.venues.emulators.sandbox import Sandbox, Setting

from .ccxt_witness import SYMBOLS

WITNESS = Path(__file__).with_name("ccxt_witness.py")


@pytest.fixture(scope="module")
def seen() -> dict[str, tuple[Any, Market]]:
    """What ccxt saw of each venue, and the truth behind it."""
    if find_spec("ccxt") is None:
        pytest.skip("ccxt is not installed: the witness cannot speak")

    async def run() -> dict[str, tuple[Any, Market]]:
        async with Sandbox(list(SYMBOLS), 11, setting=Setting(pace=Pace(orders_per_s=30.0))) as sandbox:
            call = [sys.executable, str(WITNESS), json.dumps(sandbox.addresses)]
            child = await asyncio.create_subprocess_exec(*call, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
            out, err = await asyncio.wait_for(child.communicate(), 120)
            assert child.returncode == 0, err.decode()[-3000:]
            told = json.loads(out)
            return {name: (told[name], sandbox.market(name, symbol.split(":", maxsplit=1)[0])) for name, symbol in SYMBOLS.items()}

    return asyncio.run(run())


@pytest.mark.scenario
@pytest.mark.parametrize("venue", ["binance", "binance-usdm", "kraken", "coinbase"])
def test_ccxt_reads_everything(venue: str, seen: dict[str, tuple[Any, Market]]) -> None:
    told, market = seen[venue]
    listing = market.listing
    unit, lot = 10.0**-listing.price_decimals, 10.0**-listing.size_decimals
    assert SYMBOLS[venue] in told["markets"]
    assert told["precision"] == pytest.approx([unit * listing.tick, lot])
    assert told["active"] is True
    assert told["min"] == pytest.approx(listing.min_size * lot)
    for side, rows in enumerate(told["book"]):
        levels = {(change.side, change.price) for change in market.changes} | {(side, price) for price in market.book.sizes[side]}
        assert all((side, round(row[0] / unit)) in levels for row in rows)
    assert len(told["candles"]) > 100
    assert told["candles"] == sorted(told["candles"])
    assert all(low <= min(first, last) <= max(first, last) <= high for _, first, high, low, last, _ in told["candles"])


@pytest.mark.scenario
@pytest.mark.parametrize("venue", ["binance", "binance-usdm", "kraken", "coinbase"])
def test_ccxt_watches_book_and_trades(venue: str, seen: dict[str, tuple[Any, Market]]) -> None:
    told, market = seen[venue]
    assert told["watched"]["bad"] == 0
    assert told["watched"]["levels"] >= 10
    true = {str(trade.number): trade for trade in market.trades}
    heard = {**told["trades"], **told["heard"]}
    assert len(told["heard"]) >= 4
    for name, (price, size, side, when) in heard.items():
        trade = true[name]
        assert price == pytest.approx(trade.price / 10**market.listing.price_decimals, rel=1e-12)
        assert size == pytest.approx(trade.size / 10**market.listing.size_decimals, rel=1e-12)
        assert when == trade.ts_ns // 1_000_000
        # ccxt passes Coinbase's word on; the venue names the maker's side.
        assert side == ("buy" if trade.taker_buys != (venue == "coinbase") else "sell")
