"""One file a command; each makes a `Command` whose `run` calls one function of the Python API."""

from ..command import Command
from .backtest import BACKTEST
from .bench import BENCH
from .check import CHECK
from .config import SHOW
from .data import DATA
from .demo import DEMO
from .doctor import DOCTOR
from .imports import IMPORT
from .new import STRATEGY
from .paper import PAPER
from .record import RECORD
from .replay import REPLAY
from .sandbox import SANDBOX
from .sweep import SWEEP
from .truth import PLANT, SCORE
from .venue import VENUE
from .verify import VERIFY
from .why import WHY, WHY_NOT

COMMANDS: tuple[Command, ...] = (
    DEMO, IMPORT, BACKTEST, REPLAY, WHY, WHY_NOT, PAPER, SWEEP, STRATEGY, SANDBOX, DOCTOR, BENCH, SHOW, VERIFY,
    RECORD, *DATA, SCORE, PLANT, CHECK, VENUE,
)  # fmt: skip
