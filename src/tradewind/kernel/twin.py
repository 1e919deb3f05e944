"""The uncompiled twin: the very same source files, run by plain Python.

`load("engine.machine")` gives the module `tradewind_twin.engine.machine`, made from the file of `tradewind.engine.machine`
with two changes in its syntax tree: `record.field` becomes `record["field"]` for every field name of the layouts (NumPy's
plain record scalars are six times faster by item than recarrays by attribute), and absolute imports of `tradewind` turn
to the twin. Line numbers stay. Only for tests, for debugging, and as the honest slow reference of a compiled run.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

PREFIX = "tradewind_twin"
_ROOT = Path(__file__).resolve().parent.parent
_FLOORS = ("domain", "kernel", "market", "analytics", "strategy", "risk", "execution", "portfolio", "simulation", "engine")


class _Rewrite(ast.NodeTransformer):
    def __init__(self, fields: frozenset[str]) -> None:
        self.fields = fields

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.attr not in self.fields:
            return node
        return ast.copy_location(ast.Subscript(node.value, ast.copy_location(ast.Constant(node.attr), node), node.ctx), node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if node.level == 0 and node.module is not None and node.module.split(".")[0] == "tradewind":
            node.module = PREFIX + node.module[len("tradewind") :]
        return node


class _Loader(importlib.machinery.SourceFileLoader):
    fields: frozenset[str] = frozenset()

    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text()
        tree = ast.parse(source, self.path)
        if not fullname.startswith(f"{PREFIX}.domain"):
            tree = ast.fix_missing_locations(_Rewrite(self.fields).visit(tree))
        return compile(tree, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self) -> None:
        self.extra: dict[str, Path] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.split(".")[0] != PREFIX:
            return None
        last = fullname.rsplit(".", 1)[-1]
        place = self.extra.get(fullname) or (Path(path[0]) / last if path else _ROOT)
        package = place.is_dir()
        file = place / "__init__.py" if package else place.with_suffix(".py")
        if not file.exists():
            return None
        loader = _Loader(fullname, str(file))
        return importlib.util.spec_from_file_location(
            fullname, file, loader=loader, submodule_search_locations=[str(place)] if package else None
        )


_FINDER = _Finder()


def load(name: str, fields: frozenset[str], place: Path | None = None) -> ModuleType:
    """The twin of module `tradewind.<name>`; `place` is its file without suffix (or its folder) where it lies elsewhere.

    fields: every field name of the layouts; those attributes become items.
    """
    _Loader.fields = _Loader.fields | fields
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    if place is not None:
        _FINDER.extra[f"{PREFIX}.{name}"] = place
    return importlib.import_module(f"{PREFIX}.{name}")
