"""Risk: what we may. Compiled.

In: an order somebody wants. Out: 0, or the code of the first rule that forbids it, with the numbers. Once a second: exposure,
equity, and whether the ladder steps down.

Reading order: review (every rule, in order), limits (exposure at worst case), sizing (how much a share of capital buys),
breakers (what steps down by itself).
"""
