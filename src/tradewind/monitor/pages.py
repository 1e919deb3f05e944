"""A self-contained page: one HTML file that needs no network and can run only the two scripts whose hashes it names."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from .html import text

MARK = (
    '<svg viewBox="0 0 26 20" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" aria-hidden="true">'
    '<path d="M1 6h13a4 4 0 1 0-4-4"/><path d="M1 11h19a4 4 0 1 1-4 4"/><path d="M1 16h8"/></svg>'
)


def write(page: str, path: Path) -> Path:
    """Writes the page whole or not at all, and gives its path. Raises OSError as the file system does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(page.encode())
    os.replace(unfinished, path)
    return path


def head(title: str, facts: str, summary: str) -> str:
    """The top of a page that is no run's report."""
    return (
        f'<header><div class="mark">{MARK}Tradewind</div><h1>{text(title)}</h1>'
        f'<p class="facts">{text(facts)}</p><p class="summary">{text(summary)}</p></header>'
    )


def page(title: str, body: str, drawings: Mapping[str, Any]) -> str:
    """The page as text; `drawings` are plotly specifications by the name of their place in `body`."""
    # A "<" in the data could close its script element; inside JSON text its escape means the same.
    data = msgspec.json.encode(drawings).decode().replace("<", "\\u003c")
    library, script = _plotly(), _asset("report.js")
    policy = (
        f"default-src 'none'; script-src {_hash(library)} {_hash(script)}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">'
        f"<title>{text(title)} · Tradewind</title><style>{_asset('report.css')}</style></head>\n<body>{body}"
        "<noscript><p>The plots need JavaScript; all figures and tables stand without it.</p></noscript>"
        f'<script type="application/json" id="plots">{data}</script>'
        f"<script>{library}</script><script>{script}</script></body></html>\n"
    )


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _plotly() -> str:
    return resources.files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")


def _hash(script: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"
