"""Strategy: what we want. Compiled.

In: touches, bars, timers, ends of orders, answers of Python strategies. Out: targets (a price, a quantity and the reason)
and weights that say how much of its targets each strategy gets.

Reading order: targets (how to wish), library/ (who wishes), selector (who is listened to).
"""
