"""Every table of the machine and of the simulated venue, as NumPy dtypes.

The state is one record that nests fixed-capacity tables; its bytes are the snapshot. `fact` changes only in
`portfolio.facts` over journaled rows (architecture §3.1); everything else is opinion, re-derived or re-warmed. Across that
runs another line: first stand an account's tables, then the market's, which are the same whatever the account does.
Only int64 and float64, no padding. A field name must not be an attribute of NumPy's record scalar and must not be the
name of any function or constant of the compiled floor (the uncompiled twin turns fields into items); tests hold both.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from .rows import ROW

i8, f8 = "i8", "f8"


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each; part of the composition, because capacities are part of the compiled type.

    Overflow: instruments, venues, assets, strategies, sources: refused at load. levels: the deepest level is dropped and
    the book's horizon remembered. orders: a new order is refused (TABLE_FULL). layers: a strategy's ladder ends there.
    """

    instruments: int = 32
    venues: int = 4
    assets: int = 16
    strategies: int = 4
    sources: int = 128
    levels: int = 2048  # price levels a side of a book; 512 lose the touch of real BTCUSDT within minutes (docs/truth.md)
    orders: int = 1024  # power of two; an order's slot is its id modulo this
    layers: int = 4  # orders a side, strategy and instrument
    timeframes: int = 3
    history: int = 256  # closes kept an instrument and timeframe, power of two
    resting: int = 64  # own orders resting at the venue, a side and instrument
    flight: int = 512  # requests or reports in flight, a venue; power of two


# Columns of the rule table (RULE rows: ref) ----------------------------------------------------------------------------
RULES = (
    "VENUE", "BASE", "QUOTE_ASSET", "PAYOFF", "PROOF", "GROUP", "TICK", "LOT", "MIN_QUANTITY", "MIN_NOTIONAL", "MAKER_FEE_E7",
    "TAKER_FEE_E7",
    "COST_NUM", "COST_DEN", "BASE_NUM", "PRICE_SCALE_E9", "COLLAR_A_BP", "COLLAR_B_BP", "COLLAR_C_BP", "JUMP_BP", "STALE_NS",
    "BARS_ONLY", "BOOK_DEPTH", "DEMOTION", "TRADING_STATUS", "PEGGED", "ACCESS",
)  # fmt: skip
(
    VENUE, BASE, QUOTE_ASSET, PAYOFF, PROOF, GROUP, TICK, LOT, MIN_QUANTITY, MIN_NOTIONAL, MAKER_FEE_E7, TAKER_FEE_E7,
    COST_NUM, COST_DEN, BASE_NUM, PRICE_SCALE_E9, COLLAR_A_BP, COLLAR_B_BP, COLLAR_C_BP, JUMP_BP, STALE_NS, BARS_ONLY,
    BOOK_DEPTH, DEMOTION, TRADING_STATUS, PEGGED, ACCESS,
) = range(len(RULES))  # fmt: skip
N_RULES = 32
# DEMOTION: how far below A the best grade lies that a source may lend (0: fully trusted). TRADING_STATUS: 0 where it trades.
# PEGGED: 1 where the base, 2 where the quote is held at one reporting unit by a promise (a stablecoin); 3: both.
# ACCESS: the rung of the ladder that what is heard of it and of its venue grants (0: ACTIVE); the worse of that and the ladder's
# own rung holds.
OFF_PAR = 0.02  # a stablecoin that two witnesses see so far off (ratio) is only reduced; it is whole again at half of that

# Columns of the limit table (LIMIT rows: ref); row 0 is the whole book, row k + 1 strategy k. Money in reporting units.
LIMITS = (
    "MAX_NOTIONAL", "MAX_POSITION", "MAX_GROSS", "MAX_NET", "MAX_OPEN", "ORDERS_PER_S", "MAX_AGE_NS", "DRAWDOWN_E4",
    "MIN_GRADE", "TRACKS_BALANCE",
    "REPORTING", "MAX_SUSPENSE",
)  # fmt: skip
(
    MAX_NOTIONAL, MAX_POSITION, MAX_GROSS, MAX_NET, MAX_OPEN, ORDERS_PER_S, MAX_AGE_NS, DRAWDOWN_E4, MIN_GRADE,
    TRACKS_BALANCE, REPORTING, MAX_SUSPENSE,
) = range(len(LIMITS))  # fmt: skip
N_LIMITS = 12

