"""The rules of the house as functions: a source file in, its offences out. `test_tidy.py` holds them against the tree.

A rule takes a `Source` and yields the offenders' names; what a rule is for stands in its docstring.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

FILE_LINES, FUNCTION_LINES, MEDIAN_LINES, PUBLIC_METHODS, PARAMETERS, FILE_BYTES = 600, 70, 8, 20, 6, 1 << 20
ROOMS = ("market", "analytics", "strategy", "risk", "execution", "portfolio", "simulation")
COMPILERS = {"compiled", "called", "entry"}  # the decorators of kernel/jit.py
FORBIDDEN_ON_FLOOR = {"asyncio", "time", "random", "datetime", "threading", "socket", "uuid", "os"}
LIBM = {
    "log",
    "log2",
    "log10",
    "log1p",
    "exp",
    "exp2",
    "expm1",
    "pow",
    "power",
    "float_power",
    "tanh",
    "sinh",
    "cosh",
    "erf",
    "erfc",
    "gamma",
}
BROAD = {"Exception", "BaseException"}


@dataclass(frozen=True)
class Source:
    """A Python file: `path` relative to the repository, with slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def inner(self) -> str:
        """The path inside the package, '' for a file outside src."""
        prefix = "src/tradewind/"
        return self.path[len(prefix) :] if self.path.startswith(prefix) else ""

    @property
    def package(self) -> str:
        return PurePosixPath(self.inner).parts[0] if "/" in self.inner else "."

    @property
    def on_floor(self) -> bool:
        """Whether it lies where the machine is made: kernel, rooms and the machine itself."""
        return self.package in (*ROOMS, "kernel") or self.inner in ("engine/machine.py", "engine/account.py")

    def compiled(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Nodes inside functions that Numba compiles."""
        for _, function in self.functions():
            if is_compiled(function):
                yield from (node for node in ast.walk(function) if isinstance(node, kinds))

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))

    def line(self, node: ast.AST) -> str:
        """The source line `node` begins on: how an offence is named, so that a moved line stays the same offence."""
        return self.text.splitlines()[getattr(node, "lineno", 1) - 1].strip()

    def functions(self) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        """Every function with its name as `Class.method`."""
        yield from _functions(self.tree, "")


Rule = Callable[[Source], Iterator[str]]


def _functions(node: ast.AST, place: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield place + child.name, child
            yield from _functions(child, f"{place}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{place}{child.name}.")
        else:
            yield from _functions(child, place)


def is_compiled(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether one of the decorators of the compiled floor stands over it."""
    return any(ast.unparse(item).split("(")[0].split(".")[-1] in COMPILERS for item in node.decorator_list)


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to its end."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def lines_of_work(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The same without the docstring: what a reader must understand."""
    first = node.body[0]
    doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return lines_of(node) - ((first.end_lineno or first.lineno) - first.lineno + 1 if doc else 0)


# Size ----------------------------------------------------------------------------------------------------------------


def long_file(source: Source) -> Iterator[str]:
    """A file is read in one sitting."""
    if len(source.text.splitlines()) > FILE_LINES:
        yield ""


def long_function(source: Source) -> Iterator[str]:
    """A function fits one screen."""
    yield from (name for name, node in source.functions() if lines_of(node) > FUNCTION_LINES)


def wide_class(source: Source) -> Iterator[str]:
    """No class is the program."""
    for node in source.nodes(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        methods = [item.name for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
        if sum(not name.startswith("_") for name in methods) > PUBLIC_METHODS:
            yield node.name


def many_parameters(source: Source) -> Iterator[str]:
    """More than six values that belong together are a record. A compiled function's `self` is the state."""
    for name, node in source.functions():
        arguments = node.args
        names = [item.arg for item in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
        own = names[:1] in (["self"], ["cls"]) or (is_compiled(node) and names[:1] in (["s"], ["state"]))
        if len(names) - own > PARAMETERS:
            yield name


# Manners -------------------------------------------------------------------------------------------------------------


def printing(source: Source) -> Iterator[str]:
    """stdout belongs to the command's answer; only cli/emit.py writes it."""
    if source.inner == "cli/emit.py":
        return
    for node in source.nodes(ast.Call):
        assert isinstance(node, ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id == "print":
            yield source.line(node)


_LATER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")


def postponed(source: Source) -> Iterator[str]:
    """What is not done stands in an issue, not in the code."""
    yield from (line.strip() for line in source.text.splitlines() if _LATER.search(line))


def swallowed(source: Source) -> Iterator[str]:
    """An error nobody expected is never thrown away."""
    for node in source.nodes(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        names = {item.id for item in ast.walk(node.type) if isinstance(item, ast.Name)} if node.type else set()
        idle = all(isinstance(item, ast.Pass | ast.Continue) or _is_ellipsis(item) for item in node.body)
        if node.type is None or (names & BROAD and idle):
            yield source.line(node)


def unexplained(source: Source) -> Iterator[str]:
    """Who catches everything says on that line why."""
    for node in source.nodes(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        named = {getattr(item, "attr", getattr(item, "id", "")) for item in ast.walk(node.type)} if node.type else BROAD
        if named & BROAD and not _SAID.search(source.line(node)):
            yield source.line(node)


_SAID = re.compile(r"#\s+(?!noqa)\w+ \w+|# noqa: \w+\s+\S\s+\w+ \w+")


def _is_ellipsis(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def asserting(source: Source) -> Iterator[str]:
    """`python -O` drops an assert; `must` and errors stay.

    Two kinds may: `assert isinstance(...)`, which only tells the type checker, and a statement about constants at the top of a
    module, which every import in the tests has checked.
    """
    top = {id(node) for node in source.tree.body}
    for node in source.nodes(ast.Assert):
        assert isinstance(node, ast.Assert)
        narrowing = isinstance(node.test, ast.Call) and ast.unparse(node.test.func) == "isinstance"
        if not narrowing and id(node) not in top:
            yield source.line(node)


def pandas(source: Source) -> Iterator[str]:
    """Frames are Polars; two frame libraries are two truths."""
    yield from (source.line(node) for node, name in _imports(source) if name.split(".")[0] == "pandas")


# The compiled floor ----------------------------------------------------------------------------------------------------


def float_power(source: Source) -> Iterator[str]:
    """`x ** y` of floats has other bits compiled than uncompiled; a whole-number constant to a power is exact."""
    for node in source.compiled(ast.BinOp, ast.AugAssign):
        assert isinstance(node, ast.BinOp | ast.AugAssign)
        left = node.left if isinstance(node, ast.BinOp) else node.target
        if isinstance(node.op, ast.Pow) and not (isinstance(left, ast.Constant) and isinstance(left.value, int)):
            yield source.line(node)


def foreign_maths(source: Source) -> Iterator[str]:
    """libm and NumPy give different bits on different machines; kernel/maths does not."""
    if source.inner == "kernel/maths.py":
        return
    bare = {
        item.asname or item.name
        for node in source.nodes(ast.ImportFrom)
        if isinstance(node, ast.ImportFrom) and node.module in {"math", "numpy"}
        for item in node.names
        if item.name in LIBM
    }
    for node in source.compiled(ast.Attribute, ast.Name):
        if isinstance(node, ast.Name):
            foreign = node.id in bare
        else:
            assert isinstance(node, ast.Attribute)
            foreign = node.attr in LIBM and isinstance(node.value, ast.Name) and node.value.id in {"np", "numpy", "math"}
        if foreign:
            yield source.line(node)


def impure_import(source: Source) -> Iterator[str]:
    """The machine is a function of its tape: no clock, chance, thread, socket or system below the engine."""
    if source.on_floor or source.package in {"domain", "kernel"}:
        yield from (
            f"line {line}" for line, name in _imports(source) if name.split(".")[0] in FORBIDDEN_ON_FLOOR or name == "numpy.random"
        )
        for node in source.nodes(ast.Attribute):
            assert isinstance(node, ast.Attribute)
            if node.attr == "random" and isinstance(node.value, ast.Name) and node.value.id in {"np", "numpy"}:
                yield source.line(node)


def _imports(source: Source) -> Iterator[tuple[ast.AST, str]]:
    for node in source.nodes(ast.Import, ast.ImportFrom):
        if isinstance(node, ast.Import):
            yield from ((node, item.name) for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node, node.module or ""


EVERYWHERE: tuple[Rule, ...] = (long_file, long_function, wide_class, postponed, swallowed)
IN_SRC: tuple[Rule, ...] = (
    *EVERYWHERE, many_parameters, printing, asserting, unexplained, pandas, float_power, foreign_maths, impure_import,
)  # fmt: skip


# Any tracked file --------------------------------------------------------------------------------------------------------

# The patterns are put together here, so that this file does not match itself.
_PLACES = "|".join(("wo" + "rk", "fa" + "rm", "tmp/" + "tw", "ro" + "ot", "opt/" + "(pypi|wheels)"))
MACHINE = re.compile(r"(^|[^A-Za-z0-9_.~}\-])/(" + _PLACES + r")(/|\b(?![\w.-]))")
HOSTS = re.compile(
    "|".join(name.replace("@", r"\.") for name in ("py" + "pi@org", "pythonhosted@org", "npm" + "js@(org|com)", "deb@debian@org"))
)


def machine_traces(text: str) -> Iterator[str]:
    """A path of one machine or a registry's address works for nobody else."""
    for n, line in enumerate(text.splitlines(), 1):
        if MACHINE.search(line) or HOSTS.search(line):
            yield f"line {n}"


# The uncompiled twin -----------------------------------------------------------------------------------------------------


def hidden_by_field(source: Source, fields: frozenset[str]) -> Iterator[str]:
    """The twin turns `.field` into `["field"]` everywhere: no function or constant of a module may be reached by such a name."""
    if not source.on_floor:
        return
    imported = {
        item.asname or item.name.split(".")[0]
        for node in source.nodes(ast.Import, ast.ImportFrom)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for item in node.names
    }
    for node in source.nodes(ast.Attribute):
        assert isinstance(node, ast.Attribute)
        if node.attr in fields and isinstance(node.value, ast.Name) and node.value.id in imported:
            yield source.line(node)
