"""The three venues' adapters read recordings and the examples of the venues' own documents, and refuse what is neither."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse
from tradewind.venues.adapter import BAR, DEPTH, FUNDING, LIQUIDATION, MARK, OPEN_INTEREST, QUOTE, TRADE, MarketAdapter, Topic

from . import venue as at

ADAPTERS = {"binance": at.binance, "binance-usdm": at.usdm, "kraken": at.kraken, "coinbase": at.coinbase}


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> MarketAdapter:
    made: MarketAdapter = ADAPTERS[request.param]()
    return made


def test_streams_are_every_channel_of_every_instrument(adapter: MarketAdapter) -> None:
    assert len(adapter.streams) == len(adapter.instruments) * len(adapter.channels())
    first = [stream.channel for stream in adapter.streams if stream.instrument == 0]
    assert first == list(adapter.channels())


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'"x"',
        b"[" * 100_000,
        b'{"a":' * 5_000,
        b"x" * (5 << 20),
        b'{"e":1}',
        b'{"channel":1}',
    ],
)
def test_rubbish_is_refused_and_never_raised(adapter: MarketAdapter, frame: bytes) -> None:
    reading = adapter.read(frame, 1)
    assert len(reading.rows) == 0 and len(reading.refused) == 1
    assert len(reading.refused[0].text) <= 120


def test_a_key_written_twice_is_refused() -> None:
    text = b'{"e":"trade","E":1,"s":"BTCUSDT","t":9,"p":"1.00","p":"2.00","q":"1.0","T":1,"m":true}'
    assert at.binance().read(text, 1).refused[0].reason == "key 'p' occurs twice"
    text = b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","symbol":"BTC/USD"}]}'
    assert "twice" in at.kraken().read(text, 1).refused[0].reason


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "-1", "", "1_000", "+1", "9" * 70, "0x10", "1.000000001"])
def test_a_number_that_is_none_refuses_the_message(number: str) -> None:
    text = json.dumps({"u": 5, "s": "BTCUSDT", "b": number, "B": "1", "a": "2", "A": "1"}).encode()
    reading = at.binance().read(text, 1)
    assert len(reading.rows) == 0 and len(reading.refused) == 1


@pytest.mark.parametrize("name", ["spot_btcusdt", "spot_ethusdt", "usdm_btcusdt"])
def test_recorded_binance_frames_are_read_whole(shared_data: Path, name: str) -> None:
    reader, refused, kinds = at.usdm(False) if name.startswith("usdm") else at.binance(), Counter[str](), Counter[int]()
    with gzip.open(shared_data / "ws" / "binance_hftbacktest" / f"{name}_20240808.gz") as lines:
        for _, line in zip(range(6_000), lines, strict=False):
            ts_local, _, frame = line.strip().partition(b" ")
            if b"lastUpdateId" in frame:
                continue
            reading = reader.read(frame, int(ts_local))
            refused.update(one.reason for one in reading.refused)
            assert len(reading.rows) and reading.rows["ts_local"].tolist() == [int(ts_local)] * len(reading.rows)
            assert reading.rows["marks"][0] & codes.FIRST and reading.rows["marks"][-1] & codes.LAST
            kinds[int(reading.rows["kind"][0])] += 1
    assert not refused
    assert set(kinds) == {codes.DEPTH, codes.QUOTE, codes.TRADE}


def test_usdm_tells_mark_funding_and_liquidations(shared_data: Path) -> None:
    samples, reader = at.samples(shared_data, "binance"), at.usdm()
    read = {
        name: reader.read(json.dumps(samples[f"futures/market_data_json/{name}.json"]).encode(), 7).rows
        for name in ("mark_price_stream", "liquidation_stream", "kline_stream_closed", "kline_stream_open", "agg_trade_stream")
    }
    mark, funding = read["mark_price_stream"]
    assert (mark["kind"], mark["price"], mark["value"]) == (codes.MARKPRICE, 117941500, 117846266)
    assert (funding["kind"], funding["value"], funding["ref"]) == (codes.FUNDING, 381670, 1562306400000 * codes.MILLISECOND)
    assert reader.streams[funding["source"]].channel == FUNDING and reader.streams[mark["source"]].channel == MARK
    (forced,) = read["liquidation_stream"]
    assert reader.streams[forced["source"]].channel == LIQUIDATION
    assert (forced["side"], forced["price"], forced["quantity"]) == (codes.SELL, 99101235, 14)
    assert len(read["kline_stream_open"]) == 0 and read["kline_stream_closed"]["kind"].tolist() == [codes.BAR]
    assert read["agg_trade_stream"]["ref"].tolist() == [5933014]
    interest = reader.read_open_interest(
        Topic(OPEN_INTEREST, 0), at.answer({"openInterest": "10659.509", "symbol": "BTCUSDT", "time": 1589437530011})
    )
    assert interest["value"].tolist() == [10659509]


def test_usdm_lives_at_two_addresses() -> None:
    reader = at.usdm()
    assert reader.socket_url("wss://x", [Topic(DEPTH, 0), Topic(QUOTE, 1)]) == "wss://x/public/stream"
    assert reader.socket_url("wss://x", [Topic(TRADE, 0), Topic(MARK, 1)]) == "wss://x/market/stream"
    with pytest.raises(BadUse):
        reader.socket_url("wss://x", [Topic(DEPTH, 0), Topic(MARK, 0)])
    asked = json.loads(reader.subscribe([Topic(FUNDING, 0), Topic(MARK, 0), Topic(OPEN_INTEREST, 0)], 3)[0])
    assert asked == {"method": "SUBSCRIBE", "params": ["btcusdt@markPrice@1s"], "id": 3}


def test_wire_text_of_kraken_is_read_with_its_checksums(shared_data: Path) -> None:
    reader, rows = at.kraken(), 0
    for line in (shared_data / "ws" / "tickvault_2026-08-24" / "kraken_book.jsonl").read_bytes().splitlines():
        reading = reader.read(line, 9)
        assert not reading.refused and (len(reading.rows) or reading.notices)
        rows += len(reading.rows)
        if len(reading.rows):
            assert reading.rows["value"][-1] == json.loads(line)["data"][0]["checksum"]
    assert rows == 25


def test_coinbase_numbers_every_frame(shared_data: Path) -> None:
    reader, sequence = at.coinbase(), list[int]()
    for line in (shared_data / "ws" / "tickvault_2026-08-24" / "coinbase_l2.jsonl").read_bytes().splitlines():
        reading = reader.read(line, 9)
        assert not reading.refused
        sequence.append(reading.sequence)
    assert sequence == list(range(len(sequence)))


def test_an_aggressor_is_the_taker_everywhere(shared_data: Path) -> None:
    samples = at.samples(shared_data, "coinbase")
    rows = at.coinbase().read_trades(Topic(TRADE, 0), at.answer(samples["http_ticker.json"])).rows
    # The newest trade stands at the best ask: a buyer took it, though the venue writes the maker's SELL.
    assert samples["http_ticker.json"]["trades"][0]["price"] == samples["http_ticker.json"]["best_ask"]
    assert rows["side"].tolist()[-1] == codes.BUY and rows["ref"].tolist() == sorted(rows["ref"].tolist())
    text = b'{"e":"trade","E":1,"s":"BTCUSDT","t":9,"p":"1.00","q":"1.0","T":1,"m":true}'
    assert at.binance().read(text, 1).rows["side"].tolist() == [codes.SELL]


def test_documented_answers_become_instruments(shared_data: Path) -> None:
    (pair,) = at.kraken().read_instruments(at.answer(at.samples(shared_data, "kraken")["http_asset_pairs.json"]), [])
    assert (pair.symbol, pair.tick, pair.min_quantity, pair.min_notional) == ("BTC/USDT", 1, 5_000, 50_000_000)
    assert (pair.maker_fee_e7, pair.taker_fee_e7, pair.proof) == (25_000, 40_000, codes.PROOF_CRC32)
    products = at.answer(at.samples(shared_data, "coinbase")["http_products.json"])
    (product,) = at.coinbase().read_instruments(products, ["BTC-USD"])
    assert (product.tick, product.lot, product.min_notional, product.price_exponent) == (1, 1, 100_000_000, 2)
    with pytest.raises(BadData, match="no product"):
        at.coinbase().read_instruments(products, ["NO-SUCH"])


def test_filters_become_rules() -> None:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
        {"filterType": "SOMETHING_NEW", "x": 1},
    ]
    symbol = {"symbol": "BTCUSDT", "status": "HALT", "baseAsset": "BTC", "quoteAsset": "USDT", "baseAssetPrecision": 8}
    told = at.answer({"symbols": [{**symbol, "filters": filters}, {**symbol, "symbol": "X", "filters": []}]})
    (made,) = at.binance().read_instruments(told, ["BTCUSDT"])
    assert (made.price_exponent, made.quantity_exponent, made.tick, made.lot) == (2, 8, 1, 1_000)
    assert (made.min_quantity, made.min_notional) == (1_000, 500_000_000)
    assert at.binance().read_instruments(told, []) == []  # it does not trade
    with pytest.raises(BadData, match="PRICE_FILTER"):
        at.binance().read_instruments(told, ["X"])


def test_histories_page_on_only_while_pages_are_full() -> None:
    trades = [{"id": i, "price": "1.0", "qty": "1.0", "time": 1, "isBuyerMaker": True} for i in range(1_000)]
    page = at.binance().read_trades(Topic(TRADE, 0), at.answer(trades))
    assert page.next is not None and ("fromId", "1000") in page.next.query
    assert at.binance().read_trades(Topic(TRADE, 0), at.answer(trades[:3])).next is None
    assert (page.rows["marks"] & codes.SYNTHETIC).all()


def test_only_finished_candles_are_told(shared_data: Path) -> None:
    told = at.answer(at.samples(shared_data, "kraken")["http_ohlc.json"])
    count = len(at.kraken().read_candles(Topic(BAR, 0), "1m", told).rows)
    told.sent_ns = 1762777140 * codes.SECOND
    assert count > 2 and len(at.kraken().read_candles(Topic(BAR, 0), "1m", told).rows) == 2


def test_a_candle_is_finished_when_the_next_begins() -> None:
    reader = at.kraken()

    def frame(minute: int, close: float, kind: str = "update") -> bytes:
        candle = {
            "symbol": "BTC/USD", "interval": 1, "interval_begin": f"2026-01-01T00:{minute:02}:00.000000000Z",
            "open": 1.0, "high": 9.0, "low": 0.5, "close": close, "volume": 2.0,
        }  # fmt: skip
        return json.dumps({"channel": "ohlc", "type": kind, "data": [candle]}).encode()

    frames = [frame(0, 2.0, "snapshot"), frame(1, 3.0), frame(1, 4.0), frame(2, 5.0)]
    closes = [reader.read(text, 1).rows["price"].tolist() for text in frames]
    assert closes == [[], [20], [], [40]]


@pytest.mark.parametrize(("status", "banned"), [(429, False), (418, True)])
def test_a_limit_hit_says_how_long_to_wait(adapter: MarketAdapter, status: int, banned: bool) -> None:
    quota = adapter.quota(at.answer({}, status, {"retry-after": "30", "x-mbx-used-weight-1m": "1200"}))
    assert quota.retry_after_ns == 30 * codes.SECOND and quota.banned is banned
    assert adapter.quota(at.answer({}, status)).retry_after_ns == codes.SECOND


def test_used_weight_is_read() -> None:
    assert at.binance().quota(at.answer({}, 200, {"x-mbx-used-weight-1m": "77"})).used == {"1m": 77}


def test_an_error_answer_is_told_in_the_venues_words() -> None:
    with pytest.raises(BadData, match="Invalid symbol"):
        at.binance().read_time(at.answer({"code": -1121, "msg": "Invalid symbol."}, 400))
    with pytest.raises(BadData, match="EGeneral"):
        at.kraken().read_time(at.answer({"error": ["EGeneral:Too many requests"]}))