N_PARAMETERS = 24  # numbers a strategy may be given; its module names the columns, the last four are common to all
FRAMES = 20  # bit set of the timeframes whose closed bars wake it
EVERY_MS = 21  # its timer; 0: none
FRACTION = 22  # of equity an order is worth; 0 where the strategy sizes itself
RISK = 23  # of equity one order may move at one deviation of its horizon; over 0 it replaces FRACTION
N_TUNING = 32  # numbers of the rooms: selector 0-7, signals 8-15, timeframe codes 16-18, truth 24-25
FRAME_AT = 16
TRUST_ENTER, TRUST_LEAVE = 24, 25  # of truth
N_WORDS = 32  # int64 words of memory a Python strategy may declare
N_SEEN = 256  # own trade ids remembered an instrument; at or below what was forgotten nothing counts as new; power of two

# Kinds of ledger account: ledger[kind, venue, asset] ---------------------------------------------------------------------
CASH, TRADING, FEES, OPENING, ROUNDING, SUSPENSE = range(6)
N_KINDS = 6

ORDER = np.dtype(
    [
        ("id", i8), ("status", i8), ("instrument", i8), ("strategy", i8), ("side", i8), ("layer", i8), ("otype", i8),
        ("price", i8), ("quantity", i8),
        ("filled", i8), ("cost", i8), ("sent_ns", i8), ("cause", i8), ("held_price", i8), ("held_quantity", i8),
        ("held_trade", i8), ("held_marks", i8),
        ("open_left", i8), ("bound", i8),
    ]
)  # fmt: skip
POSITION = np.dtype(
    [
        ("quantity", i8),
        ("basis", i8),
        ("realised", i8),
        ("charges", i8),
        ("open_buy", i8),
        ("open_sell", i8),
        ("n_open", i8),
        ("traded", i8),
    ]
)  # basis, realised, charges, traded in money units of the quote asset
LADDER = np.dtype([("rung", i8), ("cause", i8), ("since", i8), ("peak", i8)])
IDS = np.dtype(
    [
        ("next_id", i8), ("block_end", i8), ("n_open", i8), ("n_fills", i8), ("n_twice", i8), ("n_late", i8), ("n_odd", i8),
        ("n_stray", i8),
    ]
)  # fmt: skip

