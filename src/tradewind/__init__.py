"""Tradewind: an autonomous crypto trading system. One machine, one tape.

`import tradewind as tw` gives `tw.backtest`, `tw.replay`, `tw.features`, `tw.make_tape`, `tw.World` and what belongs to them
(`runtime.api`), each imported when it is first asked for: the import itself costs nothing.
"""

import importlib

__version__ = "0.1.0"
__all__ = ["Replayed", "Result", "World", "WorldSpec", "__version__", "backtest", "default_spec", "features", "make_tape", "replay"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'tradewind' has no attribute {name!r}")
    value: object = getattr(importlib.import_module("tradewind.runtime.api"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
