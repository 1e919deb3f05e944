"""Symbols: base and quote, the ambiguous ones by name."""

from __future__ import annotations

import pytest

from tradewind.domain.errors import BadData
from tradewind.venues.symbols import split_symbol


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("BTCUSDT", ("BTC", "USDT")),
        ("usdtusd", ("USDT", "USD")),
        ("USDCUSDT", ("USDC", "USDT")),
        ("USDCUSD", ("USDC", "USD")),
        ("BTCTUSD", ("BTC", "TUSD")),
        ("BTCFDUSD", ("BTC", "FDUSD")),
        ("ETHBTC", ("ETH", "BTC")),
        ("BTC/USD", ("BTC", "USD")),
        ("sol-usdc", ("SOL", "USDC")),
        ("EURUSDT", ("EUR", "USDT")),
    ],
)
def test_split(symbol: str, expected: tuple[str, str]) -> None:
    assert split_symbol(symbol) == expected


@pytest.mark.parametrize("symbol", ["", "USDT", "USD", "BTCXYZ", "BTC USDT", "БТCUSDT", "A" * 100 + "USDT", "/USD", "BTC/"])
def test_refused(symbol: str) -> None:
    with pytest.raises(BadData):
        split_symbol(symbol)
