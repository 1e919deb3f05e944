"""The table of stream conditions: every cause has an effect, every condition a way back to SYNCED."""

from __future__ import annotations

from tradewind.domain import codes, reasons
from tradewind.fabric import policy
from tradewind.fabric.streams import CONDITION_NAMES, TRANSITIONS, StreamState, sentence, stream_row

CONDITIONS = range(len(CONDITION_NAMES))


def test_names_are_those_of_the_codes() -> None:
    assert [getattr(codes, name) for name in CONDITION_NAMES] == list(CONDITIONS)


def test_every_condition_is_reached_and_leads_back_to_synced() -> None:
    reached = set(TRANSITIONS.values())
    assert reached == set(CONDITIONS)
    good = {codes.SYNCED}
    for _ in CONDITIONS:
        good |= {start for (start, _), after in TRANSITIONS.items() if after in good}
    assert good == set(CONDITIONS)


def test_a_loss_of_connection_and_a_refusal_end_every_condition() -> None:
    for cause in (reasons.DISCONNECTED, reasons.VENUE_REFUSED, reasons.NEVER_PROVEN, reasons.SYMBOL_HALTED):
        assert all(TRANSITIONS[x, cause] == codes.UNAVAILABLE for x in CONDITIONS if x != codes.UNAVAILABLE)


def test_bad_news_is_never_good() -> None:
    for cause in (reasons.IDS_SKIPPED, reasons.PROOF_FAILED, reasons.WENT_SILENT, reasons.DISCONNECTED, reasons.BOOK_CROSSED):
        assert codes.SYNCED not in {after for (_, told), after in TRANSITIONS.items() if told == cause}


def test_a_transition_carries_cause_and_time_and_is_counted() -> None:
    state = StreamState(source=3, at=100)
    made = state.tell(reasons.DATA_ARRIVED, 150)
    assert made is not None
    assert (made.before, made.after, state.condition, state.since) == (codes.UNAVAILABLE, codes.SYNCED, codes.SYNCED, 150)
    assert state.tell(reasons.DATA_ARRIVED, 160) is None
    assert state.ignored == 1
    assert state.tell(reasons.WENT_SILENT, 170) is not None
    assert state.spent_ns[codes.UNAVAILABLE] == 50
    assert state.spent_ns[codes.SYNCED] == 20
    assert "SYNCED" in sentence(made)


def test_the_row_tells_the_whole_transition() -> None:
    state = StreamState(source=7, at=0)
    made = state.tell(reasons.SNAPSHOT_JOINED, 42)
    assert made is not None
    row = stream_row(made, instrument=2, stream_seq=9)[0]
    assert [int(row[name]) for name in ("kind", "source", "instrument", "stream_seq", "ts_local", "value", "ref")] == [
        codes.STREAM, 7, 2, 9, 42, codes.SYNCED, reasons.SNAPSHOT_JOINED,
    ]  # fmt: skip


def test_every_cause_has_a_sentence() -> None:
    for _, cause in TRANSITIONS:
        assert reasons.SENTENCES[cause]


def test_policy_costs_something_for_every_lost_book() -> None:
    for condition in CONDITIONS:
        rung = policy.action(condition, policy.BOOK).rung
        assert rung == (codes.ACTIVE if condition == codes.SYNCED else codes.REDUCE_ONLY)


def test_policy_names_only_what_exists() -> None:
    for condition, capability in policy.POLICY:
        assert condition in CONDITIONS
        assert capability in policy.CAPABILITIES
    assert set(policy.CAPABILITY_OF.values()) <= set(policy.CAPABILITIES)
    assert policy.action(codes.UNAVAILABLE, policy.REQUESTS).rung == codes.CANCEL_ONLY
