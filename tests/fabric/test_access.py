"""What is lost of an instrument or its venue takes its rung down at once; calm brings it back, one rung at a time."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tradewind.domain import codes, layout, reasons
from tradewind.domain.codes import ACTIVE, CAUTIOUS, REDUCE_ONLY, SECOND
from tradewind.domain.errors import Unreachable
from tradewind.fabric import access, policy
from tradewind.fabric.access import BEGIN_NS, CALM_NS
from tradewind.fabric.assembly import describe
from tradewind.fabric.feeds import Patience
from tradewind.fabric.standing import HOLD_NS, Standing
from tradewind.venues.emulators.faults import Faults
from tradewind.venues.emulators.flow import Pace
from tradewind.venues.emulators.venue import Reply

from .inproc import Play
from .scenes import DEPTH_FRAME, VENUES, Dropper, scenario
from .trader import Trader
from .truth import all_is_well
from .virtual import run

SLOW = Pace(orders_per_s=2.0, levels=12)  # no deeper than the small machine
WELL = Standing(1.0, 0.9, True, 0, 0)
Told = list[tuple[int, int]]


def granted(play: Play, instrument: int = 0, since: int = 0) -> Told:
    """(time, rung) of everything told of an instrument from a time on."""
    rows = play.rows
    mine = rows[(rows["kind"] == codes.RULE) & (rows["ref"] == layout.ACCESS) & (rows["instrument"] == instrument)]
    mine = mine[mine["ts_local"] >= since]
    return list(zip(mine["ts_local"].tolist(), mine["value"].tolist(), strict=True))


def rungs(told: Told) -> list[int]:
    return [rung for _, rung in told]


def calmly(told: Told) -> bool:
    """Whether every step up is by one, with the calm before it."""
    steps = itertools.pairwise(told)
    return all(lower == rung - 1 and then - at >= CALM_NS for (at, rung), (then, lower) in steps if lower < rung)


@pytest.mark.parametrize("name", VENUES)
def test_a_run_begins_on_reduce_only_and_trades_as_soon_as_its_streams_are_there(name: str) -> None:
    async def script(play: Play) -> None:
        await play.run(8)
        for instrument in (0, 1):
            told = granted(play, instrument)
            assert rungs(told)[0] == REDUCE_ONLY and rungs(told)[-1] == ACTIVE and rungs(told) == sorted(rungs(told))[::-1]
            assert told[0][0] - int(play.rows["ts_local"][0]) < 1000
            assert told[-1][0] - told[0][0] < 2 * SECOND, "nothing was lost yet: no calm is waited for"
        assert set(describe(play.feed(name))["access"].values()) == {"ACTIVE"}

    scenario(script, name)


@pytest.mark.parametrize(("channel", "first"), [("quote", CAUTIOUS), ("trade", CAUTIOUS), ("bar", ACTIVE)])
def test_only_streams_of_the_plan_count(channel: str, first: int) -> None:
    async def script(play: Play) -> None:
        await play.run(8)
        told = rungs(granted(play))
        assert max(told, default=ACTIVE) <= CAUTIOUS and (told[-1:] or [ACTIVE]) == [ACTIVE]
        assert play.feed("binance").access.told == [ACTIVE, ACTIVE]
        assert policy.action(codes.UNAVAILABLE, policy.CAPABILITY_OF[channel]).rung == first

    scenario(script, channels=(channel,))


def test_a_lost_book_goes_down_at_once_and_comes_back_calmly() -> None:
    async def script(play: Play) -> None:
        await play.run(8)
        drop = play.theatre.hook = Dropper(DEPTH_FRAME["binance"] + b'","E"')
        drop.what = b'"btcusdt@depth'
        drop.left, since = 1, play.theatre.time.now()
        await play.run(2)
        drop.left = 1
        await play.run(15)
        told = granted(play, since=since)
        assert rungs(told)[0] == REDUCE_ONLY and rungs(told)[-1] == ACTIVE and calmly(told)
        lost = play.rows[(play.rows["kind"] == codes.STREAM) & (play.rows["ts_local"] >= since)]
        assert told[0][0] - int(lost["ts_local"][0]) < 1000, "the very next row"
        assert not granted(play, 1, since), "the other instrument's book stands"
        trader = Trader(play)
        back = trader.said[(trader.said["kind"] == codes.CANCEL) & (trader.said["value"] == reasons.ACCESS_LOST)]
        assert len(back) and (back["instrument"] == 0).all() and int(back["ts_local"][0]) == told[0][0]
        sent = trader.orders()
        assert (sent > told[-1][0]).any() and ((sent > told[-2][0]) & (sent < told[-1][0])).any(), "CAUTIOUS trades, at less"

    scenario(script, pace=SLOW)


class Ban(Faults):
    """The venue's next answers: 429, then 418, each with its Retry-After; then as usual."""

    def __init__(self) -> None:
        super().__init__()
        self.left = [(418, 60), (429, 20)]

    def after(self, path: str, reply: Reply) -> Reply:
        if not self.left:
            return reply
        status, seconds = self.left.pop()
        return Reply("{}", status, {"Retry-After": str(seconds)})


