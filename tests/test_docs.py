"""The documentation cannot rot: what the code offers stands in it, its links lead somewhere, its examples run."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
import typer
from packaging.requirements import Requirement

import docs_rules as rules


@pytest.fixture(scope="module")
def pages(repo: Path) -> dict[str, str]:
    return rules.corpus(repo)


@pytest.fixture(scope="module")
def text(pages: dict[str, str]) -> str:
    return "\n".join(pages.values())


@pytest.fixture(scope="module")
def project(repo: Path) -> dict[str, Any]:
    return tomllib.loads((repo / "pyproject.toml").read_text())


# What must stand somewhere ---------------------------------------------------------------------------------------------


def test_every_command_and_option_is_documented(text: str) -> None:
    names, options = rules.commands(rules.application())
    assert {"demo", "backtest", "new strategy"} <= names
    assert {"--tape", "--json"} <= options
    assert not rules.missing({f"tradewind {name}" for name in names}, text)
    assert not rules.missing(options, text)


def test_every_configuration_key_is_documented(pages: dict[str, str]) -> None:
    from tradewind.runtime.config.schema import Config

    found = rules.keys(Config)
    assert len(found) > 20
    assert not rules.missing(found, pages["docs/configuration.md"])


def test_every_code_is_documented(text: str) -> None:
    names = rules.code_names()
    assert {"DEPTH", "PRICE_OUTSIDE_COLLAR"} <= names
    assert not rules.missing(names, text)


def test_every_port_is_documented(repo: Path, text: str) -> None:
    assert not rules.missing(rules.ports(repo), text)


def test_every_plugin_group_is_documented(repo: Path, text: str, project: dict[str, Any]) -> None:
    assert not rules.missing(rules.plugin_groups(repo, project), text)


def test_every_environment_variable_is_documented(repo: Path, text: str) -> None:
    found = rules.variables(repo)
    assert "TRADEWIND_SHARED" in found
    assert not rules.missing(found, text)


def test_every_error_exit_code_is_documented(text: str) -> None:
    """What a script must know of a failing command: the codes 0 to 3."""
    from tradewind.domain import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TradewindError)]
    for code in {kind.exit_code for kind in kinds}:
        assert re.search(rf"exit[^\n]*\b{code}\b|\|\s*{code}\s*\|", text), f"exit code {code}"


def test_dependencies_have_a_reason(pages: dict[str, str], project: dict[str, Any]) -> None:
    page = pages["docs/dependencies.md"]
    groups = list(project["project"]["optional-dependencies"].values()) + list(project["dependency-groups"].values())
    asked = {Requirement(item).name for items in [project["project"]["dependencies"], *groups] for item in items} - {"tradewind"}
    cells = ["|".join(line.split("|")[1:3]) for line in page.splitlines() if line.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}
    extras = set(project["project"]["optional-dependencies"])
    assert asked - named == set(), "no reason given"
    assert named - asked - extras == set(), "no longer a dependency"


def test_pages_made_from_code_are_up_to_date(repo: Path, pages: dict[str, str]) -> None:
    spec = importlib.util.spec_from_file_location("pages", repo / "tools/pages.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    for name, made in maker.pages().items():
        assert pages[name] == made, f"{name} is out of date: python tools/pages.py"


def test_readme_begins_with_the_two_commands(pages: dict[str, str]) -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```", pages["README.md"], re.MULTILINE | re.DOTALL)
    assert [block.strip() for block in blocks[:2]] == ["python3 start.py", "python3 start.py test"]
    assert not rules.missing({"Linux", "macOS", "WSL"}, pages["README.md"])


# Links and examples ------------------------------------------------------------------------------------------------------


def test_links_resolve(repo: Path, pages: dict[str, str]) -> None:
    broken = {page: found for page, content in pages.items() if (found := rules.broken_links(repo, page, content))}
    assert not broken


def test_every_page_can_be_reached_from_the_readme(repo: Path, pages: dict[str, str]) -> None:
    reached, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page not in pages:
            continue
        reached.add(page)
        targets = re.findall(r"\]\(([^)#\s]+)", pages[page])
        waiting += [os.path.normpath(os.path.join(os.path.dirname(page), name)) for name in targets if "://" not in name]
    assert not set(pages) - reached, "no way leads there"


def test_examples_run(repo: Path, pages: dict[str, str], tmp_path: Path) -> None:
    for page, content in pages.items():
        for number, code in enumerate(rules.examples(content)):
            env = {**os.environ, "PYTHONPATH": str(repo / "src")}
            call = [sys.executable, "-c", code]
            done = subprocess.run(call, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode == 0, f"{page}, example {number + 1}:\n{done.stderr[-2000:]}"


# Each rule can fail --------------------------------------------------------------------------------------------------------


def test_a_missing_word_is_seen() -> None:
    assert rules.missing({"--tape", "--out"}, "`--tape FOLDER --outer`") == {"--out"}
    assert rules.missing({"seed"}, "reseed seeds seed-x") == {"seed"}


def test_commands_and_options_are_gathered() -> None:
    app, inner = typer.Typer(), typer.Typer()

    @inner.command("strategy")
    def strategy(name: str) -> None: ...

    @inner.command("venue")
    def venue(dry: bool = False) -> None: ...

    app.add_typer(inner, name="new")

    @app.command("run")
    def run(tape: str = "") -> None: ...

    names, options = rules.commands(app)
    assert names == {"run", "new", "new strategy", "new venue"}
    assert options == {"--tape", "--dry", "--no-dry"}


def test_keys_are_gathered_from_nested_sections() -> None:
    class Inner(msgspec.Struct):
        deep: Annotated[int, "why"] = 0

    class Outer(msgspec.Struct):
        flat: Annotated[int, "why"] = 0
        one: Inner = msgspec.field(default_factory=Inner)
        many: dict[str, Inner] = msgspec.field(default_factory=dict)

    Outer.__annotations__ = {"flat": Annotated[int, "why"], "one": Inner, "many": dict[str, Inner]}
    assert rules.keys(Outer) == {"flat", "deep"}


def test_broken_links_are_seen(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# A heading: of `b`\n")
    links = "[x](b.md) [x](b.md#a-heading-of-b) [x](https://example.org) [x](b.md#none) [x](c.md) [x](#here)\n"
    links += "```\n[x](in-code.md)\n```\n"
    (tmp_path / "a.md").write_text(links)
    assert rules.broken_links(tmp_path, "a.md", links) == ["b.md#none", "c.md", "#here"]


def test_examples_are_found() -> None:
    assert rules.examples("```python\nno\n```\n```python run\nx = 1\n```\n") == ["x = 1\n"]
