"""Venues: what exchanges say, turned into rows; what we say, turned into their bytes.

In: bytes of a socket, a REST answer or a recording. Out: rows (`domain.rows`) whose numbers went from text to integer
units without a float between. Each venue is a folder: `wire` (Structs, the only place that knows field names), `market`
(Structs to rows), `importer` (recordings to rows). No dict leaves a `wire`.

Reading order: lines, numbers, symbols, imported, binance, kraken, ohlcv, witness (a plain book that re-reads the rows).
"""
