"""ccxt's unified answers as the bridge's JSON, and which of its calls answers which request of the adapter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tradewind.domain.errors import BadData
from tradewind.venues.bridge import wire

from .ccxtmade import Told, library, plain

TRADES, CANDLES, LEVELS = 1_000, 1_000, 500  # asked for at once, where the venue gives so many
MS_OF = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
Query = dict[str, str]


async def _markets(made: Any, _: Query) -> list[wire.Listed]:
    found = [_listed(one, made.precisionMode) for one in made.markets.values()]
    return [one for one in found if one is not None]


def _listed(one: Any, mode: int) -> wire.Listed | None:
    """A market, where it is a spot pair or a linear perpetual of whole units and its steps are known."""
    kind = "spot" if one.get("spot") else "linear" if one.get("swap") and one.get("linear") else ""
    size = one.get("contractSize")
    if not kind or (size is not None and float(size) != 1.0):
        return None
    try:
        price, amount = (_step(one["precision"].get(name), mode) for name in ("price", "amount"))
        limits = one.get("limits") or {}
        least, cost = (_text((limits.get(name) or {}).get("min")) for name in ("amount", "cost"))
        fees = (_fee(one.get("maker")), _fee(one.get("taker")))
        return wire.Listed(
            one["symbol"], one["base"], one["quote"], kind, price, amount, least, cost, *fees, one.get("active") is not False
        )
    except (BadData, KeyError, AttributeError):
        return None  # ccxt does not know its steps


def _step(value: Any, mode: int) -> str:
    """The least change of a price or a quantity, as a text. Raises BadData where ccxt counts significant digits or knows none."""
    ccxt = library()
    text = plain(value)
    if mode == ccxt.TICK_SIZE:
        return text
    if mode != ccxt.DECIMAL_PLACES:
        raise BadData("steps by significant digits", expected="a tick")
    places = int(text)
    return "1" + "0" * -places if places <= 0 else "0." + "0" * (places - 1) + "1"


def _text(value: Any) -> str:
    """A number's text; "" where it has none."""
    return value.text if isinstance(value, Told) else str(value) if isinstance(value, int | str) else ""


def _fee(value: Any) -> str:
    """A fee; ccxt's own table of them is of floats, and of few decimals."""
    return "" if value is None else f"{float(value):.7f}"


def book_of(told: Any, symbol: str) -> wire.Book:
    """A whole book of ccxt's, its best LEVELS."""
    sides = [[(plain(level[0]), plain(level[1])) for level in told[side][:LEVELS]] for side in ("bids", "asks")]
    return wire.Book(symbol, True, told.get("timestamp") or 0, sides[0], sides[1])


def deal_of(one: Any) -> wire.Deal:
    """A trade of ccxt's."""
    number, side = one.get("id"), one.get("side")
    return wire.Deal(str(number or ""), int(one["timestamp"] or 0), str(side or ""), plain(one["price"]), plain(one["amount"]))


def candle_of(one: Any) -> wire.Candle:
    """A bar of ccxt's."""
    return (int(one[0]), *(plain(number) for number in one[1:6]))  # type: ignore[return-value]


async def _book(made: Any, query: Query) -> wire.Book:
    return book_of(await made.fetch_order_book(query["symbol"]), query["symbol"])


async def _trades(made: Any, query: Query) -> wire.Page:
    since = int(query["since"])
    found = await made.fetch_trades(query["symbol"], since or None, TRADES)
    return wire.Page(since, [deal_of(one) for one in found])


async def _candles(made: Any, query: Query) -> wire.Candles:
    """Those that begin in [since, until)."""
    timeframe, since, until = query["timeframe"], int(query["since"]), int(query["until"])
    step = int(timeframe[:-1]) * MS_OF[timeframe[-1]]
    wanted = min(CANDLES, max(1, -((since - until) // step)))
    found = await made.fetch_ohlcv(query["symbol"], timeframe, since, wanted)
    return wire.Candles(query["symbol"], timeframe, [candle_of(one) for one in found if since <= one[0] < until])


async def _interest(made: Any, query: Query) -> wire.Interest:
    told = await made.fetch_open_interest(query["symbol"])
    return wire.Interest(int(told["timestamp"] or 0), plain(told["openInterestAmount"]))


async def _time(made: Any, _: Query) -> wire.Time:
    return wire.Time(int(await made.fetch_time()))


ROUTES: dict[str, Callable[[Any, Query], Awaitable[Any]]] = {
    "/markets": _markets, "/book": _book, "/trades": _trades, "/candles": _candles, "/interest": _interest, "/time": _time,
}  # fmt: skip
