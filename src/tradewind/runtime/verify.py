"""`tradewind verify`: the proofs of a tape or journal, recomputed from its bytes; a journal's money by the auditor as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from .options import VerifyOptions
from .places import MARKET, TAPE


class Verified(msgspec.Struct, frozen=True):
    """A folder whose every proof held. segments counts files of rows; batches are a journal's."""

    ok: bool
    what: str
    rows: int
    segments: int | None
    digest: str
    audit: dict[str, Any] | None = None  # `runtime.audit.Audited` without its tables; None: not asked, or no plan to audit by
    accounts: list[dict[str, str]] | None = None
    positions: list[dict[str, str]] | None = None

    def summary(self) -> dict[str, Any]:
        """The figures, ready for JSON; a tape has no audit."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None or name == "segments"}


def verify(options: VerifyOptions, say: Callable[[str], None] = lambda line: None) -> Verified:
    """Reads every byte. Raises Corrupt, naming the file and place of the first damage. `ok` is False where the audit disagrees."""
    folder = options.folder
    say(f"reading {folder}")
    if (folder / TAPE).exists() or (folder / MARKET).exists():
        from tradewind.storage.recording import open_tape

        tape = open_tape(folder)
        tape.verify()
        return Verified(
            True, "tape" if (folder / TAPE).exists() else "recording", tape.rows, len(tape.manifest.segments), tape.digest
        )
    from tradewind.storage import journal

    proof = journal.verify(folder)
    verified = Verified(True, "journal", proof.rows, None, proof.head)
    return verified if options.bytes_only or not proof.rows else _audited(verified, folder, say)


def _audited(verified: Verified, folder: Path, say: Callable[[str], None]) -> Verified:
    from tradewind.storage.journal import JournalReader

    from .audit import audit_journal
    from .planning import plan_of

    say(f"auditing {verified.rows:,} rows")
    try:
        plan_of(JournalReader(folder).header.configuration)
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError):
        say("not audited: no run of this release wrote its header, so its instruments are unknown")
        return verified
    found = msgspec.structs.asdict(audit_journal(folder))
    tables = {name: found.pop(name) for name in ("accounts", "positions")}
    return msgspec.structs.replace(verified, ok=found["agrees"], audit=found, **tables)
