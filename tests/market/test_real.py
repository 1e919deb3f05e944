"""Recordings of venues through the compiled machine: the book is the venue's book, and a wrong one is noticed at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from machines import default_machine
from tradewind.domain import codes
from tradewind.domain.reasons import CHECKSUM_WRONG
from tradewind.domain.rows import Rows, rows
from tradewind.engine.prelude import Prelude, Setup, StrategySetup
from tradewind.engine.snapshot import fresh_state, fresh_venue
from tradewind.runtime.imports import import_files
from tradewind.storage.tape import Tape

pytestmark = pytest.mark.real
MAKER = StrategySetup(parameters={"quantity": 100.0, "every_ms": 100.0})


class Play:
    """A tape played through machine and simulated venue by the compiled driver, in as many calls as wanted."""

    def __init__(self, tape: Tape) -> None:
        self.machine = default_machine()
        manifest = tape.manifest
        listed = manifest.instruments
        depths = {str(k): int(v) for k, v in (manifest.notes.get("book_depth") or {}).items()}
        maker = StrategySetup(parameters=MAKER.parameters, instruments=tuple(range(len(listed))))
        balances = {(x.venue, asset): 1e7 for x in listed for asset in (x.base, x.quote)}
        setup = Setup(
            instruments=listed, reporting=listed[0].quote, strategies=[maker, StrategySetup(), StrategySetup()],
            balances=balances, book_depths=depths,
        )  # fmt: skip
        self.rows = np.concatenate([np.array(part) for part in tape.segments()])
        self.state, self.venue, self.out = fresh_state(self.machine), fresh_venue(self.machine), rows(1 << 16)
        prelude = Prelude(self.machine, setup, int(self.rows["ts_local"][0]))
        prelude.set_up_venue(self.venue)
        self.drive(prelude.rows())

    @property
    def s(self) -> Any:
        return self.state[0]

    def drive(self, tape: Rows) -> Rows:
        """Plays all of `tape`; the VERDICT rows."""
        i, told = 0, []
        reason = codes.FULL
        while reason == codes.FULL:
            i, reason = self.machine.drive(self.state, self.venue, tape, i, len(tape), 0, self.out)
            said = self.out[: int(self.s["clock"]["n_out"])]
            told.append(said[said["kind"] == codes.VERDICT].copy())
        assert reason == codes.END and i == len(tape), (i, reason, int(self.s["clock"]["fault"]))
        return np.concatenate(told)


def imported(name: str, files: list[Path], out: Path) -> Tape:
    import_files(name, files, out)
    return Tape.open(out)


@pytest.mark.parametrize(
    ("dialect", "symbols"), [("binance", ("spot_btcusdt", "spot_ethusdt")), ("binance-usdm", ("usdm_btcusdt",))]
)
def test_binance_books_equal_their_best_quotes(shared_data: Path, tmp_path: Path, dialect: str, symbols: tuple[str, ...]) -> None:
    """The book rebuilt from snapshot and diffs shows the venue's best quote wherever both carry one update id."""
    files = [shared_data / "ws" / "binance_hftbacktest" / f"{symbol}_20240808.gz" for symbol in symbols]
    play = Play(imported(dialect, files, tmp_path / "tape"))
    told = play.drive(play.rows)
    s = play.s
    n = len(symbols)
    assert s["quoted"]["n_same"][:n].min() > 0 and s["quoted"]["n_same"].sum() > 1_000 * n // 2
    assert s["quoted"]["n_other"].sum() == 0
    assert s["count"]["holes_seen"] == s["count"]["invalidated"] == 0
    assert len(told) == 0, told[["instrument", "value", "price", "ref"]]
    assert s["count"]["submits"] > 100
    for i in range(n):
        for side in (codes.BUY, codes.SELL):
            deep = int(s["book"]["depth"][i, side])
            spare = int((s["level_key"][i, side, :deep] > s["book"]["horizon"][i, side]).sum())
            print(symbols[i], side, "levels", deep, "known above the horizon", spare)
            assert spare > 100, "the touch came near what the full table forgot"


def kraken(shared_data: Path, tmp_path: Path) -> Play:
    return Play(imported("kraken", [shared_data / "ws" / "kraken_v2" / "orderbook-v2_first300.json.gz"], tmp_path / "tape"))


def test_every_kraken_checksum_agrees(shared_data: Path, tmp_path: Path) -> None:
    play = kraken(shared_data, tmp_path)
    assert len(play.drive(play.rows)) == 0
    assert play.s["count"]["messages"] == 301 and play.s["top"]["condition"][0] == codes.SYNCED


def test_one_altered_quantity_is_found_at_its_message(shared_data: Path, tmp_path: Path) -> None:
    """Whatever row of the recording is altered: the verdict names its message, and only a snapshot heals."""
    play = kraken(shared_data, tmp_path)
    clean_state, clean_venue = play.state.copy(), play.venue.copy()
    rng = np.random.default_rng(7)
    snapshot = play.rows[: int(np.flatnonzero(play.rows["marks"] & codes.LAST)[0]) + 1].copy()
    standing = np.flatnonzero(play.rows["quantity"] > 0)
    found = 0
    for at in rng.choice(standing, 100, replace=False).tolist():
        play.state, play.venue = clean_state.copy(), clean_venue.copy()
        altered = play.rows.copy()
        altered["quantity"][at] += 1
        end = at + int(np.flatnonzero(altered["marks"][at:] & codes.LAST)[0])
        assert len(play.drive(altered[:end])) == 0
        said = play.drive(altered[end : end + 1])
        if not _stands(play, altered[at]):
            assert len(said) == 0
            continue
        found += 1
        assert said["value"].tolist() == [CHECKSUM_WRONG] and said["ref"][0] == altered["ref"][at]
        assert play.s["top"]["condition"][0] == codes.INVALID and play.s["top"]["good"][0] == 0
        skipped = int(play.s["count"]["skipped"])
        assert len(play.drive(altered[end + 1 :])) == 0
        assert play.s["top"]["condition"][0] == codes.INVALID
        assert play.s["count"]["skipped"] > skipped or end + 1 == len(altered)
        snapshot["ts_local"], snapshot["marks"][0] = altered["ts_local"][-1], snapshot["marks"][0] | codes.RESYNC
        assert len(play.drive(snapshot)) == 0
        assert play.s["top"]["condition"][0] == codes.SYNCED
    assert found > 60


def _stands(play: Play, level: Any) -> bool:
    """Whether the level is in the machine's book (the message may have set it again, or pushed it out of the depth kept)."""
    side = int(level["side"])
    key = int(level["price"]) * (1 if side == codes.BUY else -1)
    deep = int(play.s["book"]["depth"][0, side])
    at = np.flatnonzero(play.s["level_key"][0, side, :deep] == key)
    return bool(len(at)) and int(play.s["level_quantity"][0, side, at[0]]) == int(level["quantity"])
