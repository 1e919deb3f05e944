"""What leg risk cost: each hedge beside the price the failed leg was struck at."""

from __future__ import annotations

from typing import Any

import polars as pl

from ..domain import reasons
from ..domain.codes import BUY
from . import html, words
from .record import RunRecord

_LEG, _HEDGE = reasons.name(reasons.EDGE_OVER_COST), reasons.name(reasons.LEG_HEDGED)
COLUMNS = {
    "ts_ns": pl.Int64, "order_id": pl.Int64, "strategy": pl.String, "failed": pl.String, "hedged_at": pl.String, "side": pl.Int64,
    "quantity": pl.Float64, "leg_price": pl.Float64, "hedge_price": pl.Float64, "fee": pl.Float64, "price_cost": pl.Float64,
    "total_cost": pl.Float64,
}  # fmt: skip


def hedges(record: RunRecord) -> pl.DataFrame:
    """One row a hedge that traded: the leg that had failed, both prices and what the difference and the fee cost.

    Prices, fee and costs are in the record's currency; a cost below zero is a gain. The failed leg is the strategy's last
    leg of that side and asset before the hedge: an unsold coin is hedged by a sale.
    """
    lines = []
    for order in record.orders.filter(pl.col("cause") == _HEDGE).iter_rows(named=True):
        traded = record.fills.filter(pl.col("order_id") == order["order_id"])
        leg = _failed_leg(record, order)
        quantity = float(traded["quantity"].sum())
        if leg is None or quantity <= 0.0:
            continue
        price = float(traded["cost"].sum()) / quantity
        struck = float(leg["price"]) * _rate(record, str(leg["instrument"]), int(leg["ts_ns"]))
        fee = float(traded["fee"].sum())
        lost = (price - struck if order["side"] == BUY else struck - price) * quantity
        lines.append((
            order["ts_ns"], order["order_id"], order["strategy"], leg["instrument"], order["instrument"], order["side"], quantity,
            struck, price, fee, lost, lost + fee,
        ))  # fmt: skip
    return pl.DataFrame(lines, schema=COLUMNS, orient="row")


def _failed_leg(record: RunRecord, hedge: dict[str, Any]) -> dict[str, Any] | None:
    legs = record.orders.filter(
        (pl.col("cause") == _LEG)
        & (pl.col("strategy") == hedge["strategy"])
        & (pl.col("side") == hedge["side"])
        & (pl.col("order_id") < hedge["order_id"])
        & (pl.col("instrument").map_elements(_base, return_dtype=pl.String) == _base(str(hedge["instrument"])))
    )
    return legs.row(-1, named=True) if legs.height else None


def _base(instrument: str) -> str:
    return instrument.split(":", 1)[-1].split("/", 1)[0]


def _rate(record: RunRecord, instrument: str, ts_ns: int) -> float:
    """Units of the record's currency for one of the instrument's quote asset, at that time; 1 where none is told."""
    if "rate" not in record.prices.columns:
        return 1.0
    known = record.prices.filter(pl.col("instrument") == instrument)
    before = known.filter(pl.col("ts_ns") <= ts_ns)
    rates = (before if before.height else known)["rate"]
    if not len(rates):
        return 1.0
    return float(rates[-1] if before.height else rates[0])


def section(record: RunRecord) -> str:
    """The report's part on leg risk; nothing where no hedge traded."""
    found = hedges(record)
    if not found.height:
        return ""
    money = record.currency
    dearest = found.sort("total_cost", descending=True).head(10)
    body = [
        (
            words.moment(line["ts_ns"]), f"{'bought' if line['side'] == BUY else 'sold'} {line['quantity']:g}",
            html.text(line["failed"]), html.text(line["hedged_at"]), f"{line['leg_price']:,.6g}", f"{line['hedge_price']:,.6g}",
            words.money(line["fee"], money), words.money(line["total_cost"], money),
        )
        for line in dearest.iter_rows(named=True)
    ]  # fmt: skip
    lead = (
        f"{found.height} failed legs were hedged; against the prices they were struck at that cost "
        f"{words.money(float(found['price_cost'].sum()), money)}, and {words.money(float(found['fee'].sum()), money)} of fees."
    )
    head = ("When", "Hedge", "Failed leg", "Hedged at", "Leg price", "Hedge price", "Fee", "Cost in all")
    return html.section("hedges", "What leg risk cost", lead, html.table(head, body, numbers=4))
