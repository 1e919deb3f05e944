"""Why an order was sent, why there was none, and what would have changed it: answered from the journal alone.

An `Explainer` replays a journal once and keeps snapshots; each question then restores the nearest one, walks to the
deciding row and runs that row again, once as it was and once with the named cause moved by the stated margin (the
machine's `probe`). What it claims has therefore been executed, not inferred.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tradewind.domain import codes, reasons
from tradewind.domain.errors import BadUse
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows, rows
from tradewind.engine.snapshot import State, restore

from .options import WhyNotOptions, WhyOptions
from .quotes import Mover, movers
from .replay import Replayer, groups_of, is_command

Say = Callable[[str], None]
STEPS_A_SNAPSHOT = 200  # inputs between two snapshots: what a question walks at most
MOST_BYTES = 400 << 20  # of snapshots, a few MB each; longer journals take them farther apart


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. evidence holds the numbers the text was made from."""

    order: int | None = None
    instrument: str = ""
    time: str = ""
    text: str = ""
    evidence: dict[str, Any] = {}

    def summary(self) -> dict[str, Any]:
        """The answer, ready for JSON."""
        return msgspec.structs.asdict(self)


class Explainer:
    """A journal made ready for questions. Raises BadUse where it was written by another machine."""

    def __init__(self, folder: Path, *, compiled: bool = True) -> None:
        self.replayer = Replayer(folder, compiled=compiled)
        self.replayer.refuse_other()
        self.plan = self.replayer.plan
        self.names = self.plan.names
        self.steps: list[Rows] = []
        self.emitted: list[Rows] = []
        for batch, _ in self.replayer.batches():
            for group in groups_of(batch):
                self._take(group)
        self.orders = self._index()
        self._snapshots: list[tuple[int, State]] = []
        self._prepare()

    def _take(self, group: Rows) -> None:
        """Inputs become steps: one a tape stretch, one a run of own rows; commands are kept apart."""
        if is_command(int(group[0]["kind"])):
            self.emitted.append(group)
        elif group[0]["kind"] == codes.TAPE:
            self.steps += [group[i : i + 1] for i in range(len(group))]
        else:
            self.steps += [group[i : i + 1] for i in range(len(group))] if len(group) < 64 else [group]

    def _index(self) -> dict[int, tuple[Any, Any]]:
        """EVIDENCE and SUBMIT rows by order id."""
        told = np.concatenate(self.emitted) if self.emitted else rows(0)
        evidence = {int(row["ref"]): row for row in told[told["kind"] == codes.EVIDENCE]}
        return {int(row["ref"]): (evidence[int(row["ref"])], row) for row in told[told["kind"] == codes.SUBMIT]}

    def _prepare(self) -> None:
        """Replays once; snapshots by step, and the step that made each order."""
        every = max(STEPS_A_SNAPSHOT, len(self.steps) * self.replayer.state.nbytes // MOST_BYTES + 1)
        self.made_at: dict[int, int] = {}
        self.step_ts = np.zeros(len(self.steps), np.int64)
        for number, step in enumerate(self.steps):
            if number % every == 0:
                self._snapshots.append((number, self.replayer.state.copy()))
            for row in self._run(step):
                if row["kind"] == codes.SUBMIT:
                    self.made_at[int(row["ref"])] = number
            self.step_ts[number] = int(self.replayer.state["clock"]["now"][0])

    def _run(self, step: Rows, *, but_last: bool = False, only_last: bool = False) -> Rows:
        """Feeds one step (or a tape stretch without, or only, its last row); returns what the machine emitted."""
        replayer = self.replayer
        row = step[0]
        if row["kind"] == codes.TAPE:
            start, stop = int(row["ref"]), int(row["value"])
            start, stop = (stop - 1 if only_last else start), (stop - 1 if but_last else stop)
            if stop > start:
                replayer.stretch(int(row["quantity"]), start, stop)
        elif not but_last:
            replayer.feed(step)
        return replayer.take_produced()

    def _before(self, number: int) -> None:
        """Puts the machine just before the deciding row of a step."""
        at, state = max((s for s in self._snapshots if s[0] <= number), key=lambda s: s[0])
        restore(self.replayer.state, state)
        for step in self.steps[at:number]:
            self._run(step)
        self._run(self.steps[number], but_last=True)

    # Why ------------------------------------------------------------------------------------------------------------------

    def why(self, order_id: int) -> Reason:
        """Why an order was sent. Raises BadUse for an order this journal does not hold."""
        if order_id not in self.orders:
            last = max(self.orders, default=0)
            raise BadUse(
                f"order {order_id} is not in this journal", expected=f"an id from 1 to {last}", todo="take one from the report"
            )
        evidence, submit = self.orders[order_id]
        cause, measured, threshold = int(evidence["value"]), int(evidence["price"]) / 1e9, int(evidence["quantity"]) / 1e9
        k, i = int(submit["strategy"]), int(submit["instrument"])
        number = self.made_at[order_id]
        self._before(number)
        state = self.replayer.state
        context = self._context(k, i)
        base = state.copy()
        again = self._same_order(self._run(self.steps[number], only_last=True), submit)
        keeps = self._probed(base, number, submit, cause, 0.0)
        found: list[Mover] = []
        if cause == reasons.QUOTE_PLACED:
            x = self.plan.setup.instruments[i]
            found = movers(lambda change: self._decides(base, number, submit, change), base[0], submit, x)
            flips, margin, claim = self._of_quote(found)
        else:
            margin, claim = self._margin(cause, measured, threshold)
            flips = self._probed(base, number, submit, cause, margin)
        x = self.plan.setup.instruments[i]
        price, quantity = int(submit["price"]) / 10.0**x.price_exponent, int(submit["quantity"]) / 10.0**x.quantity_exponent
        unit = _unit(cause, x)
        side = "buy" if submit["side"] == codes.BUY else "sell"
        verdict = "Executed again with that change: the order is another or none." if flips else "Executed again: the order stays."
        sent = f"{self.names[k]} sent a {side} of {quantity:.10g} {x.base} at {price:.10g} {x.quote} on {x.name}"
        bid, ask, reference = (f"{context[name]:.10g}" for name in ("bid", "ask", "reference"))
        saw = f"bid {bid}, ask {ask}, reference {reference} (grade {context['grade']})"
        held = f"position {context['position']:.10g}, selector weight {context['weight']:.2f}"
        lines = [
            f"Order {order_id}: {sent}, {_stamp(int(submit['ts_local']))}.",
            f"Because {reasons.sentence(cause, measured * unit, threshold * unit)}.",
            f"It saw: {saw}, signal {context['score']:+.3f} with confidence {context['confidence']:.2f}, {held}.",
            f"{claim} {verdict}",
        ]
        return Reason(
            order=order_id, instrument=x.name, time=_stamp(int(submit["ts_local"])), text="\n".join(lines),
            evidence={
                "cause": reasons.name(cause), "measured": measured, "threshold": threshold, "margin": margin, "reproduced": again,
                "flips_with_margin": flips, "kept_without": keeps, "strategy": self.names[k], "side": side, "price": price,
                "quantity": quantity, "movers": [msgspec.structs.asdict(mover) for mover in found], **context,
            },
        )  # fmt: skip

    @staticmethod
    def _margin(cause: int, measured: float, threshold: float) -> tuple[float, str]:
        """How far the cause must move for the decision to change, and that claim in words."""
        if cause in (reasons.STRATEGY_WISH, reasons.LEG_HEDGED):
            return -measured, f"Had the difference of {measured:g} units not been there, there would be no order."
        gap = threshold - measured
        margin = gap - 1e-6 * max(1.0, abs(gap)) if gap <= 0 else gap + 1e-6 * max(1.0, abs(gap))
        return (
            margin,
            f"Had the measured value been {abs(margin):g} {'lower' if margin < 0 else 'higher'}, it would not have passed.",
        )

    @staticmethod
    def _of_quote(found: list[Mover]) -> tuple[bool, float, str]:
        """Whether anything moves the quote, by how much the touch does (0 where it does not), and all of it in words."""
        touch = found[0].more if found[0].more is not None else found[0].less
        moved = any(mover.less is not None or mover.more is not None for mover in found)
        return moved, touch or 0.0, " ".join(mover.text() for mover in found)

    def _decides(self, base: State, number: int, submit: Any, change: Callable[[Any], None]) -> bool:
        """Whether the deciding row still makes the same order after a change of the state before it."""
        restore(self.replayer.state, base)
        change(self.replayer.state[0])
        return self._same_order(self._run(self.steps[number], only_last=True), submit)

    def _probed(self, base: State, number: int, submit: Any, cause: int, delta: float) -> bool:
        """Whether the deciding row, with the cause moved by delta, makes the same order (delta 0) or not (else)."""
        state = self.replayer.state
        restore(state, base)
        probe = state[0]["probe"]
        probe["code"] = self._probe_code(cause)
        probe["strategy"], probe["instrument"], probe["delta"] = (
            int(submit["strategy"]),
            self._probe_instrument(cause, submit),
            delta,
        )
        came = self._run(self.steps[number], only_last=True)
        same = self._same_order(came, submit)
        return same if delta == 0.0 else not same

    @staticmethod
    def _probe_code(cause: int) -> int:
        return reasons.CROSS_UP if cause == reasons.CROSS_DOWN else cause

    def _probe_instrument(self, cause: int, submit: Any) -> int:
        """The instrument whose decision is moved: -1, any, where two legs follow from one decision."""
        return -1 if cause in (reasons.EDGE_OVER_COST, reasons.LEG_HEDGED) else int(submit["instrument"])

    @staticmethod
    def _same_order(came: Rows, submit: Any) -> bool:
        fields = ("instrument", "strategy", "side", "price", "quantity")
        sent = came[(came["kind"] == codes.SUBMIT) & (came["value"] & codes.ORDER_MASK == submit["value"] & codes.ORDER_MASK)]
        return any(all(row[f] == submit[f] for f in fields) for row in sent)

    def _context(self, k: int, i: int) -> dict[str, Any]:
        """What the strategy could see, just before the deciding row."""
        s = self.replayer.state[0]
        x = self.plan.setup.instruments[i]
        scale = 10.0**x.price_exponent
        group = s["group"][int(s["fact"]["rule"][i, 1])]
        return {
            "bid": int(s["top"]["bid"][i]) / scale, "ask": int(s["top"]["ask"][i]) / scale, "reference": float(group["reference"]),
            "grade": ("none", "C", "B", "A")[int(group["grade"])], "score": float(s["signal"]["score"][i]),
            "confidence": float(s["signal"]["confidence"][i]), "weight": int(s["share"]["weight"][k]) / 1024,
            "position": int(s["fact"]["position"]["quantity"][k, i]) / 10.0**x.quantity_exponent,
        }  # fmt: skip

    # Why not ----------------------------------------------------------------------------------------------------------------

    def why_not(self, instrument: str, ns: int, strategy: str | None = None) -> Reason:
        """Why nobody (or one strategy) had an order sent on an instrument at a time. Raises BadUse for a strange name or time."""
        known = [x.name for x in self.plan.setup.instruments]
        if instrument not in known:
            raise BadUse(f"this run knew no instrument {instrument!r}", expected=f"one of {', '.join(known)}")
        if strategy is not None and strategy not in self.names:
            raise BadUse(f"this run had no strategy {strategy!r}", expected=f"one of {', '.join(self.names)}")
        if not len(self.step_ts) or not int(self.step_ts[0]) <= ns <= int(self.step_ts[-1]):
            first, last = (int(self.step_ts[0]), int(self.step_ts[-1])) if len(self.step_ts) else (0, 0)
            raise BadUse(f"{_stamp(ns)} lies outside the run", expected=f"a time from {_stamp(first)} to {_stamp(last)}")
        i = known.index(instrument)
        self._state_at(ns)
        s = self.replayer.state[0]
        lines, evidence = [f"{instrument} at {_stamp(ns)}:"], {}
        for k, name in enumerate(self.names):
            if strategy in (None, name):
                code, measured, threshold, since = self._note(s, k, i)
                unit = _unit(code, self.plan.setup.instruments[i])
                measured, threshold = measured * unit, threshold * unit
                lines.append(f"{name}: {reasons.sentence(code, measured, threshold)}{since}.")
                evidence[name] = {"reason": reasons.name(code), "measured": measured, "threshold": threshold}
        return Reason(instrument=instrument, time=_stamp(ns), text="\n".join(lines), evidence=evidence)

    def _state_at(self, ns: int) -> None:
        number = int(np.searchsorted(self.step_ts, ns, side="right"))
        number = min(number, len(self.steps) - 1)
        at, state = max((s for s in self._snapshots if s[0] <= number), key=lambda s: s[0])
        restore(self.replayer.state, state)
        for step in self.steps[at:number]:
            self._run(step)
        row = self.steps[number][0]
        if row["kind"] == codes.TAPE:
            self.replayer.stretch_until(int(row["quantity"]), int(row["ref"]), int(row["value"]), ns)
            self.replayer.take_produced()

    def _note(self, s: Any, k: int, i: int) -> tuple[int, float, float, str]:
        """A strategy's last word on an instrument, or what its orders there say."""
        noted = s["noted"][k, i]
        if s["fact"]["right"][k, i] == 0:
            return reasons.NO_RIGHT, 0.0, 0.0, ""
        working = int(np.count_nonzero(s["fact"]["working"][k, i]))
        since = f" ({working} order{'s were' if working > 1 else ' was'} working)" if working else ""
        if int(noted["code"]) == 0:
            return reasons.NOT_ASKED, 0.0, 0.0, since
        return int(noted["code"]), float(noted["measured"]), float(noted["threshold"]), f", noted {_stamp(int(noted['ts']))}{since}"


def _unit(code: int, x: Instrument) -> float:
    return reasons.unit_of(code, 10.0**-x.price_exponent, 10.0**-x.quantity_exponent)


def _stamp(ns: int) -> str:
    whole = dt.datetime.fromtimestamp(ns // 1_000_000_000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ns % 1_000_000_000:09d}Z"


def ns_of(text: str) -> int:
    """A time given as UTC text or ns since 1970. Raises BadUse."""
    if text.isdecimal():
        return int(text)
    try:
        head, dot, fraction = text.rstrip("Z").partition(".")
        moment = dt.datetime.fromisoformat(head)
    except ValueError:
        raise BadUse(f"{text!r} is no time", expected="UTC such as 2024-08-05T06:30:00, or ns since 1970") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return int(moment.timestamp()) * 1_000_000_000 + (int(fraction[:9].ljust(9, "0")) if dot and fraction.isdecimal() else 0)


def why(options: WhyOptions, *, say: Say = lambda text: None) -> Reason:
    """Why an order was sent."""
    return Explainer(options.journal).why(int(options.order))


def why_not(options: WhyNotOptions, *, say: Say = lambda text: None) -> Reason:
    """Why there was no order."""
    return Explainer(options.journal).why_not(options.instrument, ns_of(options.time), options.strategy)
