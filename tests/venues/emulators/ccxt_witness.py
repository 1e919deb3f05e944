"""An unmodified ccxt against the emulated venues: prints what it saw as JSON. Run in a process of its own.

python ccxt_witness.py '{"binance": {"rest": "http://...", "ws": "ws://..."}, ...}'
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

SYMBOLS = {"binance": "BTC/USDT", "binance-usdm": "BTC/USDT:USDT", "kraken": "BTC/USD", "coinbase": "BTC/USD"}
CLASSES = {"binance-usdm": "binanceusdm"}  # elsewhere the name is the class
UPDATES = 8
WAIT_S = 20.0


def moved(urls: Any, rest: str, ws: str) -> Any:
    """ccxt's own table of addresses with the hosts replaced and the paths left alone."""
    if isinstance(urls, dict):
        return {name: moved(item, rest, ws) for name, item in urls.items()}
    if not isinstance(urls, str) or "://" not in urls:
        return urls
    scheme, _, tail = urls.partition("://")
    _, slash, path = tail.partition("/")
    return (ws if scheme.startswith("ws") else rest) + slash + path


def exchange(name: str, address: dict[str, str]) -> Any:
    import ccxt.pro  # a second, and a hundred megabytes: never in the process of the tests

    made = getattr(ccxt.pro, CLASSES.get(name, name))({"enableRateLimit": True})
    made.urls["api"] = moved(made.urls["api"], address["rest"], address["ws"])
    if name.startswith("binance"):
        made.options["fetchMarkets"] = {"types": ["spot" if name == "binance" else "linear"]}
        made.options["fetchMargins"] = made.has["fetchCurrencies"] = False
    return made


async def book_seen(made: Any, symbol: str) -> dict[str, Any]:
    """Watches the book; crossed or unsorted at any update is told."""
    bad = 0
    book: Any = None
    for _ in range(UPDATES):
        book = await asyncio.wait_for(made.watch_order_book(symbol), WAIT_S)
        prices = [row[0] for row in book["bids"]], [row[0] for row in book["asks"]]
        bad += prices[0] != sorted(prices[0], reverse=True) or prices[1] != sorted(prices[1]) or prices[0][0] >= prices[1][0]
    return {"bid": book["bids"][0][0], "ask": book["asks"][0][0], "bad": bad, "levels": len(book["bids"])}


async def trades_seen(made: Any, symbol: str) -> dict[str, Any]:
    seen: dict[str, list[Any]] = {}
    while len(seen) < 4:
        for trade in await asyncio.wait_for(made.watch_trades(symbol), WAIT_S):
            seen[trade["id"]] = [trade["price"], trade["amount"], trade["side"], trade["timestamp"]]
    return seen


async def witness(name: str, address: dict[str, str]) -> dict[str, Any]:
    made, symbol = exchange(name, address), SYMBOLS[name]
    try:
        markets = await made.load_markets()
        market = markets[symbol]
        book = await made.fetch_order_book(symbol)
        trades = await made.fetch_trades(symbol)
        candles = await made.fetch_ohlcv(symbol, "1m")
        return {
            "markets": sorted(markets),
            "precision": [market["precision"]["price"], market["precision"]["amount"]],
            "active": market["active"],
            "min": market["limits"]["amount"]["min"],
            "book": [book["bids"][:3], book["asks"][:3]],
            "trades": {trade["id"]: [trade["price"], trade["amount"], trade["side"], trade["timestamp"]] for trade in trades},
            "candles": candles,
            "watched": await book_seen(made, symbol),
            "heard": await trades_seen(made, symbol),
        }
    finally:
        await made.close()


async def main() -> None:
    addresses = json.loads(sys.argv[1])
    found = await asyncio.gather(*(witness(name, address) for name, address in addresses.items()))
    print(json.dumps(dict(zip(addresses, found, strict=True))))


if __name__ == "__main__":
    asyncio.run(main())
