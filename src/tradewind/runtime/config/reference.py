"""docs/configuration.md, made from the schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .schema import Config
from .walk import Leaf, Named, Section, children, written

HEAD = """# Configuration

<!-- Made from src/tradewind/runtime/config/schema.py by tradewind.runtime.config.reference; a test compares. Do not edit. -->

Every key has a default, so no file is needed. A value is taken from the last of these layers that gives it:

1. the defaults below;
2. the file `tradewind.toml` in the current folder, or the one `--config` names;
3. environment variables `TRADEWIND_SECTION__KEY`, two underscores between the parts: `TRADEWIND_RISK__COLLAR_BPS__A=20`;
4. the command line: `--capital`, `--seed`, …, or `--set section.key=value` for any key.

`tradewind config show --origin` prints each value and where it came from. An unknown key is an error that names the file, the key,
its line and the nearest known key.

How values are written. Numbers are TOML numbers or decimal text and never pass through a binary float. `_ns` keys take a duration
(`"250ms"`; units ns, us, ms, s, m, h, d, w) or whole nanoseconds. `_bps` keys are basis points (0.01 %), `_pct` keys per cent.
In an environment variable the items of a list are separated by commas.

If the file has any `[strategies.NAME]` table, those tables replace the three default strategies.
Without `kind` the table's name is the kind.
"""


def page() -> str:
    """The text of docs/configuration.md."""
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for name, node in children(Config).items():
        if isinstance(node, Named) and isinstance(node.item, Section):
            yield from _section(f"{name}.NAME", node.item.type)
        elif isinstance(node, Section):
            yield from _section(name, node.type)


def _section(name: str, section: Any) -> Iterator[str]:
    yield f"## [{name}]\n"
    yield (section.__doc__ or "").strip().replace("\n    ", "\n") + "\n"
    yield "| key | takes | default | meaning |\n|---|---|---|---|"
    yield from _rows(section, section(), "")
    yield ""


def _rows(section: Any, defaults: Any, prefix: str) -> Iterator[str]:
    for name, node in children(section).items():
        value = getattr(defaults, name)
        if isinstance(node, Section):
            yield from _rows(node.type, value, f"{prefix}{name}.")
        elif isinstance(node, Named) and isinstance(node.item, Leaf):
            yield f"| `{prefix}{name}.NAME` | {node.item.key.kind.expected} | | {node.item.key.doc} |"
        elif isinstance(node, Leaf):
            text = written(node.key, value)
            default = "" if text is None else f"`{json.dumps(text)}`"
            yield f"| `{prefix}{name}` | {node.key.kind.expected} | {default} | {node.key.doc} |"
