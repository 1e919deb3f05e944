"""How a command row gets into `out`."""

from typing import Any

from ..domain.codes import EVIDENCE, FIRST, VERDICT, WHOLE
from .jit import compiled


@compiled
def emit(s: Any, out: Any, kind: int, instrument: int) -> Any:
    """The next row of `out`, zeroed, dated now. The driver keeps room (see machine.ROOM)."""
    r = out[s.clock.n_out]
    s.clock.n_out += 1
    r.kind = kind
    r.side = 0
    r.marks = WHOLE
    r.source = 0
    r.instrument = instrument
    r.account = 0
    r.strategy = -1
    r.stream_seq = 0
    r.ts_venue = 0
    r.ts_local = s.clock.now
    r.price = 0
    r.quantity = 0
    r.ref = 0
    r.value = 0
    return r


@compiled
def evidence(
    s: Any, out: Any, instrument: int, strategy: int, order_id: int, cause: int, measured: float, threshold: float
) -> None:
    """Why the command that follows was decided: a measured value against a threshold, both kept in 1e-9."""
    r = emit(s, out, EVIDENCE, instrument)
    r.marks = FIRST
    r.strategy = strategy
    r.ref = order_id
    r.value = cause
    r.price = bounded_e9(measured)
    r.quantity = bounded_e9(threshold)


@compiled
def verdict(s: Any, out: Any, instrument: int, code: int, measured: float, threshold: float) -> Any:
    """A value was not believed: a measured value against a threshold, both kept in 1e-9. The caller names stream and message."""
    s.count.verdicts += 1
    r = emit(s, out, VERDICT, instrument)
    r.value = code
    r.price = bounded_e9(measured)
    r.quantity = bounded_e9(threshold)
    return r


@compiled
def bounded_e9(x: float) -> int:
    """x in 1e-9 units, within ±4e18."""
    if x > 4e9:
        return 4_000_000_000_000_000_000
    if x < -4e9:
        return -4_000_000_000_000_000_000
    return int(x * 1e9)
