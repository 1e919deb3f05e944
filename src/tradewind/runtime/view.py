"""What a run shows of itself while it runs, and how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tradewind.domain import codes, reasons

from .planning import Plan
from .session import Session

Watch = Callable[[Mapping[str, Any]], None]
FRAME_NS = 100 * codes.MILLISECOND  # of the market's time between two looks


def view(session: Session, made: Plan, elapsed_ns: int) -> dict[str, Any]:
    """What the live view shows: markets, strategies, account."""
    s = session.state[0]
    top, position = s["top"], s["fact"]["position"]
    conditions = ("unavailable", "synced", "gap", "back-filling", "stale", "invalid")
    markets = []
    for i, x in enumerate(session.instruments):
        scale = 10.0**x.price_exponent
        held = position["quantity"][:, i].sum() / 10.0**x.quantity_exponent
        markets.append(
            {"market": x.name, "bid": f"{top['bid'][i] / scale:,.{x.price_exponent}f}",
            "ask": f"{top['ask'][i] / scale:,.{x.price_exponent}f}",
             "book": conditions[int(top["condition"][i])], "trust": f"{s['trust']['score'][i]:.2f}",
             "doubt": doubt(s, i), "signal": f"{s['signal']['score'][i]:+.2f}", "position": f"{held:+.5f}"}
        )  # fmt: skip
    worths = session.worths()
    strategies = [
        {
            "strategy": name,
            "weight": f"{s['share']['weight'][k] / 1024:.2f}",
            "open orders": int(position["n_open"][k].sum()),
            "profit": f"{worths[k]:+,.2f}",
        }
        for k, name in enumerate(made.names)
    ]
    count = s["count"]
    now = {
        "time": f"{elapsed_ns / 1e9:.1f} s", "equity": f"{session.equity():,.2f} {session.setup.reporting}",
        "rows": f"{session.rows:,}", "orders": int(count["submits"]), "fills": int(count["fills"]),
        "refused": int(count["refused"]), "quarantined": int(count["verdicts"]), "machine": session.machine.hash,
    }  # fmt: skip
    return {"": [now], "markets": markets, "strategies": strategies}


def doubt(s: Any, i: int) -> str:
    """What the machine holds against an instrument's touch; "" where it believes it."""
    suspect = int(s["top"]["suspect"][i])
    return reasons.name(suspect) if suspect else ""
