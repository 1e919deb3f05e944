"""Faults F1–F20 of feeds, each with the behaviour it must have, on the emulated venues' real bytes in virtual time."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from tradewind.domain import codes, layout, reasons
from tradewind.domain.codes import BACKFILLING, GAP, INVALID, STALE, UNAVAILABLE
from tradewind.domain.instruments import text, units
from tradewind.fabric import policy
from tradewind.fabric.assembly import describe
from tradewind.fabric.feeds import DEGRADED_S, Patience
from tradewind.venues.emulators.faults import Faults
from tradewind.venues.emulators.flow import Pace
from tradewind.venues.emulators.venue import Reply
from tradewind.venues.kraken.adapter import KrakenAdapter
from tradewind.venues.numbers import one_unit
from tradewind.venues.rimbook import S_KEPT

from .inproc import Play
from .scenes import DEPTH_FRAME, TRADE_FRAME, VENUES, Dropper, scenario
from .trader import RESYNC_NS, Trader, nobody_trades_on_it, spells
from .truth import all_is_well, causes, conditions, counters_add_up, dense, told, trades_are_whole, unsynced, wrong_books
from .virtual import run


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("count", [1, 50])
def test_f1_gap_takes_the_book_at_once_and_a_snapshot_brings_it_back(name: str, count: int) -> None:
    async def script(play: Play) -> None:
        drop = play.theatre.hook = Dropper(DEPTH_FRAME[name])
        await play.run(5)
        drop.left = count
        while drop.left:
            await play.run(0.2)
            assert name != "binance" or not wrong_books(play)  # the others tell only with the next frame
        await play.run(10)
        assert drop.dropped == count
        all_is_well(play)
        seen = conditions(play, name) & {GAP, INVALID}
        assert seen or (name, count) == ("kraken", 1)  # one message below the ten levels its checksum covers is not seen
        for instrument in (0, 1):
            if spells(play, "depth", instrument):
                again = play.fabric.patience.proof if (name, count) == ("coinbase", 50) else 0.0  # its new book is dropped too
                nobody_trades_on_it(play, instrument, RESYNC_NS + int(again * codes.SECOND))
        assert trades_are_whole(play)

    scenario(script, name)


def test_f2_out_of_order_diffs_are_never_applied_backwards() -> None:
    held: dict[bytes, bytes] = {}
    chance = random.Random(4)

    def swap(data: bytes) -> Sequence[bytes]:
        """One diff in thirty comes after the next one of its stream."""
        if DEPTH_FRAME["binance"] not in data:
            return (data,)
        stream = data.partition(b",")[0]
        if stream in held:
            return (data, held.pop(stream))
        if chance.random() < 0.97:
            return (data,)
        held[stream] = data
        return ()

    async def script(play: Play) -> None:
        await play.run(3)
        play.theatre.hook = swap
        for _ in range(40):
            await play.run(0.25)
            assert not wrong_books(play)
        play.theatre.hook = lambda data: (data,)
        await play.run(10)
        all_is_well(play)
        assert reasons.IDS_SKIPPED in causes(play, "binance")

    scenario(script)


@pytest.mark.parametrize("name", VENUES)
def test_f3_what_is_told_twice_counts_once(name: str) -> None:
    async def script(play: Play) -> None:
        await play.run(2)
        twice = (TRADE_FRAME[name], DEPTH_FRAME[name])
        play.theatre.hook = lambda data: (data, data) if any(part in data for part in twice) else (data,)
        await play.run(10)
        all_is_well(play)
        repeated = sum(lane.tally().duplicates for lane in play.feed(name).lanes) + play.feed(name).frame_counts.repeated
        assert repeated > 20
        assert not conditions(play, name) & {GAP, INVALID}

    scenario(script, name)


def test_f4_a_snapshot_older_than_the_diffs_is_asked_again_without_a_storm() -> None:
    old: list[bytes] = []

    async def script(play: Play) -> None:
        def stale(name: str, ask: Any, answer: Any) -> Any:
            if ask.path.endswith("/depth") and ("symbol", "BTCUSDT") in ask.query:
                old.append(answer.body)
                answer.body = old[0] if len(old) <= 8 else answer.body
            return answer

        play.theatre.answer_hook = stale
        await play.run(2)
        play.theatre.hook = drop = Dropper(DEPTH_FRAME["binance"])
        drop.left = 4
        asked = []
        for _ in range(120):
            asked.append(len(old))
            await play.run(0.5)
            assert not wrong_books(play), "an old snapshot is never the book"
        all_is_well(play)
        assert 8 < len(old) < 40
        assert max(later - before for before, later in itertools.pairwise(asked)) <= 4, "no storm"
        meter = play.feed("binance").budget.meters["1m"]
        assert meter.spent <= meter.most(0.8)
        nobody_trades_on_it(play)

    scenario(script)


def test_f5_a_wrong_checksum_subscribes_again_and_three_degrade_the_stream() -> None:
    bad = {"left": 0}

    def corrupt(data: bytes) -> Sequence[bytes]:
        if bad["left"] and DEPTH_FRAME["kraken"] in data and b"BTC/USD" in data:
            bad["left"] -= 1
            return (re.sub(rb'"checksum":(\d+)', lambda m: b'"checksum":%d' % (int(m[1]) ^ 1), data),)
        return (data,)

    async def script(play: Play) -> None:
        play.theatre.hook = corrupt
        await play.run(3)
        feed = play.feed("kraken")
        lane = feed.lanes[0]
        for broken in (1, 2, 3):
            bad["left"] = 1
            await play.run(4)
            assert feed.degraded(lane) == (broken >= 3)
        assert causes(play, "kraken").count(reasons.PROOF_FAILED) == 3
        await play.run(70)
        all_is_well(play)
        first, second, third = nobody_trades_on_it(play, whole=False)
        assert max(first[1] - first[0], second[1] - second[0]) <= RESYNC_NS
        assert DEGRADED_S * 1e9 <= third[1] - third[0] <= DEGRADED_S * 1e9 + RESYNC_NS, "a book that broke thrice is left alone"
        assert not spells(play, "depth", 1), "the other symbol is not subscribed again"

    scenario(script, "kraken")


def test_f5_a_level_kept_too_long_fails_the_proof() -> None:
    """The planted bug of a client that never cuts its book to the subscribed depth: the checksum sees it."""

    async def script(play: Play) -> None:
        play.feed("kraken").lanes[0].keeper.book.state[S_KEPT] = 0  # type: ignore[union-attr]
        await play.run(60)
        assert reasons.PROOF_FAILED in causes(play, "kraken")

    scenario(script, "kraken", adapters={"kraken": lambda: KrakenAdapter(10)})


@pytest.mark.parametrize("exponent", range(13))
def test_f6_prices_are_whole_units_at_every_precision(exponent: int) -> None:
    rng = random.Random(exponent)
    for _ in range(300):
        value = rng.randrange(10 ** rng.randrange(1, 17))
        assert units(text(value, exponent), exponent) == value
        assert one_unit(text(value, exponent), exponent) == value


@pytest.mark.parametrize("name", ["binance", "coinbase"])
def test_f7_a_crossed_book_is_tolerated_for_a_moment_and_then_taken(name: str) -> None:
    crossing: dict[str, Any] = {"on": False}

    def cross(data: bytes) -> Sequence[bytes]:
        if not crossing["on"] or DEPTH_FRAME[name] not in data:
            return (data,)
        frame = json.loads(data)
        if name == "binance":
            frame["data"]["b"].append(["90000.00", "1.00000"])
        else:
            level = {"side": "bid", "event_time": frame["timestamp"], "price_level": "90000.00", "new_quantity": "1"}
            frame["events"][0]["updates"].append(level)
        return (msgspec.json.encode(frame),)

    async def script(play: Play) -> None:
        play.theatre.hook = cross
        await play.run(4)
        crossing["on"] = True
        await play.run(0.4)
        assert INVALID not in conditions(play, name)
        await play.run(2.5)
        assert INVALID in conditions(play, name)
        assert reasons.BOOK_CROSSED in causes(play, name)
        crossing["on"] = False
        await play.run(20)
        all_is_well(play)
        nobody_trades_on_it(play, whole=False)

    scenario(script, name)


def test_f9_one_silent_channel_is_stale_and_subscribed_again() -> None:
    async def script(play: Play) -> None:
        patience = play.fabric.patience
        await play.run(3)
        play.theatre.hook = lambda data: () if DEPTH_FRAME["binance"] in data and b"BTCUSDT" in data else (data,)
        await play.run(patience.book + 1)
        feed = play.feed("binance")
        assert feed.lanes[0].state.condition in (STALE, UNAVAILABLE, BACKFILLING, GAP)
        assert unsynced(play, "depth") and len(unsynced(play, "depth")) == 1
        play.theatre.hook = lambda data: (data,)
        await play.run(30)
        all_is_well(play)
        assert feed.connections == 1
        ((begin, _),) = nobody_trades_on_it(play)
        heard = play.rows[(play.rows["kind"] == codes.DEPTH) & (play.rows["instrument"] == 0) & (play.rows["ts_local"] < begin)]
        assert begin - int(heard["ts_local"][-1]) <= (patience.book + 2 * patience.tick) * codes.SECOND
        assert not spells(play, "depth", 1)

    scenario(script)


@pytest.mark.parametrize("name", VENUES)
def test_f9_heartbeats_alone_keep_no_book_alive(name: str) -> None:
    words = (b"heartbeat", b'"result":null', b"subscriptions", b'"method"')

    async def script(play: Play) -> None:
        await play.run(3)
        play.theatre.hook = lambda data: (data,) if any(word in data for word in words) else ()
        await play.run(play.fabric.patience.book + 2)
        assert len(unsynced(play, "depth")) == 2
        play.theatre.hook = lambda data: (data,)
        await play.run(45)
        all_is_well(play)
        nobody_trades_on_it(play)
        nobody_trades_on_it(play, 1)

    scenario(script, name)


def test_f9_silent_trades_are_found_in_the_history() -> None:
    async def script(play: Play) -> None:
        await play.run(3)
        play.theatre.hook = lambda data: () if TRADE_FRAME["binance"] in data else (data,)
        await play.run(play.fabric.patience.trade + 5)
        play.theatre.hook = lambda data: (data,)
        await play.run(20)
        all_is_well(play)

    scenario(script)


@pytest.mark.parametrize("name", VENUES)
def test_f10_a_half_open_socket_is_found_by_its_deadline(name: str) -> None:
    async def script(play: Play) -> None:
        await play.run(3)
        for line in play.theatre.open_lines(name):
            line.frozen = True
        await play.run(play.fabric.patience.link + 1)
        assert reasons.DISCONNECTED in causes(play, name)
        await play.run(20)
        all_is_well(play)
        assert play.feed(name).connections == 2
        nobody_trades_on_it(play, longest_ns=10 * codes.SECOND)

    scenario(script, name)


@pytest.mark.parametrize("name", VENUES)
def test_f11_the_24_h_cut_is_seen_by_nobody(name: str) -> None:
    async def script(play: Play) -> None:
        await play.run(100)
        assert play.feed(name).takeovers >= 3
        all_is_well(play)
        assert not conditions(play, name) & {GAP, INVALID, STALE, UNAVAILABLE}
        assert len(play.theatre.open_lines(name)) == 1

    scenario(script, name, patience=Patience(life=25.0))


def test_f11_an_announced_shutdown_is_answered_by_a_second_connection() -> None:
    async def script(play: Play) -> None:
        await play.run(5)
        play.theatre.venues["binance"].announce("end")
        await play.run(8)
        for line in play.theatre.lines[:1]:
            line.cut("gone")
        await play.run(5)
        assert play.feed("binance").takeovers == 1
        assert not conditions(play, "binance") & {GAP, INVALID, UNAVAILABLE}
        all_is_well(play)

    scenario(script)


def test_f12_a_venue_that_drops_every_connection_sees_few_of_them_and_disturbs_nobody() -> None:
    async def script(play: Play) -> None:
        await play.run(2)
        refused = {"n": 0}

        def refuse(name: str) -> str:
            refused["n"] += name == "binance"
            return "refused" if name == "binance" else ""

        play.theatre.refuse_connect = refuse
        for line in play.theatre.open_lines("binance"):
            line.cut("gone")
        await play.run(1200)
        assert 20 <= refused["n"] <= 150  # full jitter up to a minute: about two a minute
        connections = np.sort(np.array(play.theatre.venues["binance"].connections))
        assert all(((connections >= at) & (connections < at + 300 * codes.SECOND)).sum() <= 300 for at in connections.tolist())
        assert not [line for line in unsynced(play, "depth") if "kraken" in line]
        assert not conditions(play, "kraken") & {UNAVAILABLE, INVALID, GAP}

    scenario(script, "binance", "kraken", channels=("depth",), pace=Pace(orders_per_s=0.3, levels=12))


def test_f13_only_matching_data_proves_a_subscription() -> None:
    async def script(play: Play) -> None:
        await play.run(play.fabric.patience.proof + 3)
        lane = play.feed("binance").lanes[0]
        assert not lane.proven
        assert lane.state.condition == UNAVAILABLE
        assert play.feed("binance").notices["subscribed"] >= 1
        play.theatre.hook = lambda data: (data,)
        await play.run(90)
        all_is_well(play)

    async def from_the_start(clock: Any) -> None:
        play = Play(clock, ["binance"])
        play.theatre.hook = lambda data: () if DEPTH_FRAME["binance"] in data and b"BTCUSDT" in data else (data,)
        async with play:
            await script(play)

    run(from_the_start)


def lost(play: Play) -> set[int]:
    """The conditions of Binance's books."""
    return {lane.state.condition for lane in play.feed("binance").lanes if lane.topic.channel == "depth"}


