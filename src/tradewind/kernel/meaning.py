"""What sources mean: the definitions some functions reach, without what no decision can depend on.

From the entry points on, every name a definition uses is followed through imports to the statement that binds it, in whichever
module. Those statements are written out by one rule: no comments, docstrings or annotations, no layout of lines, and no
`compiled`, `called`, `entry`, which say how to compile and not what. So a sentence in `domain.reasons`, a new code nobody uses or
a function no composed room calls changes nothing; any token of what is reached does. Where a use cannot be followed exactly
(a module handed on whole, a statement that binds no name), more is taken rather than less.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = "tradewind"
ROOT = Path(__file__).resolve().parent.parent
HOW = f"{PACKAGE}.kernel.jit"  # its decorators change speed, never a result: the uncompiled twin runs without them
WHOLE = "*"

Name = tuple[str, str]  # a module and a name in it


class Meaning:
    """All that some entry points reach. `given` holds sources by module name, asked before the files of the package."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self.given = dict(given or {})
        self.files: set[Path] = set()
        self.parts: dict[tuple[str, int], tuple[str, str]] = {}
        self._modules: dict[str, _Module | None] = {}

    def reach(self, *entries: Name) -> Meaning:
        """Takes in whatever these need; returns itself."""
        todo, seen = list(entries), set(entries)
        while todo:
            fresh = set(self._take(*todo.pop())) - seen
            seen |= fresh
            todo += fresh
        return self

    def text(self) -> str:
        """Every statement reached in canonical form, in an order that does not depend on where it stands in its file."""
        told = sorted((module, name, at, part) for (module, at), (name, part) in self.parts.items())
        return "\n".join(f"{module}:{name}\n{part}" for module, name, _, part in told)

    def _take(self, home: str, name: str) -> Iterator[Name]:
        """Takes the statements that bind one name, or all of a module; gives what they use."""
        module = self._module(home)
        if module is None:
            return
        if name in module.imports and name not in module.binds:
            yield from self._meant(module.imports[name])
            return
        statements = [*module.loose, *module.binds.get(name, ())] if name != WHOLE else list(range(len(module.body)))
        for at in statements:
            if (home, at) not in self.parts and not isinstance(module.body[at], ast.Import | ast.ImportFrom):
                label = next(_bound(module.body[at]), "")
                plain = _Plain(module).visit(module.body[at])
                self.parts[home, at] = (label, ast.unparse(plain) if plain else "")
                yield from self._used(module, plain)

    def _used(self, module: _Module, node: ast.AST | None) -> Iterator[Name]:
        """What a statement uses: its names, and names in modules it reads by attribute."""
        for part in ast.walk(node) if node else ():
            if isinstance(part, ast.Import | ast.ImportFrom):
                for meant in module.meant(part).values():
                    yield from self._meant(meant)
            elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in module.imports:
                for home, name in self._meant(module.imports[part.value.id]):
                    if name == WHOLE:
                        part.value.id = ""  # only this name of the module is used: do not take it whole
                        yield home, part.attr
            elif isinstance(part, ast.Name) and part.id:
                yield module.name, part.id

    def _meant(self, name: Name) -> list[Name]:
        """An imported name as a module of ours whole, as a name in one, or nothing where it is foreign."""
        home, last = name
        if home.split(".", maxsplit=1)[0] not in {PACKAGE, *(given.split(".", maxsplit=1)[0] for given in self.given)}:
            self.parts[home, -1] = ("", "foreign")
            return []
        inner = f"{home}.{last}" if last != WHOLE else home
        if self._module(inner) is not None:
            return [(inner, WHOLE)]
        module = self._module(home)
        passed_on = module is not None and last in module.imports and last not in module.binds
        return self._meant(module.imports[last]) if module is not None and passed_on else [(home, last)]

    def _module(self, name: str) -> _Module | None:
        """A module by name; None where there is no such source."""
        if name not in self._modules:
            source, package = self.given.get(name), False
            if source is None and name.split(".", maxsplit=1)[0] == PACKAGE:
                place = ROOT.joinpath(*name.split(".")[1:])
                package = place.is_dir()
                file = place / "__init__.py" if package else place.with_suffix(".py")
                if file.is_file():
                    self.files.add(file)
                    source = file.read_text(encoding="utf-8")
            self._modules[name] = None if source is None else _Module(name, source, package=package)
        return self._modules[name]


class _Module:
    """One parsed source: what it imports, which statements bind each name, and which bind none."""

    def __init__(self, name: str, source: str, *, package: bool) -> None:
        self.name = name
        self.home = name if package else name.rpartition(".")[0]
        self.body = ast.parse(source).body
        self.imports: dict[str, Name] = {}
        self.binds: dict[str, list[int]] = {}
        self.loose: list[int] = []
        for at, statement in enumerate(self.body):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self.imports |= self.meant(statement)
                continue
            for bound in _bound(statement):
                self.binds.setdefault(bound, []).append(at)
            if not isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign) and not _is_text(statement):
                self.loose.append(at)

    def meant(self, statement: ast.Import | ast.ImportFrom) -> dict[str, Name]:
        """What an import statement binds: by local name, the module and the name in it."""
        if isinstance(statement, ast.Import):
            return {(a.asname or a.name.split(".")[0]): (a.name, WHOLE) for a in statement.names}
        up = self.home.split(".")
        up = up[: len(up) - statement.level + 1] if statement.level else []
        home = ".".join([*up, *([statement.module] if statement.module else [])])
        return {a.asname or a.name: (home, a.name) for a in statement.names}


class _Plain(ast.NodeTransformer):
    """Takes off what cannot matter: texts nobody reads, annotations, how a function is compiled."""

    def __init__(self, module: _Module) -> None:
        self.how = {local for local, (home, _) in module.imports.items() if home == HOW}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list = [d for d in node.decorator_list if not (isinstance(d, ast.Name) and d.id in self.how)]
        node.returns = None
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Annotations of a class body are its fields and stay."""
        node.body = [s if isinstance(s, ast.AnnAssign) else self.visit(s) for s in node.body if not _is_text(s)] or [ast.Pass()]
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return self.generic_visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if _is_text(node) else self.generic_visit(node)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names a top-level statement binds."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    elif not _is_text(statement):
        yield from (n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
