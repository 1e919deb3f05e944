"""Everything that can go wrong, as a tree.

TradewindError                 what is wrong, where, what was expected, what to do
├── BadUse          exit 2     the command or configuration is wrong; nothing was begun
├── BadData         exit 3     a file, message or value cannot be believed; nothing of it was used
│   └── Corrupt                our own file fails its proof (CRC, chain, hash)
├── NoRoom          exit 1     disk or capacity ran out; nothing was lost
├── Refused         exit 1     a venue said no: it did not happen
├── Unreachable     exit 1     no answer, and nothing had been sent: it did not happen
├── OutcomeUnknown  exit 1     no answer after something was sent: it may have happened
├── StrategyFault   exit 1     a strategy of the user's raised, or answered what is no answer
└── MachineFault    exit 1     a `must` failed inside the machine
"""

from __future__ import annotations

from collections.abc import Iterable


class TradewindError(Exception):
    """An error a person can act on. `str(error)` is one paragraph: what, where, expected, what to do."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", expected: str = "", todo: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.expected, self.todo = what, where, expected, todo

    def at(self, where: str) -> TradewindError:
        """The same error with its place put in front of the place it had."""
        self.where = f"{where}, {self.where}" if self.where else where
        return self

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.todo:
            parts.append(self.todo)
        return "; ".join(parts)


class BadUse(TradewindError):
    """The command line or configuration is wrong; nothing was begun."""

    exit_code = 2


class BadData(TradewindError):
    """A file, message or value cannot be believed; nothing of it was used."""

    exit_code = 3


class Corrupt(BadData):
    """A file of our own fails its proof: CRC, chain or hash."""


class NoRoom(TradewindError):
    """The disk or a declared capacity ran out; nothing already written was lost."""


class Refused(TradewindError):
    """A venue said no: it did not happen."""


class Unreachable(TradewindError):
    """No answer, and nothing had been sent: it did not happen."""


class OutcomeUnknown(TradewindError):
    """No answer after something was sent: it may have happened."""


class StrategyFault(TradewindError):
    """A strategy in Python raised, or answered what is no answer; the run ended there."""


class MachineFault(TradewindError):
    """A `must` failed inside the machine; its code and row are in the dump named by `where`."""


def did_you_mean(wrong: Iterable[str], known: Iterable[str], most: int = 1) -> str:
    """What to do about names that are not known: "did you mean X or Y?", at most `most` for each; "" where none comes near."""
    from difflib import get_close_matches

    listed = list(known)
    near = dict.fromkeys(close for name in wrong for close in get_close_matches(name, listed, most, 0.5))
    return f"did you mean {' or '.join(near)}?" if near else ""
