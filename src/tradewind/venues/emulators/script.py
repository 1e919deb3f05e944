"""A script of faults: the closed list of kinds, what each may be told, and how a file becomes a list of them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tradewind.domain.errors import BadUse

Value = float | int | str | bool
DATA = ("depth", "quote", "trade", "bar")
CHANNELS = (*DATA, "heartbeat", "ack", "error", "status", "rest")


class Kind(msgspec.Struct, frozen=True):
    """One sort of misbehaviour and the parameters it knows, with their defaults."""

    doc: str
    params: dict[str, Value] = {}
    everywhere: bool = False  # concerns all venues at once


KINDS: dict[str, Kind] = {
    # frames
    "drop": Kind("the next `count` frames of a channel are lost (1 without a count)"),
    "reorder": Kind("the next `count` frames come after the `by` frames that follow them", {"by": 1}),
    "duplicate": Kind("frames are sent again, `times` times", {"times": 1}),
    "corrupt": Kind("one level of a depth message has a wrong size; its proof is that of the true book"),
    "crossed": Kind("a bid above the best ask is told, and taken back when the fault ends"),
    "empty_side": Kind("one side of the book is told to be empty until the fault ends", {"side": "ask"}),
    "silent": Kind("a channel says nothing more; heartbeats go on and pings are answered"),
    "hole": Kind("open connections swallow everything both ways without an end; `new` takes in new ones too", {"new": False}),
    "huge": Kind("one frame of a channel has `bytes` more", {"bytes": 5_000_000}),
    "drip": Kind("one frame comes at `bytes_per_s` (real seconds)", {"bytes_per_s": 200}),
    "garbage": Kind(
        "frames are replaced: binary, utf8, nan, infinity, overflow, nesting, duplicate_keys, truncated or empty",
        {"what": "truncated"},
    ),
    "field_new": Kind("an unknown field appears", {"name": "zz_added"}),
    "field_missing": Kind("a field disappears; without a name one that matters", {"name": ""}),
    "enum_new": Kind("a field of few words gets a new one", {"value": "NEW_WORD"}),
    "number_text": Kind("numbers become texts and texts of numbers become numbers"),
    "microseconds": Kind("times come in microseconds since 1970"),
    # connections
    "refuse": Kind("connects are refused, `count` times or until the fault ends: reset, 503 or hang", {"how": "reset"}),
    "disconnect": Kind("connections are cut without a word at random moments", {"per_minute": 6.0}),
    "cut": Kind("the end of the connections is announced where the venue does that, and comes `grace_s` later", {"grace_s": 5.0}),
    "ack_silent": Kind("subscriptions are confirmed and nothing follows"),
    "ack_wrong": Kind("subscriptions get another pair than the one asked for", {"gives": ""}),
    # requests
    "stale_snapshot": Kind("books by REST are `age_s` old", {"age_s": 5.0}),
    "rate_limit": Kind("requests are refused as too many", {"retry_after_s": 30}),
    "ban": Kind("the address is banned for `for_s` seconds (Binance 418; elsewhere as rate_limit)"),
    "weight": Kind("others at the address use its budget: the header tells `add` more (Binance)", {"add": 3_000}),
    "rest_fail": Kind("requests fail with a status, after `delay_s` real seconds", {"status": 503, "delay_s": 0.0}),
    # the venue
    "maintenance": Kind("no trading, no data, requests fail, the status says so where there is one"),
    "rules": Kind(
        "a pair's rules change: status online, halted, cancel_only or delisted, tick, min_size",
        {"status": "", "tick": 0, "min_size": 0},
    ),
    "clock": Kind("the venue's clock is off by `offset_s`, all at once", {"offset_s": 5.0}),
    # prices
    "burst": Kind("`factor` times as many orders", {"factor": 40.0}),
    "drift": Kind("the venue's prices leave the others' by `per_second`", {"per_second": 0.000_5}),
    "stuck": Kind("the venue repeats its last price with fresh times"),
    "bad_tick": Kind("one trade is printed at `times` its price, without a trace in the book", {"times": 0.1}),
    "shock": Kind(
        "an asset's worth changes everywhere by `share` over `over_s`", {"asset": "BTC", "share": -0.2, "over_s": 60.0}, True
    ),
}


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of a script. Times are seconds of venue time after the doors open (or after it was added at run time)."""

    kind: str
    venue: str = ""
    at_s: float = 0.0
    for_s: float | None = None  # None: until it has used up its count, or is taken away
    channel: str = ""  # one of CHANNELS; "" is every data channel
    symbol: str = ""  # BTC/USD; "" is every pair
    count: int | None = None
    params: dict[str, Value] = {}

    def param(self, name: str) -> Any:
        """A parameter, or its default."""
        return self.params.get(name, KINDS[self.kind].params[name])


def checked(fault: Fault, venues: Sequence[str], where: str) -> Fault:
    """The fault as it is. Raises BadUse where a name is unknown or a number is out of range."""
    kind = KINDS.get(fault.kind)
    if kind is None:
        raise _wrong(f"{fault.kind!r} is no kind of fault", where, ", ".join(KINDS))
    if not kind.everywhere and fault.venue not in venues:
        raise _wrong(f"{fault.venue!r} is no venue here", where, ", ".join(venues))
    unknown = sorted(fault.params.keys() - kind.params.keys())
    if unknown:
        raise _wrong(f"{fault.kind} knows no {unknown[0]}", where, ", ".join(kind.params) or "no parameters")
    for name, value in fault.params.items():
        if isinstance(value, str) != isinstance(kind.params[name], str):
            raise _wrong(f"{name} = {value!r}", where, f"such as {kind.params[name]!r}")
    if fault.channel and fault.channel not in CHANNELS:
        raise _wrong(f"{fault.channel!r} is no channel", where, ", ".join(CHANNELS))
    if (
        not (0 <= fault.at_s < 1e9)
        or not (fault.for_s is None or 0 < fault.for_s < 1e9)
        or not (fault.count is None or fault.count > 0)
    ):
        raise _wrong("a time or count is out of range", where, "at_s from 0, for_s and count above 0")
    return fault


def read(data: Any, venues: Sequence[str], where: str) -> list[Fault]:
    """Faults of one mapping, a list of them, or {"fault": [...]}. Raises BadUse."""
    if isinstance(data, dict) and "fault" in data:
        data = data["fault"]
    try:
        found = msgspec.convert(data if isinstance(data, list) else [data], list[Fault])
    except msgspec.ValidationError as error:
        raise _wrong(str(error), where, "kind, venue, at_s, for_s, channel, symbol, count, params") from None
    return [checked(fault, venues, f"{where}, fault {place}") for place, fault in enumerate(found, 1)]


def load(path: Path, venues: Sequence[str]) -> list[Fault]:
    """The script of a TOML file ([[fault]] tables) or a JSON file. Raises BadUse."""
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (ValueError, UnicodeDecodeError) as error:
        raise _wrong(f"cannot be read: {error}", str(path), "TOML with [[fault]] tables, or JSON") from None
    return read(data, venues, str(path))


def _wrong(what: str, where: str, expected: str) -> BadUse:
    return BadUse(what, where=where, expected=expected, todo="correct the script; see docs/sandbox.md")
