"""Compiled strategies, one file each; a composition numbers the chosen ones.

A strategy declares `NAME`, `PARAMETERS`, perhaps `MEMORY`, and any of the hooks `on_touch`, `on_bar`, `on_timer`, `on_end`,
`on_answer`. It reads every table and writes only its targets, its notes and its memory. `python` is the seat of strategies
written in Python (`tradewind.strategies`).
"""
