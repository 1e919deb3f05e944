"""ccxt's answers as the bridge's: contracts in base units exactly, what cannot be bridged by its reason, methods there are not."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from tradewind.domain.errors import BadData
from tradewind.fabric import unified
from tradewind.fabric.ccxtmade import Told

TICK_SIZE, DECIMAL_PLACES = 4, 2


class NotSupported(Exception):
    """Stands for ccxt's."""


class ArgumentsRequired(Exception):
    """Stands for ccxt's."""


@pytest.fixture(autouse=True)
def small_ccxt(monkeypatch: pytest.MonkeyPatch) -> None:
    """ccxt itself costs a second and a hundred megabytes."""
    names: dict[str, Any] = {"NotSupported": NotSupported, "ArgumentsRequired": ArgumentsRequired, "__version__": "0"}
    library = SimpleNamespace(TICK_SIZE=TICK_SIZE, DECIMAL_PLACES=DECIMAL_PLACES, **names)
    monkeypatch.setattr(unified, "library", lambda: library)


def market(**changes: Any) -> dict[str, Any]:
    """A linear perpetual of hundredths, as OKX has them."""
    return {
        "symbol": "BTC/USDT:USDT", "base": "BTC", "quote": "USDT", "type": "swap", "spot": False, "swap": True, "linear": True,
        "contractSize": Told("0.01"), "precision": {"price": Told("0.1"), "amount": Told("0.01")},
        "limits": {"amount": {"min": Told("0.01")}, "cost": {"min": None}}, "maker": 0.0002, "taker": 0.0005, "active": True,
    } | changes  # fmt: skip


class Exchange:
    """As much of a ccxt exchange as is asked."""

    id, timeframes = "okx", {"1m": "1m", "1h": "1H"}

    def __init__(self, *listed: dict[str, Any], able: tuple[str, ...] = ("fetchOrderBook", "fetchTrades", "fetchOHLCV")) -> None:
        self.markets = {one["symbol"]: one for one in listed}
        self.has = dict.fromkeys(able, True)
        self.precisionMode = TICK_SIZE
        self.asked: list[Any] = []

    def milliseconds(self) -> int:
        return 99

    async def fetch_order_book(self, symbol: str) -> Any:
        return {"bids": [[Told("60000.1"), Told("12")]], "asks": [[Told("60000.2"), Told("0.7")]], "timestamp": 5}

    async def fetch_trades(self, symbol: str, since: Any, limit: int, params: Any = None) -> Any:
        self.asked.append(params)
        if params is None:
            raise ArgumentsRequired
        return [{"id": "7", "timestamp": 5, "side": "buy", "price": Told("60000.1"), "amount": Told("3")}]


def told(made: Exchange, path: str, **query: str) -> Any:
    return asyncio.run(unified.ROUTES[path](made, query))


def test_contracts_become_base_units_exactly() -> None:
    made = Exchange(market())
    (one,) = told(made, "/markets")
    assert (one.kind, one.price_step, one.amount_step, one.least_amount) == ("linear", "0.1", "0.0001", "0.0001")
    book = told(made, "/book", symbol="BTC/USDT:USDT")
    assert (book.bids, book.asks) == ([("60000.1", "0.12")], [("60000.2", "0.007")])
    assert told(made, "/trades", symbol="BTC/USDT:USDT", since="0").trades[0].amount == "0.03"


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [("3", None, "3"), ("1e-3", "1000", "1.000"), ("0", "0.01", "0.00"), ("9" * 38, "0.1", "9" * 37 + ".9")],
)
def test_products_are_exact(text: str, size: str | None, expected: str) -> None:
    assert unified.times(text, size and Decimal(size)) == expected  # type: ignore[arg-type]


def test_an_amount_that_is_no_number_is_refused() -> None:
    for text in ("x", "9" * 99):
        with pytest.raises(BadData):
            unified.times(text, Decimal("0.33"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"linear": False, "symbol": "BTC/USD:ETH"}, "settled in a third asset"),
        ({"linear": False, "inverse": True, "contractSize": None}, "inverse contract of no known size"),
        ({"swap": False, "type": "option", "base": None}, "option"),
        ({"swap": False, "future": True, "type": "future"}, "a future of no known end"),
        ({"swap": False, "future": True, "type": "future", "symbol": "BTC/USDT:USDT-2609"}, "a future of no known end"),
        ({"contractSize": 0.01}, "does not know its steps exactly"),
        ({"contractSize": Told("0")}, "does not know its steps exactly"),
        ({"precision": {"price": None, "amount": None}}, "does not know its steps exactly"),
        ({"precision": {}}, "does not know its steps exactly"),
    ],
)
def test_what_is_not_bridged_says_why(changes: dict[str, Any], why: str) -> None:
    (one,) = told(Exchange(market(**changes)), "/markets")
    assert one.kind == "" and why in one.why


