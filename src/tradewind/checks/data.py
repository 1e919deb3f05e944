"""The conformance suite of a data type: each check gives the faults it found, none where the series holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tradewind.domain.errors import BadData, BadUse
from tradewind.fabric import series
from tradewind.fabric.observations import Observation
from tradewind.fabric.series import Samples
from tradewind.fabric.webhook import NAME
from tradewind.venues.adapter import Answer, Ask

from . import hostile
from .venue import Check, held, sourced

Faults = Iterator[str]
MEMBERS = ("name", "unit", "url", "facts", "ask", "read", "samples")


class Subject(NamedTuple):
    """A series, and the name it was installed by."""

    name: str
    series: Any


def run(subject: Subject) -> list[Check]:
    """Every check."""
    made: list[Check] = []
    for test in TESTS:
        about = (test.__doc__ or "").strip()
        made.append(held(test.__name__, about, lambda test=test: test(subject)))  # type: ignore[misc]
    return made


def _samples(subject: Subject) -> Samples:
    found = subject.series.samples()
    if not isinstance(found, Samples) or not found.answers:
        raise BadUse("it has no examples to be checked by", where=f"data:{subject.name}", expected="samples() gives series.Samples")
    return found


def _answer(body: bytes, heard_ns: int, status: int = 200) -> Answer:
    return Answer(status=status, headers={}, body=body, sent_ns=heard_ns, received_ns=heard_ns)


def protocol(subject: Subject) -> Faults:
    """Every member of `Series` is there, and its name is the one it was installed by."""
    for member in MEMBERS:
        if not hasattr(subject.series, member):
            yield f"it has no {member}"
    if subject.series.name != subject.name:
        yield f"it calls itself {subject.series.name!r}"
    if not NAME.fullmatch(subject.name) or not isinstance(subject.series.unit, str) or not subject.series.unit:
        yield "its name or unit is empty or has other signs than letters, digits, dot and dash"
    if not str(subject.series.url).startswith("https://"):
        yield f"{subject.series.url!r} is no https address"


def facts(subject: Subject) -> Faults:
    """Every fact names its source and its date; `url` and `publication` are among them."""
    yield from sourced(subject.series.facts, ("url", "publication"))


def asks(subject: Subject) -> Faults:
    """Its request has a path and text in its query, from the beginning of time and from now."""
    for since in (0, _samples(subject).heard_ns):
        ask = subject.series.ask(since)
        if not isinstance(ask, Ask) or not ask.path.startswith("/") or ask.method != "GET":
            yield f"{ask!r:.80} is no Ask"
        elif any(not isinstance(part, str) for pair in ask.query for part in pair):
            yield "its query holds something else than text"


def observations(subject: Subject) -> Faults:
    """Its examples become observations: event <= publication <= when the answer came; the same answer says the same twice."""
    given = _samples(subject)
    for body in given.answers:
        found = subject.series.read(_answer(body, given.heard_ns))
        if not found:
            yield f"nothing out of its own example ({body[:60]!r})"
        yield from (fault for one in found if (fault := series.wrong(one, given.heard_ns)))
        if found != subject.series.read(_answer(body, given.heard_ns)):
            yield "the same answer said something else the second time"


def publication(subject: Subject) -> Faults:
    """What is known goes by publication: an answer heard earlier gives nothing that claims to be published later than it came."""
    given = _samples(subject)
    for body in given.answers:
        found: list[Observation] = subject.series.read(_answer(body, given.heard_ns))
        earliest = min(one.published_ns for one in found)
        try:
            before = series.read(subject.series, _answer(body, earliest - 1))
        except BadData:
            continue  # told as what it is
        if any(one.published_ns >= earliest for one in before):
            yield "an answer that came before the publication it speaks of was believed"


def garbage(subject: Subject) -> Faults:
    """Rubbish, damage and bad statuses raise BadData or give sound observations, nothing else."""
    given = _samples(subject)
    bodies = [*hostile.RUBBISH, *(bad for body in given.answers for bad in (*hostile.damaged(body), *hostile.drifted(body)))]
    for body in bodies:
        try:
            found = subject.series.read(_answer(body, given.heard_ns))
        except BadData:
            continue
        for one in found:
            if not isinstance(one, Observation) or not isinstance(one.value_e9, int):
                yield f"{one!r:.60} out of {body[:60]!r}"
    try:
        subject.series.read(_answer(given.answers[0], given.heard_ns, 503))
        yield "status 503 was read as if it were 200"
    except BadData:
        return


TESTS: tuple[Callable[[Subject], Faults], ...] = (protocol, facts, asks, observations, publication, garbage)
