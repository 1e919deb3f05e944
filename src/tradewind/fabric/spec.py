"""A dataset's specification: a TOML file that says everything the content depends on, and nothing about places or machines.

The schema stands in docs/datasets.md, made from these Structs by `reference`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, get_args, get_type_hints

import msgspec

from tradewind.domain import codes
from tradewind.domain.errors import BadUse, TradewindError

Doc = Annotated


class Rows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rows: one for each bar of each instrument."""

    instruments: Annotated[list[str], "`venue:BASE/QUOTE`, a contract with `:perp` or `:inverse`; one row a bar of each, in order."]
    every: Annotated[str, "Length of a bar, e.g. `1m`; made from trades, or read where the tape has bars of that length."]
    start: Annotated[str, "First moment, UTC, e.g. `2024-08-08T06:00:00`; empty: the tapes' beginning."] = ""
    stop: Annotated[str, "End (not included); empty: the tapes' end."] = ""


class Features(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The inputs, by the machine's own definitions."""

    names: Annotated[list[str], "Features of bars, e.g. `rsi`; each gives its columns as `feature.field`."]


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be foretold."""

    kind: Annotated[str, "A labeller: `forward_return`, or one that a plug-in offers."] = "forward_return"
    horizon: Annotated[int, "Bars it looks ahead; the last rows, which cannot, have no label."] = 1


class External(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A series of observations, taken as of its publication."""

    name: Annotated[str, "The observations' name; it becomes a column `external.NAME`."]


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole specification."""

    name: Annotated[str, "For people; letters, digits, dash. Not part of the content."]
    tapes: Annotated[list[str], "Raw tapes, relative to this file; the id knows their content, not their place."]
    rows: Annotated[Rows, ""]
    features: Annotated[Features, ""]
    label: Annotated[Label, ""] = Label()
    external: Annotated[list[External], ""] = []

    def content(self) -> bytes:
        """What of the specification the id is made of: all but the name and the places."""
        plain = msgspec.to_builtins(self)
        return msgspec.json.encode({key: plain[key] for key in sorted(plain) if key not in ("name", "tapes")}, order="sorted")

    @property
    def every_code(self) -> int:
        """The timeframe's code."""
        return codes.TIMEFRAME_NAMES.index(self.rows.every)

    @property
    def span(self) -> tuple[int, int]:
        """[start, stop) in ns."""
        return moment(self.rows.start, 0), moment(self.rows.stop, 1 << 62)


def read(path: Path) -> Spec:
    """The specification in a file. Raises BadUse with key and expectation."""
    try:
        text = path.read_text("utf-8")
        spec = msgspec.convert(tomllib.loads(text), Spec)
        _judge(spec)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadUse(str(error), where=str(path), expected="a specification as docs/datasets.md describes it") from error
    except TradewindError as error:
        raise error.at(str(path)) from None
    return spec


def _judge(spec: Spec) -> None:
    if spec.rows.every not in codes.TIMEFRAME_NAMES:
        raise BadUse(f"no timeframe {spec.rows.every!r}", where="rows.every", expected=", ".join(codes.TIMEFRAME_NAMES))
    if spec.label.horizon < 1:
        raise BadUse(f"{spec.label.horizon} bars", where="label.horizon", expected="1 or more")
    for key, names in (("tapes", spec.tapes), ("rows.instruments", spec.rows.instruments), ("features.names", spec.features.names)):
        if not names:
            raise BadUse("names nothing", where=key, expected="one name or more")
        if len(set(names)) < len(names):
            raise BadUse("names something twice", where=key, expected="each name once")
    if spec.span[0] >= spec.span[1]:
        raise BadUse("stop is not after start", where="rows", expected="start < stop")


def moment(text: str, otherwise: int) -> int:
    """ns UTC of an ISO time. Raises BadUse."""
    if not text:
        return otherwise
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadUse(f"{text!r} is no time", expected="a time such as 2024-08-08T06:00:00") from error
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    whole = when.replace(microsecond=0)
    return int(whole.timestamp()) * codes.SECOND + when.microsecond * codes.MICROSECOND


def reference() -> str:
    """The schema as a Markdown table."""
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*lines, *_keys(Spec, "")]) + "\n"


def _keys(kind: type[msgspec.Struct], place: str) -> Iterator[str]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        plain, told = get_args(hints[field.name])
        inner = plain if isinstance(plain, type) else next(iter(get_args(plain)), plain)
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from _keys(inner, f"{place}{field.name}{'[]' if inner is not plain else ''}.")
        else:
            shown = plain.__name__ if isinstance(plain, type) and not get_args(plain) else str(plain)
            default = "required" if field.required else f"`{field.default!r}`"
            yield f"| `{place}{field.name}` | {shown} | {default} | {told} |"
