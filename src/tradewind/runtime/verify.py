"""`tradewind verify`: the proofs of a tape or journal, recomputed from its bytes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from .options import VerifyOptions
from .places import TAPE


class Verified(msgspec.Struct, frozen=True):
    """A folder whose every proof held. segments counts files of rows; batches are a journal's."""

    ok: bool
    what: str
    rows: int
    segments: int | None
    digest: str


def verify(options: VerifyOptions, say: Callable[[str], None] = lambda line: None) -> Verified:
    """Reads every byte. Raises Corrupt, naming the file and place of the first damage."""
    folder = options.folder
    say(f"reading {folder}")
    if (folder / TAPE).exists():
        from tradewind.storage.tape import Tape

        tape = Tape.open(folder)
        tape.verify()
        return Verified(True, "tape", tape.rows, len(tape.manifest.segments), tape.digest)
    from tradewind.storage import journal

    proof = journal.verify(folder)
    return Verified(True, "journal", proof.rows, None, proof.head)
