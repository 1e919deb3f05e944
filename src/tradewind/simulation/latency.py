"""Latency: when an order reaches the venue and when its word comes back, in local time.

Everything is kept in the frame of the local clock, which is the frame of the tape: an order sent at t acts on the book as
our feed shows it at t + order_ns + feed_ns, which is the venue's book at t + order_ns; a report made at the row shown at
τ arrives at τ + report_ns - feed_ns. That is causal because report_ns >= feed_ns; other configurations are refused.
Order is kept on every connection: nothing overtakes.
"""

from typing import Any

from ..kernel.jit import compiled


@compiled
def jitter(d: Any) -> int:
    """0 to jitter_ns, from the desk's own generator."""
    if d.jitter_ns <= 0:
        return 0
    d.random = (d.random * 1103515245 + 12345) & 0x7FFFFFFF
    return (d.random >> 8) * d.jitter_ns >> 23


@compiled
def arrives(d: Any, now: int) -> int:
    """When a request sent now acts."""
    d.last_ask = max(d.last_ask, now + d.to_venue_ns + jitter(d))
    return d.last_ask


@compiled
def returns(d: Any, now: int) -> int:
    """When a report made now is heard."""
    d.last_tell = max(d.last_tell, now + d.from_venue_ns + jitter(d))
    return d.last_tell
