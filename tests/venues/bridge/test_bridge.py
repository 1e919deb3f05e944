"""The bridge: an unmodified ccxt on the emulators tells what the native adapters tell, and its troubles have their names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tradewind.checks import venue as suite
from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse
from tradewind.fabric.ccxtmade import Told, library, plain
from tradewind.fabric.watching import Closing, Differences
from tradewind.venues.adapter import BAR, TRADE, Answer, Topic
from tradewind.venues.bridge import wire
from tradewind.venues.bridge.adapter import BridgeAdapter
from tradewind.venues.keepers import SeenKeeper, Verdict
from tradewind.venues.plugins import adapter_of, canonical, split


def played(repo: Path, **script: Any) -> dict[str, Any]:
    """What a play told."""
    return child_of(repo, "play", json.dumps(script))


def child_of(repo: Path, play: str, *arguments: str) -> dict[str, Any]:
    """What a module beside this one told; ccxt's second and hundred megabytes are a child's."""
    if find_spec("ccxt") is None:
        pytest.skip("ccxt is not installed")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPATH"] = os.pathsep.join(str(repo / part) for part in ("src", "tests"))
    child = subprocess.run(
        [sys.executable, "-m", f"venues.bridge.{play}", *arguments], capture_output=True, text=True, timeout=180, env=env
    )
    assert child.returncode == 0, child.stderr[-3000:]
    assert "Unclosed" not in child.stderr
    told: dict[str, Any] = json.loads(child.stdout)
    return told


@pytest.fixture(scope="module")
def both(repo: Path) -> dict[str, Any]:
    """Four venues, heard natively and through the bridge; Binance's connections are cut, Kraken's books get wrong sizes."""
    cut = {"kind": "cut", "venue": "binance"}
    wrong = {"kind": "corrupt", "venue": "kraken", "channel": "depth", "count": 5}
    steps = [{"seconds": 4}, {"fault": cut, "seconds": 0}, {"fault": wrong, "seconds": 12}]
    return played(repo, venues=["binance", "kraken", "coinbase", "binance-usdm"], history=True, marks_s=1.0, steps=steps)


@pytest.mark.scenario
@pytest.mark.parametrize("venue", ["binance", "kraken", "coinbase", "binance-usdm"])
def test_it_tells_what_the_native_adapter_tells(venue: str, both: dict[str, Any]) -> None:
    """Trades by id, candles by time, open interest and the books at rest are the same, digit by digit."""
    native, bridged = both["feeds"][venue], both["feeds"][f"bridge.{venue.replace('-', '')}"]
    assert both["same"] == [True] * 4 and len(native["book"][0]) == 10
    assert len(native["trades"]) > 30
    begun = max(min(map(int, native["trades"])), min(map(int, bridged["trades"])))
    first, second = ({name: deal for name, deal in told["trades"].items() if int(name) >= begun} for told in (native, bridged))
    assert first == second
    assert native["bars"] == bridged["bars"] and len(native["bars"]) == 30
    assert native["refused"] == bridged["refused"] == {}
    assert native["instrument"] == bridged["instrument"]
    assert native["interest"] == bridged["interest"] and len(native["interest"]) == (venue == "binance-usdm")
    told = ("depth", "quote", "trade", *(["open_interest", "mark", "funding"] if native["interest"] else ()))
    assert bridged["conditions"] == dict.fromkeys(told, "SYNCED")
    assert bridged["quotes"] > 20


@pytest.mark.scenario
def test_marks_and_funding_are_asked_for(both: dict[str, Any]) -> None:
    """What the native adapter is streamed: the same fundings, and marks within those it heard. Spot has none."""
    native, bridged = both["feeds"]["binance-usdm"], both["feeds"]["bridge.binanceusdm"]
    assert len(bridged["marks"]) == len(bridged["funding"]) > 5, "one request for both"
    for which in (0, 1):
        heard, asked = ([pair[which] for pair in told["marks"]] for told in (native, bridged))
        margin = max(heard) // 4_000  # the two hear it at other moments, and it moves by a basis point a second
        assert min(heard) - margin <= min(asked) <= max(asked) <= max(heard) + margin
    assert {tuple(one) for one in bridged["funding"]} == {tuple(one) for one in native["funding"]} != set()
    assert both["feeds"]["bridge.binance"]["marks"] == []


@pytest.mark.scenario
def test_a_cut_is_told_and_healed(both: dict[str, Any]) -> None:
    """F1: the book is unavailable, then joined anew; no trade is missing."""
    moves = both["feeds"]["bridge.binance"]["moves"]
    assert moves[-3:] == [["UNAVAILABLE", "DISCONNECTED"], ["BACKFILLING", "SNAPSHOT_ASKED"], ["SYNCED", "SNAPSHOT_JOINED"]]
    assert any("Connection closed" in text for text in both["feeds"]["bridge.binance"]["problems"])


@pytest.mark.scenario
def test_a_wrong_checksum_is_found_inside_ccxt(both: dict[str, Any]) -> None:
    """Kraken's, which ccxt itself leaves out: the sizes are texts here, so it can be made."""
    feed = both["feeds"]["bridge.kraken"]
    assert any(text.startswith("ChecksumError") for text in feed["problems"])
    assert ["UNAVAILABLE", "DISCONNECTED"] in feed["moves"] and feed["moves"][-1] == ["SYNCED", "SNAPSHOT_JOINED"]


