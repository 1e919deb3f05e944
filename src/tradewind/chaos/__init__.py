"""chaos: who tries to prove Tradewind wrong.

`auditor` recomputes the money from the journal alone; `planted` puts known faults into the ledger to show that it sees them.
"""
