"""Portfolio: what we own, and everything else that is true. Compiled.

In: journaled rows: our commands, what venues said of them, rules, limits, money from outside. Out: the `fact` half of the state.
Nothing else in Tradewind may write it, so folding a journal through `facts.apply` restores it exactly.

Reading order: facts (which row changes what), ledger (double entry in integers), positions (average cost, open orders).
"""
