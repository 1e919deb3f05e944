"""The recorder: looks on while a session runs and leaves a RunRecord for statistics and report.

It samples equity, exposure, prices and dispersion between stretches, and reads orders and fills from the journal rows
that pass by. It is an observer: nothing it does reaches the machine.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import polars as pl

from tradewind.domain import codes, orders, reasons
from tradewind.domain.rows import Rows
from tradewind.monitor.record import Quality, RunRecord

from .session import Session, Sink

STATUS_OF = {
    codes.ACKED: orders.WORKING, codes.REJECTED_BY_VENUE: orders.REJECTED, codes.CANCELED_BY_VENUE: orders.CANCELED,
    codes.EXPIRED_BY_VENUE: orders.EXPIRED, codes.OUTCOME_UNKNOWN: orders.UNKNOWN, codes.NEVER_REACHED: orders.NEVER_ACCEPTED,
}  # fmt: skip
KEPT = (codes.EVIDENCE, codes.SUBMIT, codes.REPORT, codes.FILL, codes.CHARGE, codes.VERDICT)
PATIENCE = 100  # samples left out at most until everything held has a price


class Recorder:
    """A journal sink that keeps what a report needs and passes everything on."""

    def __init__(self, sink: Sink | None) -> None:
        self.sink = sink
        self._kept: list[Rows] = []
        self.samples: list[tuple[int, float, float, list[float]]] = []
        self.prices: list[tuple[int, int, float, float]] = []
        self.dispersion: list[tuple[int, int, float]] = []
        self.states: list[tuple[int, int, int]] = []
        self.grades: Counter[int] = Counter()
        self.noted: Counter[int] = Counter()
        self._conditions: dict[int, int] = {}
        self._waited = 0

    def append(self, rows: Rows, digest: int = 0) -> Any:
        """Keeps own rows, passes all on."""
        kept = rows[np.isin(rows["kind"], KEPT)]
        if len(kept):
            self._kept.append(kept.copy())
        return None if self.sink is None else self.sink.append(rows, digest)

    def sample(self, session: Session, ts: int) -> None:
        """Notes where everything stands."""
        s = session.state[0]
        if self.samples and self.samples[-1][0] >= ts:
            return
        if not self.samples and self._too_early(s):
            return
        self.samples.append((ts, session.equity(), session.exposure(), session.worths()))
        top, rule, group = s["top"], s["fact"]["rule"], s["group"]
        for i in range(len(session.instruments)):
            if top["mid"][i] > 0:
                self.prices.append((ts, i, float(top["mid"][i]), float(group["reference"][rule[i, 2]])))
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

    def _too_early(self, s: Any) -> bool:
        """Whether something we hold has no price yet: the curve would begin with a profit nobody made. Patience ends."""
        held = s["fact"]["ledger"][0].sum(axis=0)
        self._waited += 1
        return self._waited <= PATIENCE and bool((s["group"]["reference"][: len(held)][held != 0] <= 0.0).any())

    # The record -----------------------------------------------------------------------------------------------------------

    def record(self, session: Session, names: list[str], capital: float, title: str, **more: Any) -> RunRecord:
        """Everything as frames."""
        rows = np.concatenate(self._kept) if self._kept else np.zeros(0, session.out.dtype)
        instruments = [x.name for x in session.instruments]
        assets = session.prelude.names.assets
        equity = {
            "ts_ns": [t for t, *_ in self.samples], "equity": [e for _, e, _, _ in self.samples], "exposure": [x for _, _, x,
            _ in self.samples],
        }  # fmt: skip
        for k, name in enumerate(names):
            equity[f"pnl:{name}"] = [w[k] for *_, w in self.samples]
        placed = _orders(rows, names, session)
        quality = Quality(
            streams=pl.DataFrame(
                [(t, instruments[i], c) for t, i, c in self.states], schema={"ts_ns": pl.Int64, "stream": pl.String,
                "state": pl.Int64}, orient="row"
            ),
            dispersion=pl.DataFrame(
                [(t, assets[a], d) for t, a, d in self.dispersion],
                schema={"ts_ns": pl.Int64, "instrument": pl.String, "dispersion_bps": pl.Float64}, orient="row",
            ),
            quarantined=_named(Counter(rows[rows["kind"] == codes.VERDICT]["value"].tolist())),
            grades={("none", "C", "B", "A")[grade]: n for grade, n in sorted(self.grades.items())},
        )  # fmt: skip
        return RunRecord(
            title=title, equity=pl.DataFrame(equity), capital=capital, currency=session.setup.reporting, orders=placed,
            fills=_fills(rows, names, session, placed), quality=quality, calibration=_calibration(session),
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


def _orders(rows: Rows, names: list[str], session: Session) -> pl.DataFrame:
    """One row an order: what was sent, why, and how it ended."""
    submits = rows[rows["kind"] == codes.SUBMIT]
    evidence = rows[rows["kind"] == codes.EVIDENCE]
    cause = dict(zip(evidence["ref"].tolist(), evidence["value"].tolist(), strict=True))
    ended: dict[int, int] = {}
    for ref, value in zip(*(rows[rows["kind"] == codes.REPORT][field].tolist() for field in ("ref", "value")), strict=True):
        ended[ref] = STATUS_OF.get(value, ended.get(ref, orders.PENDING))
    filled: Counter[int] = Counter()
    fills = rows[rows["kind"] == codes.FILL]
    for ref, quantity in zip(fills["ref"].tolist(), fills["quantity"].tolist(), strict=True):
        filled[ref] += quantity
    instruments = session.instruments
    at = submits["instrument"]
    scale_p = np.array([10.0**x.price_exponent for x in instruments])[at] if len(at) else np.zeros(0)
    scale_q = np.array([10.0**x.quantity_exponent for x in instruments])[at] if len(at) else np.zeros(0)
    status = [
        orders.FILLED if filled[ref] >= quantity else ended.get(ref, orders.PENDING)
        for ref, quantity in zip(submits["ref"].tolist(), submits["quantity"].tolist(), strict=True)
    ]
    return pl.DataFrame({
        "ts_ns": submits["ts_local"].astype(np.int64), "order_id": submits["ref"].astype(np.int64),
        "strategy": [names[k] for k in submits["strategy"].tolist()], "instrument": [instruments[i].name for i in at.tolist()],
        "side": submits["side"].astype(np.int64), "price": submits["price"] / scale_p, "quantity": submits["quantity"] / scale_q,
        "status": [orders.STATUS_NAMES[x] for x in status], "cause": [reasons.name(cause.get(ref,
        0)) for ref in submits["ref"].tolist()],
    }, schema_overrides={"strategy": pl.String, "instrument": pl.String, "status": pl.String, "cause": pl.String})  # fmt: skip


def _fills(rows: Rows, names: list[str], session: Session, placed: pl.DataFrame) -> pl.DataFrame:
    """One row a fill, with its charge in the reporting currency at the last known rates."""
    fills, charges = rows[rows["kind"] == codes.FILL], rows[rows["kind"] == codes.CHARGE]
    n = min(len(fills), len(charges))
    fills, charges = fills[:n], charges[:n]
    owner = dict(zip(placed["order_id"].to_list(), placed["strategy"].to_list(), strict=True))
    instruments = session.instruments
    at = fills["instrument"]
    reference = session.state[0]["group"]["reference"]
    quote = np.array([session.prelude.names.asset(x.quote) for x in instruments])
    rate = reference[quote[at]] if n else np.zeros(0)
    scale_p = np.array([10.0**x.price_exponent for x in instruments])[at] if n else np.zeros(0)
    scale_q = np.array([10.0**x.quantity_exponent for x in instruments])[at] if n else np.zeros(0)
    price = fills["price"] / scale_p
    limit = dict(zip(placed["order_id"].to_list(), placed["price"].to_list(), strict=True))
    side = fills["side"].astype(np.int64)
    against = np.array([limit.get(ref, p) for ref, p in zip(fills["ref"].tolist(), price.tolist(), strict=True)])
    maker = (fills["marks"] & codes.MAKER_FILL) != 0
    slip = np.where(maker, 0.0, np.where(side == codes.BUY, price / against - 1, 1 - price / against) * 1e4) if n else np.zeros(0)
    return pl.DataFrame({
        "ts_ns": fills["ts_local"].astype(np.int64), "order_id": fills["ref"].astype(np.int64),
        "strategy": [owner.get(ref, names[0]) for ref in fills["ref"].tolist()],
        "instrument": [instruments[i].name for i in at.tolist()],
        "side": side, "price": price, "quantity": fills["quantity"] / scale_q, "cost": charges["value"] * 1e-8 * rate,
        "fee": charges["quantity"] * 1e-8 * reference[charges["strategy"]] if n else np.zeros(0), "maker": maker,
        "slippage_bps": slip,
    }, schema_overrides={"strategy": pl.String, "instrument": pl.String, "maker": pl.Boolean})  # fmt: skip


def _calibration(session: Session) -> pl.DataFrame:
    table = session.state[0]["calibration"]
    seen = np.flatnonzero(table["n_seen"] > 0)
    count = table["n_seen"][seen]
    return pl.DataFrame({
        "bin": seen.astype(np.int64), "predicted": 0.5 + 0.5 * table["sum_score"][seen] / count,
        "realised": table["hits"][seen] / count,
        "count": count.astype(np.int64),
    }, schema={"bin": pl.Int64, "predicted": pl.Float64, "realised": pl.Float64, "count": pl.Int64})  # fmt: skip