def test_f14_a_ban_leaves_only_cancels_at_the_venue_and_comes_back_step_by_step() -> None:
    async def script(play: Play) -> None:
        await play.run(10)
        since, venue = play.theatre.time.now(), play.theatre.venues["binance"]
        venue.faults = ban = Ban()
        await play.run(130)
        assert not ban.left
        asked = [(at, name) for at, name, _ in play.theatre.asked if at >= since]
        ours = [at for at, name in asked if name == "binance"]
        warned, banned = ours[0], next(at for at in ours if at - ours[0] > 15 * SECOND)
        assert warned + 20 * SECOND < banned and not [at for at in ours if warned < at < warned + 20 * SECOND]
        assert not [at for at in ours if banned < at < banned + 60 * SECOND], "nothing is asked during a ban"
        end = next(at for at in ours if at > banned)
        for instrument in (0, 1):
            told = granted(play, instrument, since)
            assert rungs(told)[0] == codes.CANCEL_ONLY and told[0][0] - warned < SECOND // 10
            (again,) = [at for at, rung in told if rung == codes.CANCEL_ONLY and at > told[0][0]] or [told[0][0]]
            assert rungs([x for x in told if x[0] > max(again, banned)]) == [REDUCE_ONLY, CAUTIOUS, ACTIVE] and calmly(told)
            back = [at for at, rung in told if rung == REDUCE_ONLY][-1]
            assert banned + 60 * SECOND < back < end + 2 * SECOND + CALM_NS
        assert not granted(play, 2, since) and not granted(play, 3, since), "the other venue is not banned"
        assert len([at for at, name in asked if name == "kraken" and warned < at < back]) > 5
        trader = Trader(play)
        first, last = granted(play, 0, since)[0][0], [at for at, rung in granted(play, 0, since) if rung == REDUCE_ONLY][-1]
        cancelled = trader.said[(trader.said["kind"] == codes.CANCEL) & (trader.said["value"] == reasons.ACCESS_LOST)]
        assert set(cancelled["instrument"].tolist()) == {0, 1} and first in cancelled["ts_local"].tolist()
        for instrument, banished in ((0, True), (1, True), (2, False), (3, False)):
            sent = trader.orders(instrument)
            assert (sent < first).any() and (sent > last).any()
            assert ((sent > first) & (sent < last)).any() != banished
        everything = trader.state[0]["fact"]["order"]
        assert not [o for o in everything if 0 < o["status"] < 6 and o["instrument"] < 2 and first > o["sent_ns"]]

    scenario(script, "binance", "kraken", patience=Patience(clock=5.0), pace=SLOW)


def test_f15_a_spent_budget_is_a_reason_for_caution() -> None:
    class Shared(Faults):
        used = 5_900

        def foreign_weight(self) -> int:
            return self.used

    async def script(play: Play) -> None:
        await play.run(8)
        faults = play.theatre.venues["binance"].faults = Shared()
        since = play.theatre.time.now()
        await play.run(70)
        faults.used = 0
        assert rungs(granted(play, since=since)) == rungs(granted(play, 1, since)) == [CAUTIOUS]
        await play.run(140)
        told = granted(play, since=since)
        assert rungs(told) == [CAUTIOUS, ACTIVE] and calmly(told)

    scenario(script, pace=SLOW, channels=("depth",))