@pytest.mark.parametrize("status", [429, 418])
def test_f14_nothing_is_asked_during_a_ban(status: int) -> None:
    async def script(play: Play) -> None:
        await play.run(3)
        venue = play.theatre.venues["binance"]

        class Ban(Faults):
            once = True

            def after(self, path: str, reply: Reply) -> Reply:
                if not self.once:
                    return reply
                self.once = False
                return Reply("{}", status, {"Retry-After": "120"})

        venue.faults = Ban()
        drop = play.theatre.hook = Dropper(DEPTH_FRAME["binance"])
        drop.left = 2
        await play.run(2)
        began = play.theatre.time.now()
        asked, opened = len(play.theatre.asked), len(play.theatre.lines)
        assert not play.feed("binance").budget.open
        assert play.feed("binance").budget.delay_ns(1, "cancel") > 110 * codes.SECOND, "not even cancels"
        play.theatre.open_lines("binance")[0].cut("gone")
        await play.run(115)
        assert len(play.theatre.asked) == asked
        assert (len(play.theatre.lines) > opened) == (status == 429), "who is banned does not connect either"
        assert codes.SYNCED not in lost(play)
        assert policy.action(UNAVAILABLE, policy.REQUESTS).rung == codes.CANCEL_ONLY
        await play.run(60)
        after = [at for at, _, _ in play.theatre.asked[asked:]]
        assert after and min(after) - began > 115 * codes.SECOND
        all_is_well(play)
        nobody_trades_on_it(play)

    scenario(script)


