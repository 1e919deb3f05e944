"""Orders and fills folded part by part equal those read row by row, wherever the parts are cut and however late word comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tradewind.domain import codes, orders, reasons
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.domain.rows import rows as blank_rows
from tradewind.monitor.parts import parts, whole
from tradewind.runtime import outcomes
from tradewind.runtime.outcomes import STATUS_OF, Known, Outcomes, tables

COINS = [
    Instrument(venue="a", symbol="BTCUSDT", base="BTC", quote="USDT", price_exponent=1, quantity_exponent=3),
    Instrument(venue="b", symbol="ETHUSDT", base="ETH", quote="USDT", price_exponent=2, quantity_exponent=4),
]  # fmt: skip
NAMES = ["quiet", "loud"]


def told(seed: int, n: int = 300) -> Rows:
    """A journal's own rows: orders with gaps in their ids, reports and fills of old, new and unknown orders, verdicts."""
    r = np.random.default_rng(seed)
    made: list[dict[str, int]] = []
    sent: list[int] = []
    next_id = 5
    for step in range(n):
        roll = r.random()
        ts, side, instrument, strategy = 1000 + step, int(r.integers(2)), int(r.integers(2)), int(r.integers(2))
        whose = int(r.choice(sent[-4:] if r.random() < 0.7 else sent)) if sent and r.random() < 0.97 else int(r.integers(1, 4))
        if roll < 0.35:
            next_id += 1 if r.random() < 0.9 else int(r.integers(2, 9))
            made.append({"kind": codes.EVIDENCE, "ref": next_id, "value": reasons.EDGE_OVER_COST})
            made.append(
                {"kind": codes.SUBMIT, "ref": next_id, "price": int(r.integers(90, 110)), "quantity": int(r.integers(1, 9))}
            )
            off = int(r.integers(-9, 10)) if r.random() < 0.9 else codes.NO_MIDDLE
            made[-1] |= {"strategy": strategy, "instrument": instrument, "side": side, "ts_local": ts, "value": off << 16 | 257}
            sent.append(next_id)
        elif roll < 0.6:
            made.append({"kind": codes.REPORT, "ref": whose, "value": int(r.integers(1, 8)), "ts_local": ts})
        elif roll < 0.9:
            fill = {"kind": codes.FILL, "ref": whose, "price": int(r.integers(90, 110)), "quantity": int(r.integers(1, 5))}
            made.append(
                fill | {"instrument": instrument, "side": side, "ts_local": ts, "marks": int(r.integers(2)) * codes.MAKER_FILL}
            )
            made.append({"kind": codes.CHARGE, "ref": whose, "value": int(r.integers(1, 10**9)), "quantity": 7, "strategy": 1})
        elif roll < 0.95:
            made.append({"kind": codes.EVIDENCE, "ref": 0, "value": 99})
        else:
            made.append({"kind": codes.VERDICT, "value": 1})
    rows = blank_rows(len(made))
    for k, fields in enumerate(made):
        for name, value in fields.items():
            rows[name][k] = value
    return rows


def naive(rows: Rows) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The same by dictionaries, row by row."""
    placed: dict[int, dict[str, Any]] = {}
    cause: dict[int, int] = {}
    for row in rows:
        if row["kind"] == codes.EVIDENCE:
            cause[int(row["ref"])] = int(row["value"])
        elif row["kind"] == codes.SUBMIT:
            placed[int(row["ref"])] = {"row": row, "filled": 0, "status": orders.PENDING}
    for row in rows:
        mine = placed.get(int(row["ref"]))
        if row["kind"] == codes.REPORT and mine:
            mine["status"] = STATUS_OF.get(int(row["value"]), mine["status"])
        elif row["kind"] == codes.FILL and mine:
            mine["filled"] += int(row["quantity"])
    sent = []
    for key, x in placed.items():
        row, coin = x["row"], COINS[x["row"]["instrument"]]
        status = orders.FILLED if x["filled"] >= row["quantity"] else x["status"]
        sent.append({
            "ts_ns": int(row["ts_local"]), "order_id": key, "strategy": NAMES[row["strategy"]], "instrument": coin.name,
            "price": row["price"] / 10.0**coin.price_exponent, "status": orders.STATUS_NAMES[status],
            "cause": reasons.name(cause[key]),
        })  # fmt: skip
    fills, charges = rows[rows["kind"] == codes.FILL], rows[rows["kind"] == codes.CHARGE]
    filled = []
    for fill, charge in zip(fills, charges, strict=True):
        mine = placed.get(int(fill["ref"]))
        coin = COINS[fill["instrument"]]
        price = fill["price"] / 10.0**coin.price_exponent
        off = int(mine["row"]["value"]) >> 16 if mine else codes.NO_MIDDLE
        against = (mine["row"]["price"] - off / 2) / 10.0**coin.price_exponent if off != codes.NO_MIDDLE else price
        slip = 1e4 * (price / against - 1 if fill["side"] == codes.BUY else 1 - price / against)
        filled.append({
            "ts_ns": int(fill["ts_local"]), "order_id": int(fill["ref"]), "strategy": NAMES[mine["row"]["strategy"] if mine else 0],
            "price": price, "quantity": fill["quantity"] / 10.0**coin.quantity_exponent, "cost": charge["value"] * 1e-8 * 2.0,
            "fee": 7 * 1e-8 * 3.0, "slippage_bps": slip,
        })  # fmt: skip
    return sent, filled


@pytest.mark.parametrize(("seed", "part"), [(1, 5), (2, 17), (3, 1 << 15), (4, 1), (5, 64)])
def test_parts_equal_the_row_by_row_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, part: int) -> None:
    monkeypatch.setattr(outcomes, "PART_ROWS", part)
    rows = told(seed)
    found = Outcomes(tmp_path)
    found.take(rows[start : start + 11] for start in range(0, len(rows), 11))
    known = Known(strategies=NAMES, instruments=COINS, rates=np.array([2.0, 3.0]), quotes=np.array([0, 0]))
    placed, filled = tables(found, known)
    sent, bought = naive(rows)
    assert len(sent) > 50 and len(bought) > 50
    assert isinstance(placed, pl.DataFrame) == (len(sent) <= part)
    assert whole(placed).select(sent[0].keys()).to_dicts() == sent
    for mine, theirs in zip(whole(filled).select(bought[0].keys()).to_dicts(), bought, strict=True):
        assert mine == pytest.approx(theirs)
    assert sum(frame.height for frame in parts(filled, "cost")) == len(bought)
    assert found.verdicts.total() == int((rows["kind"] == codes.VERDICT).sum())


def test_nothing_told_gives_empty_frames(tmp_path: Path) -> None:
    found = Outcomes(tmp_path)
    found.take([])
    placed, filled = tables(found, Known(strategies=NAMES, instruments=COINS, rates=np.ones(2), quotes=np.zeros(2, np.int64)))
    assert whole(placed).height == whole(filled).height == 0 and "cause" in whole(placed).columns
