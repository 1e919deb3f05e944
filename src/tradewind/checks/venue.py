"""The conformance suite of a venue's adapter: each check gives the faults it found, none where the adapter holds it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.rows import KIND_NAMES, ROW, Rows
from tradewind.venues import adapter as fabric
from tradewind.venues.adapter import CHANNELS, Answer, Ask, Fact, MarketAdapter, Reading, Topic
from tradewind.venues.facts import guesses

from . import hostile

KINDS: Mapping[str, int] = {
    fabric.DEPTH: codes.DEPTH, fabric.QUOTE: codes.QUOTE, fabric.TRADE: codes.TRADE, fabric.BAR: codes.BAR,
    fabric.FUNDING: codes.FUNDING, fabric.MARK: codes.MARKPRICE, fabric.OPEN_INTEREST: codes.OBSERVATION,
    fabric.LIQUIDATION: codes.OBSERVATION,
}  # fmt: skip
"""The kind of row a channel's rows are."""
SHOWN_FAULTS = 5
HEARD_NS = 1_700_000_000_000_000_000
PURPOSES = ("rules", "market", "history", "clock")
MUST_SHOW = (fabric.DEPTH, fabric.QUOTE, fabric.TRADE)  # channels that need an example where the venue carries them
WAIT_S = 7


class Subject(NamedTuple):
    """An adapter that has adopted instruments, and frames its venue sends."""

    name: str
    adapter: Any  # a MarketAdapter, if it keeps its word
    frames: Sequence[bytes]


class Check(msgspec.Struct, frozen=True):
    """One check: whether it was held, and the first faults where it was not."""

    name: str
    ok: bool
    about: str
    faults: list[str]


Faults = Iterator[str]
Test = Callable[[Subject], Faults]


def held(name: str, about: str, faults: Callable[[], Faults]) -> Check:
    """A check's outcome; an exception is a fault."""
    found: list[str] = []
    try:
        for fault in faults():
            found.append(fault)
            if len(found) >= SHOWN_FAULTS:
                break
    except Exception as error:  # noqa: BLE001 - a stranger's code under test: whatever it raises is the finding
        found.append(f"raised {type(error).__name__}: {str(error)[:200]}")
    return Check(name, not found, about, found)


def run(subject: Subject) -> list[Check]:
    """Every check that needs no venue."""
    return [held(test.__name__, (test.__doc__ or "").strip(), lambda test=test: test(subject)) for test in TESTS]  # type: ignore[misc]


def unconfirmed(adapter: Any) -> list[str]:
    """The names of facts that nobody has been seen to confirm."""
    facts = getattr(adapter, "facts", {})
    return [name for name, fact in guesses({k: v for k, v in facts.items() if isinstance(v, Fact)})]


def topics(adapter: MarketAdapter) -> list[Topic]:
    """Every topic of the adapter."""
    return [Topic(channel, at) for at in range(len(adapter.instruments)) for channel in adapter.channels()]


# The contract ------------------------------------------------------------------------------------------------------------------


def protocol(subject: Subject) -> Faults:
    """It has everything an adapter has, and numbers its streams."""
    adapter = subject.adapter
    for name in (
        *(name for name in vars(fabric.MarketAdapter) if not name.startswith("_")),
        "venue",
        "facts",
        "instruments",
        "streams",
    ):
        if not hasattr(adapter, name):
            yield f"{name} is missing"
    if adapter.venue != subject.name:
        yield f"its venue is {adapter.venue!r}, its entry point {subject.name!r}"
    if not adapter.instruments:
        yield "it has adopted no instruments"
    carried = list(adapter.channels())
    if not carried or set(carried) - set(CHANNELS) or len(set(carried)) != len(carried):
        yield f"its channels are {carried}, expected some of {', '.join(CHANNELS)}, each once"
    wanted = {(channel, at) for at in range(len(adapter.instruments)) for channel in carried}
    told = [(stream.channel, stream.instrument) for stream in adapter.streams]
    if set(told) != wanted or len(told) != len(wanted):
        yield "its streams are not every channel of every instrument, each once"


def addresses(subject: Subject) -> Faults:
    """Every topic has a socket address under the given base."""
    for topic in topics(subject.adapter):
        url = subject.adapter.socket_url("wss://base", [topic])
        if not isinstance(url, str) or not url.startswith("wss://base"):
            yield f"{topic.channel}: {url!r} does not begin with the base"


