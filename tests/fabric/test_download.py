"""A download asks for what is missing, goes on where it was cut, and says which days a venue no longer has whole."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadData, Unreachable
from tradewind.domain.instruments import Stream
from tradewind.domain.rows import rows
from tradewind.fabric import catalogue, download
from tradewind.fabric.budget import Budget
from tradewind.fabric.clock import JournalTime, SystemClock
from tradewind.fabric.download import Order, Source
from tradewind.fabric.feeds import Outside
from tradewind.fabric.sieve import Judge
from tradewind.fabric.verify import verify
from tradewind.storage.tape import Tape
from tradewind.venues.adapter import BAR, TRADE, Answer, Ask, Page, Quota, Topic

from . import markets

FIRST, DAYS, PAGE, STEP = 19_700, 3, 40, codes.HOUR
DAY_TEXTS = ["2023-12-09", "2023-12-10", "2023-12-11"]


class Venue:
    """An adapter and the venue behind it: hourly bars, a trade every ten minutes, pages of forty, history by time or by id."""

    def __init__(self, by_id: bool = False, forgets: int = 0) -> None:
        self.venue, self.facts, self.instruments = "binance", {}, [markets.BTC]
        self.streams = [Stream(venue="binance", channel=channel, instrument=0) for channel in (TRADE, BAR)]
        self.by_id, self.asked, self.fails, self.stops_at = by_id, 0, random.Random(1), 0
        self.bars = FIRST * codes.DAY + np.arange(forgets + 1, DAYS * 24 + 1) * STEP
        self.trades = FIRST * codes.DAY - codes.DAY + np.arange((DAYS + 2) * 144) * 10 * codes.MINUTE

    async def ask(self, base: str, ask: Ask) -> Answer:
        self.asked += 1
        if self.asked == self.stops_at:
            raise KeyboardInterrupt
        if self.fails.random() < 0.2:
            raise Unreachable("the network", where=base)
        return Answer(status=200, headers={}, body=json.dumps(dict(ask.query)).encode(), sent_ns=0, received_ns=1)

    def ask_candles(self, topic: Topic, timeframe: str, since_ns: int, until_ns: int) -> Ask | None:
        return Ask(path="/bars", query=(("since", str(since_ns)), ("until", str(until_ns))))

    def read_candles(self, topic: Topic, timeframe: str, answer: Answer) -> Page:
        query = json.loads(answer.body)
        ends = self.bars[(self.bars > int(query["since"])) & (self.bars <= int(query["until"]))][:PAGE]
        made = rows(len(ends))
        made["kind"], made["marks"], made["ts_venue"], made["strategy"] = codes.BAR, codes.WHOLE, ends, 10
        made["price"] = made["ref"] = 600_000 + np.arange(len(ends))
        return Page(made)

    def ask_trades(self, topic: Topic, since_id: int, since_ns: int) -> Ask | None:
        return Ask(path="/trades", query=(("id", str(since_id)), ("since", str(since_ns))))

    def read_trades(self, topic: Topic, answer: Answer) -> Page:
        query = json.loads(answer.body)
        since = int(query["id"])
        if since < 0 and self.by_id:
            numbers = np.arange(len(self.trades) - PAGE, len(self.trades))
        else:
            first = since + 1 if since >= 0 else int(np.searchsorted(self.trades, int(query["since"])))
            numbers = np.arange(first, min(first + PAGE, len(self.trades)))
        made = rows(len(numbers))
        made["kind"], made["marks"], made["ts_venue"], made["ref"] = codes.TRADE, codes.WHOLE, self.trades[numbers], numbers
        made["price"], made["quantity"] = 600_000 + numbers % 7, 10
        return Page(made, self.ask_trades(topic, int(numbers[-1]), 0) if len(numbers) == PAGE else None)

    def quota(self, answer: Answer) -> Quota:
        return Quota()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_seconds: float) -> None:
        return

    monkeypatch.setattr(download.asyncio, "sleep", at_once)


@pytest.fixture
def judge() -> Judge:
    return Judge(1, 1, compiled=False)


def fetch(store: Any, venue: Any, folder: Path, judge: Judge, timeframe: str = "1h") -> download.Downloaded:
    time = JournalTime(SystemClock())
    source = Source(venue, "https://venue.example", Outside(venue, time, random.Random(2)), Budget(time, []))
    order = Order(Topic(BAR if timeframe else TRADE, 0), timeframe, DAY_TEXTS[0], DAY_TEXTS[-1])
    return asyncio.run(download.download(store, source, order, folder, lambda line: None, judge))


@pytest.mark.parametrize(("timeframe", "by_id", "each"), [("1h", False, 24), ("", False, 144), ("", True, 144)])
def test_every_row_of_every_day_comes_once(tmp_path: Path, judge: Judge, timeframe: str, by_id: bool, each: int) -> None:
    with markets.store(tmp_path / "s") as store:
        venue = Venue(by_id)
        done = fetch(store, venue, tmp_path / "raw", judge, timeframe)
        assert (done.rows, done.days, done.partial, done.had) == (3 * each, 3, [], 0)
        covered = {row.day: row.rows for row in catalogue.coverage(store)}
        # A bar that ends at midnight belongs to the day that it ends.
        assert sum(covered.values()) == 3 * each
        table = "bars" if timeframe else "trades"
        times = store.lake.scan(table).collect()["ts_venue"]
        assert times.n_unique() == len(times)
        asked = venue.asked
        again = fetch(store, venue, tmp_path / "raw", judge, timeframe)
        assert (again.rows, again.had, venue.asked) == (0, 3, asked)


def test_a_cut_download_goes_on(tmp_path: Path, judge: Judge) -> None:
    with markets.store(tmp_path / "s") as store:
        for cut in (2, 5, 4):
            venue = Venue()
            venue.stops_at = cut
            with pytest.raises(KeyboardInterrupt):
                fetch(store, venue, tmp_path / "raw", judge, "")
        fetch(store, Venue(), tmp_path / "raw", judge, "")
        assert store.lake.scan("trades").collect()["trade_id"].sort().to_list() == list(range(144, 4 * 144))


def test_a_day_that_is_not_whole_is_said_and_asked_again(tmp_path: Path, judge: Judge) -> None:
    with markets.store(tmp_path / "s") as store:
        done = fetch(store, Venue(forgets=30), tmp_path / "raw", judge)
        assert (done.days, done.partial) == (1, DAY_TEXTS[:2])
        again = fetch(store, Venue(), tmp_path / "raw", judge)
        assert (again.had, again.days, again.partial) == (1, 2, [])
        assert store.lake.scan("bars").collect()["ts_venue"].n_unique() == 72
        assert verify(store, judge_for=lambda _: judge).equal, "what was read of the part of a day is still there"


def test_the_tape_can_be_backtested(tmp_path: Path, judge: Judge) -> None:
    with markets.store(tmp_path / "s") as store:
        fetch(store, Venue(), tmp_path / "raw", judge)
    tape = Tape.open(tmp_path / "raw/binance/BTC-USDT/bar-1h/2023-12-10")
    whole = tape.read(0, tape.rows)
    assert (whole["ts_local"] == whole["ts_venue"]).all()
    assert (np.diff(whole["ts_local"]) == STEP).all()
    assert (whole["marks"] & codes.SYNTHETIC).all()
    assert whole["stream_seq"].tolist() == list(range(1, 25))


def test_a_venue_without_history_says_so(tmp_path: Path, judge: Judge) -> None:
    venue = Venue()
    venue.ask_trades = lambda *_: None  # type: ignore[method-assign]
    with markets.store(tmp_path / "s") as store, pytest.raises(BadData, match="no history"):
        fetch(store, venue, tmp_path / "raw", judge, "")


CHILD = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from fabric import markets, test_download
from tradewind.fabric import download
from tradewind.fabric.sieve import Judge

async def at_once(_seconds):
    return

def dying(real):
    calls = []
    def call(*given, **named):
        calls.append(1)
        if len(calls) == 2:
            os._exit(9)  # as SIGKILL would: nothing is tidied up
        return real(*given, **named)
    return call

download.asyncio.sleep = at_once
holder, name = {"write": (download.TapeWriter, "close"), "note": (download, "_note")}[sys.argv[3]]
setattr(holder, name, dying(getattr(holder, name)))
folder = Path(sys.argv[2])
with markets.store(folder / "s") as store:
    test_download.fetch(store, test_download.Venue(), folder / "raw", Judge(1, 1, compiled=False), "")
"""


@pytest.mark.parametrize("where", ["write", "note"])
def test_a_killed_download_knows_what_is_missing(tmp_path: Path, judge: Judge, where: str) -> None:
    """Killed on its second day: with half a tape, or with one that was taken in and not noted."""
    call = [sys.executable, "-c", CHILD, str(Path(__file__).parent.parent), str(tmp_path), where]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(call, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 9, done.stderr
    with markets.store(tmp_path / "s", 1_000) as store:
        found = fetch(store, Venue(), tmp_path / "raw", judge, "")
        assert (found.had, found.days, found.partial) == (1, 2, [])
        assert store.lake.scan("trades").collect()["trade_id"].sort().to_list() == list(range(144, 4 * 144))
        assert verify(store, judge_for=lambda _: judge).equal
