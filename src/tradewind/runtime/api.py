"""What `import tradewind as tw` offers: whole runs and their frames, the same functions the command line calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tradewind.engine.batch import features
from tradewind.simulation.world import World, WorldSpec, default_spec
from tradewind.storage.tape import Tape

from .backtest import Result
from .backtest import backtest as run_backtest
from .options import BacktestOptions, ReplayOptions, configured
from .replay import Replayed
from .replay import replay as run_replay

Say = Callable[[str], None]
OPTIONS = frozenset(BacktestOptions.__struct_fields__) - {"tape", "config", "strategy", "capital", "out", "set"}

__all__ = ["Replayed", "Result", "World", "WorldSpec", "backtest", "default_spec", "features", "make_tape", "replay"]


def backtest(
    tape: str | Path | Tape,
    config: str | Path | None = None,
    strategies: str | Sequence[str] = (),
    capital: str | float | None = None,
    out: str | Path | None = None,
    **settings: Any,
) -> Result:
    """Runs the configured strategies over a tape; its frames are `equity_curve`, `fills_frame` and `orders_frame`.

    strategies: only these; all enabled ones without it. capital: "10000 USD", or a number of USD. settings: an option of
    `tradewind backtest` (seed, currency, fee_tier, think_ns), a key of the configuration with `__` for its dots
    (`risk__max_open_orders=10`), or `say`, which is called with each line of progress. Raises the errors of `domain.errors`.
    """
    say: Say = settings.pop("say", _silent)
    known = {name: settings.pop(name) for name in OPTIONS & set(settings)}
    options = BacktestOptions(
        tape=tape.folder if isinstance(tape, Tape) else Path(tape),
        config=None if config is None else Path(config),
        strategy=[strategies] if isinstance(strategies, str) else list(strategies),
        capital=f"{capital} USD" if isinstance(capital, int | float) else capital,
        out=None if out is None else Path(out),
        set=[f"{name.replace('__', '.')}={_text(value)}" for name, value in settings.items()],
        **known,
    )
    return run_backtest(options, configured(options, os.environ), say=say)


def replay(journal: str | Path, facts: bool = False, strategies: bool = False) -> Replayed:
    """The machine again over a journal: `equal`, or the `first_difference`. facts: only fold what is true, under any version."""
    return run_replay(ReplayOptions(journal=Path(journal), facts=facts, strategies=strategies))


def make_tape(world: World | WorldSpec, folder: str | Path, seed: int = 1) -> Tape:
    """The rows of a world as a tape folder. seed: where a spec is given instead of a World."""
    from .demo import make_tape as write

    spec, number = (world.spec, world.seed) if isinstance(world, World) else (world, seed)
    return write(spec, number, Path(folder))[0]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _silent(line: str) -> None:
    """Nobody listens to progress."""
