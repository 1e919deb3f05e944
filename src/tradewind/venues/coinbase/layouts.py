"""Coinbase's common frames as layouts (docs.cdp.coinbase.com; l2_data as recorded 2026-08-24)."""

from __future__ import annotations

from tradewind.domain.codes import BUY, DEPTH, QUOTE, SELL, TRADE
from tradewind.venues.scanner import (
    PRICE,
    QUANTITY,
    Layout,
    Part,
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
from tradewind.venues.walk import R_REF, R_SEQUENCE, R_SIDE, R_SINK, R_SNAPSHOT

D, Q, T = 0, 1, 2  # places of depth, quote and trade among the adapter's channels
_STATISTICS = (
    "price", "volume_24_h", "low_24_h", "high_24_h", "low_52_w", "high_52_w", "price_percent_chg_24_h",
)  # fmt: skip


def _head(channel: str, kind: Part) -> Layout:
    times = ['"timestamp":"', time(), '","sequence_num":', integer(R_SEQUENCE), ',"events":[{"type":"', kind, '","']
    return [f'{{"channel":"{channel}",', maybe('"client_id":"",'), times]


LEVEL2: Layout = [
    _head("l2_data", pick(R_SNAPSHOT, "update", "snapshot")), 'product_id":"', symbol(D), '","updates":',
    each(
        '{"side":"', pick(R_SIDE, "bid", "offer"), '","event_time":"', until('"'), '","price_level":"', PRICE,
        '","new_quantity":"', QUANTITY, '"}', message_row(DEPTH),
    ),
    "}]}", copy(R_REF, R_SEQUENCE), end(DEPTH),
]  # fmt: skip
# One trade: several come newest first and are turned around the slow way. Told is the maker's side: SELL means a buyer took it.
TRADES: Layout = [
    _head("market_trades", pick(R_SINK, "update", "snapshot")), 'trades":[{"trade_id":"', integer(R_REF), '","product_id":"',
    symbol(T), '","price":"', PRICE, '","size":"', QUANTITY, '","side":"', pick(R_SIDE, "SELL", "BUY"),
    '","time":"', time(), '"}]}]}',
    message_row(TRADE), end(TRADE),
]  # fmt: skip
TICKER: Layout = [
    _head("ticker", pick(R_SINK, "update", "snapshot")), 'tickers":[{"type":"ticker","product_id":"', symbol(Q), '"',
    [[f',"{name}":"', until('"'), '"'] for name in _STATISTICS],
    constant(R_SIDE, BUY), ',"best_bid":"', PRICE, '","best_bid_quantity":"', QUANTITY, '"', message_row(QUOTE),
    constant(R_SIDE, SELL), ',"best_ask":"', PRICE, '","best_ask_quantity":"', QUANTITY, '"}]}]}', message_row(QUOTE),
    copy(R_REF, R_SEQUENCE), end(QUOTE),
]  # fmt: skip
ALL: tuple[Layout, ...] = (LEVEL2, TRADES, TICKER)
