"""ccxt's unified answers as the bridge's JSON, and which of its calls answers which request of the adapter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation
from typing import Any

from tradewind.domain.errors import BadData
from tradewind.venues.bridge import wire

from .ccxtmade import Told, library, plain

TRADES, CANDLES, LEVELS = 1_000, 1_000, 500  # asked for at once, where the venue gives so many
MS_OF = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
Query = dict[str, str]


MAKERS = ("coinbase", "coinbaseadvanced")  # ccxt hands on the side these venues tell, which is the maker's
DAY_DIGITS = 6  # YYMMDD
OTHER_SIDE = {"buy": "sell", "sell": "buy"}
_EXACT = Context(prec=100, traps=[Inexact, InvalidOperation])


async def _markets(made: Any, _: Query) -> list[wire.Listed]:
    return [_listed(one, made.precisionMode) for one in made.markets.values()]


def _listed(one: Any, mode: int) -> wire.Listed:
    """A market in base units; one that is not bridged says why."""
    symbol, why = str(one["symbol"]), _stranger(one)
    base, quote = (str(one.get(name) or "") for name in ("base", "quote"))
    try:
        if not why:
            size = contract_of(one)
            price, amount = (_step(one["precision"].get(name), mode) for name in ("price", "amount"))
            limits = one.get("limits") or {}
            least, cost = (_text((limits.get(name) or {}).get("min")) for name in ("amount", "cost"))
            kind = "spot" if one.get("spot") else "linear" if one.get("linear") else "inverse"
            return wire.Listed(
                symbol, base, quote, kind, price, times(amount, size), times(least, size) if least else "", cost,
                _fee(one.get("maker")), _fee(one.get("taker")), one.get("active") is not False, _day_of(one),
            )  # fmt: skip
    except (BadData, KeyError, AttributeError, TypeError):
        why = "ccxt does not know its steps exactly"
    return wire.Listed(symbol, base, quote, "", "", "", why=why)


def _stranger(one: Any) -> str:
    """Why a market is of no sort that can be bridged; "" for a spot pair, a perpetual, a dated future."""
    if one.get("spot"):
        return ""
    if not (one.get("swap") or one.get("future")):
        return f"a {one.get('type') or 'market of no known sort'}: only spot pairs, perpetuals and futures are bridged"
    if not (one.get("linear") or one.get("inverse")):
        return "settled in a third asset: only linear and inverse contracts are bridged"
    if one.get("inverse") and one.get("contractSize") is None:
        return "an inverse contract of no known size"
    return "a future of no known end" if one.get("future") and not _day_of(one) else ""


def _day_of(one: Any) -> str:
    """The day a dated future ends, as its symbol tells it behind the last dash; "" for what does not end."""
    day = str(one["symbol"]).rpartition("-")[2] if one.get("future") else ""
    return day if len(day) == DAY_DIGITS and day.isascii() and day.isdigit() else ""


def contract_of(one: Any) -> Decimal | None:
    """How much of the base asset (an inverse contract: of the quote asset) a contract is; None for 1. Raises BadData."""
    size = one.get("contractSize")
    if one.get("spot") or size is None:
        return None
    try:
        found = Decimal(int(size) if type(size) is float and size.is_integer() else plain(size))  # 1.0 is 1 without its text too
    except DecimalException as error:
        raise BadData("a contract of no known size") from error
    if not 0 < found < 1_000_000_000:
        raise BadData("a contract of no known size")
    return None if found == 1 else found


def size_of(made: Any, symbol: str) -> Decimal | None:
    """`contract_of` a market by its name."""
    return contract_of(made.markets[symbol])


def times(text: str, size: Decimal | None) -> str:
    """An amount of contracts as one of the asset they count, exactly. Raises BadData."""
    if size is None:
        return text
    try:
        return f"{_EXACT.multiply(_EXACT.create_decimal(text), size):f}"
    except DecimalException as error:
        raise BadData("an amount that is no number", expected="as the venue wrote it") from error


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


def book_of(told: Any, symbol: str, size: Decimal | None = None) -> wire.Book:
    """A whole book of ccxt's, its best LEVELS."""
    sides = [[(plain(level[0]), times(plain(level[1]), size)) for level in told[side][:LEVELS]] for side in ("bids", "asks")]
    return wire.Book(symbol, True, told.get("timestamp") or 0, sides[0], sides[1])


