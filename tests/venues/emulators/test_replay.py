"""Recorded rows told again: the book and the trades of the rows, in the venues' words."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import ROW, Rows
from tradewind.venues.emulators.book import ASK, BID, Market
from tradewind.venues.emulators.flow import Flow, Pace
from tradewind.venues.emulators.listings import LISTINGS, Listing
from tradewind.venues.emulators.replay import Recording, Replay
from tradewind.venues.emulators.sandbox import WARM_UP_NS, Sandbox, Setting
from tradewind.venues.emulators.script import Fault

from .clients import CLIENTS
from .test_venues import START_NS, play

VENUES = ("binance", "kraken", "coinbase")
BEGAN_NS = 1_700_000_000_000_000_000


def instrument(venue: str, listing: Listing) -> Instrument:
    return Instrument(
        venue=venue, symbol=listing.symbol, base=listing.base, quote=listing.quote, price_exponent=listing.price_decimals,
        quantity_exponent=listing.size_decimals, min_quantity=listing.min_size, min_notional=500_000_000,
    )  # fmt: skip


def recorded(seconds: float) -> tuple[Recording, dict[tuple[str, str], Market]]:
    """Rows of a flow: a snapshot of every book, then each order as messages; and the markets as they are at the end."""
    flow = Flow({venue: LISTINGS[venue] for venue in VENUES}, 9, BEGAN_NS, Pace(orders_per_s=30.0))
    markets = {(venue, symbol): market for venue, found in flow.markets.items() for symbol, market in found.items()}
    place = {id(market): number for number, market in enumerate(markets.values())}
    out: list[tuple[Any, ...]] = []

    def message(number: int, ts_ns: int, levels: list[tuple[int, int, int]], marks: int) -> None:
        for index, (side, price, size) in enumerate(levels):
            where = (codes.FIRST if index == 0 else 0) | (codes.LAST if index == len(levels) - 1 else 0) | marks
            out.append(
                (
                    codes.DEPTH,
                    codes.BUY if side == BID else codes.SELL,
                    where,
                    number,
                    number,
                    0,
                    0,
                    0,
                    ts_ns,
                    ts_ns,
                    price,
                    size,
                    0,
                    0,
                )
            )

    for market in markets.values():
        levels = [(side, price, size) for side in (BID, ASK) for price, size in market.book.top(side)]
        message(place[id(market)], BEGAN_NS, levels, codes.SNAPSHOT)
    for happening in flow.run_until(BEGAN_NS + round(seconds * 1e9)):
        number = place[id(happening.market)]
        message(number, happening.ts_ns, [(item.side, item.price, item.size) for item in happening.changes], 0)
        for trade in happening.trades:
            side = codes.BUY if trade.taker_buys else codes.SELL
            row = (
                codes.TRADE,
                side,
                codes.WHOLE,
                number,
                number,
                0,
                0,
                0,
                trade.ts_ns,
                trade.ts_ns,
                trade.price,
                trade.size,
                trade.number,
                0,
            )
            out.append(row)
    rows: Rows = np.array(out, ROW)
    instruments = [instrument(venue, market.listing) for (venue, _), market in markets.items()]
    return Recording(instruments=instruments, segments=[rows[: len(rows) // 2], rows[len(rows) // 2 :]]), markets


def test_a_replay_ends_with_the_books_and_trades_of_the_rows() -> None:
    recording, markets = recorded(8)
    replay = Replay(recording, VENUES, START_NS)
    happenings = list(replay.run_until(START_NS + 10**12))
    assert replay.next_ns > START_NS + 10**12
    assert happenings[0].ts_ns == START_NS
    assert len(happenings) > 1_000
    for (venue, symbol), market in markets.items():
        again = replay.markets[venue][symbol]
        assert [again.book.top(side) for side in (BID, ASK)] == [market.book.top(side) for side in (BID, ASK)]
        told = [(trade.number, trade.price, trade.size, trade.taker_buys) for trade in market.trades]
        assert [(trade.number, trade.price, trade.size, trade.taker_buys) for trade in again.trades] == told


@pytest.mark.parametrize("venue", VENUES)
def test_a_client_of_a_replay_has_its_book(venue: str) -> None:
    recording, _ = recorded(30)

    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        async with CLIENTS[venue](sandbox, http) as client:
            await sandbox.advance(5)
            await asyncio.sleep(0.05)
            assert client.right()
            assert client.knows_trades()
            assert len(client.stamps) > 20

    play([venue], script, Setting(start_ns=BEGAN_NS + WARM_UP_NS, by_hand=True, recording=recording))


def test_quotes_alone_make_a_book_of_one_level() -> None:
    rows = np.zeros(4, ROW)
    for place, (side, price) in enumerate(((codes.BUY, 100), (codes.SELL, 102), (codes.BUY, 101), (codes.SELL, 103))):
        marks = codes.FIRST if side == codes.BUY else codes.LAST
        rows[place] = (codes.QUOTE, side, marks, 0, 0, 0, 0, 0, 1 + place // 2, 1 + place // 2, price, 5, 0, 0)
    replay = Replay(Recording(instruments=[instrument("kraken", LISTINGS["kraken"][0])], segments=[rows]), ["kraken"], 1_000)
    book = replay.markets["kraken"]["BTC/USD"].book
    seen = [(book.top(BID), book.top(ASK)) for _ in replay.run_until(10**9)]
    assert seen == [([(100, 5)], [(102, 5)]), ([(101, 5)], [(103, 5)])]


def test_what_a_recording_cannot_do_is_refused() -> None:
    recording, _ = recorded(1)
    with pytest.raises(BadUse, match="nothing of gemini"):
        Replay(recording, ["gemini"], 0)
    with pytest.raises(BadUse, match="bends a flow"):
        Sandbox(["kraken"], 1, [Fault(kind="drift", venue="kraken")], setting=Setting(by_hand=True, recording=recording))


def test_a_real_recording_is_told_again(shared_data: Path, tmp_path: Path) -> None:
    """Ten seconds of Binance in August 2024: the client's book is that of an independent reading of the rows."""
    from tradewind.runtime.imports import import_files
    from tradewind.storage.tape import Tape

    source = shared_data / "ws/binance_hftbacktest/spot_btcusdt_20240808.gz"
    import_files("binance", [source], tmp_path / "tape")
    tape = Tape.open(tmp_path / "tape")
    recording = Recording(instruments=tape.manifest.instruments, segments=tape.segments())

    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        async with CLIENTS["binance"](sandbox, http) as client:
            await sandbox.advance(10)
            await asyncio.sleep(0.1)
            assert client.right()
            assert client.knows_trades()
            assert client.believed()[0] == _best_bids(tape, sandbox.stage.now_ns - START_NS + WARM_UP_NS)

    play(["binance"], script, Setting(start_ns=START_NS, by_hand=True, recording=recording))


def _best_bids(tape: Any, elapsed_ns: int) -> list[tuple[float, float]]:
    """The ten best bids that the rows of a time make, read without the emulator."""
    rows = next(iter(tape.segments()))
    rows = rows[(rows["kind"] == codes.DEPTH) & (rows["ts_local"] <= rows["ts_local"][0] + elapsed_ns)]
    bids: dict[int, int] = {}
    for side, marks, price, size in rows[["side", "marks", "price", "quantity"]].tolist():
        if marks & codes.SNAPSHOT and marks & codes.FIRST:
            bids = {}
        if side == codes.BUY and not marks & codes.EMPTY:
            bids[price] = size
    exponents = tape.manifest.instruments[0]
    scales = 10**exponents.price_exponent, 10**exponents.quantity_exponent
    return [(price / scales[0], bids[price] / scales[1]) for price in sorted((key for key in bids if bids[key]), reverse=True)[:10]]
