"""Raw segments under one face: a tape's folder or a recording's, each segment with the sha256 of its rows."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from tradewind.storage.recording import Recording, is_recording
from tradewind.storage.tape import Tape


def open_raw(folder: Path | str) -> Tape:
    """The tape or the recording at a folder; a recording's segments are hashed here. Raises BadUse, BadData, Corrupt.

    A recording is taken as it stands now: what is written later makes its last segment another one.
    """
    folder = Path(folder)
    if not is_recording(folder):
        return Tape.open(folder)
    found = Recording(folder)
    hashed = [
        msgspec.structs.replace(part, sha256=hashlib.sha256(found.segment(n).tobytes()).hexdigest())
        for n, part in enumerate(found.manifest.segments)
    ]
    found.manifest = msgspec.structs.replace(found.manifest, segments=hashed)
    return found
