"""Integer codes of everything that lies on the tape or in a table.

A code is never reused and never renumbered: journals outlive releases. Plain ints, because the compiled floor
freezes them as constants.
"""

# Sides and signs ------------------------------------------------------------------------------------------------------
BUY, SELL = 0, 1

# Marks of a row (bit set): where it stands in its venue message -------------------------------------------------------
FIRST = 1  # first row of a message
LAST = 2  # last row of a message: judgement, features and decisions run here
SNAPSHOT = 4  # the message replaces the whole book
EMPTY = 8  # the message carried ids but no level; price and quantity mean nothing
RESYNC = 16  # the stream was re-joined before this message: its ids do not continue the former ones
SYNTHETIC = 32  # made by Tradewind (world, back-fill), not heard from a venue
WHOLE = FIRST | LAST

# Kinds of row: inputs -------------------------------------------------------------------------------------------------
DEPTH = 1  # one level is set: side, price, quantity (0 removes); ref = update id, value = former id (FIRST) or CRC32 (LAST)
QUOTE = 2  # best quote, two rows a message (BUY FIRST, SELL LAST): price, quantity; ref = update id
TRADE = 3  # a market trade: side = aggressor, price, quantity; ref = trade id
BAR = 4  # a finished bar: price = close, quantity = volume, ref = open, value = high and low offsets, strategy = timeframe
OBSERVATION = 5  # external number: value, ref = event time; ts_venue = publication time
FUNDING = 6  # price = mark price, value = rate in 1e-9, ref = next funding time
MARKPRICE = 7  # price = mark, value = index price
STREAM = 8  # the rim announces a stream's condition: value = stream code below, ref = cause
CLOCK = 9  # time passes: ts_local; value = wall offset in ns (local minus UTC) of `source`, else 0
RULE = 10  # ref = rule column, value = new value, for one instrument
LIMIT = 11  # ref = limit column, value = new value, for `strategy` (-1: the whole book) and `instrument` (-1: all)
PARAMETER = 12  # ref = parameter column, value in 1e-9, for one strategy
BALANCE = 13  # opening or external movement: instrument field holds the asset, quantity = change, ref = cause
OPERATOR = 14  # value = operator code below
TARGET = 15  # a Python strategy's answer: wished position quantity, price = worst price (0: none), ref = wake number
MEMORY = 16  # part of an answer: word `ref` of the strategy's memory becomes `value`
PREDICTION = 17  # a model's answer: value = score in 1e-9, quantity = confidence in 1e-9, ref = horizon ns
RIGHT = 18  # which strategy may trade an instrument: value 1 or 0

# Kinds of row: what venues say of our orders --------------------------------------------------------------------------
REPORT = 24  # ref = order id, value = report code below, quantity = leaves, price = cause
FILL = 25  # FIRST of two: ref = order id, value = venue trade id, price, quantity, maybe MAKER_FILL
CHARGE = 26  # LAST of two: ref = order id, quantity = fee (negative: rebate), strategy = fee asset, value = cost

# Kinds of row: what the machine says ----------------------------------------------------------------------------------
EVIDENCE = 31  # FIRST of a decision: ref = order id, value = cause code, price = measured, quantity = threshold (both 1e-9)
SUBMIT = 32  # ref = order id, side, price, quantity, value = order type | layer << 8 | twice (price less mid) << 16
CANCEL = 33  # ref = order id, value = cause code
AMEND = 34  # ref = order id, price, quantity
WAKE = 35  # a Python strategy is asked: ref = wake number, price = close, quantity = volume, value = timeframe
ALERT = 36  # what people must hear: value = its reason, ref = what was measured (money in units of 10^-8)
VERDICT = 37  # not believed: value = truth code, price = measured, quantity = threshold (1e-9); stream, number and ref of the row
HALT = 38  # the machine latched a ladder rung: value = rung, ref = cause

# Kinds of row: only in a journal --------------------------------------------------------------------------------------
TAPE = 48  # market rows [ref, value) of tape segment `quantity` were read here
COMMIT = 49  # closes a batch: ref = rows before it, value = first 8 bytes of the chain, quantity = state digest or 0
UPGRADE = 50  # a new composition took over; text names it

MAKER_FILL = 64  # a mark of FILL: our order was the resting side

# Report codes ---------------------------------------------------------------------------------------------------------
ACKED, REJECTED_BY_VENUE, CANCELED_BY_VENUE, EXPIRED_BY_VENUE, CANCEL_REFUSED, OUTCOME_UNKNOWN, NEVER_REACHED = range(1, 8)

# Order types (SUBMIT.value) -------------------------------------------------------------------------------------------
LIMIT_GTC, LIMIT_POST_ONLY, LIMIT_IOC = 1, 2, 3
ORDER_MASK = 0xFFFF  # of SUBMIT.value: order type and layer, without what the touch was
MOST_OFF = 1 << 46
NO_MIDDLE = -MOST_OFF  # above the mask, where there was no touch

# Conditions of a stream or book ---------------------------------------------------------------------------------------
UNAVAILABLE, SYNCED, GAP, BACKFILLING, STALE, INVALID = range(6)

# Ladder ---------------------------------------------------------------------------------------------------------------
ACTIVE, CAUTIOUS, REDUCE_ONLY, CANCEL_ONLY, HALTED, DEAD = range(6)
RUNG_NAMES = ("ACTIVE", "CAUTIOUS", "REDUCE_ONLY", "CANCEL_ONLY", "HALTED", "DEAD")

# Operator codes -------------------------------------------------------------------------------------------------------
OP_RESUME, OP_CAUTIOUS, OP_REDUCE_ONLY, OP_CANCEL_ONLY, OP_HALT = range(5)

# Integrity proofs a venue offers for its books (rule column INTEGRITY) ------------------------------------------------
PROOF_NONE, PROOF_CHAIN, PROOF_CRC32 = range(3)

# Payoffs (rule column PAYOFF) -----------------------------------------------------------------------------------------
SPOT, LINEAR, INVERSE = range(3)

# Grades of a reference price: how many sources agree ------------------------------------------------------------------
GRADE_NONE, GRADE_C, GRADE_B, GRADE_A = range(4)

# What a venue lets be done with an instrument (rule column TRADING_STATUS) ------------------------------------------------
TRADING, STATUS_HALT, STATUS_POST_ONLY, STATUS_CANCEL_ONLY, STATUS_LIMIT_ONLY, STATUS_REDUCE_ONLY, STATUS_DELISTED = range(7)
STATUS_NAMES = ("TRADING", "HALT", "POST_ONLY", "CANCEL_ONLY", "LIMIT_ONLY", "REDUCE_ONLY", "DELISTED")

# Why `run` came back --------------------------------------------------------------------------------------------------
END, FULL, WOKEN, FAULT = range(4)

# Time -----------------------------------------------------------------------------------------------------------------
MICROSECOND, MILLISECOND, SECOND = 1_000, 1_000_000, 1_000_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
NEVER = 1 << 62  # later than any time on a tape
E9 = 1_000_000_000  # fixed-point ratios (parameters, scores, rates) are integers in 1e-9
E7 = 10_000_000  # fees are integers in 1e-7 of the cost

# Timeframes: BAR.strategy and WAKE.value hold an index into this table ------------------------------------------------
TIMEFRAME_NS = (
    SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 3 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE,
    HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 8 * HOUR, 12 * HOUR, DAY, 7 * DAY,
)  # fmt: skip
TIMEFRAME_NAMES = ("1s", "5s", "10s", "15s", "30s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "1w")
