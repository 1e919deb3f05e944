"""Raw segments under one face: a tape's folder or a recording's, each segment with the sha256 of its rows."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from tradewind.domain.errors import BadUse
from tradewind.storage import files
from tradewind.storage.recording import MARKET, Recording, is_recording
from tradewind.storage.tape import Tape


def open_raw(folder: Path | str, *, ended: bool = False) -> Tape:
    """The tape or the recording at a folder; a recording's segments are hashed here. Raises BadUse, BadData, Corrupt.

    A recording is taken as it stands now: what is written later makes its last segment another one. ended: so it is refused
    while somebody writes it.
    """
    folder = Path(folder)
    if not is_recording(folder):
        return Tape.open(folder)
    if ended and files.is_held(folder / MARKET):
        raise BadUse(
            "is still being recorded: its last segment grows", where=str(folder), expected="a recording that has ended",
            todo="stop the recorder, take it in, and go on recording with the same --out",
        )  # fmt: skip
    found = Recording(folder)
    hashed = [
        msgspec.structs.replace(part, sha256=hashlib.sha256(found.segment(n).tobytes()).hexdigest())
        for n, part in enumerate(found.manifest.segments)
    ]
    found.manifest = msgspec.structs.replace(found.manifest, segments=hashed)
    return found
