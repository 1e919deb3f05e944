"""Features, one file each. A composition chooses some and calls their hooks; the others cost nothing.

In: the hook's event: `on_quote`, `on_trade`, `on_bar`, `on_decision`. Out: a record of the feature's own `MEMORY` an instrument
(and timeframe, where `PER_FRAME`). A feature knows one step; a whole history is that step in a loop (`engine.batch`).
"""