CLOCK = np.dtype(
    [
        ("now", i8), ("next_due", i8), ("bar_due", i8), ("n_out", i8), ("wakes", i8), ("n_wanted", i8), ("fault", i8),
        ("fault_at", i8), ("n_rows", i8),
        ("wake_number", i8), ("marked_due", i8), ("n_instruments", i8), ("n_strategies", i8), ("n_assets", i8),
        ("n_venues", i8), ("reporting", i8), ("select_due", i8), ("timer_due", i8), ("unsized", i8), ("mark_every", i8),
        ("n_contracts", i8),
    ]
)  # fmt: skip
TOP = np.dtype(
    [
        ("bid", i8), ("ask", i8), ("bid_quantity", i8), ("ask_quantity", i8), ("ts", i8), ("ts_venue", i8), ("moved", i8),
        ("condition", i8),
        ("last_price", i8), ("changed_ns", i8), ("suspect", i8), ("good", i8), ("mid", f8), ("worth", f8), ("scale", f8),
        ("heard_from", i8),
    ]
)  # fmt: skip
BOOK = np.dtype(
    [("depth", i8, (2,)), ("last_id", i8), ("skip", i8), ("joined", i8), ("horizon", i8, (2,)), ("fed_by", i8), ("proven", i8)]
)
QUOTED = np.dtype([("id", i8), ("price", i8, (2,)), ("quantity", i8, (2,)), ("n_same", i8), ("n_other", i8)])
SOURCE = np.dtype([("last_seq", i8), ("last_ts", i8), ("holes", i8), ("closed", i8)])
# fed_by (BOOK): 0 nothing yet, the depth stream's source + 1, or -1 where best quotes are the touch
# TOP: heard_from is the stream of the last touch.
# TRUST: anchor is the group's reference when the touch last moved, stride how far it moved then (price units), doubted the
# jump that waits for confirmation (of bars, how far off it stood when that was last told, bp), stretch and span_ns what a
# source of bars is granted, longest_ns its longest usual silence, jump_bp the rule's limit so stretched, told the verdicts of
# this episode (bits), blame the last of them. Once a second: usual, the running median of its distance from the reference
# (bp); reach, the distance it is granted (bp), grace the part of it that broken pegs explain; weight, of its vote; quality
# in [0, 1]; trusted with hysteresis. lag_ns: usual ts_local minus ts_venue, odd_since: from when on it is another (of bars,
# the last that was left out). last_trade: its id; heard_trades: which of the 63 before it were heard (bits); n_old: how many
# were told again. stood_ns: for how long a source of bars has told one same close (below 0: and was named
# for it), still_ns: for how long it usually does at most.
TRUST = np.dtype(
    [
        ("score", f8), ("deviation", f8), ("anchor", f8), ("doubted", f8), ("stretch", f8),
        ("usual", f8), ("reach", f8), ("stride", f8), ("weight", f8), ("quality", f8),
        ("off_since", i8), ("moved_ns", i8), ("span_ns", i8), ("told", i8), ("patience_ns", i8), ("lag_ns", i8), ("odd_since", i8),
        ("mark_price", f8), ("mark_ns", i8), ("longest_ns", i8), ("last_trade", i8), ("heard_trades", i8), ("n_old", i8),
        ("blame", i8), ("trusted", i8), ("quoted_off", i8), ("grace", f8), ("jump_bp", f8), ("stood_ns", i8), ("still_ns", i8),
    ]
)  # fmt: skip
LOOKS = 60  # bars over which a source of bars has a habit
# apart: how far close, high and low of the bar that ended at `end` lie from what `others` say of it (ratios), past: those of the
# n bars before, without signs, in a ring; stood: how far the closes stood from everybody's, premium: the median of that; told:
# which of its extremes were (bits); said, off, order: lists of a moment
HABITS = np.dtype(
    [
        ("n", i8), ("end", i8), ("others", i8), ("told", i8), ("premium", f8), ("apart", f8, (3,)), ("past", f8, (3, LOOKS)),
        ("stood", f8, (LOOKS,)), ("said", f8, (9,)), ("off", f8, (9,)), ("order", f8, (LOOKS,)),
    ]
)  # fmt: skip
GROUPED = np.dtype(
    [
        ("reference", f8),
        ("dispersion", f8),
        ("band_low", f8),
        ("band_high", f8),
        ("grade", i8),
        ("voters", i8),
        ("ts", i8),
        ("n_members", i8),
        ("member", i8, (8,)),
        ("vote", f8, (8,)),
        ("pull", f8, (8,)),
        ("voice", i8, (8,)),
        ("shared", i8),
        ("scatter", f8),
        ("former", f8),
        ("unrest", f8),
        ("implied", f8),
        ("n_quoted", i8),
        ("lesser", i8),
        ("habit", f8),
        ("restless", f8),
        ("n_settled", i8),
        ("pegged", i8),
        ("strain", f8),
        ("off_par", i8),
    ]
)  # one group an asset: all instruments with that base; its reference is the asset's rate in the reporting currency.
# pull: the votes' weights, voice: whose they are, shared: whether a venue has several; scatter: median distance of the votes
# from the reference (ratio); unrest: how far the reference moved between two looks of late, from `former` on (ratio);
# implied: the asset's rate as the pairs quoted in it (n_quoted) tell it; habit: its mean of late, from which it strays by
# `restless` (ratio), after n_settled looks; lesser: 1 where a member may not lend every grade;
# pegged: 1 where it should be worth one, strain: how far two witnesses saw it from there of late (ratio), off_par: too far
MAX_MEMBERS = 8
BARS = np.dtype(
    [
        ("open", i8),
        ("high", i8),
        ("low", i8),
        ("close", i8),
        ("volume", i8),
        ("trades", i8),
        ("closed", i8),
        ("end_ns", i8),
        ("last_end", i8),
        ("c_open", i8),
        ("c_high", i8),
        ("c_low", i8),
        ("c_close", i8),
        ("c_volume", i8),
    ]
)  # the bar in the making, then the last closed one
SIGNAL = np.dtype(
    [
        ("score", f8), ("confidence", f8), ("horizon_ns", i8), ("direction", i8), ("volatility", f8), ("bin", i8),
        ("per_deviation", f8), ("book", f8), ("tape", f8), ("micro", f8), ("trend", f8),
    ]
)  # fmt: skip
# bin: of the calibration its strength falls into; per_deviation: what turns a price's distance into deviations of one horizon,
# 0 while there is none; book, tape, micro, trend: what each input carried of the score
CALIBRATION = np.dtype([("hits", i8), ("n_seen", i8), ("sum_score", f8), ("rate", f8)])  # rate: hits of seen, shrunk to one half
PENDING = np.dtype([("due", i8), ("price2", i8), ("score", f8), ("bin", i8)])
PEGS = np.dtype([("n_off_par", i8)])  # how many stablecoins stand too far off their peg
TIMER = np.dtype([("due", i8), ("every", i8)])
TARGETED = np.dtype([("price", i8), ("quantity", i8), ("otype", i8), ("cause", i8), ("measured", f8), ("threshold", f8)])
WANTED = np.dtype([("strategy", i8), ("instrument", i8)])
NOTED = np.dtype([("code", i8), ("measured", f8), ("threshold", f8), ("ts", i8)])
PROBE = np.dtype([("code", i8), ("strategy", i8), ("instrument", i8), ("delta", f8)])
SIZE = np.dtype([("quantity", i8)])  # the quantity a strategy's capital share buys, renewed each selector period
SHARE = np.dtype([("weight", i8), ("drive", f8), ("gain", f8), ("spread", f8), ("last_worth", f8), ("n_seen", i8), ("worth", f8)])
BUDGET = np.dtype([("tokens_e9", i8), ("ts", i8), ("equity", f8), ("peak", f8), ("marked_ns", i8), ("opening", f8)])
COUNTS = (
    "submits", "cancels", "acks", "fills", "rejects", "expired", "refused", "verdicts", "messages", "skipped", "invalidated",
    "snapshots", "overflow",
    "woken", "answers", "late_answers", "decisions", "holes_seen", "unknowns", "adopted",
)  # fmt: skip
COUNT = np.dtype([(name, i8) for name in COUNTS])

