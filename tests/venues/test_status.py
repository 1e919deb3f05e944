"""What each venue's words for a symbol's trading status become; a word nobody knows is a halt, never a permission."""

from __future__ import annotations

import pytest

from tradewind.domain import codes
from tradewind.venues.binance import answers as binance
from tradewind.venues.coinbase import answers as coinbase
from tradewind.venues.kraken import answers as kraken


@pytest.mark.parametrize(
    ("word", "status"), [("TRADING", 0), ("CANCEL_ONLY", 3), ("HALT", 1), ("BREAK", 1), ("DELIVERED", 6), ("NEW_WORD", 1)]
)
def test_binance(word: str, status: int) -> None:
    filters = [binance.Filter(kind="PRICE_FILTER", tick="0.01"), binance.Filter(kind="LOT_SIZE", step="0.01")]
    made = binance._instrument("binance", binance.Symbol(symbol="A", status=word, base="A", quote="B", filters=filters))
    assert made.status == status


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("online", codes.TRADING), ("post_only", codes.STATUS_POST_ONLY), ("cancel_only", codes.STATUS_CANCEL_ONLY),
        ("limit_only", codes.STATUS_LIMIT_ONLY), ("reduce_only", codes.STATUS_REDUCE_ONLY), ("delisted", codes.STATUS_DELISTED),
        ("maintenance", codes.STATUS_HALT), ("NEW_WORD", codes.STATUS_HALT),
    ],
)  # fmt: skip
def test_kraken(word: str, status: int) -> None:
    assert kraken.STATUS.get(word, codes.STATUS_HALT) == status


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({}, codes.TRADING), ({"cancel_only": True}, codes.STATUS_CANCEL_ONLY), ({"post_only": True}, codes.STATUS_POST_ONLY),
        ({"limit_only": True}, codes.STATUS_LIMIT_ONLY), ({"trading_disabled": True, "post_only": True}, codes.STATUS_HALT),
        ({"view_only": True}, codes.STATUS_HALT), ({"status": "delisted"}, codes.STATUS_DELISTED),
        ({"is_disabled": True}, codes.STATUS_DELISTED), ({"status": "new word"}, codes.STATUS_HALT),
    ],
)  # fmt: skip
def test_coinbase(flags: dict[str, object], status: int) -> None:
    made = coinbase.Product(
        product_id="A-B", base_currency_id="A", quote_currency_id="B", base_increment="1", quote_increment="1", base_min_size="1",
        quote_min_size="1", price_increment="1", product_type="SPOT", **flags,
    )  # fmt: skip
    assert coinbase._status(made) == status
