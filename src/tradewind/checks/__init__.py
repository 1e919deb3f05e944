"""checks: what every plug-in must hold, ours and those of others, as functions anyone may call.

`venue` looks at a venue's adapter alone, `sandbox` lets it follow the emulated venue, `hostile` makes the frames that must not
hurt it. `tradewind check` runs them.
"""
