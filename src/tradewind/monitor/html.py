"""Pieces of a page. Whatever comes from outside goes through `text`; only what these functions made is markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from . import words


def text(value: object) -> str:
    """The value as harmless text, in an element or a quoted attribute; control characters become U+FFFD."""
    return escape("".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in str(value)))


def section(anchor: str, title: str, lead: str, *parts: str) -> str:
    """A titled part of the page; nothing where all parts are empty."""
    body = "".join(parts)
    if not body:
        return ""
    opening = f'<p class="lead">{text(lead)}</p>' if lead else ""
    return f'<section id="{text(anchor)}"><h2>{text(title)}</h2>{opening}{body}</section>\n'


def table(head: Sequence[str], body: Iterable[Sequence[str]], numbers: int = 1) -> str:
    """A table of ready cells; all columns from `numbers` on are aligned to the right."""

    def row(tag: str, cells: Sequence[str]) -> str:
        return (
            "<tr>" + "".join(f"<{tag}{' class=n' if i >= numbers else ''}>{cell}</{tag}>" for i, cell in enumerate(cells)) + "</tr>"
        )

    lines = "".join(row("td", cells) for cells in body)
    return (
        f'<div class="scroll"><table><thead>{row("th", [text(cell) for cell in head])}</thead><tbody>{lines}</tbody></table></div>'
    )


def counts(named: Mapping[str, int], title: str, most: int = 25) -> str:
    """Counts by name as a table with bars, the greatest first; the rest of a long list as one line."""
    ranked = sorted(((name, n) for name, n in named.items() if n), key=lambda item: (-item[1], item[0]))
    if not ranked:
        return ""
    if len(ranked) > most:
        rest = sum(n for _, n in ranked[most - 1 :])
        ranked = [*ranked[: most - 1], (f"{len(ranked) - most + 1} others", rest)]
    whole, greatest = sum(n for _, n in ranked), max(n for _, n in ranked)
    lines = "".join(
        f'<tr><td>{text(name)}</td><td class="n">{n:,}</td><td class="n">{words.share(n, whole)}</td>'
        f'<td class="bar"><i style="width:{100 * n / greatest:.1f}%"></i></td></tr>'
        for name, n in ranked
    )
    heading = f"<h3>{text(title)}</h3>" if title else ""
    return f'{heading}<div class="scroll"><table><tbody>{lines}</tbody></table></div>'


def plot(name: str) -> str:
    """A place for the plot of that name."""
    return f'<div class="plot" data-plot="{text(name)}"></div>'


def tabs(names: Sequence[str], panels: Sequence[str], anchor: str) -> str:
    """Panels of which one is seen, chosen by a button each; a single one without buttons."""
    if len(panels) == 1:
        return f"<h3>{text(names[0])}</h3>{panels[0]}"
    buttons = "".join(
        f'<button role="tab" id="{anchor}-tab-{i}" aria-controls="{anchor}-{i}" aria-selected="{str(i == 0).lower()}"'
        f"{'' if i == 0 else ' tabindex=-1'}>{text(name)}</button>"
        for i, name in enumerate(names)
    )
    shown = "".join(
        f'<div role="tabpanel" id="{anchor}-{i}" aria-labelledby="{anchor}-tab-{i}"{"" if i == 0 else " hidden"}>{panel}</div>'
        for i, panel in enumerate(panels)
    )
    return f'<div class="tabs" role="tablist">{buttons}</div>{shown}'


def two(*parts: str) -> str:
    """Parts side by side where there is room; empty ones are left out."""
    kept = [f"<div>{part}</div>" for part in parts if part]
    return f'<div class="two">{"".join(kept)}</div>' if kept else ""
