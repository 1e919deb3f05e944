"""Finds a key written twice in one JSON object, which every fast decoder passes over in silence."""

from __future__ import annotations

import json

from tradewind.domain.errors import BadData


def _refuse_twice(pairs: list[tuple[str, object]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise BadData(f"key {twice[:40]!r} occurs twice", expected="each key once")


def refuse_duplicates(text: bytes) -> None:
    """Raises BadData where an object in `text` names a key twice. Slow: called only where counting colons leaves a doubt."""
    try:
        json.loads(text, object_pairs_hook=_refuse_twice)
    except (ValueError, RecursionError) as error:
        raise BadData(f"is no JSON: {error}", expected="a JSON message") from error