# The simulated venue ---------------------------------------------------------------------------------------------------------
DESK = np.dtype(
    [
        ("to_venue_ns", i8), ("from_venue_ns", i8), ("jitter_ns", i8), ("ask_head", i8), ("ask_tail", i8), ("tell_head", i8),
        ("tell_tail", i8),
        ("last_ask", i8), ("last_tell", i8), ("queue_model", i8), ("partial_fills", i8), ("random", i8),
    ]
)  # fmt: skip
SCHEDULE = np.dtype(
    [
        ("maker_fee_e7", i8), ("taker_fee_e7", i8), ("cost_num", i8), ("cost_den", i8), ("quote_asset", i8), ("desk", i8),
        ("tick", i8), ("lot", i8),
        ("min_notional", i8), ("bars_only", i8), ("spread_half_e6", i8),
    ]
)  # fmt: skip
ASKED = np.dtype(
    [("due", i8), ("kind", i8), ("id", i8), ("instrument", i8), ("side", i8), ("price", i8), ("quantity", i8), ("otype", i8)]
)
TOLD = np.dtype(
    [
        ("due", i8),
        ("kind", i8),
        ("id", i8),
        ("instrument", i8),
        ("side", i8),
        ("price", i8),
        ("quantity", i8),
        ("code", i8),
        ("trade", i8),
        ("charge", i8),
        ("paid", i8),
        ("maker", i8),
    ]
)
RESTING = np.dtype(  # ahead: what rests before us; traded: what trades took of our level since it was last told
    [("id", i8), ("live", i8), ("instrument", i8), ("side", i8), ("price", i8), ("leaves", i8), ("ahead", i8), ("otype", i8),
     ("traded", i8), ("since", i8)]
)  # fmt: skip
LANE = [("near", i8, (2,)), ("far", i8, (2,)), ("n_rest", i8, (2,))]
VENUE_CLOCK = np.dtype(
    [
        ("next_due", i8),
        ("trade_id", i8),
        ("n_inbox", i8),
        ("fault", i8),
        ("n_desks", i8),
        ("now", i8),
        ("act_due", i8),
        ("n_accepted", i8),
        ("n_at_rest", i8),  # own orders in all lanes
    ]
)


def fact_dtype(c: Capacity) -> np.dtype[Any]:
    """What is true: orders, positions, ledger, rules, limits, ladder, ids."""
    return np.dtype(
        [
            ("ladder", LADDER),
            ("ids", IDS),
            ("rule", i8, (c.instruments, N_RULES)),
            ("limit", i8, (c.strategies + 1, N_LIMITS)),
            ("right", i8, (c.strategies, c.instruments)),
            ("position", POSITION, (c.strategies + 1, c.instruments)),  # the last row: fills of orders nobody knows
            ("working", i8, (c.strategies, c.instruments, 2, c.layers)),  # order id, 0 = none
            ("ledger", i8, (N_KINDS, c.venues, c.assets)),
            ("reserved", i8, (c.venues, c.assets)),
            ("order", ORDER, (c.orders,)),
            ("stray", ORDER, (c.instruments,)),  # where a fill of an order nobody knows waits for its charge
            ("seen", i8, (c.instruments, N_SEEN)),  # rising, a ring
            ("seen_at", i8, (c.instruments,)),
            ("seen_from", i8, (c.instruments,)),  # no trade id below it counts as new
        ]
    )


