"""Strategies written in Python: they sleep until a bar closes, look at the machine's tables, and answer with a target.

In: a `Bar` and a `Market`. Out: a `Target` or nothing. Here they may import what they like; the machine does not wait for them.

Reading order: base (what a strategy sees and says), swing (one that ships), template (what `tradewind new strategy` writes).
"""
