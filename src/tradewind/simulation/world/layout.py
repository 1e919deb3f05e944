"""The state of a world: one record that nests fixed tables, as the machine's state does.

Times are ns, log prices natural logs of USD, rates per second, tolerances and spacings fractions of the price.
No field carries a name that NumPy's record scalar uses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tradewind.domain.rows import ROW

ASSETS = 16  # capacity: base assets, stablecoins and USD
VENUES = 4
INSTRUMENTS = 32  # 3 venues x 10, and two spare
STREAMS = 3 * INSTRUMENTS  # depth, trade and quote of each
LEVELS = 48  # a side of a book; the farthest is withdrawn when a new one needs room
STAGED = 256  # level changes waiting for one depth message; full: the message leaves early
QUEUED = 4096  # rows of a stream on their way to us; full: the generator stops with a fault
SCHEDULED = 512
LOGGED = 512  # truth entries waiting to be fetched
MESSAGE_ROOM = 2 * LEVELS + STAGED  # the longest message

# Kinds of fault ---------------------------------------------------------------------------------------------------
NO_FAULT = 0
DROPPED, DUPLICATED, SWAPPED, FROZEN, DECIMAL_SHIFT, CROSSED, STALE_BOOK, WICK, CLOCK_JUMP, GAP, LYING = range(1, 12)
FAULT_KINDS = 12
FAULT_NAMES = {
    DROPPED: "dropped", DUPLICATED: "duplicated", SWAPPED: "swapped", FROZEN: "frozen", DECIMAL_SHIFT: "decimal_shift",
    CROSSED: "crossed", STALE_BOOK: "stale_book", WICK: "wick", CLOCK_JUMP: "clock_jump", GAP: "gap", LYING: "lying",
}  # fmt: skip
# Kinds of genuine event, logged beside the faults so that nobody takes them for one
REGIME, JUMP, DEPEG = 101, 102, 103
EVENT_NAMES = {REGIME: "regime", JUMP: "jump", DEPEG: "depeg"}

CALM, TREND, VOLATILE, CRASH = range(4)
REGIME_NAMES = ("calm", "trend", "volatile", "crash")
PEGGED, FALLING, RECOVERING = range(3)

ASSET = np.dtype(
    [
        ("level", "f8"),  # log price in USD
        ("deviation", "f8"),  # per root second
        ("beta", "f8"),  # share of the common factor, in drift and jumps
        ("loading", "f8"),  # correlation with the common factor
        ("own", "f8"),  # sqrt(1 - loading^2)
        ("stable", "i8"),
        ("phase", "i8"),
        ("phase_until", "i8"),
        ("peg", "f8"),  # log price it is drawn to
        ("pull", "f8"),  # per second
        ("depth", "f8"),
        ("recovery_ns", "i8"),
    ]
)
VENUE = np.dtype(
    [
        ("follow", "f8"),  # per second: how fast its makers correct towards the latent price
        ("noise", "f8"),  # own noise per root second
        ("wander", "f8"),  # deviation of the slow part of the basis
        ("floor_ns", "i8"),
        ("spread_ns", "f8"),  # median of the part above the floor
        ("batch_ns", "i8"),
        ("quotes", "i8"),
        ("checksum", "i8"),
        ("clock_offset_ns", "i8"),
        ("lie", "f8"),
        ("lie_start", "i8"),
        ("lie_end", "i8"),
    ]
)
INSTRUMENT = np.dtype(
    [
        ("base_asset", "i8"),
        ("quote_asset", "i8"),
        ("venue", "i8"),
        ("tick", "i8"),
        ("lot", "i8"),
        ("smallest", "i8"),  # quantity
        ("price_unit", "f8"),  # 10^price_exponent
        ("quantity_unit", "f8"),
        ("price_exponent", "i8"),
        ("quantity_exponent", "i8"),
        ("rate", "f8"),  # book events per second, on average
        ("trade_share", "f8"),
        ("tolerance", "f8"),
        ("spacing", "f8"),
        ("tight", "f8"),
        ("touch_usd", "f8"),  # logs of the medians of sizes
        ("level_usd", "f8"),
        ("trade_usd", "f8"),
        ("basis", "f8"),
        ("wander", "f8"),  # slow part of the basis
        ("fair", "f8"),  # log price the venue's makers believe
        ("price", "f8"),  # exp(fair)
        ("fair_units", "f8"),
        ("last_ns", "i8"),
        ("fast", "f8"),  # excitation in events per second
        ("slow", "f8"),
        ("bound", "f8"),
        ("run_sign", "i8"),
        ("run_left", "i8"),
        ("update_id", "i8"),
        ("sent_id", "i8"),
        ("trade_id", "i8"),
        ("shown", "i8", (4,)),  # bid price, bid quantity, ask price, ask quantity of the last quote
        ("staged", "i8"),
        ("counts", "i8", (2,)),
        ("depth_source", "i8"),
        ("trade_source", "i8"),
        ("quote_source", "i8"),
    ]
)
BOOK = np.dtype([("prices", "i8", (2, LEVELS)), ("quantities", "i8", (2, LEVELS)), ("changes", "i8", (STAGED, 3))])
STREAM = np.dtype([("head", "i8"), ("end", "i8"), ("last_local", "i8"), ("head_ts", "i8"), ("seq", "i8")])
TROUBLE = np.dtype(
    [
        ("fault", "i8"),
        ("start", "i8"),
        ("finish", "i8"),
        ("span", "i8"),
        ("magnitude", "f8"),
        ("ref_id", "i8"),  # update id of the first message it touched
        ("hits", "i8"),  # rows it touched
    ]
)
PLAN = np.dtype([("fault", "i8"), ("place", "i8"), ("start", "i8"), ("span", "i8"), ("magnitude", "f8")])
TRUTH = np.dtype(
    [
        ("fault", "i8"),
        ("place", "i8"),  # instrument, INSTRUMENTS + venue, or asset of a DEPEG
        ("start", "i8"),
        ("finish", "i8"),
        ("magnitude", "f8"),
        ("ref_id", "i8"),
        ("hits", "i8"),
    ]
)
STATE = np.dtype(
    [
        ("stamp", "i8"),
        ("now", "i8"),
        ("stop", "i8"),
        ("next_release", "i8"),
        ("overflow", "i8"),
        ("rng0", "i8"),
        ("rng1", "i8"),
        ("spare", "f8"),
        ("has_spare", "i8"),
        ("n_assets", "i8"),
        ("n_venues", "i8"),
        ("n_instruments", "i8"),
        ("n_streams", "i8"),
        ("n_due", "i8"),
        ("n_plans", "i8"),
        ("n_truths", "i8"),
        ("next_plan", "i8"),
        ("most_levels", "i8"),
        ("regime", "i8"),
        ("regime_until", "i8"),
        ("drift", "f8"),  # of the common factor, per second
        ("log_vol", "f8"),
        ("volatility", "f8"),
        ("tempo", "f8"),
        ("activity", "f8"),
        ("steps", "i8"),
        ("depeg_rate", "f8"),  # per second
        ("fault_rate", "f8"),  # per second, all kinds
        ("fault_shares", "f8", (FAULT_KINDS,)),
        ("message_venue", "i8"),
        ("message_local", "i8"),
        ("message_source", "i8"),
        ("message_instrument", "i8"),
        ("message_kind", "i8"),
        ("message_ref", "i8"),
        ("due", "i8", (3 * INSTRUMENTS + VENUES + 2,)),
        ("asset", ASSET, (ASSETS,)),
        ("venue_of", VENUE, (VENUES,)),
        ("instrument_of", INSTRUMENT, (INSTRUMENTS,)),
        ("trouble", TROUBLE, (INSTRUMENTS + VENUES,)),
        ("plan", PLAN, (SCHEDULED,)),
        ("truth", TRUTH, (LOGGED,)),
        ("stream", STREAM, (STREAMS,)),
        ("book", BOOK, (INSTRUMENTS,)),
    ]
)


def field_names() -> frozenset[str]:
    """Every field name of a world's layouts and of the row: what the uncompiled twin turns into items."""
    layouts: tuple[np.dtype[Any], ...] = (ASSET, VENUE, INSTRUMENT, BOOK, STREAM, TROUBLE, PLAN, TRUTH, STATE, ROW)
    return frozenset(name for layout in layouts for name in layout.names or ())