@pytest.mark.scenario
def test_a_venue_without_sockets_is_polled_from_the_start(repo: Path) -> None:
    """Half of Binance, its REST: no second connection is tried, books and trades come at a lower grade, none is missing."""
    told = played(repo, venues=["binance"], without_sockets=True, history=True, patience={"poll": 0.5}, steps=[{"seconds": 8}])
    native, polled = told["feeds"]["binance"], told["feeds"]["bridge.binancerest"]
    assert polled["conditions"] == {"depth": "STALE", "quote": "STALE", "trade": "STALE"}
    assert 2 * len(polled["touches"]) == polled["quotes"] >= 8
    streamed = [tuple(map(tuple, touch)) for touch in native["touches"]]
    assert all(tuple(map(tuple, touch)) in streamed for touch in polled["touches"][1:]), "each was the venue's best for a while"
    assert polled["touches"][-1] == [polled["last"][0][0], polled["last"][1][0]], "the last one is of the last book"
    assert polled["moves"] == [["STALE", "POLLED"]] and polled["connections"] == 1
    begun, last = max(min(map(int, told["trades"])) for told in (native, polled)), max(map(int, polled["trades"]))
    inside = [{name: deal for name, deal in told["trades"].items() if begun <= int(name) <= last} for told in (native, polled)]
    assert inside[0] == inside[1] and len(inside[0]) > 20
    assert native["bars"] == polled["bars"]


@pytest.mark.scenario
def test_inverse_and_dated_contracts_are_heard_and_never_traded(repo: Path) -> None:
    """COIN-M's contracts of 100 dollars over real HTTP: amounts in dollars, quotes of polled books, marks and funding."""
    told = child_of(repo, "contracts", "6")
    venue = "bridge.binancecoinmrest"
    same = [codes.INVERSE, codes.STATUS_CANCEL_ONLY, 100_000, 3, 1]
    assert told["instruments"] == [[f"{venue}:BTC/USD:inverse", *same], [f"{venue}:BTC270326/USD:inverse", *same]]
    assert set(told["conditions"]) == {f"{n} {name}" for n in (0, 1) for name in ("depth", "quote", "trade")} | {
        "0 mark",
        "0 funding",
    }
    assert [told["conditions"][name] for name in ("0 depth", "0 quote", "1 depth", "0 mark", "0 funding")] == [
        "STALE", "STALE", "STALE", "SYNCED", "SYNCED",
    ]  # fmt: skip
    quotes, trades, marks, fundings = (
        told["kinds"][str(kind)] for kind in (codes.QUOTE, codes.TRADE, codes.MARKPRICE, codes.FUNDING)
    )
    assert quotes[:2] == [[0, codes.BUY, 600_001, 1_200_000, 0, 0], [0, codes.SELL, 600_002, 700_000, 0, 0]], "12 contracts, 7"
    assert [one[:4] for one in trades[:1]] == [[0, codes.BUY, 600_002, 500_000]]
    assert marks[0] == [0, 0, 600_002, 0, 600_025, 0] and fundings[0] == [0, 0, 600_002, 0, 125_000, 1_790_000_000_000 * 10**6]
    assert 2 <= told["marks"] <= 7, "once a second, for one perpetual"


@pytest.mark.scenario
def test_a_silent_book_goes_stale_and_comes_back(repo: Path) -> None:
    """F3: nothing comes while the socket lives: STALE, then another connection."""
    silent = {"kind": "silent", "venue": "binance", "channel": "depth", "for_s": 5.0}
    told = played(
        repo, venues=["binance"], patience={"book": 1.5, "proof": 2.0}, steps=[{"seconds": 3}, {"fault": silent, "seconds": 11}]
    )
    moves = told["feeds"]["bridge.binance"]["moves"]
    assert ["STALE", "WENT_SILENT"] in moves and moves[-1][0] == "SYNCED"
    assert told["same"] == [True]


