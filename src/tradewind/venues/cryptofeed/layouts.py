"""The usual frames of captures as layouts: protocols of 2021 and 2022, as recorded (`voice` says whose they are)."""

from __future__ import annotations

from tradewind.domain.codes import BUY, DEPTH, QUOTE, SELL, TRADE
from tradewind.venues.scanner import (
    BARE_PRICE,
    BARE_QUANTITY,
    NUMBER,
    PRICE,
    QUANTITY,
    Layout,
    constant,
    copy,
    each,
    end,
    integer,
    maybe,
    message_row,
    pick,
    same,
    seconds,
    stamp,
    symbol,
    time,
    until,
)
from tradewind.venues.walk import (
    BIDS_FIRST,
    IDS,
    NEVER_EMPTY,
    R_LAST,
    R_PRICE_EXPONENT,
    R_QUANTITY,
    R_QUANTITY_EXPONENT,
    R_REF,
    R_SIDE,
    R_SINK,
    R_SNAPSHOT,
    R_TIME,
)

D, Q, T = 0, 1, 2  # places of depth, quote and trade in `voice.CHANNELS`
_BIDS, _ASKS = constant(R_SIDE, BUY), constant(R_SIDE, SELL)
_WHOLE = constant(R_SNAPSHOT, 1)
_EIGHTS = [constant(R_PRICE_EXPONENT, 8), constant(R_QUANTITY_EXPONENT, 8)]  # where numbers come before the symbol
_PAIRS = each('["', PRICE, '","', QUANTITY, '"]', message_row(DEPTH))

# Kraken v1: the channel's number stands for the pair, which is told at the end.
_TIMED = each('["', PRICE, '","', QUANTITY, '","', seconds(R_TIME, 1), '"', maybe(',"r"'), "]", message_row(DEPTH))
_V1_CHECKSUM = [',"c":"', integer(R_LAST, 1 << 32), '"']
_V1_END = ['},"book-', until('"'), '","', same(D), '"]', copy(R_REF, R_TIME), end(DEPTH, BIDS_FIRST | NEVER_EMPTY)]
_V1_TWO = ['["', until('"'), '","', until('"'), '"]']
KRAKEN_V1: tuple[Layout, ...] = (
    ["[", symbol(D, ","), ',{"a":', _ASKS, _TIMED, _V1_CHECKSUM, _V1_END],
    ["[", symbol(D, ","), ',{"b":', _BIDS, _TIMED, _V1_CHECKSUM, _V1_END],
    ["[", symbol(D, ","), ',{"a":', _ASKS, _TIMED, '},{"b":', _BIDS, _TIMED, _V1_CHECKSUM, _V1_END],
    ["[", symbol(D, ","), ',{"as":', _WHOLE, _ASKS, _TIMED, ',"bs":', _BIDS, _TIMED, _V1_END],
    [
        "[", symbol(T, ","), ",", each(
            '["', PRICE, '","', QUANTITY, '","', seconds(), '","', pick(R_SIDE, "b", "s"), '","', until('"'), '","', until('"'),
            '"]', message_row(TRADE), end(TRADE),
        ), ',"trade","', same(T), '"]',
    ],
    [
        "[", symbol(Q, ","), ',{"a":["', _ASKS, PRICE, '",', integer(R_SINK), ',"', QUANTITY, '"],', message_row(QUOTE),
        '"b":["', _BIDS, PRICE, '",', integer(R_SINK), ',"', QUANTITY, '"],', message_row(QUOTE), '"c":', _V1_TWO, ',"v":', _V1_TWO,
        ',"p":', _V1_TWO, ',"t":[', NUMBER, ",", NUMBER, '],"l":', _V1_TWO, ',"h":', _V1_TWO, ',"o":', _V1_TWO,
        '},"ticker","', same(Q), '"]', end(QUOTE, BIDS_FIRST),
    ],
)  # fmt: skip

COINBASE_EXCHANGE: tuple[Layout, ...] = (
    [
        '{"type":"l2update","product_id":"', symbol(D), '","changes":',
        each('["', pick(R_SIDE, "buy", "sell"), '","', PRICE, '","', QUANTITY, '"]', message_row(DEPTH)),
        ',"time":"', time(), '"}', copy(R_REF, R_TIME), end(DEPTH, IDS),
    ],
    [
        '{"type":"match","trade_id":', _EIGHTS, integer(R_REF), ',"maker_order_id":"', until('"'), '","taker_order_id":"',
        until('"'), '","side":"', pick(R_SIDE, "sell", "buy"), '","size":"', QUANTITY, '","price":"', PRICE, '","product_id":"',
        symbol(T), '","sequence":', NUMBER, ',"time":"', time(), '"}', message_row(TRADE), end(TRADE),
    ],
    [
        '{"type":"snapshot","product_id":"', symbol(D), '","asks":', _WHOLE, _ASKS, _PAIRS, ',"bids":', _BIDS, _PAIRS,
        maybe(',"time":"', time(), '"'), "}", copy(R_REF, R_TIME), end(DEPTH, BIDS_FIRST),
    ],
)  # fmt: skip

