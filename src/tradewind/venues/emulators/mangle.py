"""Frames spoilt on their way out: text in, text or bytes out."""

from __future__ import annotations

import re
from datetime import datetime

TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"')
MS = re.compile(r'"(E|T|time|serverTime|t)":(\d{13})\b')
NUMBER_TEXT = re.compile(r'"(-?\d+(?:\.\d+)?)"')
NUMBER = re.compile(r"(?<=[:\[,])(-?\d+\.\d+)(?=[,\]}])")
WORD = re.compile(r'"(e|side|type|status|system)":"\w+"')
MATTERS = ("u", "new_quantity", "checksum", "p", "price", "a", "size", "qty", "B", "symbol")
NESTED = 100_000


def field_new(text: str, name: str) -> str:
    """An unknown field in every object that has fields."""
    return re.sub(r'\{(?=")', f'{{"{name}":{{"v":[1,null,"x"]}},', text)


def field_missing(text: str, name: str) -> str:
    """The named field gone everywhere; without a name the first that matters and occurs."""
    chosen = name or next((item for item in MATTERS if f'"{item}":' in text), "")
    value = r'(?:"[^"]*"|-?[\d.]+|true|false|null|\[(?:[^\[\]]|\[[^\[\]]*\])*\])'
    without = re.sub(rf'"{re.escape(chosen)}":{value},', "", text)
    return re.sub(rf',"{re.escape(chosen)}":{value}', "", without)


def enum_new(text: str, value: str) -> str:
    """The last word of few becomes a new one."""
    found = list(WORD.finditer(text))
    if not found:
        return text
    last = found[-1]
    return f'{text[: last.start()]}"{last[1]}":"{value}"{text[last.end() :]}'


def number_text(text: str) -> str:
    """Texts of numbers without their quotes; where there are none, numbers with a point in quotes."""
    swapped = NUMBER_TEXT.sub(r"\1", text)
    return swapped if swapped != text else NUMBER.sub(r'"\1"', text)


def microseconds(text: str) -> str:
    """Times in microseconds since 1970."""
    return TIME.sub(lambda found: str(_micros(found[1])), MS.sub(r'"\1":\g<2>000', text))


def _micros(text: str) -> int:
    whole, _, part = text[:-1].partition(".")
    return round(datetime.fromisoformat(whole + "+00:00").timestamp()) * 1_000_000 + int(part[:6].ljust(6, "0") or 0)


def huge(text: str, size: int) -> str:
    """The same object with a very long unknown text in it."""
    return text[:-1] + f',"padding":"{"x" * size}"}}'


def garbage(text: str, what: str) -> bytes:
    """What no parser may believe, by name; `truncated` for a name nobody knows."""
    if what == "binary":
        return bytes(range(256)) * 4
    if what == "utf8":
        return text.encode()[:-1] + b',"x":"\xff\xfe\xc3"}'
    if what in _INSTEAD:
        return re.sub(r'(?<=[:\[,])"?-?\d+\.\d+"?', _INSTEAD[what], text, count=1).encode()
    if what == "nesting":
        return b"[" * NESTED + b"]" * NESTED
    if what == "duplicate_keys":
        return re.sub(r'"(u|price|price_level|p)":("?)([\d.]+)', r'"\1":\g<2>\g<3>\g<2>,"\1":\g<2>9\g<3>', text).encode()
    return b"" if what == "empty" else text[: len(text) // 2].encode()


_INSTEAD = {"nan": "NaN", "infinity": "-Infinity", "overflow": "1e400"}
