"""The fabric: from the sockets of venues to one gap-free, counted stream of rows.

In: a venue's adapter (bytes to rows), a transport (sockets), a clock, randomness. Out: rows with dense `stream_seq` for a
`Sink`, STREAM rows wherever a stream's condition changed, CLOCK rows for the venues' clocks.

Read in this order: `streams` (what conditions there are), `lanes` (one stream), `links` (one connection), `feeds` (one
venue); beside them `transport`, `websocket`, `http`, `budget`, `clockskew`, `policy`.

From rows to data that can be trusted: `store` (one folder), `sieve` (what the machine makes of each raw row), `ingest`, `minutes`,
`gaps`, `entries`, then `catalogue`, `quarantine`, `verify`.
"""
