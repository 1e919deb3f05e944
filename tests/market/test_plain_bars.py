"""A plain bar takes a short way through the machine's page: it must change what the long way changes, row for row, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from machines import bars_machine
from tradewind.domain import codes
from tradewind.domain.rows import Rows, pack_range, rows
from tradewind.engine.prelude import Limits, Prelude, Setup, StrategySetup
from tradewind.engine.snapshot import digest, first_field_difference, fresh_state

from .stage import T0, instruments

N = 2_700  # of each pair; a source's pace is settled after some 2,100 bars
MINUTE = codes.TIMEFRAME_NAMES.index("1m")


def tape_with_faults(seed: int, pairs: int) -> Rows:
    """Minute bars of each pair in turn: a walk, and now and then a wick, a jump, a hole, a bar told twice, late, broken, ahead."""
    rng = np.random.default_rng(seed)
    tape = rows(N * pairs)
    closes = [1_000_000] * pairs
    for n, row in enumerate(tape):
        i, minute = n % pairs, n // pairs + 1
        known = ("wick", "twice", "late", "broken", "jump", "ahead", "lost", "hole")  # what a source gets used to comes last
        fault = str(rng.choice(known[: max(0, (minute - N * 5 // 6) // (N // 60))] or ("",))) if rng.random() < 0.04 else ""
        opened = closes[i]
        close = opened + int(rng.integers(-400, 401)) + (400_000 if fault == "jump" else 0)
        wick = 600_000 if fault == "wick" else int(rng.integers(0, 200))
        row["kind"], row["instrument"], row["source"], row["strategy"] = codes.BAR, i, i, MINUTE
        row["marks"], row["stream_seq"] = codes.WHOLE, minute + (2 if fault == "lost" else 0)
        row["price"], row["ref"], row["quantity"] = close, opened, 1000
        row["value"] = -1 if fault == "broken" else pack_range(wick, min(wick, 100))
        end = T0 + (minute - (fault == "twice") - 3 * (fault == "late") + 2 * (fault == "ahead")) * codes.MINUTE
        row["ts_venue"] = end
        row["ts_local"] = T0 + minute * codes.MINUTE + (90 * codes.SECOND if fault == "hole" else 0)
        if fault not in ("broken", "jump", "twice", "late"):
            closes[i] = close
    return tape[np.argsort(tape["ts_local"], kind="stable")]


@pytest.mark.parametrize("pairs", [1, 2])
@pytest.mark.parametrize("seed", range(2))
def test_the_short_way_changes_what_the_long_one_changes(seed: int, pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = bars_machine(compiled=False)
    listed = instruments("one:BTC/USD", "two:ETH/USD")[:pairs]
    page = machine._page("machine")
    looked, ask = [], page.is_plain  # type: ignore[attr-defined]

    def played(plainly: bool) -> tuple[object, Rows]:
        monkeypatch.setattr(page, "is_plain", lambda *a: looked.append(bool(ask(*a))) or (plainly and looked[-1]))
        state, out = fresh_state(machine), rows(1 << 14)
        crossing = StrategySetup(parameters={"quantity": 10.0, "slip_bp": 20.0, "fast": 3.0, "slow": 8.0}, instruments=(0,))
        setup = Setup(
            instruments=listed, reporting="USD", strategies=[crossing, StrategySetup()], timeframes=("1m", "5m"), bars_only=True,
            balances={(x.venue, "USD"): 1e7 for x in listed}, stale_ns=5 * codes.MINUTE, limits=Limits(max_age_ns=5 * codes.MINUTE),
        )  # fmt: skip
        said = []
        for part in (Prelude(machine, setup, T0).rows(), tape_with_faults(seed, pairs)):
            n, reason = machine.run(state, part, 0, len(part), out)
            assert (n, reason) == (len(part), codes.END)
            said.append(out[: int(state[0]["clock"]["n_out"])].copy())
        return state, np.concatenate(said)

    long_way, said_long = played(plainly=False)
    short_way, said_short = played(plainly=True)
    assert first_field_difference(long_way, short_way) is None
    assert digest(long_way) == digest(short_way)
    assert said_long.tobytes() == said_short.tobytes()
    assert len(said_long) > 10
    assert any(looked) and not all(looked)
