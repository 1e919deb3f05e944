"""The nouns: rows, codes, layouts, instruments, units, errors. Imports nothing of ours.

In: nothing. Out: what every other package speaks in.

Reading order: rows (the 64 bytes everything happens in), codes (what stands in them), instruments (what its integers mean),
layout (the machine's tables), orders (the life of an order), reasons (every code with its sentence), errors, ports.
"""
