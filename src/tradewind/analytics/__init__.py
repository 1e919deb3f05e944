"""Analytics: what the market means. Compiled.

In: touches, trades and closed bars from `market`. Out: features, and one signal an instrument with score, horizon and a
confidence that was earned on past signals only.

Reading order: features/ (one file each, step form), windows (rings they share), signals (features to a score), confidence
(was that score right before).
"""
