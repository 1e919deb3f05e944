"""Why something was done, not done or not believed: codes with the sentence a person reads.

One registry for causes of orders, reasons of inaction, refusals of the risk review and verdicts of truth. A number is
never reused. `sentence(code)` is what `tradewind why` prints.
"""

# Causes of an order or a cancel: each is a measured value against a threshold ------------------------------------------
QUOTE_PLACED = 1
SIGNAL_OVER_THRESHOLD = 2
EDGE_OVER_COST = 3
CROSS_UP = 4
CROSS_DOWN = 5
LEG_HEDGED = 6
STRATEGY_WISH = 7
PRICE_MOVED = 8
NO_LONGER_WANTED = 9
LADDER_CANCEL = 10
WEIGHT_MOVED = 11

# Why a strategy did nothing --------------------------------------------------------------------------------------------
NOT_MEMBER = 40
BOOK_NOT_SYNCED = 41
WARMING_UP = 42
SIGNAL_TOO_WEAK = 43
EDGE_TOO_SMALL = 44
INVENTORY_FULL = 45
ONE_VENUE_ONLY = 46
LEGS_IN_FLIGHT = 47
ALREADY_THERE = 48
NO_REFERENCE = 49
NO_RATE = 50
NO_BAR_YET = 51
STRATEGY_BUSY = 52
ANSWER_EXPIRED = 53
NOT_ASKED = 54
WEIGHT_ZERO = 55
ASKED_NO_CHANGE = 56
NOT_SIZED = 57

# Refusals of the risk review --------------------------------------------------------------------------------------------
HALTED_BY_LADDER = 80
BOOK_UNTRUSTED = 81
QUANTITY_OFF_LOT = 82
QUANTITY_TOO_SMALL = 83
NOTIONAL_TOO_SMALL = 84
QUANTITY_TOO_LARGE = 85
NOTIONAL_TOO_LARGE = 86
PRICE_OFF_TICK = 87
PRICE_OUTSIDE_COLLAR = 88
NO_GRADE = 89
POSITION_LIMIT = 90
GROSS_LIMIT = 91
NET_LIMIT = 92
TOO_MANY_OPEN = 93
RATE_LIMIT = 94
DATA_TOO_OLD = 95
DRAWDOWN = 96
SELF_CROSS = 97
BALANCE_TOO_SMALL = 98
TABLE_FULL = 99
RANGE_EXCEEDED = 100
NO_RIGHT = 101
NOT_TRADING = 102
OFF_PEG = 103
SUSPENSE_TOO_LARGE = 104
ACCESS_LOST = 105

# Verdicts of truth -------------------------------------------------------------------------------------------------------
HOLE_IN_STREAM = 120
CHAIN_BROKEN = 121
CHECKSUM_WRONG = 122
CROSSED_BOOK = 123
STALE_FEED = 124
IMPOSSIBLE_JUMP = 125
OFF_CONSENSUS = 126
TIME_BACKWARD = 127
BROKEN_BAR = 128
BOOK_LOST_SIDE = 129
BAD_PRICE = 130
BAD_QUANTITY = 131
OLD_MESSAGE = 132
FROZEN_FEED = 133
WRONG_SCALE = 134
WRONG_INSTRUMENT = 135
TOLD_TWICE = 136
OUT_OF_ORDER = 137
TRADES_MISSING = 138
CLOCK_JUMPED = 139
LONG_WICK = 140
CANDLE_DIFFERS = 141
QUOTE_DIFFERS = 142
MARK_DIFFERS = 143
DISTRUSTED = 144
STREAM_DOWN = 145
UNREAD = 146

# Faults (must) --------------------------------------------------------------------------------------------------------------
FAULT_UNKNOWN_KIND = 160
FAULT_INSTRUMENT = 161
FAULT_TIME_BACKWARD = 162
FAULT_ILLEGAL_TRANSITION = 163
FAULT_MONEY_OVERFLOW = 164
FAULT_UNKNOWN_ORDER = 165
FAULT_SOURCE = 166
FAULT_RULE = 167
FAULT_QUEUE_FULL = 168

