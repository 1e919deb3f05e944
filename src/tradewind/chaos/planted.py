"""Planted ledger bugs: the auditor is believed because it finds them.

Each is one change of the text of a room of `portfolio`, run uncompiled beside the auditor over the same rows. A change whose
text is no longer found, or found twice, is an error and not a bug survived.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from ..domain.errors import BadData
from ..domain.rows import Rows
from ..kernel import twin
from .auditor import Audit, Difference, compare

ROOMS = Path(__file__).resolve().parent.parent / "portfolio"
STRIDE = 250  # rows between two audits: a reserve held too long may be gone at the end


class Planted(msgspec.Struct, frozen=True):
    """One bug: in `file`, the text `before` becomes `after`."""

    name: str
    file: str
    before: str
    after: str


def _ledger(name: str, before: str, after: str) -> Planted:
    return Planted(name, "ledger.py", before, after)


def _facts(name: str, before: str, after: str) -> Planted:
    return Planted(name, "facts.py", before, after)


def _positions(name: str, before: str, after: str) -> Planted:
    return Planted(name, "positions.py", before, after)


_SIGN = "sign = 1 if o.side == BUY else -1"
_FEE = "post(s, FEES, CASH, venue, fee_asset, fee)"
_EXACT = "return muldiv_half_even(price * quantity, rule[COST_NUM], rule[COST_DEN])"
_BASE_LEG = "rule[BASE], sign * quantity * rule[BASE_NUM])"
_ROUNDING = "post(s, CASH, ROUNDING, venue, rule[QUOTE_ASSET], -sign * (cost - exact))"
_SHARE = "muldiv_half_even(p.basis, closing, abs(held))"
_CUT = "p.basis += sign * (cost - cost_closed) - basis_closed"
_GAINED = "gained = -sign * cost_closed - basis_closed"
_ENDS = "if new >= FIRST_FINAL and old < FIRST_FINAL:"
_KNOWN = "if o.id == order_id and o.status != FREE:"
_LATE = "        s.fact.ids.n_late += 1\n        o.filled += quantity\n        return\n"
_SEEN = "if at > first and ring[(at - 1) & (N_SEEN - 1)] == trade_id:"
_WALK = "while at > first and ring[(at - 1) & (N_SEEN - 1)] > trade_id:"
_STRAY = "if o.id != row.ref or o.held_quantity <= 0:"
_LEFT = "positions.leave_open(s, o, max(o.quantity - o.filled, 0))"
_BOUND = "bound = muldiv_up(o.price * left, rule[COST_NUM], rule[COST_DEN])"

BUGS = (
    _ledger("sale_counts_as_purchase", _SIGN, "sign = 1"),
    _ledger("purchase_counts_as_sale", _SIGN, "sign = -1"),
    _ledger("base_leg_reversed", _BASE_LEG, "rule[BASE], -sign * quantity * rule[BASE_NUM])"),
    _ledger("base_leg_in_quantity_units", _BASE_LEG, "rule[BASE], sign * quantity)"),
    _ledger("base_leg_in_quote", _BASE_LEG, "rule[QUOTE_ASSET], sign * quantity * rule[BASE_NUM])"),
    _ledger("quote_leg_reversed", "rule[QUOTE_ASSET], -sign * exact)", "rule[QUOTE_ASSET], sign * exact)"),
    _ledger("fee_credited", _FEE, "post(s, CASH, FEES, venue, fee_asset, fee)"),
    _ledger("fee_always_in_quote", _FEE, "post(s, FEES, CASH, venue, rule[QUOTE_ASSET], fee)"),
    _ledger("fee_missed", _FEE, "post(s, FEES, CASH, venue, fee_asset, 0)"),
    _ledger("fee_twice", _FEE, "post(s, FEES, CASH, venue, fee_asset, 2 * fee)"),
    _ledger("rebate_lost", _FEE, "post(s, FEES, CASH, venue, fee_asset, max(fee, 0))"),
    _ledger("any_fee_charged_in_quote", "fee if fee_asset == rule[QUOTE_ASSET] else 0)", "fee)"),
    _ledger("wrong_venue", "venue = rule[VENUE]", "venue = (rule[VENUE] + 1) % 3"),
    _ledger("rounding_on_the_wrong_side", _ROUNDING, _ROUNDING.replace("-sign", "sign")),
    _ledger("rounding_forgotten", _ROUNDING, _ROUNDING.replace("cost - exact", "0")),
    _ledger("cost_rounded_down", _EXACT, "return int(price) * int(quantity) * int(rule[COST_NUM]) // int(rule[COST_DEN])"),
    _ledger("ties_rounded_up", _EXACT, "return (2 * price * quantity * rule[COST_NUM] + rule[COST_DEN]) // (2 * rule[COST_DEN])"),
    _ledger("cost_den_ignored", _EXACT, "return price * quantity * rule[COST_NUM]"),
    _ledger("cost_num_ignored", _EXACT, "return muldiv_half_even(price * quantity, 1, rule[COST_DEN])"),
    _ledger("single_entry", "s.fact.ledger[credit, venue, asset] -= amount", "s.fact.ledger[credit, venue, asset] -= 0"),
    _ledger("deposit_reversed", "post(s, CASH, OPENING, venue, asset, amount)", "post(s, OPENING, CASH, venue, asset, amount)"),
    _ledger("basis_not_reduced", _CUT, "p.basis += sign * (cost - cost_closed)"),
    _ledger("basis_share_rounded_down", _SHARE, "int(p.basis) * int(closing) // int(abs(held))"),
    _ledger("basis_cut_whole", f"p.basis if closing == abs(held) else {_SHARE}", "p.basis"),
    _ledger("realised_twice", "p.realised += gained", "p.realised += 2 * gained"),
    _ledger("realised_without_basis", _GAINED, "gained = -sign * cost_closed"),
    _ledger("short_gains_reversed", _GAINED, "gained = abs(cost_closed) - abs(basis_closed)"),
    _ledger("reversal_closes_at_whole_cost", "cost_closed = cost if closing == quantity else", "cost_closed = cost if True else"),
    _ledger("reversal_closes_too_much", "closing = min(quantity, abs(held))", "closing = quantity"),
    _ledger("adding_to_a_short_closes_it", "(held > 0) == (sign > 0)", "held > 0 and sign > 0"),
    _ledger("contract_exchanges_coins", "if rule[PAYOFF] == SPOT:", "if rule[PAYOFF] == SPOT or sign > 0:"),
    _ledger("contract_gains_forgotten", "rule[QUOTE_ASSET], gained)", "rule[QUOTE_ASSET], 0)"),
    _ledger("order_remembers_its_last_cost", "o.cost += cost", "o.cost = cost"),
    _ledger("turnover_in_quantity", "p.traded += cost", "p.traded += quantity"),
    _facts("told_twice_booked_twice", _SEEN, _SEEN.replace("== trade_id", "== -trade_id - 1")),
    _facts("trade_ids_shared_by_instruments", "told_before(s, o.instrument, o", "told_before(s, 0, o"),
    _facts("forgotten_trades_are_new_again", "s.fact.seen_from[i] = ring[n & (N_SEEN - 1)] + 1", "s.fact.seen_from[i] = 0"),
    _facts("trades_out_of_order_booked_again", _WALK, _WALK.replace("> trade_id", "> trade_id + (1 << 60)")),
    _facts("stray_fill_ignored", _STRAY, _STRAY.replace("!=", "==")),
    _facts("stray_fill_is_the_first_strategys", "o.strategy = ledger.nobody(s)\n", "o.strategy = 0\n"),
    _facts("stray_fill_always_buys", "o.side = row.side\n    return", "o.side = 0\n    return"),
    _ledger("stray_fill_among_the_trades", "SUSPENSE if o.strategy == nobody(s) else TRADING", "TRADING"),
    _facts("late_fill_ignored", _LATE, _LATE.replace("o.filled += quantity", "o.filled += 0")),
    _facts("late_fill_reopens", _LATE, "        s.fact.ids.n_late += 1\n"),
    _facts("cancel_releases_twice", _ENDS, "if new >= FIRST_FINAL:"),
    _facts("cancel_sent_releases", _ENDS, "if (new >= FIRST_FINAL and old < FIRST_FINAL) or event == ON_CANCEL_SENT:"),
    _facts("no_answer_releases", _ENDS, "if (new >= FIRST_FINAL and old < FIRST_FINAL) or event == ON_NO_ANSWER:"),
    _facts("end_releases_nothing", "positions.leave_open(s, o, 0)", "positions.leave_open(s, o, o.open_left)"),
    _facts("part_releases_nothing", _LEFT, "positions.leave_open(s, o, o.quantity)"),
    _facts("part_ends_the_order", "ON_WHOLE if o.filled >= o.quantity else ON_PART", "ON_WHOLE"),
    _facts("filled_overwritten", f"    o.filled += quantity\n    {_LEFT}", f"    o.filled = quantity\n    {_LEFT}"),
    _facts("order_zero_trades", _KNOWN, "if o.id == order_id:"),
    _facts("stranger_fills_whoever_has_the_slot", _KNOWN, "if o.status != FREE:"),
    _facts("charge_counted_again", "    o.held_quantity = 0\n    if told", "    if told"),
    _facts("limit_of_the_wrong_strategy", "s.fact.limit[row.strategy + 1, row.ref]", "s.fact.limit[row.strategy, row.ref]"),
    _facts("cancelled_order_still_counted_on", "if event == ON_CANCEL_SENT or new >= FIRST_FINAL:", "if new >= FIRST_FINAL:"),
    _positions("reserve_rounded_down", _BOUND, "bound = o.price * left * rule[COST_NUM] // rule[COST_DEN]"),
    _positions("reserve_never_falls", "rule[QUOTE_ASSET]] += bound - o.bound", "rule[QUOTE_ASSET]] += max(bound - o.bound, 0)"),
    _positions("sale_reserves_quote", "rule[BASE]] += bound - o.bound", "rule[QUOTE_ASSET]] += bound - o.bound"),
    _positions("sale_reserves_quantity_units", "bound = left * rule[BASE_NUM]", "bound = left"),
    _positions("sale_opens_a_purchase", "p.open_sell += left - o.open_left", "p.open_buy += left - o.open_left"),
    _positions("contract_reserves_coins", "if rule[PAYOFF] != SPOT:", "if left < 0:"),
    _positions("left_forgotten", "o.open_left = left", "o.open_left = 0"),
)


def plant(bug: Planted | None, folder: Path) -> Path:
    """The rooms of `portfolio` copied to `folder` with the bug in them (none: as they are); returns the folder.

    Raises BadData where the bug's text does not stand exactly once in its file.
    """
    shutil.copytree(ROOMS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if bug is not None:
        path = folder / bug.file
        text = path.read_text()
        if text.count(bug.before) != 1:
            raise BadData(
                f"the planted bug {bug.name} finds its text {text.count(bug.before)} times",
                where=bug.file,
                expected=f"once: {bug.before!r}",
                todo="give the bug the text of today",
            )
        path.write_text(text.replace(bug.before, bug.after))
    return folder


def load(folder: Path, fields: frozenset[str]) -> ModuleType:
    """The uncompiled `facts` of planted rooms; `folder` must have a name no other call used in this process."""
    name = f"planted_{folder.name}"
    twin.load(name, fields, folder)
    return twin.load(f"{name}.facts", fields, folder / "facts")


def hunt(facts: ModuleType, rows: Rows, state: Any) -> list[Difference]:
    """What the auditor first objects to while `facts` folds the rows into `state`; empty where it has no objection."""
    found = Audit(len(state[0]["fact"]["order"]))
    for start in range(0, rows.size, STRIDE):
        stretch = rows[start : start + STRIDE]
        found.read(stretch)
        for row in stretch:
            facts.apply(state[0], row)
        differences = compare(found, state)
        if differences:
            return differences
    return []
