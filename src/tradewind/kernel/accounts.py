"""One market, one or many accounts: what `s` is to a room, and how a market's room reaches every account.

Everywhere but in a shared sweep `s` is the machine's one record, and it is both the market and its only account. In a shared
sweep (engine.many) a market's room gets a `Market`, an account's room an `Account`; both read like the record. What an
account writes no market reads, so each account is exactly where it would be alone.

Compiled, `join`, `number`, `member` and `box` are a few instructions spliced into the caller (kernel.sharing).
"""

from __future__ import annotations

from typing import Any

from .jit import compiled, joint

OWN = ("clock", "count")  # an account's tables of which the market keeps one for itself
SEEN = ("fact",)  # and the one it reads: its rules


class Market:
    """The market's tables, and the accounts that live in it."""

    def __init__(self, state: Any, own: Any, boxes: Any) -> None:
        self.state, self.own, self.boxes = state, own, boxes
        self.glass = _read_only(state)

    def __getitem__(self, name: str) -> Any:
        """A table of the market's. Raises KeyError for one that is the accounts'."""
        if name in self.own.dtype.names and name not in OWN:
            if name not in SEEN:
                raise KeyError(f"{name} is an account's, and a room of the market asked for it")
            return self.glass[0][name]
        return self.state[0][name]


class Account:
    """One account's tables, and the market's to read."""

    def __init__(self, own: Any, market: Any) -> None:
        self.own, self.market = own, market

    def __getitem__(self, name: str) -> Any:
        """A table: its own, or one of the market's that cannot be written."""
        return self.own[name] if name in self.own.dtype.names else self.market[name]


def _read_only(array: Any) -> Any:
    seen = array.view()
    seen.flags.writeable = False
    return seen


@joint
def join(state: Any, own: Any, boxes: Any) -> Any:
    """The market of state[0] with the accounts own[:], whose commands go into boxes[:]."""
    return Market(state, own, boxes)


@joint
def number(s: Any) -> int:
    """How many accounts live in s."""
    return len(s.own) if isinstance(s, Market) else 1


@joint
def member(s: Any, n: int) -> Any:
    """Account n of s."""
    return Account(s.own[n], s.glass[0]) if isinstance(s, Market) else s


@joint
def box(s: Any, n: int, out: Any) -> Any:
    """Where the commands of account n go."""
    return s.boxes[n] if isinstance(s, Market) else out


@compiled
def at(s: Any, n: int) -> Any:
    """Account n of s, brought to the market's time."""
    a = member(s, n)
    a.clock.now = s.clock.now
    return a
