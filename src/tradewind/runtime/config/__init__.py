"""Configuration: what a run is told, by whom, and whether that makes sense.

In: a TOML file, environment variables, options. Out: `Loaded`, a frozen `Config` and the origin of each value.
Reading order: schema (every key, once), units (how a value is read), load (the layers), checks (keys against each other).
"""

from .checks import Declared, Parameter, check_venues, instruments_of, refuse_unknown, selected, unknown_name
from .load import FILE_NAME, Override, load
from .loaded import Loaded
from .schema import KINDS, Config, Journal, Risk, Run, Selector, Strategy, Timeframes, Truth, Venue
from .units import Money, Size

__all__ = [
    "FILE_NAME", "KINDS", "Config", "Declared", "Journal", "Loaded", "Money", "Override", "Parameter", "Risk", "Run", "Selector",
    "Size", "Strategy", "Timeframes", "Truth", "Venue", "check_venues", "instruments_of", "load", "refuse_unknown",
    "selected", "unknown_name",
]  # fmt: skip
