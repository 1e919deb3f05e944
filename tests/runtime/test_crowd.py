"""Points that share a market are, to the last byte of facts and of their journal rows, what they are alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import machines
from tradewind.domain import codes
from tradewind.domain.layout import Capacity
from tradewind.domain.rows import ROW, Rows, rows
from tradewind.engine.compose import Composition, Machine
from tradewind.engine.prelude import Latency, Limits, Prelude, Setup, StrategySetup
from tradewind.engine.snapshot import State, fresh_state, fresh_venue
from tradewind.runtime import sweep as sweeping
from tradewind.runtime.bench import bars_setup
from tradewind.runtime.bench_tapes import BOOK_COIN, bars_tape, book_tape
from tradewind.runtime.crowd import Crowd, can_share
from tradewind.runtime.sweep import sweep_machine, why_apart
from worldtape import world_tape

PLENTY = 1 << 15  # journal rows of a run
SHORT = 3_000


def begun(machine: Machine, setup: Setup, ts: int) -> tuple[State, State]:
    """State and venue after the prelude."""
    state, physics = fresh_state(machine), fresh_venue(machine)
    prelude = Prelude(machine, setup, ts)
    prelude.set_up_venue(physics)
    begin = prelude.rows()
    _, why = machine.drive(state, physics, begin, 0, len(begin), 0, rows(PLENTY))
    assert why == codes.END
    return state, physics


def own_rows(journal: Rows) -> bytes:
    """What an account heard and commanded."""
    return journal[(journal["kind"] != codes.TAPE) & (journal["kind"] != codes.VERDICT)].tobytes()


def alone(machine: Machine, setup: Setup, tape: Rows) -> tuple[bytes, bytes, float, int]:
    """Facts, journal rows, equity and fills of a run by itself."""
    state, physics = begun(machine, setup, int(tape[0]["ts_local"]) - 1)
    out = rows(4 * PLENTY)
    at, why = machine.drive(state, physics, tape, 0, len(tape), 0, out)
    assert (at, why) == (len(tape), codes.END)
    s = state[0]
    return s["fact"].tobytes(), own_rows(out[: s["clock"]["n_out"]]), float(s["budget"]["equity"]), int(s["count"]["fills"])


def together(machine: Machine, setups: Sequence[Setup], tape: Rows, cut: int) -> list[tuple[bytes, bytes, float, int]]:
    """The same of many runs in one market, the tape played in two calls."""
    crowd = Crowd(machine, max(len(setups), 2), PLENTY, keep=True)
    for setup in setups:
        assert crowd.takes(*begun(machine, setup, int(tape[0]["ts_local"]) - 1))
    crowd.play(tape, [cut, len(tape)])
    found = []
    for n in range(len(setups)):
        a = crowd.own[n]
        journal = own_rows(crowd.boxes[n][: a["clock"]["n_out"]])
        found.append((a["fact"].tobytes(), journal, float(a["budget"]["equity"]), int(a["count"]["fills"])))
    return found


def points_of(setup: Setup, points: Sequence[dict[str, float]]) -> list[Setup]:
    """The setup with each point's parameters in every strategy that trades."""
    return [
        msgspec.structs.replace(
            setup,
            strategies=[
                msgspec.structs.replace(s, parameters={**s.parameters, **point}) if s.instruments else s for s in setup.strategies
            ],
        )
        for point in points
    ]


def agree(machine: Machine, setup: Setup, tape: Rows, points: Sequence[dict[str, float]], cut: int = 0) -> int:
    """Holds every point against its own run; returns all fills."""
    setups = points_of(setup, points)
    runs = [alone(machine, one, tape) for one in setups]
    assert together(machine, setups, tape, cut) == runs
    return sum(run[3] for run in runs)


def lengths() -> st.SearchStrategy[list[dict[str, float]]]:
    point = st.fixed_dictionaries(
        {
            "fast": st.integers(2, 20).map(float), "slow": st.integers(21, 60).map(float),
            "quantity": st.sampled_from([0.0, 1_000.0, 100_000.0]), "fraction": st.sampled_from([0.1, 0.9]),
            "slip_bp": st.sampled_from([0.0, 20.0]),
        }
    )  # fmt: skip
    return st.lists(point, min_size=1, max_size=5)