@pytest.mark.scenario
def test_nothing_is_asked_during_a_ban(repo: Path) -> None:
    """F8: the first 418 shuts the gate, for ccxt's own requests too."""
    ban = {"kind": "ban", "venue": "binance", "for_s": 600.0}
    steps = [{"seconds": 3}, {"fault": ban, "seconds": 3}, {"count": "binance"}, {"seconds": 5}, {"count": "binance"}]
    cut = {"kind": "cut", "venue": "binance", "params": {"grace_s": 0.5}}
    steps += [{"fault": cut, "seconds": 4}, {"count": "binance"}]
    told = played(repo, venues=["binance"], **{"from": 1}, patience={"clock": 1.0}, steps=steps)
    before, after, cut_off = told["asked"]
    assert before == after == cut_off, "a ban is over when the venue says so"
    assert told["feeds"]["bridge.binance"]["conditions"]["depth"] != "SYNCED", "its snapshot would have been a request"


# What needs no ccxt ----------------------------------------------------------------------------------------------------------


def test_the_adapter_holds_what_every_venue_must() -> None:
    checks = suite.run(suite.adopted("bridge.okx", adapter_of("bridge:okx")))
    assert [(check.name, check.faults) for check in checks if not check.ok] == []


def test_names() -> None:
    assert canonical("bridge:okx") == canonical("bridge.okx") == "bridge.okx"
    assert split("bridge:okx:BTC/USDT:USDT") == split("bridge.okx:BTC/USDT:USDT") == ("bridge.okx", "BTC/USDT:USDT")
    assert split("binance:BTCUSDT") == ("binance", "BTCUSDT")
    with pytest.raises(BadUse):
        adapter_of("bridge:../okx")


def test_without_ccxt_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "ccxt"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(BadUse, match=r"tradewind\[exchanges\]"):
        library()


def listed(**changes: Any) -> Answer:
    one = {
        "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "kind": "spot", "price_step": "0.01000000", "amount_step": "0.00001",
        "least_amount": "0.0001", "least_cost": "5.00000000", "maker": "0.0008", "taker": "0.0010000", "active": True, **changes,
    }  # fmt: skip
    return Answer(status=200, headers={}, body=json.dumps([one]).encode(), sent_ns=1, received_ns=1)


def test_instruments_are_of_less_trust() -> None:
    """Whatever a venue says of itself, no bridged one lends more than C."""
    (made,) = BridgeAdapter("okx").read_instruments(listed(), ["BTC/USDT"])
    assert (made.grade_cap, made.proof, made.status) == (codes.GRADE_C, codes.PROOF_NONE, codes.TRADING)
    assert (made.price_exponent, made.tick, made.quantity_exponent, made.lot) == (2, 1, 8, 1_000)
    assert (made.min_quantity, made.min_notional, made.maker_fee_e7, made.taker_fee_e7) == (10_000, 5 * 10**8, 8_000, 10_000)
    assert made.name == "bridge.okx:BTC/USDT"
    (halted,) = BridgeAdapter("okx").read_instruments(listed(active=False), ["BTC/USDT"])
    assert halted.status == codes.STATUS_HALT
    assert BridgeAdapter("okx").read_instruments(listed(active=False), []) == []


@pytest.mark.parametrize("changes", [{"price_step": "1e-12"}, {"amount_step": "0.000000001"}, {"price_step": "x"}])
def test_what_does_not_fit_is_refused_by_name(changes: dict[str, str]) -> None:
    with pytest.raises(BadData, match="BTC/USDT"):
        BridgeAdapter("okx").read_instruments(listed(**changes), ["BTC/USDT"])
    assert BridgeAdapter("okx").read_instruments(listed(**changes), []) == []


@pytest.mark.parametrize(
    ("asked", "expected"), [("BTCUSDT", "BTC/USDT"), ("btc/eur", "BTC/USDT"), ("XMR/USDT", "such as BTC/USDT")]
)
def test_an_unknown_symbol_is_told_what_there_is(asked: str, expected: str) -> None:
    with pytest.raises(BadData, match="no instrument") as caught:
        BridgeAdapter("okx").read_instruments(listed(), [asked])
    assert caught.value.expected == expected


def test_what_ends_is_another_asset_and_is_not_traded() -> None:
    """A dated future has no vote on the price of the coin, and nobody settles it here."""
    (made,) = BridgeAdapter("okx").read_instruments(listed(kind="linear", dated="260925"), ["BTC/USDT"])
    assert (made.base, made.payoff, made.status) == ("BTC260925", codes.LINEAR, codes.STATUS_CANCEL_ONLY)
    (perpetual,) = BridgeAdapter("okx").read_instruments(listed(kind="linear"), ["BTC/USDT"])
    assert (perpetual.base, perpetual.status) == ("BTC", codes.TRADING)


