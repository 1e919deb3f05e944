"""The independent auditor over a whole journal, held against the facts a machine folds from the same rows.

Two programs that share no function read one journal: `chaos.auditor` in unbounded Python integers, and the compiled ledger.
Every number of balances, positions, orders, limits and rights must come out the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from tradewind.chaos.auditor import NOBODY, Audit, Difference, broken_identities, compare
from tradewind.domain import layout
from tradewind.domain.instruments import MONEY_EXPONENT
from tradewind.engine.compose import Machine
from tradewind.engine.prelude import Names
from tradewind.engine.snapshot import State, fresh_state
from tradewind.storage.journal import JournalReader

from .planning import Plan, plan_of

SHOWN = 20  # differences told in words


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict over one journal. `accounts` and `positions` hold exact decimals as text."""

    agrees: bool
    n_differences: int
    differences: list[str]  # the first of them
    rows: int
    orders: int
    fills: int
    told_twice: int
    late_fills: int
    fills_of_nobody: int
    news_of_strangers: int
    accounts: list[dict[str, str]]
    positions: list[dict[str, str]]


def audit_journal(folder: Path, machine: Machine | None = None) -> Audited:
    """Audits a journal up to its last commit marker. machine: the one that folds it, by default that of its header."""
    reader = JournalReader(folder)
    plan = plan_of(reader.header.configuration)
    machine = machine or plan.machine()
    state, found = fresh_state(machine), Audit(machine.composition.capacity.orders)
    for part in reader.rows():
        found.read(part)
        machine.fold(state, part)
    return verdict(found, state, plan)


def verdict(found: Audit, state: State, plan: Plan) -> Audited:
    """What an audit says beside a machine's state."""
    differences: list[Difference] = [*compare(found, state), *broken_identities(found)]
    names = Names(plan.setup)
    return Audited(
        agrees=not differences, n_differences=len(differences), differences=[str(d) for d in differences[:SHOWN]],
        rows=found.n_rows, orders=len(found.orders), fills=found.n_fills, told_twice=found.n_twice, late_fills=found.n_late,
        fills_of_nobody=found.n_stray, news_of_strangers=found.strangers, accounts=_accounts(found, names),
        positions=_positions(found, plan),
    )  # fmt: skip


def _accounts(found: Audit, names: Names) -> list[dict[str, str]]:
    columns = {"deposited": layout.OPENING, "balance": layout.CASH, "fees": layout.FEES, "rounding": layout.ROUNDING}
    columns["suspense"] = layout.SUSPENSE
    ledger = found.ledger()
    return [
        {"venue": names.venues[venue], "asset": names.assets[asset]}
        | {
            name: decimal(ledger.get((kind, venue, asset), 0) * (-1 if name == "deposited" else 1), MONEY_EXPONENT)
            for name, kind in columns.items()
        }
        for venue, asset in sorted(found.moved())
    ]


def _positions(found: Audit, plan: Plan) -> list[dict[str, str]]:
    told: list[dict[str, str]] = []
    for (k, i), h in sorted(found.holdings.items()):
        x = plan.setup.instruments[i]
        money: dict[str, Any] = {name: getattr(h, name) for name in ("basis", "realised", "charges", "traded")}
        told.append(
            {"strategy": "(nobody)" if k == NOBODY else plan.names[k], "instrument": x.name}
            | {"quantity": decimal(h.quantity, x.quantity_exponent)}
            | {name: decimal(amount, MONEY_EXPONENT) for name, amount in money.items()}
        )
    return told


def decimal(units: int, exponent: int) -> str:
    """`units` of 10^-exponent as an exact decimal."""
    digits = f"{abs(units):0{exponent + 1}d}"
    whole, rest = digits[: len(digits) - exponent], digits[len(digits) - exponent :].rstrip("0")
    return ("-" if units < 0 else "") + whole + (f".{rest}" if rest else "")
