"""A seeded, realistic run to render and measure: three strategies, three venues, a day and a half, with troubles."""

from __future__ import annotations

import numpy as np
import polars as pl

from tradewind.domain import codes
from tradewind.monitor.record import Quality, RunRecord

START = 1_722_816_000_000_000_000  # 2024-08-05T00:00Z
STEP = 5 * codes.SECOND
INSTRUMENTS = ("binance:BTC/USDT", "binance:ETH/USDT", "kraken:BTC/USD")
PRICES = (58_400.0, 2_690.0, 58_420.0)
STRATEGIES = ("market_maker", "swing", "arbitrage")
HOSTILE = '<img src=x onerror=alert(1)></script><script>alert("venue")</script>'


def run(hours: float = 36.0, seed: int = 7, fills: int = 2400, hostile: bool = False) -> RunRecord:
    """A run whose equity, positions, fees and exposure agree with its fills and prices."""
    random = np.random.default_rng(seed)
    steps = int(hours * codes.HOUR / STEP)
    ts = START + STEP * np.arange(steps, dtype=np.int64)
    mids = _mids(random, steps)
    trades = _fills(random, ts, mids, fills)
    equity = _equity(ts, mids, trades, 100_000.0)
    orders = _orders(random, trades, HOSTILE if hostile else "post-only would have taken")
    prices = pl.concat(
        pl.DataFrame({"ts_ns": ts, "instrument": [name] * steps, "mid": mids[i]}) for i, name in enumerate(INSTRUMENTS)
    )
    title = HOSTILE if hostile else "Three venues, 5–6 August 2024"
    return RunRecord(
        title=title,
        equity=equity,
        capital=100_000.0,
        currency="USDT",
        fills=trades,
        orders=orders,
        prices=prices,
        calibration=_calibration(random),
        quality=_quality(random, ts, hostile),
        why_not={
            "edge below cost": 41_802, "spread too narrow": 12_404, "inventory limit": 3_310, "reference grade none": 1_204,
            "quote currency unsure": 420, "rate limit of orders": 77, "collar against consensus": 12,
        } | ({HOSTILE: 3} if hostile else {}),
        warnings=("The tape has one gap of 41 s on kraken, announced by the venue.",) + ((HOSTILE,) if hostile else ()),
        venues=("binance", "kraken", "coinbase"),
        think_ns={"swing": 0},
        trials=24,
        rows=48_211_904,
        machine_hash="b7e23ec29af22b0b4e41da31e868d57226121c84a0f35c1e9d7a",
        digest="1f3870be274f6c49b3e31a0c6728957f",
        journal="runs/2024-08-05 three-venues/journal",
        config='[run]\ncapital = "100000 USDT"\nfee_tier = "vip1"\n\n[strategy.market_maker]\nrisk_aversion = 0.1\n',
    )  # fmt: skip


def _mids(random: np.random.Generator, steps: int) -> np.ndarray:
    shared = random.standard_t(5, steps) * 2.2e-4
    shared[int(steps * 0.35) : int(steps * 0.42)] -= 3.0e-5
    own = random.standard_normal((2, steps)) * 1.2e-4
    btc, eth = shared, shared * 1.2 + own[0]
    basis = np.convolve(random.standard_normal(steps) * 4e-5, np.ones(60) / 8.0, "same")
    paths = [np.exp(np.cumsum(btc)), np.exp(np.cumsum(eth)), np.exp(np.cumsum(btc) + basis)]
    return np.array([price * path for price, path in zip(PRICES, paths, strict=True)])


def _fills(random: np.random.Generator, ts: np.ndarray, mids: np.ndarray, count: int) -> pl.DataFrame:
    at = np.sort(random.integers(10, len(ts) - 10, count))
    strategy = random.choice(3, count, p=[0.82, 0.06, 0.12])
    instrument = np.where(strategy == 2, random.choice([0, 2], count), random.choice([0, 1], count))
    held = np.zeros((3, 3))
    rows = []
    for i in range(count):
        s, k = int(strategy[i]), int(instrument[i])
        mid = mids[k, at[i]]
        lean = held[s, k] * mid / 12_000.0
        side = codes.SELL if random.random() < 0.5 + np.clip(lean, -0.45, 0.45) else codes.BUY
        maker = bool(s == 0 and random.random() < 0.93)
        slipped = -random.gamma(2.0, 0.9) if maker else random.gamma(2.0, 0.6)
        price = mid * (1 + (1 if side == codes.BUY else -1) * slipped / 1e4)
        quantity = round(random.uniform(600, 2600) / mid, 5)
        held[s, k] += quantity if side == codes.BUY else -quantity
        cost = price * quantity
        rows.append((int(ts[at[i]]), 1000 + i, STRATEGIES[s], INSTRUMENTS[k], side, price, quantity, cost,
                     cost * (0.00002 if maker else 0.00045), maker, slipped))  # fmt: skip
    names = ("ts_ns", "order_id", "strategy", "instrument", "side", "price", "quantity", "cost", "fee", "maker", "slippage_bps")
    return pl.DataFrame(rows, schema=list(names), orient="row")