def test_f15_the_budget_follows_what_the_venue_counted() -> None:
    class Shared(Faults):
        def foreign_weight(self) -> int:
            return 5_900

    async def script(play: Play) -> None:
        await play.run(3)
        play.theatre.venues["binance"].faults = Shared()
        before = play.feed("binance").budget.asked
        await play.run(60)
        budget = play.feed("binance").budget
        assert budget.asked - before <= 2, "the first answer says that nothing is left"
        assert budget.meters["1m"].spent >= 5_900
        assert budget.delay_ns(250) > 0
        assert budget.delay_ns(1, "cancel") == 0

    scenario(script)


GARBAGE = [
    b"", b"\x00\xff\xfe", b"{", b"[" * 5000, b'{"e":1e400}', b'{"e":NaN}', b'{"e":Infinity}', b"null", b"[]", b'"text"',
    b'{"stream":"btcusdt@trade","data":{"e":"trade","e":"trade"}}', b'{"a":' * 2000 + b"1" + b"}" * 2000,
    b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":1e400,"qty":1}],"asks":[],"checksum":0}]}',
]  # fmt: skip


@pytest.mark.parametrize("name", VENUES)
def test_f17_garbage_is_refused_counted_and_too_much_of_it_ends_the_connection(name: str) -> None:
    async def script(play: Play) -> None:
        await play.run(3)
        rng = random.Random(1)
        play.theatre.hook = lambda data: (data, rng.choice(GARBAGE)) if rng.random() < 0.02 else (data,)
        await play.run(5)
        assert play.feed(name).connections == 1
        play.theatre.hook = lambda data: (data, *GARBAGE)
        await play.run(2)
        play.theatre.hook = lambda data: (data,)
        await play.run(40)
        assert sum(play.feed(name).refusals.values()) > 10
        assert play.feed(name).connections > 1
        all_is_well(play)

    scenario(script, name)


