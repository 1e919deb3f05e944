"""The world: seeded, correlated order flow at several venues, as tape rows.

In: a `WorldSpec` and a seed. Out: instruments, streams, rows in journal order chunk by chunk, and the truth about every
fault and every genuine upheaval in them. Reading order: spec (what one can ask for), build (the object), loop, process
(latent prices), venue_flow (what happens at a venue), book, messages, faults, chance, layout; stylised judges the result.
"""

from .build import Truth, World
from .spec import AssetSpec, FaultSpec, InstrumentSpec, VenueSpec, WorldSpec, default_spec, every_fault, pair, wide_spec

__all__ = [
    "AssetSpec", "FaultSpec", "InstrumentSpec", "Truth", "VenueSpec", "World", "WorldSpec",
    "default_spec", "every_fault", "pair", "wide_spec",
]  # fmt: skip
