"""The recorder: looks on while a session runs and leaves a RunRecord for statistics and report.

It samples equity, exposure, prices, dispersion and quality between stretches, and reads orders and fills from the journal when
all is over, part by part: a long run costs no more memory than a short one. It is an observer: nothing it does reaches the machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from tradewind.domain import layout, reasons
from tradewind.domain.rows import Rows
from tradewind.monitor.record import Quality, RunRecord

from .outcomes import Known, Outcomes, tables
from .session import Session, Sink
from .view import FRAME_NS

MOST_SAMPLES = 8000  # then every second one is dropped and half as many are taken: a run of days costs what one of minutes does
PATIENCE = 100  # samples left out at most until everything held has a price
KEPT = (
    "samples", "prices", "dispersion", "believed", "states", "grades", "noted", "_conditions", "_measured", "_waited", "_looked",
    "_every_ns",
)  # fmt: skip


class Recorder:
    """A journal sink that passes everything on; what has nowhere to go (`sink` is None) waits for the record."""

    def __init__(self, sink: Sink | None) -> None:
        self.sink = sink
        self.unwritten: list[Rows] = []
        self.samples: list[tuple[int, float, float, list[float]]] = []
        self.prices: list[tuple[int, int, float, float]] = []
        self.dispersion: list[tuple[int, int, float]] = []
        self.believed: list[tuple[int, int, float]] = []
        self.states: list[tuple[int, int, int]] = []
        self.grades: Counter[int] = Counter()
        self.noted: Counter[int] = Counter()
        self._conditions: dict[int, int] = {}
        self._measured: set[int] = set()
        self._waited = self._looked = 0
        self._every_ns = FRAME_NS  # between two samples of a run that tells of every piece it plays

    def append(self, rows: Rows, digest: int = 0) -> Any:
        """Passes rows on."""
        if self.sink is None:
            self.unwritten.append(rows.copy())
            return None
        return self.sink.append(rows, digest)

    def sample(self, session: Session, ts: int) -> None:
        """Notes where everything stands."""
        s = session.state[0]
        if self.samples and self.samples[-1][0] >= ts:
            return
        if not self.samples and self._too_early(s):
            return
        self.samples.append((ts, session.equity(), session.exposure(), session.worths()))
        top, rule, group, quality = s["top"], s["fact"]["rule"], s["group"], s["trust"]["quality"]
        for i, instrument in enumerate(session.instruments):
            if top["mid"][i] > 0:
                mid = float(top["mid"][i]) / 10**instrument.price_exponent  # the machine counts in units of the price
                self.prices.append((ts, i, mid, float(group["reference"][rule[i, layout.QUOTE_ASSET]])))
            if quality[i] > 0.0 or i in self._measured:  # before its first look a source is not doubted, only not measured
                self._measured.add(i)
                self.believed.append((ts, i, round(float(quality[i]), 3)))
            condition = int(top["condition"][i])
            if self._conditions.get(i) != condition:
                self._conditions[i] = condition
                self.states.append((ts, i, condition))
        for asset in {x.base for x in session.instruments}:
            g = group[session.prelude.names.asset(asset)]
            self.grades[int(g["grade"])] += 1
            if g["voters"] > 1:
                self.dispersion.append((ts, session.prelude.names.asset(asset), float(g["dispersion"]) * 1e4))
        for code in s["noted"]["code"].ravel():
            if code:
                self.noted[int(code)] += 1

    # A run that goes on for days (`logged.Companion`) ------------------------------------------------------------------------

    def heard(self, rows: Rows) -> None:
        """Nothing is read from market rows."""

    def look(self, session: Session, ts: int) -> None:
        """Samples where it is time to."""
        if ts - self._looked >= self._every_ns:
            self._looked = ts
            self.sample(session, ts)
            if len(self.samples) >= MOST_SAMPLES:
                self._thin()

    def _thin(self) -> None:
        self._every_ns *= 2
        self.samples = self.samples[::2]
        kept = {ts for ts, *_ in self.samples}
        self.prices = [line for line in self.prices if line[0] in kept]
        self.dispersion = [line for line in self.dispersion if line[0] in kept]
        self.believed = [line for line in self.believed if line[0] in kept]
        self.states = self.states[-MOST_SAMPLES * 8 :]

    def kept(self) -> bytes:
        """What `found` takes."""
        return msgspec.msgpack.encode({name: getattr(self, name) for name in KEPT})

    def found(self, data: bytes) -> None:
        """Goes on from what was kept."""
        for name, value in msgspec.msgpack.decode(data).items():
            was = getattr(self, name)  # what an older life did not keep stays as it was made
            setattr(self, name, [tuple(line) for line in value] if isinstance(was, list) else type(was)(value))

    def _too_early(self, s: Any) -> bool:
        """Whether something we hold has no price yet: the curve would begin with a profit nobody made. Patience ends."""
        held = s["fact"]["ledger"][0].sum(axis=0)
        self._waited += 1
        return self._waited <= PATIENCE and bool((s["group"]["reference"][: len(held)][held != 0] <= 0.0).any())

    # The record -----------------------------------------------------------------------------------------------------------

    def record(self, session: Session, told: Iterable[Rows], folder: Path, names: list[str], **more: Any) -> RunRecord:
        """Everything as frames. told: the journal's rows; folder: where what memory should not hold is put meanwhile."""
        found = Outcomes(folder)
        found.take(chain(told, self.unwritten))
        instruments = [x.name for x in session.instruments]
        assets = session.prelude.names.assets
        equity = {
            "ts_ns": [t for t, *_ in self.samples], "equity": [e for _, e, _, _ in self.samples], "exposure": [x for _, _, x,
            _ in self.samples],
        }  # fmt: skip
        for k, name in enumerate(names):
            equity[f"pnl:{name}"] = [w[k] for *_, w in self.samples]
        placed, filled = tables(found, _known(session, names))
        quality = Quality(
            streams=pl.DataFrame(
                [(t, instruments[i], c) for t, i, c in self.states], schema={"ts_ns": pl.Int64, "stream": pl.String,
                "state": pl.Int64}, orient="row"
            ),
            dispersion=pl.DataFrame(
                [(t, assets[a], d) for t, a, d in self.dispersion],
                schema={"ts_ns": pl.Int64, "instrument": pl.String, "dispersion_bps": pl.Float64}, orient="row",
            ),
            believed=pl.DataFrame(
                [(t, instruments[i], q) for t, i, q in self.believed],
                schema={"ts_ns": pl.Int64, "instrument": pl.String, "quality": pl.Float64}, orient="row",
            ),
            quarantined=_named(found.verdicts),
            grades={("none", "C", "B", "A")[grade]: n for grade, n in sorted(self.grades.items())},
        )  # fmt: skip
        return RunRecord(
            equity=pl.DataFrame(equity), currency=session.setup.reporting, orders=placed, fills=filled, quality=quality,
            calibration=_calibration(session),
            prices=pl.DataFrame(
                [(t, instruments[i], mid, rate) for t, i, mid, rate in self.prices],
                schema={"ts_ns": pl.Int64, "instrument": pl.String, "mid": pl.Float64, "rate": pl.Float64}, orient="row",
            ),
            why_not=_named(self.noted), venues=tuple(session.prelude.names.venues), rows=session.rows,
            machine_hash=session.machine.hash,
            digest=session.digest, **more,
        )  # fmt: skip


def _named(counts: Counter[int]) -> dict[str, int]:
    return {reasons.name(code): n for code, n in counts.most_common()}


def _known(session: Session, names: list[str]) -> Known:
    return Known(
        strategies=names, instruments=session.instruments, rates=session.state[0]["group"]["reference"].copy(),
        quotes=np.array([session.prelude.names.asset(x.quote) for x in session.instruments], np.int64),
    )  # fmt: skip


def _calibration(session: Session) -> pl.DataFrame:
    table = session.state[0]["calibration"]
    seen = np.flatnonzero(table["n_seen"] > 0)
    count = table["n_seen"][seen]
    return pl.DataFrame({
        "bin": seen.astype(np.int64), "predicted": 0.5 + 0.5 * table["sum_score"][seen] / count,
        "realised": table["hits"][seen] / count,
        "count": count.astype(np.int64),
    }, schema={"bin": pl.Int64, "predicted": pl.Float64, "realised": pl.Float64, "count": pl.Int64})  # fmt: skip
