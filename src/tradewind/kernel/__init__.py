"""The kernel: what every compiled room stands on.

jit (the two decorators) · twin (the same source, uncompiled) · fixed (128-bit muldiv, rounding) · maths (exp, log, …
with the same bits everywhere) · emit (command rows) · must (checks that stay on). Imports nothing of ours but `domain`.
"""