def test_f20_new_rules_become_rows_and_a_vanished_symbol_is_unavailable() -> None:
    state: dict[str, Any] = {"tick": False, "gone": False, "torn": False, "status": "TRADING"}

    def change(name: str, ask: Any, answer: Any) -> Any:
        if not ask.path.endswith("exchangeInfo"):
            return answer
        info = json.loads(answer.body)
        if state["gone"]:
            info["symbols"] = [one for one in info["symbols"] if one["symbol"] != "ETHUSDT"]
        for one in info["symbols"]:
            if one["symbol"] == "BTCUSDT":
                one["status"] = state["status"]
        if state["tick"]:
            for one in info["symbols"]:
                for rule in one["filters"]:
                    if one["symbol"] == "BTCUSDT" and rule["filterType"] == "LOT_SIZE":
                        rule["minQty"] = "0.00100000"
        answer.body = json.dumps(info).encode()[: 200 if state["torn"] else None]
        return answer

    async def script(play: Play) -> None:
        play.theatre.answer_hook = change
        await play.run(5)
        state["tick"] = True
        await play.run(30)
        rules = play.rows[(play.rows["kind"] == codes.RULE) & (play.rows["ref"] != layout.ACCESS)]
        assert [(int(r["instrument"]), int(r["ref"])) for r in rules] == [(0, layout.MIN_QUANTITY)]
        state["status"] = "CANCEL_ONLY"
        await play.run(21)
        words = play.rows[(play.rows["kind"] == codes.RULE) & (play.rows["ref"] == layout.TRADING_STATUS)]
        assert [(int(r["instrument"]), int(r["value"])) for r in words] == [(0, codes.STATUS_CANCEL_ONLY)]
        assert describe(play.feed("binance"))["trading"] == {"BTCUSDT": "CANCEL_ONLY", "ETHUSDT": "TRADING"}
        assert all(lane.state.condition == codes.SYNCED for lane in play.feed("binance").lanes if lane.topic.channel == "depth")
        state["status"] = "HALT"
        await play.run(21)
        assert play.feed("binance").lanes[0].state.cause == reasons.SYMBOL_HALTED
        state["torn"] = True
        await play.run(21)
        assert len(play.rows[(play.rows["kind"] == codes.RULE) & (play.rows["ref"] == layout.TRADING_STATUS)]) == 2
        state["status"], state["gone"], state["torn"] = "TRADING", True, False
        await play.run(21)
        words = play.rows[(play.rows["kind"] == codes.RULE) & (play.rows["ref"] == layout.TRADING_STATUS)]
        assert [(int(r["instrument"]), int(r["value"])) for r in words][1:] == [
            (0, codes.STATUS_HALT), (0, codes.TRADING), (1, codes.STATUS_DELISTED),
        ]  # fmt: skip
        await play.run(10)
        assert play.feed("binance").lanes[0].state.condition == codes.SYNCED
        lanes = [lane for lane in play.feed("binance").lanes if lane.topic.instrument == 1 and lane.topic.channel == "depth"]
        assert reasons.SYMBOL_HALTED in causes(play, "binance")
        assert lanes[0].state.cause == reasons.SYMBOL_HALTED
        assert policy.action(UNAVAILABLE, policy.BOOK).rung == codes.REDUCE_ONLY
        assert counters_add_up(play)
        assert dense(play.rows)
        at = words["ts_local"].tolist()  # CANCEL_ONLY, HALT, TRADING again; and the other symbol is gone
        sent, others = (Trader(play).orders(instrument) for instrument in (0, 1))
        assert (sent < at[0]).any() and not ((sent > at[0]) & (sent < at[2])).any() and (sent > at[2]).any()
        assert ((others > at[0]) & (others < at[2])).any() and not (others > at[3]).any()

    scenario(script, patience=Patience(rules=20.0), pace=Pace(orders_per_s=8.0, levels=12))  # no deeper than the small machine
    assert Patience().rules == 300.0


