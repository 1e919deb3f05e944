"""Quarantine entries: stretches of refused rows of one series with one reason, and where they lie in the raw segment."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradewind.domain.instruments import Instrument, text
from tradewind.domain.rows import KIND_NAMES, Rows
from tradewind.storage.projection import CHANNELS, OF_KIND, runs, short_name

HELD, RELEASED, CONFIRMED = "held", "released", "confirmed"


def entries_of(rows: Rows, fates: NDArray[np.int16], digest: str, instruments: Sequence[Instrument]) -> list[dict[str, Any]]:
    """One entry for each stretch in which a stream was refused for one reason without a row taken in between."""
    refused = np.flatnonzero((fates > 0) & np.isin(rows["kind"], list(OF_KIND)))
    if not len(refused):
        return []
    group = rows["kind"].astype(np.int64) << 16 | rows["instrument"]
    watched = np.flatnonzero(np.isin(group, group[refused]) & (fates >= 0))
    watched = watched[np.argsort(group[watched], kind="stable")]
    mine, fate = group[watched], fates[watched]
    changed = (np.diff(mine) != 0) | (np.diff(fate) != 0)
    return [
        _entry(rows[watched[start:stop]], watched[start:stop], int(fate[start]), digest, instruments)
        for start, stop in runs(changed, len(watched))
        if fate[start] > 0
    ]


def _entry(rows: Rows, at: NDArray[np.int64], reason: int, digest: str, instruments: Sequence[Instrument]) -> dict[str, Any]:
    first, instrument = rows[0], instruments[int(rows["instrument"][0])]
    channel = CHANNELS[OF_KIND[int(first["kind"])].name]
    name = f"{digest} {int(at[0])} {int(at[-1])} {instrument.name} {channel} {reason}"
    return {
        "id": hashlib.sha256(name.encode()).hexdigest()[:12],
        "venue": instrument.venue, "instrument": short_name(instrument), "channel": channel, "reason": reason, "digest": digest,
        "first_at": int(at[0]), "last_at": int(at[-1]), "rows": len(rows),
        "first_ts": int(first["ts_local"]), "last_ts": int(rows["ts_local"][-1]),
        "state": HELD, "decided_by": "", "decided_ns": 0, "note": "", "example": _told(first, instrument),
    }  # fmt: skip


def _told(row: np.void, instrument: Instrument) -> str:
    """The first refused row in words."""
    price = text(int(row["price"]), instrument.price_exponent)
    quantity = text(int(row["quantity"]), instrument.quantity_exponent)
    return f"{KIND_NAMES[int(row['kind'])]} {price} × {quantity}, id {int(row['ref'])}"
