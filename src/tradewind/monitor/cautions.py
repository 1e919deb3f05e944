"""What to beware of when reading a run's figures: one sentence each, serious ones where the headline may be wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from ..domain import codes
from . import estimators as est
from .estimators import Floats
from .figures import ANNUAL_SPAN_NS, FEW_TRADES, Caution, Performance, duration
from .parts import parts
from .record import RunRecord


def cautions(record: RunRecord, whole: Performance, returns: Floats | str, interval: int) -> list[Caution]:
    """All warnings of a run, the serious ones first; `returns` are those that the ratios were made of."""
    found = [
        *_doubtful_ratio(record, whole, returns, interval),
        *_doubtful_run(record, whole),
        *_doubtful_data(record),
        *(_note(text) for text in record.warnings),
    ]
    return sorted(found, key=lambda caution: caution.level != "serious")


def _serious(text: str) -> Caution:
    return Caution("serious", text)


def _note(text: str) -> Caution:
    return Caution("note", text)


def _doubtful_ratio(record: RunRecord, whole: Performance, returns: Floats | str, interval: int) -> Iterator[Caution]:
    span, sharpe = duration(record.span_ns), whole.sharpe
    if record.span_ns == 0:
        yield _serious("The run has no length: nothing can be concluded from it.")
    elif sharpe.value is None:
        yield _serious(f"No Sharpe ratio: {sharpe.note}.")
    elif not isinstance(returns, str) and sharpe.low is not None and sharpe.high is not None and sharpe.low <= 0.0 <= sharpe.high:
        needed = est.needed_samples(returns)
        if needed and needed <= len(returns):  # Lo's error and the bootstrap disagree: the wider one is told
            yield _serious(f"The interval of the Sharpe ratio reaches 0: {span} of this run do not tell it from luck.")
        else:
            length = f"about {duration(needed * interval)} of such a run" if needed else "no length of such a run"
            yield _serious(f"The sample is too short: {span} cannot tell this Sharpe ratio from 0; {length} would.")
    if 0 < record.span_ns < ANNUAL_SPAN_NS:
        yield _note(f"Annualised figures stretch {span} to a year. Read the intervals, not the values.")
    if record.trials > 1:
        yield _note(f"This is one of {record.trials:,} trials of its family; the best of many looks better than it is.")
    trades = int(whole.trades.value or 0)
    if trades < FEW_TRADES:
        closed = "Only 1 trade was" if trades == 1 else f"Only {trades} trades were" if trades else "No trade was"
        yield _serious(f"{closed} closed; below {FEW_TRADES}, hit rate and profit factor are luck.")


def _doubtful_run(record: RunRecord, whole: Performance) -> Iterator[Caution]:
    instant = ", ".join(sorted(name for name, ns in record.think_ns.items() if ns == 0))
    if instant:
        yield _serious(f"think_ns = 0 for {instant}: answers took no time, as they cannot live.")
    if record.fills.height and not any(part["fee"].to_numpy().any() for part in parts(record.fills, "fee")):
        yield _serious("No fee was paid on any fill. Set the fee tier of your account.")
    unknown = sum(part.filter(pl.col("status").str.to_uppercase() == "UNKNOWN").height for part in parts(record.orders, "status"))
    if unknown:
        yield _serious(f"{unknown:,} orders ended UNKNOWN: whether they traded is not known.")
    curve, peak = record.equity["equity"].to_numpy(), whole.exposure_max.value
    if len(curve) and curve.min() <= 0.0:
        yield _serious("Equity fell to zero or below during the run.")
    if peak is not None and peak > 1.0 + 1e-9:
        yield _note(f"Exposure reached {peak:.2f} times equity: the run was leveraged.")


def _doubtful_data(record: RunRecord) -> Iterator[Caution]:
    if len(set(record.venues)) == 1:
        yield _note(f"One venue only ({record.venues[0]}): prices could not be cross-checked.")
    share = stale_share(record)
    if share is not None and share >= 0.01:
        text = f"{share * 100:.1f} % of stream time was not SYNCED; decisions then rested on fewer sources or stood still."
        yield _serious(text) if share >= 0.1 else _note(text)


def stale_share(record: RunRecord) -> float | None:
    """Share of stream time spent in another state than SYNCED, over all streams; None where no state was recorded."""
    streams, ts = record.quality.streams, record.equity["ts_ns"]
    if not streams.height or len(ts) < 2:
        return None
    whole = bad = 0.0
    for _, part in streams.group_by(["stream"], maintain_order=True):
        edges = np.append(part["ts_ns"].to_numpy(), max(int(ts[-1]), int(part["ts_ns"][-1])))
        lasted = np.diff(edges).astype(np.float64)
        whole += float(lasted.sum())
        bad += float(lasted[part["state"].to_numpy() != codes.SYNCED].sum())
    return bad / whole if whole > 0.0 else None
