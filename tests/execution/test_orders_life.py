"""The life of an order: what every event means in every state, in the table and in the facts."""

from __future__ import annotations

import pytest

from portfolio.books import SPOT_BTC, USDT_RESERVE, Books, filled, order_of, report, row
from tradewind.domain import codes
from tradewind.domain.orders import FIRST_FINAL, ILLEGAL, N_EVENTS, STATUS_NAMES, TRANSITION

EVENTS = ("ack", "part", "whole", "cancel sent", "canceled", "reject", "expire", "cancel refused", "no answer", "never reached")

# One row a state, one column an event in the order of EVENTS; "-" is a contradiction: counted, changes nothing.
LIFE = """
FREE           -          -          -         -          -         -         -         -          -         -
PENDING        WORKING    PARTIAL    FILLED    CANCELLING CANCELED  REJECTED  EXPIRED   PENDING    UNKNOWN   NEVER_ACCEPTED
WORKING        WORKING    PARTIAL    FILLED    CANCELLING CANCELED  -         EXPIRED   WORKING    UNKNOWN   -
PARTIAL        PARTIAL    PARTIAL    FILLED    CANCELLING CANCELED  -         EXPIRED   PARTIAL    UNKNOWN   -
CANCELLING     CANCELLING CANCELLING FILLED    CANCELLING CANCELED  REJECTED  EXPIRED   UNKNOWN    UNKNOWN   -
UNKNOWN        WORKING    PARTIAL    FILLED    UNKNOWN    CANCELED  REJECTED  EXPIRED   UNKNOWN    UNKNOWN   NEVER_ACCEPTED
FILLED         =          =          =         =          =         =         =         =          =         =
CANCELED       =          =          =         =          =         =         =         =          =         =
REJECTED       =          =          =         =          =         =         =         =          =         =
EXPIRED        =          =          =         =          =         =         =         =          =         =
NEVER_ACCEPTED =          =          =         =          =         =         =         =          =         =
"""

MEANING = {cells[0]: dict(zip(EVENTS, cells[1:], strict=True)) for line in LIFE.strip().splitlines() if (cells := line.split())}
PAIRS = [(status, event) for status in MEANING for event in EVENTS]


def meant(status: str, event: str) -> str:
    """The state after the event; the state itself where the event changes or contradicts it."""
    after = MEANING[status][event]
    return status if after in "-=" else after


def test_the_grid_names_every_pair() -> None:
    assert tuple(MEANING) == STATUS_NAMES
    assert TRANSITION.shape == (len(STATUS_NAMES), N_EVENTS) == (len(MEANING), len(EVENTS))


@pytest.mark.parametrize(("status", "event"), PAIRS, ids=" + ".join)
def test_the_table_says_what_the_grid_says(status: str, event: str) -> None:
    new = TRANSITION[STATUS_NAMES.index(status), EVENTS.index(event)]
    assert new == (ILLEGAL if MEANING[status][event] == "-" else STATUS_NAMES.index(meant(status, event)))


@pytest.mark.parametrize("event", EVENTS)
def test_no_event_leaves_an_end(event: str) -> None:
    column = TRANSITION[FIRST_FINAL:, EVENTS.index(event)]
    assert column.tolist() == list(range(FIRST_FINAL, len(STATUS_NAMES)))


# The same in the facts ----------------------------------------------------------------------------------------------------