def test_f5_three_wrong_checksums_degrade_the_venue() -> None:
    bad = {"left": 0}

    def corrupt(data: bytes) -> Sequence[bytes]:
        if bad["left"] and DEPTH_FRAME["kraken"] in data and b"BTC/USD" in data:
            bad["left"] -= 1
            return (re.sub(rb'"checksum":(\d+)', lambda m: b'"checksum":%d' % (int(m[1]) ^ 1), data),)
        return (data,)

    async def script(play: Play) -> None:
        play.theatre.hook = corrupt
        await play.run(40)
        since, broken = play.theatre.time.now(), []
        for number in (1, 2, 3):
            bad["left"] = 1
            await play.run(20)
            failed = play.rows[(play.rows["kind"] == codes.STREAM) & (play.rows["ref"] == reasons.PROOF_FAILED)]
            broken = failed["ts_local"].tolist()
            assert len(broken) == number
            assert rungs(granted(play, 1, since)) == ([CAUTIOUS] if number == 3 else []), "the whole venue, not before the third"
        assert granted(play, 1, since)[0][0] - broken[2] < 1000
        await play.run(100)
        assert rungs(granted(play, 0, since))[-1] == CAUTIOUS, "its book stands again, its venue does not"
        await play.run((access.MANY_NS / SECOND) - 180)
        assert granted(play, 1, since)[-1][1] == CAUTIOUS
        await play.run(60)
        for instrument in (0, 1):
            at, rung = granted(play, instrument, since)[-1]
            assert rung == ACTIVE and 0 <= at - (broken[0] + access.MANY_NS) <= CALM_NS + SECOND
        assert not granted(play, 2, since)

    scenario(script, "kraken", "binance", channels=("depth",), pace=SLOW)


def test_a_venue_whose_clock_no_longer_answers_is_traded_cautiously() -> None:
    state = {"on": True}

    def silent(name: str, ask: Any, answer: Any) -> Any:
        answer.status = 0 if state["on"] and ask.path.endswith("/time") else answer.status
        return answer

    async def script(play: Play) -> None:
        play.theatre.answer_hook = silent
        await play.run(3)
        assert play.feed("binance").access.told == [CAUTIOUS] * 2, "it never told the time"
        state["on"] = False
        await play.run(30)
        assert play.feed("binance").access.told == [ACTIVE] * 2
        state["on"], since = True, play.theatre.time.now()
        await play.run(access.MISSED * 5 + 6)
        ((at, rung),) = granted(play, since=since)
        assert rung == CAUTIOUS and at - since > (access.MISSED * 5 - 6) * SECOND
        state["on"] = False
        await play.run(5 + CALM_NS / SECOND + 1)
        assert play.feed("binance").access.told == [ACTIVE] * 2

    async def from_the_start(clock: Any) -> None:
        play = Play(clock, ["binance"], channels=("quote",), patience=Patience(clock=5.0), pace=SLOW)
        play.theatre.answer_hook = silent
        async with play:
            await script(play)

    run(from_the_start)


def test_without_sockets_the_venue_is_cautious_even_where_quotes_are_polled() -> None:
    async def script(play: Play) -> None:
        await play.run(8)
        play.theatre.refuse_connect = lambda name: "refused"
        since = play.theatre.time.now()
        for line in play.theatre.open_lines("kraken"):
            line.cut("gone")
        await play.run(40)
        lost = set(play.feed("kraken").access.venue_losses(play.theatre.time.now()))
        assert lost == {(codes.UNAVAILABLE, policy.SOCKET)}
        assert rungs(granted(play, since=since)) == [REDUCE_ONLY], "its book is stale"
        play.theatre.refuse_connect = lambda name: ""
        await play.run(90)
        told = granted(play, since=since)
        assert rungs(told) == [REDUCE_ONLY, CAUTIOUS, ACTIVE] and calmly(told)
        all_is_well(play)

    scenario(script, "kraken", pace=SLOW)