def test_f8_a_book_without_one_side_is_no_lie_and_comes_back() -> None:
    """The feed says what the venue says; that nobody trades on it is the machine's (BOOK_LOST_SIDE, tests/market)."""
    state: dict[str, Any] = {"on": False, "asks": []}

    def empty(data: bytes) -> Sequence[bytes]:
        if not state["on"] or DEPTH_FRAME["binance"] not in data or b"BTCUSDT" not in data:
            return (data,)
        frame = json.loads(data)
        asks = [price for (side, price) in state["asks"] if side == codes.SELL]
        frame["data"]["a"] = [[text(price, 2), "0.00000"] for price in asks]
        return (msgspec.json.encode(frame),)

    async def script(play: Play) -> None:
        play.theatre.hook = empty
        await play.run(4)
        lane = play.feed("binance").lanes[0]
        state["asks"] = list(told(lane))
        state["on"] = True
        await play.run(0.5)
        state["on"] = False
        assert not [key for key in told(lane) if key[0] == codes.SELL and key in state["asks"]]
        assert INVALID not in conditions(play, "binance")
        assert counters_add_up(play)
        await play.run(150)  # what the feed was told wrongly stands beside the venue's own book, asked for twice
        assert reasons.SNAPSHOT_DIFFERS in causes(play, "binance")
        all_is_well(play)

    scenario(script)
