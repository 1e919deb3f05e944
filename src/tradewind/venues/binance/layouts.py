"""Binance's common frames as layouts, combined streams only (web-socket-streams.md; USD-M as recorded 2024-08-08)."""

from __future__ import annotations

from tradewind.domain.codes import BUY, DEPTH, QUOTE, SELL, TRADE
from tradewind.venues.scanner import (
    BEFORE,
    NUMBER,
    PRICE,
    QUANTITY,
    Layout,
    constant,
    each,
    end,
    integer,
    maybe,
    message_row,
    pick,
    same,
    stamp,
    symbol,
    until,
)
from tradewind.venues.walk import R_FIRST, R_REF, R_SIDE, R_SINK, R_SNAPSHOT

D, Q, T = 0, 1, 2  # places of depth, quote and trade among the adapter's channels
_LEVELS = each('["', PRICE, '","', QUANTITY, '"]', message_row(DEPTH))
_SIDES = [constant(R_SIDE, BUY), _LEVELS, ',"a":', constant(R_SIDE, SELL), _LEVELS]
_HEAD = ['{"stream":"', until("@")]
_BOOLEAN = pick(R_SINK, "true", "false")
_MAKER = pick(R_SIDE, "false", "true")
_QUOTE = [
    constant(R_SIDE, BUY), '","b":"', PRICE, '","B":"', QUANTITY, '"', message_row(QUOTE),
    constant(R_SIDE, SELL), ',"a":"', PRICE, '","A":"', QUANTITY, '"', message_row(QUOTE),
]  # fmt: skip
_DEPTH = [_HEAD, "@depth", maybe("@", until('"')), '","data":{"e":"depthUpdate","E":', stamp()]

SPOT_DEPTH: Layout = [
    _DEPTH, ',"s":"', symbol(D), '","U":', integer(R_FIRST), BEFORE, ',"u":', integer(R_REF), ',"b":', _SIDES, "}}", end(DEPTH, 1),
]  # fmt: skip
SPOT_QUOTE: Layout = [_HEAD, '@bookTicker","data":{"u":', integer(R_REF), ',"s":"', symbol(Q), _QUOTE, "}}", end(QUOTE)]
SPOT_TRADE: Layout = [
    _HEAD, '@trade","data":{"e":"trade","E":', stamp(R_SINK), ',"s":"', symbol(T), '","t":', integer(R_REF), ',"p":"', PRICE,
    '","q":"', QUANTITY, '","T":', stamp(), ',"m":', _MAKER, ',"M":', _BOOLEAN,
    "}}", message_row(TRADE), end(TRADE),
]  # fmt: skip
AGG_TRADE: Layout = [
    _HEAD, '@aggTrade","data":{"e":"aggTrade","E":', stamp(R_SINK), ',"s":"', symbol(T), '","a":', integer(R_REF), ',"p":"', PRICE,
    '","q":"', QUANTITY, '","f":', integer(R_SINK), ',"l":', integer(R_SINK), ',"T":', stamp(), ',"m":', _MAKER,
    maybe(',"M":', pick(R_SINK, "true", "false")), "}}", message_row(TRADE), end(TRADE),
]  # fmt: skip
_STATUS = maybe(',"st":', NUMBER)  # newer examples tell the symbol's state, and the pair beside it
USDM_DEPTH: Layout = [
    _DEPTH, ',"T":', stamp(R_SINK), ',"s":"', symbol(D), '"', maybe(',"ps":"', until('"'), '"'), _STATUS,
    ',"U":', integer(R_SINK), ',"u":', integer(R_REF), ',"pu":', integer(R_FIRST), ',"b":', _SIDES, "}}", end(DEPTH, 1),
]  # fmt: skip
USDM_QUOTE: Layout = [
    _HEAD, '@bookTicker","data":{"e":"bookTicker","u":', integer(R_REF), ',"s":"', symbol(Q),
    _QUOTE, ',"T":', stamp(R_SINK), ',"E":', stamp(), "}}", end(QUOTE),
]  # fmt: skip
USDM_TRADE: Layout = [
    _HEAD, '@trade","data":{"e":"trade","E":', stamp(R_SINK), ',"T":', stamp(), ',"s":"', symbol(T), '","t":', integer(R_REF),
    ',"p":"', PRICE, '","q":"', QUANTITY, '","X":"', until('"'), '","m":', _MAKER, "}}", message_row(TRADE), end(TRADE),
]  # fmt: skip
USDM_AGG_TRADE: Layout = [
    _HEAD, '@aggTrade","data":{"e":"aggTrade","E":', stamp(R_SINK), ',"a":', integer(R_REF), ',"s":"', symbol(T), '","p":"', PRICE,
    '","q":"', QUANTITY, '","f":', integer(R_SINK), ',"l":', integer(R_SINK), ',"T":', stamp(), ',"m":', _MAKER, _STATUS,
    "}}", message_row(TRADE), end(TRADE),
]  # fmt: skip
SNAPSHOT: Layout = [
    '{"lastUpdateId":', integer(R_REF), maybe(',"E":', stamp(), ',"T":', stamp(R_SINK)), ',"bids":', constant(R_SNAPSHOT, 1),
    constant(R_SIDE, BUY), _LEVELS, ',"asks":', constant(R_SIDE, SELL), _LEVELS, "}", end(DEPTH, 1),
]  # fmt: skip

OPEN_KLINE: Layout = [  # of a kline that has not ended: it says nothing yet
    _HEAD, '@kline_', until('"'), '","data":{"e":"kline","E":', stamp(R_SINK), ',"s":"', symbol(Q), '","k":{"t":', stamp(R_SINK),
    ',"T":', stamp(R_SINK), ',"s":"', same(Q), '","i":"', until('"'), '","f":', NUMBER, ',"L":', NUMBER,
    [[f',"{name}":"', PRICE, '"'] for name in "ochl"], ',"v":"', QUANTITY, '","n":', NUMBER, ',"x":false,"q":"', until('"'),
    '","V":"', until('"'), '","Q":"', until('"'), '","B":"', until('"'), '"}}}',
]  # fmt: skip

SPOT: tuple[Layout, ...] = (SPOT_DEPTH, SPOT_QUOTE)
USDM: tuple[Layout, ...] = (USDM_DEPTH, USDM_QUOTE)
