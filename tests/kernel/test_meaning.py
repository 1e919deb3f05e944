"""The machine hash: what nobody can decide by does not count, every token of what is reached does."""

from __future__ import annotations

import ast
import json
import random
import shutil
import sys
from pathlib import Path

import pytest

import tradewind
from tradewind.engine import compose
from tradewind.engine.compose import Composition, Machine
from tradewind.kernel.meaning import Meaning
from worldtape import child, environment

PACKAGE = Path(tradewind.__file__).resolve().parent
GIVEN = Machine(Composition(), compiled=False).given()
RUN = ("composed.machine", "run")


def source(module: str) -> str:
    return GIVEN.get(module) or PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py").read_text()


def meaning(**changed: str) -> str:
    """What the default machine means where modules (dots as two underscores) have other sources."""
    return Meaning({**GIVEN, **{name.replace("__", "."): text for name, text in changed.items()}}).reach(RUN).text()


def replaced(module: str, old: str, new: str) -> str:
    text = source(module)
    assert text.count(old) == 1, f"{old!r} is no longer once in {module}"
    return meaning(**{module.replace(".", "__"): text.replace(old, new)})


WHOLE = Meaning(GIVEN).reach(RUN)
REACHED = sorted({module for module, at in WHOLE.parts if at >= 0})


def test_the_machine_reaches_its_rooms_and_no_page_about_them() -> None:
    files = {str(file.relative_to(PACKAGE)) for file in WHOLE.files}
    assert {"market/truth.py", "risk/review.py", "portfolio/facts.py", "kernel/maths.py"} <= files
    assert not files & {"domain/ports.py", "domain/errors.py", "kernel/jit.py", "kernel/twin.py", "strategy/library/sma_cross.py"}


class _Retold(ast.NodeTransformer):
    """Other docstrings, annotations and functions."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body.insert(0, ast.Expr(ast.Constant("Another docstring.")))
        node.returns = ast.Name("Other", ast.Load())
        for argument in node.args.args:
            argument.annotation = ast.Constant("another")
        return node


def test_other_comments_docstrings_annotations_and_lines_mean_the_same() -> None:
    changed = {}
    for module in REACHED:
        tree = _Retold().visit(ast.parse(source(module)))
        tree.body.append(ast.parse('def nobody_calls_this():\n    """Text."""\n    return 1').body[0])
        changed[module.replace(".", "__")] = "# a comment\n\n" + ast.unparse(ast.fix_missing_locations(tree))
    assert meaning(**changed) == WHOLE.text()


def test_texts_and_defaults_that_travel_in_rows_mean_nothing() -> None:
    assert replaced("tradewind.domain.reasons", "the order table was full", "no slot was free") == WHOLE.text()
    assert replaced("tradewind.strategy.library.market_maker", '"away_ticks": 1.0', '"away_ticks": 3.0') == WHOLE.text()
    assert replaced("tradewind.domain.codes", "BUY, SELL = 0, 1", "BUY, SELL = 0, 1\nNEVER_USED = 999") == WHOLE.text()


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("tradewind.domain.codes", "BUY, SELL = 0, 1", "BUY, SELL = 1, 0"),
        ("tradewind.analytics.features.flow", "TAU_S = 30.0", "TAU_S = 31.0"),
        ("tradewind.strategy.library.market_maker", "units <= -full", "units < -full"),
        ("tradewind.kernel.tables", "EXP_STEPS = 128", "EXP_STEPS = 64"),
        ("composed.machine", "s.clock.n_rows += 1", "s.clock.n_rows += 2"),
        ("composed.features", "    feature_flow.on_quote(s, i)\n", "    return\n"),
    ],
)  # fmt: skip
def test_a_constant_a_comparison_a_call_mean_something(module: str, old: str, new: str) -> None:
    assert replaced(module, old, new) != WHOLE.text()


def tokens(tree: ast.AST) -> list[ast.AST]:
    """Nodes that carry a token: numbers, names, attributes, operators' holders."""
    kinds = (ast.Constant, ast.Name, ast.Attribute, ast.BinOp, ast.Compare, ast.UnaryOp, ast.BoolOp, ast.Return)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def spoil(node: ast.AST) -> None:
    match node:
        case ast.Constant():
            node.value = "other" if isinstance(node.value, str) else 2 * (node.value or 0) + 1
        case ast.Name():
            node.id += "_other"
        case ast.Attribute():
            node.attr += "_other"
        case ast.BinOp():
            node.op = ast.Mod() if not isinstance(node.op, ast.Mod) else ast.Add()
        case ast.Compare():
            node.ops[0] = ast.IsNot()
        case ast.UnaryOp():
            node.op = ast.Invert() if not isinstance(node.op, ast.Invert) else ast.USub()
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.Return():
            node.value = ast.Constant(12345)


def test_any_token_of_what_is_reached_counts() -> None:
    """Forty random tokens of statements the machine reaches, each spoilt alone."""
    chance = random.Random(5)
    for module, at in chance.sample(sorted(key for key in WHOLE.parts if key[1] >= 0 and WHOLE.parts[key][1]), 40):
        tree = ast.parse(source(module))
        statement = tree.body[at]
        if isinstance(statement, ast.FunctionDef):
            inside = [n for part in statement.body if not isinstance(part, ast.Expr) or isinstance(part.value, ast.Call)
                      for n in tokens(part)]  # fmt: skip
        else:
            inside = tokens(statement)
        chosen = chance.choice(inside)
        spoil(chosen)
        changed = ast.unparse(ast.fix_missing_locations(tree))
        assert meaning(**{module.replace(".", "__"): changed}) != WHOLE.text(), f"{module}: {ast.unparse(statement)}"


def test_what_was_kept_of_it_is_read_or_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache saves time and decides nothing: empty, full, broken or out of reach, the hash is one."""
    monkeypatch.setenv("TRADEWIND_CACHE", str(tmp_path))
    expected = Machine(Composition(), compiled=False).hash
    compose._reached.cache_clear()
    found = [Machine(Composition(), compiled=False).hash]
    (kept,) = (tmp_path / "meanings").iterdir()
    for content in (kept.read_bytes(), b"", b"[1]", b"\xff"):
        kept.write_bytes(content)
        compose._reached.cache_clear()
        found.append(Machine(Composition(), compiled=False).hash)
    monkeypatch.setenv("TRADEWIND_CACHE", "/proc/nowhere")
    compose._reached.cache_clear()
    found.append(Machine(Composition(), compiled=False).hash)
    assert found == [expected] * 6


def identity(package: Path) -> tuple[str, str]:
    told = "import json; from tradewind.engine.compose import *; m = Machine(Composition()); print(json.dumps([m.hash, m.build]))"
    done = child([sys.executable, "-c", told], environment(package.parent))
    assert done.returncode == 0, done.stderr
    found: tuple[str, str] = tuple(json.loads(done.stdout))
    return found


def test_a_docstring_renews_the_build_and_not_the_machine(tmp_path: Path) -> None:
    copy = tmp_path / "tradewind"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = identity(copy)
    for page in ("domain/ports.py", "kernel/twin.py"):
        (copy / page).write_text((copy / page).read_text() + "\n# nobody reads this\n")
    assert identity(copy) == before
    for page in ("market/truth.py", "engine/fold.py", "kernel/jit.py"):
        renewed = identity(copy)
        (copy / page).write_text((copy / page).read_text() + "\n# a comment\n")
        assert identity(copy)[0] == before[0]
        assert identity(copy)[1] != renewed[1]