def test_an_inverse_contract_counts_its_quote_asset() -> None:
    made = Exchange(market(symbol="BTC/USD:BTC", quote="USD", linear=False, inverse=True, contractSize=Told("100"),
                           precision={"price": Told("0.1"), "amount": Told("1")}, limits={"amount": {"min": Told("1")}}),
                    able=("fetchOrderBook", "fetchTrades", "fetchOHLCV"))  # fmt: skip
    (one,) = told(made, "/markets")
    assert (one.kind, one.dated, one.amount_step, one.least_amount) == ("inverse", "", "100", "100")
    assert told(made, "/book", symbol="BTC/USD:BTC").bids == [("60000.1", "1200")], "12 contracts of 100 USD"
    with pytest.raises(NotSupported, match="nobody says whether"):
        told(made, "/candles", symbol="BTC/USD:BTC", timeframe="1m", since="0", until="1")


def test_a_dated_future_says_when_it_ends() -> None:
    made = Exchange(market(swap=False, future=True, type="future", symbol="BTC/USDT:USDT-260925"))
    (one,) = told(made, "/markets")
    assert (one.kind, one.base, one.dated, one.why) == ("linear", "BTC", "260925", "")


def test_marks_are_told_as_far_as_the_venue_tells_them() -> None:
    made = Exchange(market(), able=("fetchFundingRate",))
    answers = iter([
        {"timestamp": 5, "markPrice": Told("60000.15"), "indexPrice": Told("60001"), "fundingRate": Told("0.0001"),
         "fundingTimestamp": 9},
        {"timestamp": None, "markPrice": None, "fundingRate": Told("-0.5e-3"), "nextFundingTimestamp": 7},
    ])  # fmt: skip

    async def fetch(symbol: str) -> Any:
        return next(answers)

    made.fetch_funding_rate = fetch  # type: ignore[attr-defined]
    found = [told(made, "/marks", symbol="BTC/USDT:USDT") for _ in range(2)]
    assert [(one.ts, one.mark, one.index, one.rate, one.next) for one in found] == [
        (5, "60000.15", "60001", "0.0001", 9), (0, "", "", "-0.5e-3", 7),
    ]  # fmt: skip


def test_whole_contracts_and_spot_pairs_stay_as_they_are() -> None:
    whole = market(contractSize=Told("1"))
    bare = market(contractSize=1.0, symbol="ETH/USDT:USDT")
    spot = market(symbol="BTC/USDT", spot=True, swap=False, linear=None, contractSize=None)
    assert [one.amount_step for one in told(Exchange(whole, bare, spot), "/markets")] == ["0.01"] * 3


def test_what_counts_contracts_or_units_is_not_told() -> None:
    made = Exchange(market(), able=("fetchOHLCV", "fetchOpenInterest"))
    for path in ("/candles", "/interest"):
        with pytest.raises(NotSupported, match="nobody says whether"):
            told(made, path, symbol="BTC/USDT:USDT", timeframe="1m", since="0", until="1")


def test_a_method_there_is_not_is_named() -> None:
    made = Exchange(market(), able=())
    for path, method in {"/book": "fetchOrderBook", "/trades": "fetchTrades", "/time": "fetchTime"}.items():
        with pytest.raises(NotSupported, match=f"has no {method} for okx"):
            told(made, path, symbol="BTC/USDT:USDT", since="0")


def test_a_timeframe_there_is_not_is_named_with_those_there_are() -> None:
    made = Exchange(market(contractSize=None))
    with pytest.raises(NotSupported, match="no candles of 4h, but of 1m, 1h"):
        told(made, "/candles", symbol="BTC/USDT:USDT", timeframe="4h", since="0", until="1")


def test_a_history_that_must_know_its_end_is_told_it() -> None:
    made = Exchange(market())
    told(made, "/trades", symbol="BTC/USDT:USDT", since="0")
    assert made.asked == [None, {"until": 99}]


def test_sides_are_the_takers() -> None:
    """Coinbase tells the maker's, and ccxt hands it on."""
    one = {"id": "1", "timestamp": 5, "side": "buy", "price": Told("1"), "amount": Told("1")}
    assert [unified.deal_of(one, name).side for name in ("okx", "coinbase")] == ["buy", "sell"]
