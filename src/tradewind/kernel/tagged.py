"""Lowering that tells the optimiser which table an access belongs to.

A store to one field of a record cannot change another field, nor an element of a nested array, but LLVM sees addresses only
and reads everything again after every store. Each access to a field is therefore tagged with its record and offset, each
access to an array's element with its type (type-based alias analysis): a rule looked up once stays looked up while touch and
trust change. Sound because a place in the state is always reached by the same record and field; copies of whole records
carry no tag.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir as llvm
from numba.core import ir, types
from numba.core.lowering import Lower

ROOT = "tradewind"


class TaggedLower(Lower):  # type: ignore[misc]
    """Numba's lowering, with tags."""

    def lower_expr(self, resty: Any, expr: Any) -> Any:
        """Fields and elements that are read."""
        kind = None
        if expr.op == "getattr":
            kind = _of_field(self.typeof(expr.value.name), expr.attr)
        elif expr.op in ("getitem", "static_getitem"):
            kind = _of_element(self.typeof(expr.value.name))
        with self._tagging(kind):
            return super().lower_expr(resty, expr)

    def lower_inst(self, inst: Any) -> Any:
        """Fields and elements that are written."""
        kind = None
        if isinstance(inst, ir.SetAttr):
            kind = _of_field(self.typeof(inst.target.name), inst.attr)
        elif isinstance(inst, (ir.SetItem, ir.StaticSetItem)):
            kind = _of_element(self.typeof(inst.target.name))
        with self._tagging(kind):
            return super().lower_inst(inst)

    @contextmanager
    def _tagging(self, kind: str | None) -> Iterator[None]:
        block = self.builder.block
        first = len(block.instructions)
        yield
        if kind is None or self.builder.block is not block:
            return
        for made in block.instructions[first:]:
            if isinstance(made, (llvm.LoadInstr, llvm.StoreInstr)) and not _is_local(_place(made)):
                made.set_metadata("tbaa", self._tag(kind))

    def _tag(self, kind: str) -> Any:
        module, zero = self.module, llvm.Constant(llvm.IntType(64), 0)
        node = module.add_metadata([kind, module.add_metadata([ROOT]), zero])
        return module.add_metadata([node, node, zero])


def _of_field(owner: Any, name: str) -> str | None:
    if not isinstance(owner, types.Record) or isinstance(owner.typeof(name), types.NestedArray):
        return None
    return f"{owner.size}.{owner.offset(name)}.{name}"


def _of_element(owner: Any) -> str | None:
    if isinstance(owner, types.Array) and owner.dtype in (types.int64, types.float64):
        return f"element.{owner.dtype}"
    return None


def _place(access: Any) -> Any:
    return access.operands[0 if isinstance(access, llvm.LoadInstr) else 1]


def _is_local(pointer: Any) -> bool:
    """Whether a pointer leads into the function's own frame: what the compiler keeps there is none of ours."""
    while isinstance(pointer, (llvm.GEPInstr, llvm.CastInstr)):
        pointer = pointer.operands[0]
    return isinstance(pointer, llvm.AllocaInstr)