_OKX_LEVELS = each('["', PRICE, '","', QUANTITY, '","', until('"'), '","', until('"'), '"]', message_row(DEPTH))
OKX: tuple[Layout, ...] = (
    [
        '{"arg":{"channel":"books","instId":"', symbol(D), '"},"action":"', pick(R_SNAPSHOT, "update", "snapshot"),
        '","data":[{"asks":', _ASKS, _OKX_LEVELS, ',"bids":', _BIDS, _OKX_LEVELS, ',"ts":"', stamp(), '","checksum":',
        maybe("-"), integer(R_SINK), "}]}", copy(R_REF, R_TIME), end(DEPTH, IDS | BIDS_FIRST),
    ],
    [
        '{"arg":{"channel":"trades","instId":"', symbol(T), '"},"data":', each(
            '{"instId":"', same(T), '","tradeId":"', integer(R_REF), '","px":"', PRICE, '","sz":"', QUANTITY, '","side":"',
            pick(R_SIDE, "buy", "sell"), '","ts":"', stamp(), '"}', message_row(TRADE), end(TRADE),
        ), "}",
    ],
    [
        '{"arg":{"channel":"tickers","instId":"', symbol(Q), '"},"data":[{"instType":"', until('"'), '","instId":"', same(Q),
        '","last":"', until('"'), '","lastSz":"', until('"'), '","askPx":"', _ASKS, PRICE, '","askSz":"', QUANTITY,
        '","bidPx":"', message_row(QUOTE), _BIDS, PRICE, '","bidSz":"', QUANTITY, '","', message_row(QUOTE),
        [[f'{name}":"', until('"'), '","'] for name in ("open24h", "high24h", "low24h", "sodUtc0", "sodUtc8", "volCcy24h")],
        'vol24h":"', until('"'), '","ts":"', stamp(), '"}]}', end(QUOTE, BIDS_FIRST),
    ],
)  # fmt: skip

_BYBIT_NAMES = ['{"price":"', PRICE, '","symbol":"', same(D), '","id":"', until('"'), '","side":"', pick(R_SIDE, "Buy", "Sell")]
_BYBIT_SET = each(_BYBIT_NAMES, '","size":', BARE_QUANTITY, "}", message_row(DEPTH))
_BYBIT_END = [',"cross_seq":"', integer(R_REF), '","timestamp_e6":"', stamp(), '"}', end(DEPTH, IDS)]
_BYBIT_HEADS = ['{"topic":"orderBookL2_25.', symbol(D), '","type":"']
BYBIT: tuple[Layout, ...] = (
    [
        _BYBIT_HEADS, 'delta","data":{"delete":', each(_BYBIT_NAMES, '"}', constant(R_QUANTITY, 0), message_row(DEPTH)),
        ',"update":', _BYBIT_SET, ',"insert":', _BYBIT_SET, "}", _BYBIT_END,
    ],
    [_BYBIT_HEADS, 'snapshot","data":{"order_book":', _WHOLE, _BYBIT_SET, "}", _BYBIT_END],
    [
        '{"topic":"trade.', symbol(T), '","data":', each(
            '{"symbol":"', same(T), '","tick_direction":"', until('"'), '","price":"', PRICE, '","size":', BARE_QUANTITY,
            ',"timestamp":"', until('"'), '","trade_time_ms":"', stamp(), '","side":"', pick(R_SIDE, "Buy", "Sell"),
            '","trade_id":"', until('"'), '"}', message_row(TRADE), end(TRADE),
        ), "}",
    ],
)  # fmt: skip

BITSTAMP: tuple[Layout, ...] = (
    [
        '{"data":{"timestamp":"', until('"'), '","microtimestamp":"', _EIGHTS, stamp(), '","bids":', _BIDS, _PAIRS, ',"asks":',
        _ASKS, _PAIRS, '},"channel":"diff_order_book_', symbol(D), '","event":"data"}', copy(R_REF, R_TIME), end(DEPTH, IDS),
    ],
    [
        '{"data":{"id":', _EIGHTS, integer(R_REF), ',"timestamp":"', until('"'), '","amount":', NUMBER, ',"amount_str":"',
        QUANTITY, '","price":', NUMBER, ',"price_str":"', PRICE, '","type":', pick(R_SIDE, "0", "1"), ',"microtimestamp":"',
        stamp(), '","buy_order_id":', integer(R_SINK), ',"sell_order_id":', integer(R_SINK), '},"channel":"live_trades_',
        symbol(T), '","event":"trade"}', message_row(TRADE), end(TRADE),
    ],
)  # fmt: skip

_NAMED = each('{"price":', BARE_PRICE, ',"qty":', BARE_QUANTITY, "}", message_row(DEPTH))
KRAKEN_FUTURES: tuple[Layout, ...] = (
    [
        '{"feed":"book","product_id":"', symbol(D), '","side":"', pick(R_SIDE, "buy", "sell"), '","seq":', integer(R_REF),
        ',"price":', BARE_PRICE, ',"qty":', BARE_QUANTITY, ',"timestamp":', stamp(), "}", message_row(DEPTH), end(DEPTH),
    ],
    [
        '{"feed":"trade","product_id":"', symbol(T), '","uid":"', until('"'), '","side":"', pick(R_SIDE, "buy", "sell"),
        '","type":"', until('"'), '","seq":', integer(R_REF), ',"time":', stamp(), ',"qty":', BARE_QUANTITY, ',"price":',
        BARE_PRICE, "}", message_row(TRADE), end(TRADE),
    ],
    [
        '{"feed":"book_snapshot","product_id":"', symbol(D), '","timestamp":', _WHOLE, stamp(), ',"seq":', integer(R_REF),
        ',"tickSize":null,"bids":', _BIDS, _NAMED, ',"asks":', _ASKS, _NAMED, "}", end(DEPTH),
    ],
)  # fmt: skip
