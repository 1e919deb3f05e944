"""Frames no venue should send: rubbish, broken halves of real frames, and real frames whose shape has changed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

RUBBISH = (
    b"", b"{", b"[]", b"{}", b"null", b"0", b'"x"', b"\xff\xfe", b"\x00" * 64, b"[" * 100_000, b'{"a":' * 5_000, b"x" * (5 << 20),
    b'{"e":1}', b'{"channel":1}', b'{"type":[]}', b'{"channel":"nothing of ours","data":[{}]}',
)  # fmt: skip
NUMBERS = ("NaN", "Infinity", "-1", "1e400", "9" * 70, "1_000", "0x10", "")
CUTS, FLIPS = 24, 48  # of one frame
LEAVES = 60  # of one frame that are changed, one at a time


def damaged(frame: bytes, seed: int = 1) -> Iterator[bytes]:
    """A frame cut short, and with bytes changed."""
    rng = random.Random(seed)
    for at in range(CUTS):
        yield frame[: len(frame) * at // CUTS]
    for _ in range(FLIPS if frame else 0):
        at = rng.randrange(len(frame))
        yield frame[:at] + bytes([rng.randrange(256)]) + frame[at + 1 :]


def numbered(frame: bytes) -> Iterator[bytes]:
    """A JSON frame with each of its numbers, in turn, replaced by what is none."""
    for place, number in enumerate(_places(frame, digits=True)):
        yield _with(frame, number, NUMBERS[place % len(NUMBERS)])


def drifted(frame: bytes) -> Iterator[bytes]:
    """A JSON frame with each of its values, in turn, of another type: what a careless release of the venue would send."""
    for path in _places(frame, digits=False):
        yield _with(frame, path, {"drifted": True})


def renamed(frame: bytes) -> bytes:
    """A JSON frame with all its keys named otherwise."""
    return json.dumps(_renamed(json.loads(frame))).encode()


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {f"{name}_v2": _renamed(inner) for name, inner in value.items()}
    return [_renamed(inner) for inner in value] if isinstance(value, list) else value


Path = tuple[str | int, ...]


def _places(frame: bytes, *, digits: bool) -> Sequence[Path]:
    """The leaves of a JSON frame, evenly thinned out."""
    found = [path for path, value in _leaves(json.loads(frame), ()) if not digits or _is_number(value)]
    return found[:: max(1, len(found) // LEAVES)]


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        yield path, value
        return
    for name, one in inner:
        yield from _leaves(one, (*path, name))


def _is_number(value: Any) -> bool:
    return (isinstance(value, str) and value.replace(".", "", 1).isdecimal()) or (
        isinstance(value, int | float) and not isinstance(value, bool)
    )


def _with(frame: bytes, path: Path, value: Any) -> bytes:
    whole = json.loads(frame)
    if not path:
        return json.dumps(value).encode()
    place = whole
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return json.dumps(whole).encode()
