"""A key written twice is named."""

from __future__ import annotations

import pytest

from tradewind.domain.errors import BadData
from tradewind.venues.duplicates import refuse_duplicates


@pytest.mark.parametrize("text", [b'{"a":1,"a":2}', b'{"x":[{"u":1,"b":2,"u":1}]}', b"[" * 100_000, b"{", b"1" * 5_000])
def test_refused(text: bytes) -> None:
    with pytest.raises(BadData):
        refuse_duplicates(text)


def test_same_key_in_different_objects_is_fine() -> None:
    refuse_duplicates(b'{"a":{"a":1},"b":[{"a":1},{"a":2}]}')
