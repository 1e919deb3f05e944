"""Symbols without a separator, split into base and quote."""

from __future__ import annotations

from tradewind.domain.errors import BadData

# Longest first, so that BTCFDUSD is not read as BTCFD/USD.
QUOTES = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USDP", "USD", "EUR", "GBP", "JPY", "TRY", "BRL", "BTC", "ETH", "BNB", "DAI")
MAX_SYMBOL = 24


def split_symbol(symbol: str) -> tuple[str, str]:
    """(base, quote) of BTCUSDT, btc-usd or BTC/USD. Raises BadData where no known quote asset ends it.

    USDTUSD is USDT/USD and not USD/TUSD: the dollar is never a base.
    """
    text = symbol.upper()
    if len(text) <= MAX_SYMBOL and text.isascii():
        for separator in "/-":
            base, found, quote = text.partition(separator)
            if found and base.isalnum() and quote.isalnum():
                return base, quote
        if text.isalnum():
            for quote in QUOTES:
                base = text.removesuffix(quote)
                if base not in (text, "", "USD"):
                    return base, quote
    raise BadData(f"symbol {symbol[:MAX_SYMBOL]!r} does not end in a known quote asset", expected=f"one of {', '.join(QUOTES)}")