def test_a_market_that_is_not_bridged_says_why() -> None:
    with pytest.raises(BadData, match="BTC/USDT: an option"):
        BridgeAdapter("okx").read_instruments(listed(kind="", why="an option"), ["BTC/USDT"])
    assert BridgeAdapter("okx").read_instruments(listed(kind="", why="an option"), []) == []


def test_the_capability_table_says_what_ccxt_proves() -> None:
    proofs = {name: BridgeAdapter(name).facts["book.proof"].value for name in ("kraken", "okx", "htx")}
    assert proofs == {
        "kraken": "inside ccxt: checksum, off in ccxt, on here; none here", "okx": "inside ccxt: none; none here",
        "htx": "inside ccxt: chained ids; none here",
    }  # fmt: skip


def test_a_number_keeps_its_text_or_is_refused() -> None:
    """0.1 + 0.2 has no text; what came as text comes out as it came."""
    assert plain(Told("61234.50")) == "61234.50"
    assert plain(Told(Told("1e-8"))) == "1e-8"
    assert plain("0.10") == "0.10" and plain(3) == "3"
    assert sorted([Told("10.0"), Told("9.5")]) == [9.5, 10.0]
    for lost in (0.1 + 0.2, Told(0.3), Told("1") + Told("2"), None, True, "1" * 99):
        with pytest.raises(BadData):
            plain(lost)


def test_a_book_is_told_whole_and_then_by_its_changes() -> None:
    said: list[Any] = []
    book = Differences("BTC/USDT", said.append)
    sides = {"bids": [[Told("10.1"), Told("1")], [Told("10.0"), Told("2")]], "asks": [[Told("10.2"), Told("3")]], "timestamp": 5}
    book.tell(sides)
    book.tell(sides)
    sides["bids"] = [[Told("10.1"), Told("1.5")]]
    book.tell(sides)
    assert said == [
        wire.Book("BTC/USDT", True, 5, [("10.1", "1"), ("10.0", "2")], [("10.2", "3")]),
        wire.Book("BTC/USDT", False, 5, [("10.0", "0"), ("10.1", "1.5")], []),
    ]


def test_a_bar_is_told_when_the_next_has_begun() -> None:
    said: list[Any] = []
    bars = Closing("BTC/USDT", said.append)
    for start, close in ((60_000, "1"), (60_000, "2"), (120_000, "3"), (120_000, "4")):
        bars.tell([[start, Told("1"), Told("9"), Told("1"), Told(close), Told("5")]])
    assert said == [wire.Candles("BTC/USDT", "1m", [(60_000, "1", "9", "1", "2", "5")])]


def trade(adapter: BridgeAdapter, *deals: tuple[str, int]) -> Any:
    page = wire.Page(0, [wire.Deal(name, ts, "buy", "1.00", "1") for name, ts in deals])
    return adapter.read_trades(
        Topic(TRADE, 0), Answer(status=200, headers={}, body=msgspec.json.encode(page), sent_ns=1, received_ns=1)
    )


def test_trades_without_counted_ids_are_told_once() -> None:
    """Numbered or not: what a history repeats is dropped; ids that leave others out are no gap."""
    adapter = BridgeAdapter("okx")
    adapter.adopt(adapter.samples().instruments)
    page = trade(adapter, ("5", 10), ("900", 11), ("3f-a", 12))
    assert page.rows["ref"].tolist() == [5, 900, 0] and page.next is not None
    assert trade(adapter).next is None
    keeper = SeenKeeper()
    assert keeper.take(page.rows)[0] == Verdict.PASS
    assert keeper.snapshot(page.rows)[0] == Verdict.DROP
    later = trade(adapter, ("900", 11), ("3f-b", 13)).rows
    verdict, passed = keeper.snapshot(later)
    assert verdict == Verdict.PASS and passed["ts_venue"].tolist() == [13_000_000]


def test_bars_that_still_grow_are_left_out() -> None:
    adapter = BridgeAdapter("okx")
    adapter.adopt(adapter.samples().instruments)
    body = json.dumps({"c": "bars", "symbol": "BTC/USDT", "timeframe": "1m", "bars": [[0, *"12113"], [60_000, *"12113"]]}).encode()
    answer = Answer(status=200, headers={}, body=body, sent_ns=codes.MINUTE, received_ns=codes.MINUTE)
    rows = adapter.read_candles(Topic(BAR, 0), "1m", answer).rows
    assert rows["ts_venue"].tolist() == [codes.MINUTE]
    assert np.all(rows["kind"] == codes.BAR)