def test_what_the_machine_does_not_believe_is_only_reduced() -> None:
    doubted, weak = Standing(0.4, 0.0, False, reasons.OFF_CONSENSUS, 0), Standing(0.5, 0.4, True, 0, 0)

    async def heeded(play: Play, seconds: float, first: Standing) -> None:
        for _ in range(int(seconds / 0.25)):
            play.feed("binance").heed([first, WELL])
            await play.run(0.25)

    async def script(play: Play) -> None:
        await play.run(8)
        since = play.theatre.time.now()
        await heeded(play, 2, doubted)
        await heeded(play, 1, WELL)
        await heeded(play, 2, Standing(0.9, 0.9, False, 0, 0))
        assert not granted(play, since=since), "a moment's doubt, and a market it has not heard of yet, are no loss"
        since = play.theatre.time.now()
        await heeded(play, 5, doubted)
        ((at, rung),) = granted(play, since=since)
        assert rung == REDUCE_ONLY and HOLD_NS <= at - since <= HOLD_NS + SECOND
        await heeded(play, 10, weak)
        await heeded(play, 5, WELL)
        told = granted(play, since=since)
        assert rungs(told) == [REDUCE_ONLY, CAUTIOUS, ACTIVE] and told[2][0] - told[1][0] > 2 * CALM_NS and calmly(told)
        assert not granted(play, 1, since)

    scenario(script)


def test_the_end_of_a_run_is_nobodys_loss_and_a_new_life_tells_anew() -> None:
    async def script(clock: Any) -> None:
        async with Play(clock, ["binance"], pace=SLOW) as play:
            await play.run(8)
            until = play.theatre.time.now()
        assert (play.rows["kind"][play.rows["ts_local"] > until] == codes.STREAM).any() and not granted(play, since=until)
        later = Play(clock, ["binance"], pace=SLOW, channels=("bar",))
        await later.fabric.open()
        later.fabric.join(later.heard)
        later.fabric.resume({})
        later.feed("binance").access._has_time = False  # nothing at all is lost
        running = asyncio.ensure_future(later.fabric.run())
        await asyncio.sleep(0.001)
        assert [rungs(granted(later, i)) for i in (0, 1)] == [[ACTIVE]] * 2, "who knows what was told before?"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(script)


def test_what_flaps_is_not_followed_up() -> None:
    """Lost for a second in every three, from the start on, for a minute; then whole."""
    state = {"lost": False}

    async def script(play: Play) -> None:
        mine, since = play.feed("binance").access, play.theatre.time.now()
        mine.losses = lambda instrument, now: iter(((codes.GAP, policy.BOOK),) if state["lost"] else ())  # type: ignore[method-assign]
        for _ in range(20):
            for lost in (True, False, False):
                state["lost"] = lost
                await play.run(1)
        told = granted(play, since=since)
        assert rungs([x for x in told if x[0] > since + BEGIN_NS]) == [], "two seconds are no calm"
        assert mine.told == [REDUCE_ONLY] * 2
        await play.run(8)
        assert rungs(granted(play, since=since + BEGIN_NS)) == [CAUTIOUS, ACTIVE] and calmly(granted(play, since=since + BEGIN_NS))

    scenario(script, pace=SLOW)


# F20: rules that change while orders rest -------------------------------------------------------------------------------------


def cancels(trader: Trader, at: int, instrument: int = 0) -> dict[int, int]:
    """Reason by order id of what was taken back at a time."""
    said = trader.said[(trader.said["kind"] == codes.CANCEL) & (trader.said["ts_local"] == at)]
    said = said[said["instrument"] == instrument]
    return {int(c["ref"]): int(c["value"]) for c in said}


def resting(trader: Trader, at: int, instrument: int = 0) -> dict[int, Any]:
    """SUBMIT rows, by id, of orders that stood just before a time."""
    said = trader.said[(trader.said["ts_local"] < at) & (trader.said["instrument"] == instrument)]
    sent = {int(x["ref"]): x for x in said[said["kind"] == codes.SUBMIT]}
    gone = set(said["ref"][said["kind"] == codes.CANCEL].tolist())
    filled = trader.said[(trader.said["kind"] == codes.REPORT) | (trader.said["kind"] == codes.CHARGE)]
    gone |= set(filled["ref"][(filled["ts_local"] < at) & (filled["value"] != codes.ACKED)].tolist())
    return {ref: x for ref, x in sent.items() if ref not in gone}


def rule_told(play: Play, column: int) -> list[tuple[int, int]]:
    rows = play.rows[(play.rows["kind"] == codes.RULE) & (play.rows["ref"] == column)]
    assert (rows["instrument"] == 0).all()
    return list(zip(rows["ts_local"].tolist(), rows["value"].tolist(), strict=True))