def requests(subject: Subject) -> Faults:
    """Frames to subscribe and unsubscribe are JSON in bytes; some channel is subscribed."""
    sent = 0
    for method in (subject.adapter.subscribe, subject.adapter.unsubscribe):
        for wanted in ([topic] for topic in topics(subject.adapter)):
            for frame in method(wanted, 1):
                sent += 1
                if not isinstance(frame, bytes) or not _is_json(frame):
                    yield f"{method.__name__} {wanted[0].channel}: {frame!r:.80} is no JSON in bytes"
    if not sent:
        yield "it never sends a frame"


def _is_json(frame: bytes) -> bool:
    try:
        json.loads(frame)
    except ValueError:
        return False
    return True


def asks(subject: Subject) -> Faults:
    """Requests have a path, a weight, a purpose and text in their queries."""
    for name, ask in _asked(subject.adapter):
        if ask is None and name != "instruments":
            continue
        if not isinstance(ask, Ask):
            yield f"{name}: {ask!r:.80} is no Ask"
            continue
        if not ask.path.startswith("/"):
            yield f"{name}: the path {ask.path!r} does not begin with /"
        if ask.weight < 1:
            yield f"{name}: the weight is {ask.weight!r}, expected 1 or more"
        if ask.purpose not in PURPOSES:
            yield f"{name}: the purpose is {ask.purpose!r}, expected one of {', '.join(PURPOSES)}"
        if any(not isinstance(part, str) for pair in ask.query for part in pair):
            yield f"{name}: its query holds something else than text"


def _asked(adapter: Any) -> Iterator[tuple[str, Any]]:
    yield "instruments", adapter.ask_instruments()
    yield "time", adapter.ask_time()
    carried = adapter.channels()
    for at in range(len(adapter.instruments)):
        if fabric.DEPTH in carried:
            yield "snapshot", adapter.ask_snapshot(Topic(fabric.DEPTH, at))
        if fabric.TRADE in carried:
            yield "trades", adapter.ask_trades(Topic(fabric.TRADE, at), -1, HEARD_NS)
            yield "trades after an id", adapter.ask_trades(Topic(fabric.TRADE, at), 7, HEARD_NS)
        if fabric.BAR in carried:
            yield "candles", adapter.ask_candles(Topic(fabric.BAR, at), "1m", HEARD_NS, HEARD_NS + codes.HOUR)


def facts(subject: Subject) -> Faults:
    """Every fact names its source and its date; the venue's addresses are among them."""
    yield from sourced(subject.adapter.facts, ("ws.url", "rest.url"))


def sourced(table: Mapping[str, Any], needed: Sequence[str]) -> Faults:
    """What is wrong with a table of facts."""
    yield from (f"{name} is missing" for name in needed if name not in table)
    for name, fact in table.items():
        if not isinstance(fact, Fact):
            yield f"{name} is no Fact"
        elif not fact.source or not is_date(fact.date):
            yield f"{name}: source {fact.source!r}, date {fact.date!r}"


def is_date(text: str) -> bool:
    """Whether a text is a day, YYYY-MM-DD."""
    try:
        np.datetime64(text, "D")
    except ValueError:
        return False
    return len(text) == len("2026-01-31")


def quota(subject: Subject) -> Faults:
    """429 and 418 are understood, with and without `retry-after`; a good answer asks for no pause."""
    for status in (429, 418):
        told = subject.adapter.quota(_answer(status, {"retry-after": str(WAIT_S)}))
        if told.retry_after_ns < WAIT_S * codes.SECOND:
            yield f"status {status} with retry-after {WAIT_S}: it waits {told.retry_after_ns} ns"
        bare = subject.adapter.quota(_answer(status, {}))
        if bare.retry_after_ns <= 0 and not bare.banned:
            yield f"status {status} without retry-after: it goes on asking"
        subject.adapter.quota(_answer(status, {"retry-after": "soon"}))
    if not subject.adapter.quota(_answer(418, {})).banned:
        yield "status 418 is not seen as a ban"
    good = subject.adapter.quota(_answer(200, {}))
    if good.banned or good.retry_after_ns:
        yield "a good answer is taken for a refusal"


def _answer(status: int, headers: dict[str, str]) -> Answer:
    return Answer(status=status, headers=headers, body=b"{}", sent_ns=HEARD_NS, received_ns=HEARD_NS)


# What it makes of frames -------------------------------------------------------------------------------------------------------