def deal_of(one: Any, exchange: str, size: Decimal | None = None) -> wire.Deal:
    """A trade of ccxt's, its side the taker's."""
    number, side = one.get("id"), str(one.get("side") or "")
    if exchange in MAKERS:
        side = OTHER_SIDE.get(side, side)
    return wire.Deal(str(number or ""), int(one["timestamp"] or 0), side, plain(one["price"]), times(plain(one["amount"]), size))


def candle_of(one: Any) -> wire.Candle:
    """A bar of ccxt's."""
    return (int(one[0]), *(plain(number) for number in one[1:6]))  # type: ignore[return-value]


def able(made: Any, method: str) -> None:
    """Raises ccxt's NotSupported where it has no such method for this venue."""
    if not made.has.get(method):
        raise library().NotSupported(f"ccxt {library().__version__} has no {method} for {made.id}")


def of_units(made: Any, symbol: str, what: str) -> None:
    """Raises NotSupported for what venues count in contracts, in base or in quote, each as it likes."""
    if size_of(made, symbol) is not None or made.markets[symbol].get("inverse"):
        raise library().NotSupported(f"{what} of {symbol}: nobody says whether they count contracts of it or units")


async def _book(made: Any, query: Query) -> wire.Book:
    able(made, "fetchOrderBook")
    return book_of(await made.fetch_order_book(query["symbol"]), query["symbol"], size_of(made, query["symbol"]))


async def _trades(made: Any, query: Query) -> wire.Page:
    able(made, "fetchTrades")
    symbol, since = query["symbol"], int(query["since"])
    try:
        found = await made.fetch_trades(symbol, since or None, TRADES)
    except library().ArgumentsRequired:  # Coinbase's history wants to know its end as well
        found = await made.fetch_trades(symbol, since or None, TRADES, {"until": made.milliseconds()})
    size = size_of(made, symbol)
    return wire.Page(since, [deal_of(one, made.id, size) for one in found])


async def _candles(made: Any, query: Query) -> wire.Candles:
    """Those that begin in [since, until)."""
    able(made, "fetchOHLCV")
    symbol, timeframe, since, until = query["symbol"], query["timeframe"], int(query["since"]), int(query["until"])
    of_units(made, symbol, "candles")
    if made.timeframes and timeframe not in made.timeframes:
        raise library().NotSupported(f"{made.id} has no candles of {timeframe}, but of {', '.join(made.timeframes)}")
    step = int(timeframe[:-1]) * MS_OF[timeframe[-1]]
    wanted = min(CANDLES, max(1, -((since - until) // step)))
    found = await made.fetch_ohlcv(symbol, timeframe, since, wanted)
    return wire.Candles(symbol, timeframe, [candle_of(one) for one in found if since <= one[0] < until])


async def _interest(made: Any, query: Query) -> wire.Interest:
    able(made, "fetchOpenInterest")
    of_units(made, query["symbol"], "open contracts")
    told = await made.fetch_open_interest(query["symbol"])
    return wire.Interest(int(told["timestamp"] or 0), plain(told["openInterestAmount"]))


async def _marks(made: Any, query: Query) -> wire.Marks:
    able(made, "fetchFundingRate")
    told = await made.fetch_funding_rate(query["symbol"])
    mark, index, rate = (_text(told.get(name)) for name in ("markPrice", "indexPrice", "fundingRate"))
    due = told.get("fundingTimestamp") or told.get("nextFundingTimestamp") or 0
    return wire.Marks(int(told.get("timestamp") or 0), mark, index, rate, int(due))


async def _time(made: Any, _: Query) -> wire.Time:
    able(made, "fetchTime")
    return wire.Time(int(await made.fetch_time()))


ROUTES: dict[str, Callable[[Any, Query], Awaitable[Any]]] = {
    "/markets": _markets, "/book": _book, "/trades": _trades, "/candles": _candles, "/interest": _interest, "/marks": _marks,
    "/time": _time,
}  # fmt: skip