def _equity(ts: np.ndarray, mids: np.ndarray, fills: pl.DataFrame, capital: float) -> pl.DataFrame:
    columns: dict[str, np.ndarray] = {}
    total, gross = np.zeros(len(ts)), np.zeros(len(ts))
    for strategy in STRATEGIES:
        pnl, exposure = np.zeros(len(ts)), np.zeros(len(ts))
        for k, instrument in enumerate(INSTRUMENTS):
            part = fills.filter((pl.col("strategy") == strategy) & (pl.col("instrument") == instrument))
            sign = np.where(part["side"].to_numpy() == codes.BUY, 1.0, -1.0)
            at = np.searchsorted(ts, part["ts_ns"].to_numpy())
            position, cash = np.zeros(len(ts)), np.zeros(len(ts))
            np.add.at(position, at, sign * part["quantity"].to_numpy())
            np.add.at(cash, at, -sign * part["cost"].to_numpy() - part["fee"].to_numpy())
            value = np.cumsum(position) * mids[k]
            pnl += value + np.cumsum(cash)
            exposure += np.abs(value)
        columns["pnl:" + strategy], columns["exposure:" + strategy] = pnl, exposure
        total, gross = total + pnl, gross + exposure
    return pl.DataFrame({"ts_ns": ts, "equity": capital + total, "exposure": gross} | columns)


def _orders(random: np.random.Generator, fills: pl.DataFrame, cause: str) -> pl.DataFrame:
    filled = fills.select("ts_ns", "order_id", "strategy", "instrument", "side", "price", "quantity").with_columns(
        status=pl.lit("FILLED"), cause=pl.lit("")
    )
    many = filled.height * 4
    status = random.choice(["CANCELED", "REJECTED", "EXPIRED", "UNKNOWN"], many, p=[0.955, 0.034, 0.01, 0.001])
    why = {"CANCELED": "quote moved", "REJECTED": cause, "EXPIRED": "immediate or cancel", "UNKNOWN": "no answer after sending"}
    others = filled.sample(many, with_replacement=True, seed=3).with_columns(
        order_id=pl.Series(np.arange(many) + 1_000_000), status=pl.Series(status), cause=pl.Series([why[s] for s in status])
    )
    return pl.concat([filled, others])


def _calibration(random: np.random.Generator) -> pl.DataFrame:
    predicted = np.linspace(0.31, 0.72, 10)
    realised = np.clip(0.5 + (predicted - 0.5) * 0.86 + random.normal(0, 0.012, 10), 0, 1)
    return pl.DataFrame({"bin": np.arange(10), "predicted": predicted, "realised": realised,
                         "count": (4000 * np.exp(-(((predicted - 0.5) / 0.1) ** 2))).astype(np.int64) + 25})  # fmt: skip


def _quality(random: np.random.Generator, ts: np.ndarray, hostile: bool) -> Quality:
    rows = []
    for name in ("binance depth BTC/USDT", "binance depth ETH/USDT", "kraken book BTC/USD", "coinbase level2 BTC-USD"):
        rows.append((int(ts[0]), name, codes.BACKFILLING))
        rows.append((int(ts[0]) + codes.MINUTE, name, codes.SYNCED))
        for at in np.sort(random.integers(1, len(ts) - 330, 3)):
            state = int(random.choice([codes.GAP, codes.STALE, codes.INVALID, codes.UNAVAILABLE]))
            rows += [
                (int(ts[at]), name, state),
                (int(ts[at + 200]), name, codes.BACKFILLING),
                (int(ts[at + 320]), name, codes.SYNCED),
            ]
    streams = pl.DataFrame(rows, schema=["ts_ns", "stream", "state"], orient="row").sort("stream", "ts_ns", maintain_order=True)
    every = ts[::12]
    wide = np.abs(np.convolve(random.standard_normal(len(every)), np.ones(40) / 20, "same")) + 0.4
    spread = pl.concat(
        pl.DataFrame({"ts_ns": every, "instrument": [name] * len(every), "dispersion_bps": wide * scale})
        for name, scale in (("BTC/USD", 1.0), ("ETH/USD", 1.6))
    )
    trust = np.clip(1.0 - wide / 8.0, 0.0, 1.0)
    believed = pl.concat(
        pl.DataFrame({"ts_ns": every, "instrument": [name] * len(every), "quality": trust * scale})
        for name, scale in (("binance:BTC/USDT", 1.0), ("kraken:BTC/USD", 0.9))
    )
    refused = {"crossed book": 212, "stale quote": 1_904, "impossible jump": 17, "duplicate trade": 88, "checksum": 1}
    return Quality(
        streams=streams,
        dispersion=spread,
        believed=believed,
        quarantined=refused | ({HOSTILE: 2} if hostile else {}),
        grades={"A": 310_220, "B": 88_410, "C": 12_090, "none": 830},
    )