@settings(max_examples=10)
@given(lengths(), st.integers(0, SHORT), st.integers(0, 1000))
def test_bars_compiled(points: list[dict[str, float]], cut: int, seed: int) -> None:
    setup = msgspec.structs.replace(
        bars_setup(), limits=Limits(max_age_ns=5 * codes.MINUTE, drawdown=0.02),
        tuning={"period_s": 3600.0}, latencies={"bench": Latency(jitter_ns=3_000_000)},
    )  # fmt: skip
    agree(machines.bars_machine(), setup, bars_tape(SHORT, seed), points, cut)


def test_bars_uncompiled() -> None:
    points = [{"fast": 2.0, "slow": 5.0}, {"fast": 3.0, "slow": 9.0}, {"fast": 2.0, "slow": 5.0, "quantity": 0.0, "fraction": 0.5}]
    assert agree(machines.bars_machine(compiled=False), bars_setup(), bars_tape(150), points, 77) > 20


BOOKS = Setup(
    instruments=[BOOK_COIN], reporting="USDT", timeframes=("1s", "5s"),
    strategies=[StrategySetup(parameters={"slip_bp": 5.0, "fraction": 0.01}, instruments=(0,)), StrategySetup()],
    balances={("bench", "BTC"): 10.0, ("bench", "USDT"): 1e6}, tuning={"period_s": 2.0},
    latencies={"bench": Latency(jitter_ns=4_000_000, probability_queue=True)},
)  # fmt: skip