def rows(subject: Subject) -> Faults:
    """Its examples become well-formed rows: whole messages, known streams, their channel's kind, prices above zero."""
    shown = set[str]()
    for frame in subject.frames:
        reading = subject.adapter.read(frame, HEARD_NS)
        for fault in malformed(reading, subject.adapter):
            yield f"{fault} ({frame[:60]!r})"
        if reading.refused:
            yield f"refused its own example: {reading.refused[0].reason}"
        shown |= {subject.adapter.streams[at].channel for at in np.unique(reading.rows["source"]).tolist()}
    for channel in MUST_SHOW:
        if channel in subject.adapter.channels() and channel not in shown:
            yield f"no example gave rows of the channel {channel}"


def malformed(reading: Any, adapter: MarketAdapter) -> Faults:
    """What is wrong with a reading."""
    if not isinstance(reading, Reading) or getattr(reading.rows, "dtype", None) != ROW:
        yield "it gave no Reading with rows"
        return
    found = reading.rows
    if not len(found):
        return
    if (found["source"] < 0).any() or (found["source"] >= len(adapter.streams)).any():
        yield f"a source outside the {len(adapter.streams)} streams"
        return
    if (found["ts_local"] != HEARD_NS).any():
        yield "ts_local is not when the frame was heard"
    if found["stream_seq"].any():
        yield "stream_seq is set; the fabric numbers rows"
    first, last = found["marks"] & codes.FIRST != 0, found["marks"] & codes.LAST != 0
    if not first[0] or not last[-1] or (first[1:] != last[:-1]).any():
        yield "rows are not whole messages from FIRST to LAST"
    for source in np.unique(found["source"]).tolist():
        yield from _wrong_in_stream(found[found["source"] == source], adapter, source)


def _wrong_in_stream(mine: Rows, adapter: MarketAdapter, source: int) -> Faults:
    stream = adapter.streams[source]
    if (mine["instrument"] != stream.instrument).any():
        yield f"a row of stream {source} names another instrument"
    if (mine["kind"] != KINDS[stream.channel]).any():
        kinds = ", ".join(KIND_NAMES.get(kind, str(kind)) for kind in np.unique(mine["kind"]).tolist())
        yield f"the channel {stream.channel} has rows of the kind {kinds}"
    told = mine[mine["marks"] & codes.EMPTY == 0]
    if (told["price"] < (0 if stream.channel in (fabric.QUOTE, fabric.FUNDING) else 1)).any():
        yield f"a price of {stream.channel} that is not above zero"
    if (told["quantity"] < (1 if stream.channel == fabric.TRADE else 0)).any():
        yield f"a quantity of {stream.channel} that is none"


def garbage(subject: Subject) -> Faults:
    """`read` never raises: rubbish gives no rows, a damaged frame none or well-formed ones."""
    for frame in hostile.RUBBISH:
        reading = subject.adapter.read(frame, HEARD_NS)
        if len(reading.rows):
            yield f"rows out of {frame[:40]!r}"
    for frame in subject.frames:
        for damaged in (*hostile.damaged(frame), *hostile.numbered(frame)):
            for fault in malformed(subject.adapter.read(damaged, HEARD_NS), subject.adapter):
                yield f"{fault} ({damaged[:80]!r})"


def drift(subject: Subject) -> Faults:
    """A frame of another shape is refused: no field of another type is read as if it were the old one."""
    for frame in subject.frames:
        before = subject.adapter.read(frame, HEARD_NS).rows
        if not len(before):
            continue
        if len(subject.adapter.read(hostile.renamed(frame), HEARD_NS).rows):
            yield f"rows although every key has another name ({frame[:60]!r})"
        refusals = 0
        for changed in hostile.drifted(frame):
            reading = subject.adapter.read(changed, HEARD_NS)
            refusals += bool(reading.refused)
            if len(reading.rows) and not np.array_equal(reading.rows, before):
                yield f"other rows out of a field of another type ({changed[:120]!r})"
        if not refusals:
            yield f"no field of another type was refused ({frame[:60]!r})"


TESTS: tuple[Test, ...] = (protocol, addresses, requests, asks, facts, quota, rows, garbage, drift)


def adopted(name: str, adapter: Any) -> Subject:
    """A subject by the adapter's own `samples()`. Raises BadUse where it gives none."""
    samples = getattr(adapter, "samples", None)
    if samples is None:
        raise BadUse(
            "it has no examples to be checked by",
            where=f"venue:{name}",
            expected="a method samples() that gives venues.adapter.Samples",
        )
    given = samples()
    adapter.adopt(given.instruments)
    return Subject(name, adapter, given.frames)
