"""Kraken's common v2 frames as layouts (docs.kraken.com; book as recorded 2026-08-24)."""

from __future__ import annotations

from tradewind.domain.codes import BUY, DEPTH, QUOTE, SELL, TRADE
from tradewind.venues.scanner import (
    BARE_PRICE,
    BARE_QUANTITY,
    NUMBER,
    Layout,
    constant,
    copy,
    each,
    end,
    integer,
    maybe,
    message_row,
    pick,
    symbol,
    time,
    until,
)
from tradewind.venues.walk import R_LAST, R_REF, R_SIDE, R_SINK, R_SNAPSHOT, R_TIME

D, Q, T = 0, 1, 2  # places of depth, quote and trade among the adapter's channels
CRC_END = 1 << 32
_LEVELS = each('{"price":', BARE_PRICE, ',"qty":', BARE_QUANTITY, "}", message_row(DEPTH))
_TIME = maybe(',"timestamp":"', time(), '"')

BOOK: Layout = [
    '{"channel":"book","type":"', pick(R_SNAPSHOT, "update", "snapshot"), '","data":[{"symbol":"', symbol(D),
    '","bids":', constant(R_SIDE, BUY), _LEVELS, ',"asks":', constant(R_SIDE, SELL), _LEVELS,
    ',"checksum":', integer(R_LAST, CRC_END), _TIME, "}]}", copy(R_REF, R_TIME), end(DEPTH, 1),
]  # fmt: skip
_TRADE = [
    '{"symbol":"', symbol(T), '","side":"', pick(R_SIDE, "buy", "sell"), '","price":', BARE_PRICE, ',"qty":', BARE_QUANTITY,
    ',"ord_type":"', until('"'), '","trade_id":', integer(R_REF), ',"timestamp":"', time(), '"}', message_row(TRADE), end(TRADE),
]  # fmt: skip
TRADES: Layout = ['{"channel":"trade","type":"', pick(R_SINK, "update", "snapshot"), '","data":', each(*_TRADE), "}"]
TICKER: Layout = [
    '{"channel":"ticker","type":"', pick(R_SINK, "update", "snapshot"), '","data":[{"symbol":"', symbol(Q),
    '","bid":', constant(R_SIDE, BUY), BARE_PRICE, ',"bid_qty":', BARE_QUANTITY, message_row(QUOTE),
    ',"ask":', constant(R_SIDE, SELL), BARE_PRICE, ',"ask_qty":', BARE_QUANTITY, message_row(QUOTE),
    ',"last":', NUMBER, ',"volume":', NUMBER, ',"vwap":', NUMBER, ',"low":', NUMBER, ',"high":', NUMBER,
    ',"change":', NUMBER, ',"change_pct":', NUMBER, _TIME, "}]}", end(QUOTE),
]  # fmt: skip
ALL: tuple[Layout, ...] = (BOOK, TRADES, TICKER)