ACK, PART, WHOLE = [report(1, codes.ACKED)], filled(1, 1, 100_00, 40_000), filled(1, 2, 100_00, 100_000)
CANCEL = [row(codes.CANCEL, instrument=SPOT_BTC, ref=1)]
WAYS = {
    "PENDING": [],
    "WORKING": [ACK],
    "PARTIAL": [ACK, PART],
    "CANCELLING": [ACK, CANCEL],
    "UNKNOWN": [[report(1, codes.OUTCOME_UNKNOWN)]],
    "FILLED": [WHOLE],
    "CANCELED": [[report(1, codes.CANCELED_BY_VENUE)]],
    "REJECTED": [[report(1, codes.REJECTED_BY_VENUE)]],
    "EXPIRED": [[report(1, codes.EXPIRED_BY_VENUE)]],
    "NEVER_ACCEPTED": [[report(1, codes.NEVER_REACHED)]],
}
NEWS = {
    "ack": ACK,
    "part": filled(1, 3, 100_00, 10_000),
    "whole": filled(1, 4, 100_00, 100_000),
    "cancel sent": CANCEL,
    "canceled": [report(1, codes.CANCELED_BY_VENUE)],
    "reject": [report(1, codes.REJECTED_BY_VENUE)],
    "expire": [report(1, codes.EXPIRED_BY_VENUE)],
    "cancel refused": [report(1, codes.CANCEL_REFUSED)],
    "no answer": [report(1, codes.OUTCOME_UNKNOWN)],
    "never reached": [report(1, codes.NEVER_REACHED)],
}
BROUGHT = {"part": 10_000, "whole": 100_000}


def arrived(status: str) -> Books:
    books = Books().tell(order_of(), *WAYS[status])
    assert STATUS_NAMES[books.order(1)["status"]] == status
    return books


@pytest.mark.parametrize(("status", "event"), [pair for pair in PAIRS if pair[0] != "FREE"], ids=" + ".join)
def test_facts_live_by_the_table(status: str, event: str) -> None:
    """State, exposure, reserve and position after one piece of news, in every state; the auditor agrees."""
    books = arrived(status)
    odd, before = books.ids("n_odd"), int(books.order(1)["filled"])
    books.tell(NEWS[event])
    after = STATUS_NAMES[books.order(1)["status"]]
    now = before + BROUGHT.get(event, 0)
    left = max(100_000 - now, 0) if STATUS_NAMES.index(after) < FIRST_FINAL else 0
    assert after == meant(status, event)
    assert books.ids("n_odd") - odd == (MEANING[status][event] == "-")
    assert (books.order(1)["filled"], books.position(SPOT_BTC)["quantity"]) == (now, now)
    assert (books.position(SPOT_BTC)["open_buy"], books.reserved(0)) == (left, left * USDT_RESERVE)
    assert books.ids("n_open") == books.position(SPOT_BTC)["n_open"] == (STATUS_NAMES.index(after) < FIRST_FINAL)
    assert books.objections() == []


@pytest.mark.parametrize("event", EVENTS)
def test_an_unknown_order_counts_in_full_until_evidence_ends_it(event: str) -> None:
    """Silence, refused cancels and repeated doubt release nothing."""
    books = arrived("UNKNOWN").tell(NEWS[event])
    open_ended = event in ("ack", "cancel sent", "cancel refused", "no answer")
    assert (books.position(SPOT_BTC)["open_buy"] == 100_000) == open_ended


@pytest.mark.parametrize("event", ["part", "whole"])
@pytest.mark.parametrize("status", ["FILLED", "CANCELED", "REJECTED", "EXPIRED", "NEVER_ACCEPTED"])
def test_a_late_fill_moves_money_not_the_status(status: str, event: str) -> None:
    books = arrived(status)
    cash, late = books.cash(0), books.ids("n_late")
    books.tell(NEWS[event])
    assert (books.cash(0) - cash, books.ids("n_late") - late) == (-BROUGHT[event] * USDT_RESERVE, 1)
    assert STATUS_NAMES[books.order(1)["status"]] == status
    assert books.reserved(0) == 0


@pytest.mark.parametrize("status", WAYS)
def test_only_a_live_order_not_asked_to_cancel_keeps_its_place(status: str) -> None:
    """`working` is where a strategy looks for its order: an order being cancelled, or ended, has left it."""
    held = arrived(status).fact["working"][0, SPOT_BTC, codes.BUY, 0]
    assert held == (1 if status in ("PENDING", "WORKING", "PARTIAL", "UNKNOWN") else 0)


def test_an_end_does_not_free_the_place_of_a_successor() -> None:
    books = arrived("CANCELLING").tell(order_of(ref=2), [report(1, codes.CANCELED_BY_VENUE)])
    assert books.fact["working"][0, SPOT_BTC, codes.BUY, 0] == 2