# Causes of a stream's condition (STREAM.ref) ----------------------------------------------------------------------------------
DATA_ARRIVED = 200
SNAPSHOT_JOINED = 201
SNAPSHOT_ASKED = 202
HISTORY_ASKED = 203
HISTORY_JOINED = 204
HISTORY_MISSING = 205
GAP_ACCEPTED = 206
IDS_SKIPPED = 207
PROOF_FAILED = 208
BOOK_CROSSED = 209
WENT_SILENT = 210
DISCONNECTED = 211
UNSUBSCRIBED = 212
VENUE_REFUSED = 213
NEVER_PROVEN = 214
SYMBOL_HALTED = 215
POLLED = 216
SNAPSHOT_DIFFERS = 217
BOOK_DOUBTED = 218
FRAME_REFUSED = 219

SENTENCES = {
    QUOTE_PLACED: "its formula quoted {measured:.10g}; the touch on that side stood at {threshold:.10g}",
    SIGNAL_OVER_THRESHOLD: "the signal's score {measured:g} passed the threshold {threshold:g}",
    EDGE_OVER_COST: "the edge between two venues, {measured:g} bp, exceeded all costs and the margin, {threshold:g} bp",
    CROSS_UP: "the fast average stood {measured:g} over the slow one, threshold {threshold:g}",
    CROSS_DOWN: "the fast average stood {measured:g} under the slow one, threshold {threshold:g}",
    LEG_HEDGED: "one leg of an arbitrage had not filled; the open {measured:g} units were hedged by rule",
    STRATEGY_WISH: "a Python strategy wished a position {measured:g} away from the present one",
    PRICE_MOVED: "the price it should stand at moved to {measured:g}, it stood at {threshold:g}",
    NO_LONGER_WANTED: "no order is wanted there any more",
    LADDER_CANCEL: "the ladder stepped down to {measured:g}",
    WEIGHT_MOVED: "the selector moved the strategy's weight to {threshold:g} on a score of {measured:g}",
    NOT_MEMBER: "the strategy has no right to trade this instrument",
    BOOK_NOT_SYNCED: "the book was not synced (condition {measured:g})",
    WARMING_UP: "its features had {measured:g} of the {threshold:g} bars they need",
    SIGNAL_TOO_WEAK: "the signal's score {measured:g} did not reach the threshold {threshold:g}",
    EDGE_TOO_SMALL: "the best edge, {measured:g} bp, did not exceed costs and margin, {threshold:g} bp",
    INVENTORY_FULL: "the inventory {measured:g} had reached its limit {threshold:g}",
    ONE_VENUE_ONLY: "only {measured:g} venue quotes this asset, arbitrage needs {threshold:g}",
    LEGS_IN_FLIGHT: "orders of the former decision were still in flight",
    ALREADY_THERE: "the wished position was already held",
    NO_REFERENCE: "there was no reference price (grade {measured:g})",
    NO_RATE: "no rate for its quote currency",
    NO_BAR_YET: "no bar of the timeframe it is asked on had closed",
    STRATEGY_BUSY: "the strategy was still thinking",
    ANSWER_EXPIRED: "the strategy's answer came too late",
    NOT_ASKED: "nothing it listens to had happened yet",
    ASKED_NO_CHANGE: "it was asked at its last closed bar, at close {measured:.10g}, and wished no change",
    NOT_SIZED: "its size, {measured:g}, held no lot of {threshold:g}: not sized yet, or too little capital",
    WEIGHT_ZERO: "the selector gave it no weight",
    HALTED_BY_LADDER: "the ladder stood on rung {measured:g}",
    BOOK_UNTRUSTED: "the book was not synced (condition {measured:g})",
    QUANTITY_OFF_LOT: "quantity {measured:g} is no multiple of the lot {threshold:g}",
    QUANTITY_TOO_SMALL: "quantity {measured:g} is under the venue's minimum {threshold:g}",
    NOTIONAL_TOO_SMALL: "notional {measured:g} is under the venue's minimum {threshold:g}",
    QUANTITY_TOO_LARGE: "quantity {measured:g} is over the limit {threshold:g}",
    NOTIONAL_TOO_LARGE: "notional {measured:g} is over the limit {threshold:g}",
    PRICE_OFF_TICK: "price {measured:g} is no multiple of the tick {threshold:g}",
    PRICE_OUTSIDE_COLLAR: "the price lay {measured:g} bp off the reference, the collar is {threshold:g} bp",
    NO_GRADE: "the reference price had grade {measured:g}, new risk needs {threshold:g}",
    POSITION_LIMIT: "the position would be worth {measured:g} in the worst case, the limit is {threshold:g}",
    GROSS_LIMIT: "gross exposure would reach {measured:g}, the limit is {threshold:g}",
    NET_LIMIT: "net exposure would reach {measured:g}, the limit is {threshold:g}",
    TOO_MANY_OPEN: "{measured:g} orders were open, the limit is {threshold:g}",
    RATE_LIMIT: "the order rate had used up its budget ({threshold:g} a second)",
    DATA_TOO_OLD: "the last market data was {measured:g} s old, the limit is {threshold:g} s",
    DRAWDOWN: "the drawdown latch is set at {measured:g} %",
    SUSPENSE_TOO_LARGE: "fills of unknown orders left {measured:g} unexplained, the limit is {threshold:g}",
    SELF_CROSS: "it would have traded with our own order at {threshold:g}",
    BALANCE_TOO_SMALL: "it needed {measured:g}, free balance was {threshold:g}",
    TABLE_FULL: "the order table was full",
    RANGE_EXCEEDED: "a product left the certified range",
    NO_RIGHT: "the strategy has no right to trade this instrument",
    NOT_TRADING: "the venue takes no such order now (status {measured:g}: 1 halt, 2 post only, 3 cancel only, 4 limit only, "
    "5 reduce only, 6 delisted)",
    OFF_PEG: "a stablecoin it depends on stood {measured:.2%} off its peg, limit {threshold:.2%}: only reducing is allowed",
    ACCESS_LOST: "what is heard of it or of its venue granted rung {measured:g} (2 reduce only, 3 cancel only); the order needed "
    "rung {threshold:g} or better",
    HOLE_IN_STREAM: "the stream does not continue: {measured:g} rows missing or told again, threshold {threshold:g}",
    CHAIN_BROKEN: "the venue's update ids do not continue: {measured:g} ids missing, threshold {threshold:g}",
    CHECKSUM_WRONG: "the book's checksum is {measured:.0f}, the venue's {threshold:.0f}",
    CROSSED_BOOK: "bid {measured:g} is not below ask {threshold:g}",
    STALE_FEED: "no row for {measured:g} s, the limit is {threshold:g} s",
    IMPOSSIBLE_JUMP: "it lay {measured:g} bp off its own last value, over {threshold:g} bp, and no other source confirmed",
    OFF_CONSENSUS: "it lay {measured:g} bp off the other sources, over {threshold:g} bp",
    TIME_BACKWARD: "the venue's clock went back by {measured:g} s, over {threshold:g} s",
    BROKEN_BAR: "high, low, open and close contradict each other (low {measured:g}, high {threshold:g})",
    BOOK_LOST_SIDE: "one side of the book is empty or beyond what is known (bid {measured:g}, ask {threshold:g})",
    BAD_PRICE: "a price of {measured:g}",
    BAD_QUANTITY: "a quantity of {measured:g}",
    OLD_MESSAGE: "the message is {measured:g} ids or seconds older than what is known, threshold {threshold:g}",
    FROZEN_FEED: "the same value for {measured:g} s while others moved by over {threshold:g} bp",
    WRONG_SCALE: "it is {measured:g} times the reference, a factor of {threshold:g}: another unit, or a shifted decimal point",
    WRONG_INSTRUMENT: "it lay {measured:g} bp off its own reference and within {threshold:g} bp of another instrument of the venue",
    TOLD_TWICE: "told twice: {measured:g}, last known {threshold:g}",
    OUT_OF_ORDER: "{measured:g} ids or seconds late: what follows it was told before, threshold {threshold:g}",
    TRADES_MISSING: "{measured:g} trade ids are missing, threshold {threshold:g}",
    CLOCK_JUMPED: "the venue's stamps lie {measured:g} s off their usual lag, over {threshold:g} s",
    LONG_WICK: "an extreme {measured:g} bp outside open and close that no other source saw, over {threshold:g} bp",
    CANDLE_DIFFERS: "the candle lies {measured:g} bp off the trades it stands for, over {threshold:g} bp",
    QUOTE_DIFFERS: "best quote and book differ by {measured:g} bp, over {threshold:g} bp",
    MARK_DIFFERS: "mark or index lies {measured:g} bp off the market, over {threshold:g} bp",
    DISTRUSTED: "trust fell to {measured:g}, under {threshold:g}: the source has no vote and no orders until it has earned it back",
    STREAM_DOWN: "the rim announced that the stream is not whole (condition {measured:g}, needed {threshold:g})",
    UNREAD: "it could not be read as a row: {measured:g} lines, bars or frames",
    FAULT_UNKNOWN_KIND: "a row of unknown kind",
    FAULT_INSTRUMENT: "a row names an instrument outside the table",
    FAULT_TIME_BACKWARD: "journal time went back",
    FAULT_ILLEGAL_TRANSITION: "an order was told something its state does not allow",
    FAULT_MONEY_OVERFLOW: "an amount left the range of its unit",
    FAULT_UNKNOWN_ORDER: "a fill for an order nobody sent",
    FAULT_SOURCE: "a row names a stream outside the table",
    FAULT_RULE: "a rule, limit or parameter names a column outside the table",
    FAULT_QUEUE_FULL: "a bounded queue of the simulated venue overflowed",
    DATA_ARRIVED: "its data arrived",
    SNAPSHOT_JOINED: "a snapshot and the changes after it were joined",
    SNAPSHOT_ASKED: "a new snapshot was asked for",
    HISTORY_ASKED: "what is missing was asked for by REST",
    HISTORY_JOINED: "the history closed the gap, id by id",
    HISTORY_MISSING: "the venue's history does not reach back to the gap",
    GAP_ACCEPTED: "the gap was marked and the stream goes on behind it",
    IDS_SKIPPED: "the venue's ids skipped",
    PROOF_FAILED: "the book does not give the venue's proof",
    BOOK_CROSSED: "the book stood crossed too long",
    WENT_SILENT: "nothing came for too long",
    DISCONNECTED: "the connection was lost",
    UNSUBSCRIBED: "nobody has subscribed to it",
    VENUE_REFUSED: "the venue refused it",
    NEVER_PROVEN: "it was subscribed and no data came",
    SYMBOL_HALTED: "the venue halted, delisted or renamed the symbol",
    POLLED: "no socket is to be had: it is asked by REST, at a lower grade",
    SNAPSHOT_DIFFERS: "twice the venue's own snapshot differed in levels that had not moved",
    BOOK_DOUBTED: "the machine did not believe the book for too long",
    FRAME_REFUSED: "a frame of it could not be read: what it changed is not known",
}

