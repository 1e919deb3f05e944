"""Execution: what we do. Compiled.

In: a target that differs from what works, and passed the review. Out: EVIDENCE, SUBMIT, CANCEL and HALT rows, each applied as a
fact in the same breath. The states an order goes through afterwards stand in `domain.orders`.
"""