def account_dtype(c: Capacity, tables: tuple[tuple[Any, ...], ...] = ()) -> np.dtype[Any]:
    """The part of the machine's record that is one account's; `tables` are those of the composed strategies."""
    return np.dtype(_of_account(c, tables))


def state_dtype(
    c: Capacity, tables: tuple[tuple[Any, ...], ...] = (), market_tables: tuple[tuple[Any, ...], ...] = ()
) -> np.dtype[Any]:
    """The machine's whole record: the account's part, then the market's with the tables of the composed features.

    No room of the market reads an account's table, but for rules in `fact`; none of an account writes a market's table. So one
    market can serve many accounts (engine.many), each with a clock, counts and facts of its own.
    """
    return np.dtype(_of_account(c, tables) + _of_market(c, market_tables))


def _of_account(c: Capacity, tables: tuple[tuple[Any, ...], ...]) -> list[tuple[Any, ...]]:
    return [
        ("clock", CLOCK),
        ("count", COUNT),
        ("budget", BUDGET),
        ("probe", PROBE),
        ("share", SHARE, (c.strategies,)),
        ("size_of", SIZE, (c.strategies, c.instruments)),
        ("parameter", f8, (c.strategies, N_PARAMETERS)),
        ("wanted", WANTED, (c.strategies * c.instruments + 1,)),
        ("is_wanted", i8, (c.strategies, c.instruments)),
        ("target", TARGETED, (c.strategies, c.instruments, 2, c.layers)),
        ("noted", NOTED, (c.strategies, c.instruments)),
        *tables,
        ("fact", fact_dtype(c)),
        ("memory", i8, (c.strategies, c.instruments, N_WORDS)),
    ]


def _of_market(c: Capacity, tables: tuple[tuple[Any, ...], ...]) -> list[tuple[Any, ...]]:
    return [
        ("top", TOP, (c.instruments,)),
        ("source", SOURCE, (c.sources,)),
        ("book", BOOK, (c.instruments,)),
        ("trust", TRUST, (c.instruments,)),
        ("habits", HABITS, (c.instruments,)),
        ("quoted", QUOTED, (c.instruments,)),
        ("group", GROUPED, (c.assets,)),
        ("pegs", PEGS),
        ("timer", TIMER, (c.strategies, c.instruments)),  # time is the market's: it passes alike for every account
        ("tuning", f8, (N_TUNING,)),  # parameters of the rooms themselves (strategy -1)
        ("frame_ns", i8, (c.timeframes,)),
        ("frame_code", i8, (c.timeframes,)),
        ("signal", SIGNAL, (c.instruments,)),
        ("calibration", CALIBRATION, (20,)),
        ("forecast", PENDING, (c.instruments, 16)),
        ("forecast_at", i8, (c.instruments, 2)),
        *tables,
        ("bar", BARS, (c.instruments, c.timeframes)),
        ("past", i8, (c.instruments, c.timeframes, c.history)),  # closes, ring
        ("level_key", i8, (c.instruments, 2, c.levels)),  # price for bids, minus price for asks: ascending, best last
        ("level_quantity", i8, (c.instruments, 2, c.levels)),
    ]


def venue_dtype(c: Capacity) -> np.dtype[Any]:
    """The simulated venue's record."""
    lane = np.dtype([*LANE, ("slot", i8, (2, c.resting))])
    return np.dtype(
        [
            ("clock", VENUE_CLOCK),
            ("desk", DESK, (c.venues,)),
            ("schedule", SCHEDULE, (c.instruments,)),
            ("lane", lane, (c.instruments,)),
            ("asked", ASKED, (c.venues, c.flight)),
            ("told", TOLD, (c.venues, c.flight)),
            ("resting", RESTING, (c.orders,)),
            ("inbox", ROW, (128,)),
        ]
    )


def field_names(*dtypes: np.dtype[Any]) -> frozenset[str]:
    """Every field name that occurs in the dtypes, at any depth."""
    found: set[str] = set()
    todo = list(dtypes)
    while todo:
        dtype = todo.pop()
        base = dtype.base
        if base.names:
            found |= set(base.names)
            todo += [base[name] for name in base.names]
    return frozenset(found)
