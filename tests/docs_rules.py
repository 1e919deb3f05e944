"""What the documentation must hold, gathered from the code: commands, options, keys, codes, ports, groups, variables."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import typer

TYPERS_OWN = {"--help", "--install-completion", "--show-completion"}


def corpus(repo: Path) -> dict[str, str]:
    """Every page by its path: the Markdown files of the root and of docs/."""
    files = sorted(repo.glob("*.md")) + sorted((repo / "docs").rglob("*.md"))
    return {path.relative_to(repo).as_posix(): path.read_text() for path in files}


def missing(names: set[str], text: str) -> set[str]:
    """Those of `names` that stand nowhere in `text` as a word of their own."""
    return {name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)}


def modules(package: str) -> Iterator[Any]:
    """Every module of a package, imported."""
    root = importlib.import_module(package)
    yield root
    for info in pkgutil.walk_packages(root.__path__, package + "."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


# The command line ----------------------------------------------------------------------------------------------------


def application() -> typer.Typer:
    """The command line, built as `main` builds it."""
    from tradewind.cli.app import application as build

    return build()


def commands(app: typer.Typer) -> tuple[set[str], set[str]]:
    """Names of all commands (`new strategy`: the whole path) and all long options of an application."""
    return _walk(typer.main.get_command(app), "")


def _walk(command: Any, place: str) -> tuple[set[str], set[str]]:
    names, options = ({place} if place else set()), set()
    for parameter in command.params:
        options |= {word for word in parameter.opts + parameter.secondary_opts if word.startswith("--")} - TYPERS_OWN
    if not getattr(command, "hidden", False):
        for name, inner in getattr(command, "commands", {}).items():
            more_names, more_options = _walk(inner, f"{place} {name}".strip())
            names, options = names | more_names, options | more_options
    return names, options


# Configuration, codes, ports -----------------------------------------------------------------------------------------


def keys(config: type) -> set[str]:
    """Every leaf key of a configuration made of Structs."""
    found: set[str] = set()
    for name, kind in typing.get_type_hints(config).items():
        inner = [item for item in _parts(kind) if isinstance(item, type) and issubclass(item, msgspec.Struct) and _has_keys(item)]
        for item in inner:
            found |= keys(item)
        if not inner:
            found.add(name)
    return found


def _parts(kind: Any) -> Iterator[Any]:
    yield kind
    for item in typing.get_args(kind):
        yield from _parts(item)


def _has_keys(kind: type) -> bool:
    """Whether a Struct is a section: its fields carry what they are for."""
    return any(typing.get_origin(item) is typing.Annotated for item in typing.get_type_hints(kind, include_extras=True).values())


def code_names() -> set[str]:
    """Names of every registry of codes in the domain: each dict from int to an upper-case name."""
    found: set[str] = set()
    for module in modules("tradewind.domain"):
        for value in vars(module).values():
            if isinstance(value, dict) and value and all(isinstance(key, int) for key in value):
                found |= {name for name in value.values() if isinstance(name, str) and re.fullmatch(r"[A-Z][A-Z0-9_]+", name)}
    return found


def ports(repo: Path) -> set[str]:
    """The public classes of domain/ports.py; none before that file exists."""
    path = repo / "src/tradewind/domain/ports.py"
    tree = ast.parse(path.read_text()) if path.exists() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}


def plugin_groups(repo: Path, project: dict[str, Any]) -> set[str]:
    """Entry-point groups we offer or read."""
    found = set(project["project"].get("entry-points", {}))
    for path in (repo / "src").rglob("*.py"):
        found |= set(re.findall(r"""entry_points\(\s*group\s*=\s*["']([\w.]+)["']""", path.read_text()))
    return found


def variables(repo: Path) -> set[str]:
    """Environment variables of ours that stand by name in the code."""
    files = [*(repo / "src").rglob("*.py"), repo / "tests/conftest.py", repo / "start.py"]
    return {name for path in files for name in re.findall(r"""["'](TRADEWIND_[A-Z]+)["']""", path.read_text())}


# Links and examples --------------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """What `#...` may point to on a page: its headings, as code hosts spell them."""
    headings = re.findall(r"^#+\s+(.*?)\s*$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(repo: Path, page: str, text: str) -> list[str]:
    """Relative links of a page that lead nowhere."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        file = (repo / page).parent / name if name else repo / page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file.read_text())):
            broken.append(target)
    return broken


def examples(text: str) -> list[str]:
    """The Python blocks of a page that say they can be run."""
    return re.findall(r"^```python run\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
