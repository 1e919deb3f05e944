from .runtime.api import Replayed as Replayed
from .runtime.api import Result as Result
from .runtime.api import World as World
from .runtime.api import WorldSpec as WorldSpec
from .runtime.api import backtest as backtest
from .runtime.api import default_spec as default_spec
from .runtime.api import features as features
from .runtime.api import make_tape as make_tape
from .runtime.api import replay as replay

__version__: str
__all__: list[str]