@pytest.mark.parametrize(("compiled", "n"), [(True, 60_000), (False, 9_000)])
def test_books_and_trades(compiled: bool, n: int) -> None:
    """Bars made of trades by time, immediate orders that walk the book."""
    points = [{"fast": 1.0, "slow": 2.0}, {"fast": 2.0, "slow": 3.0, "quantity": 7.0}, {"fast": 1.0, "slow": 4.0, "frame": 1.0}]
    assert agree(machines.bars_machine(compiled), BOOKS, book_tape(n), points, n // 3) > 3


QUOTES = [
    {"quantity": 10.0}, {"quantity": 25.0, "away_ticks": 0.0}, {"quantity": 10.0, "layers": 2.0, "gap_ticks": 2.0},
    {"quantity": 5.0, "gamma": 0.1, "max_inventory": 3.0, "lean": 0.5},
]  # fmt: skip


def test_resting_quotes() -> None:
    """A market maker on a timer: orders wait in the queue, are moved and taken."""
    composition = Composition(strategies=("market_maker",), capacity=Capacity(instruments=2, levels=256, orders=256))
    machine = Machine(composition, compiled=False, cache=machines.bars_machine().cache)
    quoting = StrategySetup(parameters={"every_ms": 50.0}, instruments=(0,))
    setup = msgspec.structs.replace(BOOKS, strategies=[quoting], limits=Limits(orders_per_s=20))
    assert agree(machine, setup, book_tape(5_000), QUOTES, 1_234) > 10


def test_quotes_over_bars() -> None:
    """Orders that wait over several bars, and trade at an open that gapped through them or inside a bar."""
    composition = Composition(strategies=("market_maker",), capacity=Capacity(instruments=2, levels=16, orders=256))
    machine = Machine(composition, compiled=False, cache=machines.bars_machine().cache)
    quoting = StrategySetup(parameters={"every_ms": 300_000.0, "quantity": 1_000.0}, instruments=(0,))
    setup = msgspec.structs.replace(bars_setup(), strategies=[quoting])
    points = [{"away_ticks": 200.0}, {"away_ticks": 2_000.0}, {"away_ticks": 500.0, "layers": 3.0, "gap_ticks": 700.0}]
    gapping = bars_tape(200)
    gapping["ref"] = gapping["price"]  # each opens where it closes
    assert agree(machine, setup, gapping, points, 90) > 10


def test_many_venues() -> None:
    """Three venues of a seeded world, their consensus, and two strategies in each account."""
    tape = world_tape(3.0)
    instruments = tape.manifest.instruments
    everywhere = tuple(range(len(instruments)))
    setup = Setup(
        instruments=instruments, reporting="USD", timeframes=("1s",), tuning={"period_s": 0.3},
        strategies=[
            StrategySetup(parameters={"every_ms": 200.0, "fraction": 0.001}, instruments=everywhere), StrategySetup(),
            StrategySetup(parameters={"margin_bp": -30.0, "fraction": 0.002}, instruments=everywhere),
        ],
        balances={(x.venue, asset): 1e5 for x in instruments for asset in (x.base, x.quote)},
    )  # fmt: skip
    points = [{"layers": 1.0}, {"layers": 2.0, "fraction": 0.003}]
    setups = []
    for point in points:
        maker = StrategySetup(parameters={**setup.strategies[0].parameters, **point}, instruments=everywhere)
        setups.append(msgspec.structs.replace(setup, strategies=[maker, *setup.strategies[1:]]))
    machine, rows_of = machines.default_machine(compiled=False), next(tape.segments())[:6_500]
    runs = [alone(machine, one, rows_of) for one in setups]
    assert together(machine, setups, rows_of, 1_000) == runs
    assert runs[0][1] != runs[1][1] and min(len(run[1]) for run in runs) > 50 * ROW.itemsize


# Who may share, and who may touch what ------------------------------------------------------------------------------------------


def test_points_that_change_the_market_find_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer is the market's time: points that differ in it cannot share, and the sweep gives what it gives without sharing."""
    grid: list[dict[str, float]] = [
        {"sma_cross.fast": fast, "sma_cross.every_ms": every} for fast in (3.0, 5.0) for every in (0.0, 60_000.0, 90_000.0)
    ]
    machine, tape, setup = machines.bars_machine(), bars_tape(2_000), bars_setup()
    first = msgspec.structs.replace(
        setup.strategies[0], parameters={**setup.strategies[0].parameters, "every_ms": 0.0, "fast": 3.0}
    )
    setup = msgspec.structs.replace(setup, strategies=[first, *setup.strategies[1:]])
    each = sweep_machine(machine, setup, [tape], grid)
    monkeypatch.setattr(sweeping, "FEW", 2)
    asked: list[bool] = []
    plain = Crowd.takes

    def told(crowd: Crowd, state: State, physics: State) -> bool:
        asked.append(plain(crowd, state, physics))
        return asked[-1]

    monkeypatch.setattr(Crowd, "takes", told)
    assert sweep_machine(machine, setup, [tape[:700], tape[700:]], grid, threads=2)[0].orders == each[0].orders
    assert any(asked) and not all(asked)
    assert sweep_machine(machine, setup, [tape], grid, threads=2) == each


def test_settings_on_the_tape_are_not_shared() -> None:
    tape = bars_tape(10)
    assert can_share([tape])
    assert not why_apart([{}] * 16, [tape]) and "fewer" in why_apart([{}] * 15, [tape])
    tape["kind"][4] = codes.OPERATOR
    assert not can_share([tape]) and "operator" in why_apart([{}] * 16, [tape])


def one_of_each() -> tuple[Any, Any]:
    """The market and an account of the uncompiled twin."""
    machine = machines.bars_machine(compiled=False)
    machine.drive  # noqa: B018  (the twin's modules are loaded by it)
    import tradewind_twin.kernel.accounts as twin  # type: ignore[import-not-found]

    market = twin.join(fresh_state(machine), np.zeros(2, machine.account_dtype), np.zeros((2, 8), ROW))
    return market, twin.member(market, 1)


def test_a_room_of_the_market_cannot_read_an_account() -> None:
    market, _ = one_of_each()
    for table in ("target", "parameter", "budget", "sma_cross"):
        with pytest.raises(KeyError, match="account's"):
            market[table]
    with pytest.raises(ValueError, match="read-only"):
        market["fact"]["rule"][0, 0] = 1
    market["clock"]["now"] = 5
    market["top"][0]["bid"] = 5


def test_a_room_of_an_account_cannot_change_the_market() -> None:
    market, account = one_of_each()
    for table in ("top", "signal", "timer", "ema"):
        with pytest.raises(ValueError, match="read-only"):
            account[table][0] = account[table][1]
    with pytest.raises(ValueError, match="read-only"):
        account["top"][0]["bid"] = 1
    account["clock"]["now"] = 7
    assert market["clock"]["now"] == 0 and market.own[1]["clock"]["now"] == 7