UNMEASURED = {  # the same where a row has no place for both numbers: a VERDICT says what was refused, not against what
    HOLE_IN_STREAM: "rows are missing between the rim and the machine",
    CHAIN_BROKEN: "the venue's update ids do not continue",
    CROSSED_BOOK: "the bid is not below the ask",
    STALE_FEED: "no row came for too long",
    IMPOSSIBLE_JUMP: "it lay too far off its own last value, and no other source confirmed",
    OFF_CONSENSUS: "it lay too far off the other sources",
    FROZEN_FEED: "the same value for too long while others moved",
}
IN_PRICE_UNITS = frozenset({QUOTE_PLACED, PRICE_MOVED, CROSS_UP, CROSS_DOWN, ASKED_NO_CHANGE, PRICE_OFF_TICK, SELF_CROSS})
IN_QUANTITY_UNITS = frozenset({STRATEGY_WISH, NOT_SIZED, QUANTITY_OFF_LOT, QUANTITY_TOO_SMALL, QUANTITY_TOO_LARGE})
NAMES = {value: name for name, value in list(globals().items()) if name.isupper() and isinstance(value, int)}


def name(code: int) -> str:
    """The code's name, or `CODE_<n>` for one of a later release."""
    return NAMES.get(code, f"CODE_{code}")


def unit_of(code: int, price_unit: float, quantity_unit: float) -> float:
    """What the measured value and the threshold of a decision are counted in: a unit of the instrument, or 1."""
    return price_unit if code in IN_PRICE_UNITS else quantity_unit if code in IN_QUANTITY_UNITS else 1.0


def sentence(code: int, measured: float | None = None, threshold: float | None = None) -> str:
    """The reason in words, with its measured value and threshold filled in; without them where they are not known."""
    if measured is None and code in UNMEASURED:
        return UNMEASURED[code]
    return SENTENCES.get(code, name(code)).format(measured=measured or 0.0, threshold=threshold or 0.0)
