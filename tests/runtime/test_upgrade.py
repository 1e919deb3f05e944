"""Kill, change the code, start again: the facts are the unkilled run's, opinions are warmed anew, nothing is sent twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tradewind
from machines import default_machine
from tradewind.domain import codes, layout, orders
from tradewind.domain.errors import BadUse
from tradewind.domain.rows import Rows
from tradewind.engine.snapshot import State, facts_digest, first_field_difference, fresh_state
from tradewind.runtime.paper import begin, paper
from tradewind.runtime.planning import Plan, plan
from tradewind.runtime.recorder import Recorder
from tradewind.runtime.recovery import fold_rows, place_of, take_up, upgraded
from tradewind.runtime.replay import Replayer, fold
from tradewind.runtime.session import Session
from tradewind.storage.journal import JournalReader
from tradewind.strategy.library import market_maker
from worldtape import child, command, environment, journal_rows, paper_run, world_tape

SECONDS = 5.0
SOURCE = Path(tradewind.__file__).resolve().parent


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run whose journal ends in the middle, behind some fills."""
    out = tmp_path_factory.mktemp("killed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "machine", lambda self, **_: default_machine())
        paper(*paper_run(world_tape(SECONDS), out))
    shutil.copytree(out / "paper" / "journal", out / "whole")
    shorten(out / "paper" / "journal", 0.8)
    return out


def shorten(journal: Path, part: float) -> None:
    """Ends a journal somewhere in the middle of a batch."""
    segment = journal / "00000.journal"
    with open(segment, "r+b") as file:
        file.truncate(int(segment.stat().st_size * part))
    JournalReader(journal).recover()


def taken_up(out: Path, recorded: Rows | None = None) -> tuple[Session, Rows]:
    """A session that took the killed run, or the given rows of it, up by their facts."""
    tape = world_tape(SECONDS)
    options, loaded = paper_run(tape, out)
    session = begin(tape, plan(loaded, tape, options.think), default_machine(), None)
    recorded = journal_rows(out / "paper" / "journal") if recorded is None else recorded
    place = take_up(session, recorded, tape, Recorder(None).sample)
    assert place == place_of(recorded)
    return session, recorded


def live_orders(state: State) -> Any:
    table = state[0]["fact"]["order"]
    return table[(table["status"] > orders.FREE) & (table["status"] < orders.FIRST_FINAL)]


def test_the_facts_taken_up_are_those_the_first_machine_had(killed: Path) -> None:
    session, recorded = taken_up(killed)
    replayer = Replayer(killed / "paper" / "journal", machine=default_machine())
    replayer.run()
    assert replayer.finish().equal
    assert facts_digest(session.state) == facts_digest(replayer.state)
    assert (recorded["kind"] == codes.FILL).any()
    books = ("top", "book", "level_key", "level_quantity")
    for name in books:  # what the market says does not depend on who trades
        assert session.state[name].tobytes() == replayer.state[name].tobytes(), name


def test_nothing_is_said_while_a_run_is_taken_up(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, said = Session.play, set[int]()

    def listen(self: Session, *place: Any) -> None:
        real(self, *place)
        said.update(self.out["kind"][: int(self.state["clock"]["n_out"][0])].tolist())

    monkeypatch.setattr(Session, "play", listen)
    before = (killed / "paper" / "journal" / "00000.journal").read_bytes()
    session, recorded = taken_up(killed)
    assert session.journal is None
    assert not said & {codes.SUBMIT, codes.CANCEL, codes.WAKE}
    assert (killed / "paper" / "journal" / "00000.journal").read_bytes() == before
    assert session.state[0]["count"]["submits"] == (recorded["kind"] == codes.SUBMIT).sum()


def test_a_cancel_that_was_not_answered_is_under_way_again(killed: Path) -> None:
    whole = journal_rows(killed / "whole")
    at = np.flatnonzero(whole["kind"] == codes.CANCEL)
    for end in at[[10, -10]]:
        session, recorded = taken_up(killed, whole[: int(end) + 1])
        check_venue(session, recorded)
        assert (live_orders(session.state)["status"] == orders.CANCELLING).any()


def test_every_live_order_is_at_the_venue_again_once(killed: Path) -> None:
    check_venue(*taken_up(killed))


def check_venue(session: Session, recorded: Rows) -> None:
    """What the rebuilt venue holds is what the facts say lives, in the right place, once."""
    v = session.physics[0]
    resting = {int(r["id"]): r for r in v["resting"] if r["live"]}
    asked = [a for desk in range(len(v["desk"])) for a in v["asked"][desk][: int(v["desk"][desk]["ask_tail"])]]
    submits = [int(a["id"]) for a in asked if a["kind"] == codes.SUBMIT]
    acked = set(recorded["ref"][(recorded["kind"] == codes.REPORT) & (recorded["value"] == codes.ACKED)].tolist())
    alive = live_orders(session.state)
    assert len(alive) > 0, "the kill came when no order was alive"
    for o in alive:
        number = int(o["id"])
        assert (number in resting) + submits.count(number) == 1
        if number in resting:
            assert number in acked
            r = resting[number]
            assert r["leaves"] == o["quantity"] - o["filled"]
            depth = int(session.state[0]["book"][int(o["instrument"])]["depth"][int(o["side"])])
            keys = session.state[0]["level_key"][int(o["instrument"]), int(o["side"]), :depth]
            key = o["price"] if o["side"] == codes.BUY else -o["price"]
            here = session.state[0]["level_quantity"][int(o["instrument"]), int(o["side"]), :depth][keys == key]
            assert r["ahead"] == (int(here[0]) if len(here) else 0)
    cancels = [int(a["id"]) for a in asked if a["kind"] == codes.CANCEL]
    assert sorted(cancels) == sorted(int(o["id"]) for o in alive if o["status"] == orders.CANCELLING)
    for desk in range(len(v["desk"])):
        due = v["asked"][desk]["due"][: int(v["desk"][desk]["ask_tail"])]
        assert (np.diff(due) >= 0).all()
    trades = recorded["value"][recorded["kind"] == codes.FILL]
    assert v["clock"]["trade_id"] == trades.max()


def test_memories_and_debts_come_from_the_journal(killed: Path) -> None:
    session, recorded = taken_up(killed)
    words = recorded[recorded["kind"] == codes.MEMORY]
    assert len(words) > 0
    for row in words[-1:]:
        assert session.state[0]["memory"][int(row["strategy"]), int(row["instrument"]), int(row["ref"])] == row["value"]
    assert session.state[0]["clock"]["wake_number"] == recorded["ref"][recorded["kind"] == codes.WAKE].max()
    s = session.state[0]
    for asset in range(int(s["clock"]["n_assets"])):
        g = s["group"][asset]
        members = g["member"][: int(g["n_members"])]
        if len(members):
            held = s["fact"]["position"][2, members]["quantity"] * s["fact"]["rule"][members, layout.BASE_NUM]
            assert s["arbitrage"][2, int(members[0])]["owed"] == held.sum()


def test_another_default_alone_is_another_beginning(killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is the same, what it is told is not: the run goes on from its facts, not from rows that cannot come again."""
    monkeypatch.setattr(Plan, "machine", lambda self, **_: default_machine())
    monkeypatch.setitem(market_maker.PARAMETERS, "away_ticks", 2.0)
    shutil.copytree(killed / "paper", tmp_path / "paper")
    before = journal_rows(tmp_path / "paper" / "journal")
    ended = paper(*paper_run(world_tape(SECONDS), tmp_path))
    assert ended.machine_hash == default_machine().hash
    after = journal_rows(tmp_path / "paper" / "journal")
    assert after[: len(before)].tobytes() == before.tobytes()
    assert upgraded(after)
    told = after[len(before) :]
    assert (told["value"][told["kind"] == codes.PARAMETER] == 2 * codes.E9).any()
    check_sent_once(after)


def change(source: Path) -> None:
    """Another default of a strategy and another feature: what an upgrade brings."""
    maker = source / "tradewind" / "strategy" / "library" / "market_maker.py"
    text = maker.read_text()
    assert '"away_ticks": 1.0' in text
    maker.write_text(text.replace('"away_ticks": 1.0', '"away_ticks": 2.0'))
    feature = source / "tradewind" / "analytics" / "features" / "ema.py"
    text = feature.read_text()
    assert "FAST, SLOW = 12, 26" in text
    feature.write_text(text.replace("FAST, SLOW = 12, 26", "FAST, SLOW = 10, 26"))


@pytest.mark.scenario
@pytest.mark.timeout(600)
def test_a_changed_machine_takes_the_run_up_by_its_facts(killed: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "src", tmp_path / "out"
    shutil.copytree(SOURCE, source / "tradewind", ignore=shutil.ignore_patterns("__pycache__"))
    change(source)
    shutil.copytree(killed / "paper", out / "paper")
    journal = out / "paper" / "journal"
    before = journal_rows(journal)
    done = child(command("paper", world_tape(SECONDS).folder, out, "--speed", "0"), environment(source), timeout=400)
    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout)
    assert ended["machine_hash"] != default_machine().hash
    after = journal_rows(journal)
    assert after[: len(before)].tobytes() == before.tobytes()
    check_upgraded(journal, before, after)
    # killed once more behind the UPGRADE row: facts again, and again nothing twice
    shorten(journal, 0.95)
    assert upgraded(journal_rows(journal))
    done = child(command("paper", world_tape(SECONDS).folder, out, "--speed", "0"), environment(source), timeout=400)
    assert done.returncode == 0, done.stderr
    check_sent_once(journal_rows(journal))
    refused_past_the_upgrade(journal)


def check_upgraded(journal: Path, before: Rows, after: Rows) -> None:
    at = np.flatnonzero(after["kind"] == codes.UPGRADE)
    assert at.tolist() == [len(before)]
    reader = JournalReader(journal)
    for _ in reader.batches():
        pass
    assert default_machine().hash in reader.text(int(after[at[0]]["ref"]))
    state = fold_rows(default_machine(), after[: int(at[0])])
    assert int(after[at[0]]["value"]) == int(facts_digest(state)[:15], 16)
    assert (after["kind"][int(at[0]) :] == codes.SUBMIT).any(), "it does not trade after the take-up"
    check_sent_once(after)


def check_sent_once(recorded: Rows) -> None:
    """No order id is used twice, no order is cancelled twice, ids only rise."""
    submits = recorded["ref"][recorded["kind"] == codes.SUBMIT]
    assert (np.diff(submits) > 0).all()
    cancels = recorded["ref"][recorded["kind"] == codes.CANCEL]
    assert len(np.unique(cancels)) == len(cancels)
    trades = recorded["value"][recorded["kind"] == codes.FILL]
    assert len(np.unique(trades)) == len(trades)


def refused_past_the_upgrade(journal: Path) -> None:
    replayer = Replayer(journal, machine=default_machine())
    with pytest.raises(BadUse, match="taken up by its facts") as told:
        replayer.run()
    assert "--facts" in str(told.value.todo)
    state, read = fold(journal, default_machine())
    assert read == len(journal_rows(journal))
    assert first_field_difference(state["fact"], fresh_state(default_machine())["fact"]) is not None
