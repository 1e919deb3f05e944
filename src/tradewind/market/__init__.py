"""Market: what the world looks like, and how far it can be believed. Compiled.

In: market rows, one at a time. Out: books, touches, bars, one reference price an asset with a grade, verdicts on what was
not believed.

Reading order: books (levels to touch), truth (is a message whole, is its outcome plausible), consensus (many sources, one
price), rates (the same price as an exchange rate), bars (trades and touches in time).
"""
