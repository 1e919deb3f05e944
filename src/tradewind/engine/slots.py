"""What a composition chooses: features and strategies.

`engine.compose` writes a package whose `slots` is generated: two namespaces of hooks, each an unrolled chain over the chosen
modules. This file is the empty composition, so that the machine page reads, lints and type-checks where it stands.
"""

from ..kernel.jit import compiled


class features:  # a namespace, as the generated module of that name is
    """Hooks of analytics: on_quote, on_trade, on_bar, on_decision."""

    @staticmethod
    @compiled
    def on_quote(s, i): ...

    @staticmethod
    @compiled
    def on_trade(s, row): ...

    @staticmethod
    @compiled
    def on_bar(s, i, f): ...

    @staticmethod
    @compiled
    def on_decision(s, i): ...


class strategies:  # likewise
    """Hooks of strategies: on_timer, on_touch, on_bar, on_end, on_answer."""

    @staticmethod
    @compiled
    def on_timer(s, k, i, out): ...

    @staticmethod
    @compiled
    def on_touch(s, i, out): ...

    @staticmethod
    @compiled
    def on_bar(s, i, f, out): ...

    @staticmethod
    @compiled
    def on_end(s, k, i, out): ...

    @staticmethod
    @compiled
    def on_answer(s, k, row, out): ...
