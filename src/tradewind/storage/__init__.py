"""What survives the process: tapes, journals, the market log, the lake and its records.

Comes in: rows the rim recorded, rows the machine consumed and emitted. Goes out: the same rows, proven or refused.

Reading order: `files` (whole or not at all), `tape` (recorded input), `journal` (what the machine did), `marketlog`
(market rows of a live run; `rowcode` has a row's bytes, `marketlayout` the files', `marketreader` and `marketsegments` are its
two sides), `inspect` (what lies in a journal); then `projection` and `lake` (the same rows as Delta
tables) and `records` (what is few and asked by many, in SQL).
"""