def test_f20_open_orders_are_looked_at_again_when_lot_or_tick_changes() -> None:
    state: dict[str, str] = {}

    def change(name: str, ask: Any, answer: Any) -> Any:
        if not ask.path.endswith("exchangeInfo"):
            return answer
        info = json.loads(answer.body)
        for one in info["symbols"]:
            for rule in one["filters"] if one["symbol"] == "BTCUSDT" else ():
                rule.update({key: value for key, value in state.items() if key in rule})
        answer.body = json.dumps(info).encode()
        return answer

    async def script(play: Play) -> None:
        play.theatre.answer_hook = change
        await play.run(8)
        state["stepSize"] = "0.00003"
        await play.run(20)
        state["tickSize"] = "0.05"
        await play.run(20)
        ((lot, lots),), ((tick, ticks),) = rule_told(play, layout.LOT), rule_told(play, layout.TICK)
        trader = Trader(play)
        assert resting(trader, lot) and set(cancels(trader, lot).values()) == {reasons.QUANTITY_OFF_LOT}
        assert set(resting(trader, lot)) == set(cancels(trader, lot))
        off = {ref for ref, order in resting(trader, tick).items() if order["price"] % ticks}
        assert off == set(cancels(trader, tick)) and set(cancels(trader, tick).values()) <= {reasons.PRICE_OFF_TICK}
        assert not cancels(trader, lot, 1) and not cancels(trader, tick, 1)
        sent = trader.said[(trader.said["kind"] == codes.SUBMIT) & (trader.said["instrument"] == 0)]
        assert not (sent["quantity"][sent["ts_local"] > lot] % lots).any() and (sent["ts_local"] > tick).any()
        assert not (sent["price"][sent["ts_local"] > tick] % ticks).any() and (sent["price"][sent["ts_local"] < tick] % ticks).any()

    scenario(script, patience=Patience(rules=10.0), pace=Pace(orders_per_s=8.0, levels=12))


@pytest.mark.parametrize("word", ["post_only", "limit_only", "reduce_only", "cancel_only"])
def test_f20_a_symbols_new_word_lets_through_what_the_venue_takes(word: str) -> None:
    state = {"word": "online"}

    def change(name: str, ask: Any, answer: Any) -> Any:
        if ask.path.endswith("AssetPairs"):
            told = json.loads(answer.body)
            for pair in told["result"].values():
                pair["status"] = state["word"] if pair["wsname"] in ("XBT/USD", "BTC/USD") else pair["status"]
            answer.body = json.dumps(told).encode()
        return answer

    async def script(play: Play) -> None:
        play.theatre.answer_hook = change
        await play.run(8)
        state["word"] = word
        await play.run(25)
        state["word"] = "online"
        await play.run(20)
        (shut, _), (opened, _) = rule_told(play, layout.TRADING_STATUS)
        trader = Trader(play)
        sent = trader.said[(trader.said["kind"] == codes.SUBMIT) & (trader.said["instrument"] == 0)]
        inside = sent[(sent["ts_local"] > shut) & (sent["ts_local"] < opened)]
        if word in ("post_only", "limit_only"):
            assert len(inside) and not cancels(trader, shut), "a market maker only rests"
        else:
            assert set(cancels(trader, shut).values()) == {reasons.NOT_TRADING}
            assert not len(inside) or word == "reduce_only"
        assert (sent["ts_local"] > opened).any() and len(trader.orders(1))
        assert np.diff(trader.orders(1)).max() < 10 * SECOND and not cancels(trader, shut, 1)

    scenario(script, "kraken", patience=Patience(rules=10.0), pace=Pace(orders_per_s=8.0, levels=12))


def test_f14_a_refused_connection_that_names_a_ban_counts_as_one() -> None:
    async def script(play: Play) -> None:
        await play.run(8)
        since = play.theatre.time.now()
        play.theatre.refuse_connect = lambda name: "418"
        for line in play.theatre.open_lines("coinbase"):
            line.cut("gone")
        await play.run(5)
        assert rungs(granted(play, since=since)) == [REDUCE_ONLY, codes.CANCEL_ONLY]
        with pytest.raises(Unreachable):
            await play.fabric.reach(0.0)

    scenario(script, "coinbase", pace=SLOW)
