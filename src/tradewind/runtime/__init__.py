"""Runtime: whole runs. Each module is one function of the Python API and, with the same options, one command.

In: options, a configuration, folders. Out: results, journals, tapes, reports.

Reading order: options (what can be asked), config/ (what is configured), planning (both into a composition and a setup), session
(one run), backtest, paper, demo, replay; then recorder, imports, trials, scaffold, doctor, places, verify. `api` is what
`import tradewind as tw` offers.
"""
