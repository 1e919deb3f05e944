"""What the emulated venues list: instruments with the rules a venue publishes of them."""

from __future__ import annotations

import msgspec


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of one venue. Prices are integers in 10^-price_decimals, sizes in 10^-size_decimals."""

    base: str
    quote: str
    price_decimals: int
    size_decimals: int
    tick: int = 1  # prices are multiples of it
    min_size: int = 1
    min_notional: str = "5"
    zeros_to: int = 8  # Binance writes spot numbers with so many digits, whatever the tick
    status: str = "online"  # online | halted | cancel_only | delisted

    @property
    def symbol(self) -> str:
        """The pair as this package names it."""
        return f"{self.base}/{self.quote}"


WORTH = {"BTC": 78_850.0, "ETH": 3_120.0, "SOL": 186.5, "USDT": 1.0, "USDC": 1.0, "EUR": 1.09, "USD": 1.0}
"""What one unit of an asset is worth in USD when the flow begins."""

BINANCE = (
    Listing(base="BTC", quote="USDT", price_decimals=2, size_decimals=5),
    Listing(base="ETH", quote="USDT", price_decimals=2, size_decimals=4),
    Listing(base="USDC", quote="USDT", price_decimals=4, size_decimals=0),
)
KRAKEN = (
    Listing(base="BTC", quote="USD", price_decimals=1, size_decimals=8, min_size=5_000, min_notional="0.5"),
    Listing(base="ETH", quote="USD", price_decimals=2, size_decimals=8, min_size=200_000, min_notional="0.5"),
    Listing(base="USDT", quote="USD", price_decimals=5, size_decimals=8, min_size=500_000_000, min_notional="0.5"),
    Listing(base="USDC", quote="USD", price_decimals=4, size_decimals=8, min_size=500_000_000, min_notional="0.5"),
)
COINBASE = (
    Listing(base="BTC", quote="USD", price_decimals=2, size_decimals=8, min_notional="1"),
    Listing(base="ETH", quote="USD", price_decimals=2, size_decimals=8, min_notional="1"),
    Listing(base="USDT", quote="USD", price_decimals=5, size_decimals=2, min_notional="1"),
)
USDM = (
    Listing(base="BTC", quote="USDT", price_decimals=2, size_decimals=3, tick=10, zeros_to=0),
    Listing(base="ETH", quote="USDT", price_decimals=2, size_decimals=3, zeros_to=0),
)
LISTINGS = {"binance": BINANCE, "binance-usdm": USDM, "kraken": KRAKEN, "coinbase": COINBASE}
