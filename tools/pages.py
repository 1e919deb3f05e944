"""Write the pages under docs/ that are made from code: `python tools/pages.py`.

tests/test_docs.py fails where one is out of date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "src"))

CODES_HEAD = """# Codes

<!-- Made by tools/pages.py from src/tradewind/domain/codes.py and reasons.py. Do not edit. -->

What stands on a tape, in a journal and in the answers of `why` and `why-not`. A code is never reused and never renumbered.
"""
BLOCKS = (
    (1, 40, "Causes of an order or a cancel"),
    (40, 80, "Why a strategy did nothing"),
    (80, 120, "Refusals of the risk review"),
    (120, 160, "Verdicts of truth: why a message or value was not believed"),
    (160, 200, "Faults: a check inside the machine failed, it latched HALTED"),
    (200, 240, "Causes of a stream's condition"),
    (240, 1 << 31, "Others"),
)


def codes_page() -> str:
    """docs/codes.md: kinds of rows, then every reason with its sentence."""
    from tradewind.domain import reasons

    lines = [CODES_HEAD, "## Kinds of rows\n", "| code | kind | meaning of its fields |", "|---|---|---|"]
    lines += [f"| {code} | `{name}` | {comment} |" for code, name, comment in _kinds()]
    for first, end, title in BLOCKS:
        inside = sorted(code for code in reasons.NAMES if first <= code < end)
        if inside:
            lines += ["", f"## {title}\n", "| code | name | in words |", "|---|---|---|"]
            lines += [f"| {code} | `{reasons.NAMES[code]}` | {_words(reasons.SENTENCES.get(code, ''))} |" for code in inside]
    return "\n".join(lines) + "\n"


def _kinds() -> list[tuple[int, str, str]]:
    from tradewind.domain import rows

    source = (REPO / "src/tradewind/domain/codes.py").read_text()
    comments = dict(re.findall(r"^([A-Z]+) = \d+  # (.*)$", source, re.MULTILINE))
    return [(code, name, comments.get(name, "").replace("|", "\\|")) for code, name in sorted(rows.KIND_NAMES.items())]


def _words(sentence: str) -> str:
    return re.sub(r"\{(measured|threshold)[^}]*\}", r"*\1*", sentence).replace("|", "\\|")


def pages() -> dict[str, str]:
    """Every page made from code, by its path in the repository."""
    from tradewind.fabric import policy
    from tradewind.venues import page as venues

    return {"docs/codes.md": codes_page(), "docs/policy.md": policy.page(), "docs/venues.md": venues.page()}


if __name__ == "__main__":
    for name, text in pages().items():
        (REPO / name).write_text(text)
