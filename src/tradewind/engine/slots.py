"""What a composition chooses: features and strategies.

`engine.compose` writes a package whose `slots` is generated: two namespaces of hooks, each an unrolled chain over the chosen
modules. This file is the empty composition, so that the machine page reads, lints and type-checks where it stands.
"""

from typing import Any

from ..kernel.jit import compiled


class features:  # a namespace, as the generated module of that name is
    """Hooks of analytics: on_quote, on_trade, on_bar, on_decision."""

    @staticmethod
    @compiled
    def on_quote(s: Any, i: Any) -> None: ...

    @staticmethod
    @compiled
    def on_trade(s: Any, row: Any) -> None: ...

    @staticmethod
    @compiled
    def on_bar(s: Any, i: Any, f: Any) -> None: ...

    @staticmethod
    @compiled
    def on_decision(s: Any, i: Any) -> None: ...


class strategies:  # likewise
    """Hooks of strategies: on_timer, on_touch, on_bar, on_end, on_answer; whether any of them listens to the touch."""

    HEARS_TOUCH = True

    @staticmethod
    @compiled
    def on_timer(s: Any, k: Any, i: Any, out: Any) -> None: ...

    @staticmethod
    @compiled
    def on_touch(s: Any, i: Any, out: Any) -> None: ...

    @staticmethod
    @compiled
    def on_bar(s: Any, i: Any, f: Any, out: Any) -> None: ...

    @staticmethod
    @compiled
    def on_end(s: Any, k: Any, i: Any, out: Any) -> None: ...

    @staticmethod
    @compiled
    def on_answer(s: Any, k: Any, row: Any, out: Any) -> None: ...
