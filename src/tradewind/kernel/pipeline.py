"""How the compiled floor is compiled: rooms stay unfinished until an entry point takes them all.

Numba finishes every function by itself: it links all callees in, optimises the whole, generates machine code. For a tree of
inlined rooms that repeats the same work at every level; the machine took four minutes. Here a room's library only keeps its
own intermediate code; the entry point links the whole closure once, optimises it once, generates code once.

Stands on Numba's pipeline and code library classes (checked with 0.66 to 0.68). Nothing of what is computed depends on it.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.core.callconv import CPUCallConv
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import AnalysisPass, register_pass
from numba.core.typed_passes import AnnotateTypes, NativeLowering
from numba.core.types.misc import unliteral
from numba.np import arrayobj

from . import stages
from .tagged import TaggedLower

NARROW = (types.int8, types.int16, types.int32)


class _NoEnvironments:
    """A code generator that forgets environments: rooms never run by themselves, so theirs have no address."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def set_env(self, name: str, environment: Any) -> None:
        """Nothing to set."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)


class RoomLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The intermediate code of one room function, never turned into machine code on its own."""

    @property
    def codegen(self) -> Any:
        """The code generator, without environments."""
        return _NoEnvironments(self._codegen)

    def finalize(self) -> None:
        """Closes the library as it is, neither linked nor optimised; what stays a call is told to be seldom."""
        self._raise_if_finalized()
        self._finalize_dynamic_globals()
        for function in self._final_module.functions:
            if not function.is_declaration and b"alwaysinline" not in set(function.attributes):
                function.add_function_attribute("cold")  # a caller keeps its registers for what is usual
        self._finalized = True

    def _get_module_for_linking(self) -> Any:
        """The code of this room and of all it reaches: what a caller compiled by plain Numba needs."""
        module = self.own_module().clone()
        for library in closure(self._linking_libraries):
            module.link_in(
                library.own_module() if isinstance(library, RoomLibrary) else library._get_module_for_linking(), preserve=True
            )
        return module

    def own_module(self) -> Any:
        """The code of this room alone, fit for being linked more than once."""
        return super()._get_module_for_linking()

    def get_pointer_to_function(self, name: str) -> int:
        """0: there is no machine code."""
        self._ensure_finalized()
        return 0


class EntryLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The code of an entry point with every room it reaches, each linked once."""

    def finalize(self) -> None:
        """Links the closure of all rooms, each by its own code, then goes on as Numba does."""
        self._raise_if_finalized()
        stages.tell(stages.LINKING)
        for library in closure(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            module = library.own_module() if isinstance(library, RoomLibrary) else library._get_module_for_linking()
            self._final_module.link_in(module, preserve=True)
        self._linking_libraries: list[Any] = []
        super().finalize()
        stages.tell(stages.DONE)

    def _optimize_final_module(self) -> None:
        stages.tell(stages.OPTIMISING)
        super()._optimize_final_module()
        stages.tell(stages.GENERATING)


def widened(compiler: Any) -> None:
    """Makes a function be compiled once, and not once for every constant it is called with.

    Constants still reach the rooms they are inlined into: as values, which LLVM folds, not as types. Whole numbers read from a
    row's narrow fields arrive as int64, which is what any sum with them would be.
    """
    folded = compiler.fold_argument_types

    def fold(*arguments: Any) -> tuple[Any, tuple[Any, ...]]:
        signature, kinds = folded(*arguments)
        plain = (unliteral(kind) for kind in kinds)
        return signature, tuple(types.int64 if kind in NARROW else kind for kind in plain)

    compiler.fold_argument_types = fold


def closure(libraries: list[Any]) -> list[Any]:
    """The libraries and, through rooms, all that they call; each once, in order of discovery."""
    found: dict[int, Any] = {}
    todo = list(libraries)
    while todo:
        library = todo.pop(0)
        if id(library) not in found:
            found[id(library)] = library
            if isinstance(library, RoomLibrary):
                todo += library._linking_libraries
    return list(found.values())


@register_pass(mutates_CFG=False, analysis_only=True)
class _MakeRoomLibrary(AnalysisPass):  # type: ignore[misc]
    _name = "tradewind_room_library"
    library_class: type[JITCodeLibrary] = RoomLibrary

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        stages.lowered(state.func_id.modname, state.func_id.func_qualname)
        state.library = self.library_class(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return False


@register_pass(mutates_CFG=False, analysis_only=True)
class _MakeEntryLibrary(_MakeRoomLibrary):
    _name = "tradewind_entry_library"
    library_class = EntryLibrary

    def run_pass(self, state: Any) -> bool:
        state.flags.noalias = True  # state, physics, tape and out are four arrays: a store to one leaves the others' loads alone
        return super().run_pass(state)


def _bare_index(context: Any, builder: Any, kind: Any, index: Any, size: Any) -> Any:
    """Numba's `fix_integer_index` for a floor that never counts from the end: no look whether an index is negative."""
    return context.cast(builder, index, kind, types.intp if kind.signed else types.uintp)


def _bare_call(
    convention: CPUCallConv, builder: Any, callee: Any, result: Any, kinds: Any, arguments: Any, **more: Any
) -> tuple[Any, Any]:
    """Numba's `call_function` without zeros for the callee to write over: whoever inlines the caller pays for them."""
    with builder.goto_entry_block():
        told, error = (builder.alloca(kind.type.pointee) for kind in callee.args[:2])
    packed = convention._get_arg_packer(kinds).as_arguments(builder, arguments)
    code = builder.call(callee, [told, error, *packed], attrs=tuple(more.get("attrs") or ()))
    status = convention._get_return_status(builder, code, builder.load(error))
    return status, convention.context.get_returned_value(builder, result, builder.load(told))


@register_pass(mutates_CFG=True, analysis_only=False)
class _BareLowering(NativeLowering):  # type: ignore[misc]
    """Numba's lowering, with bare indices and calls: every table is indexed many times a row."""

    _name = "tradewind_lowering"

    @property
    def lowering_class(self) -> type[TaggedLower]:
        """Lowering that tags what it reads and writes."""
        return TaggedLower

    def run_pass(self, state: Any) -> bool:
        usual = arrayobj.fix_integer_index, CPUCallConv.call_function
        arrayobj.fix_integer_index, CPUCallConv.call_function = _bare_index, _bare_call
        try:
            return bool(super().run_pass(state))
        finally:
            arrayobj.fix_integer_index, CPUCallConv.call_function = usual


class RoomCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's default pipeline with a room's library."""

    maker: type[AnalysisPass] = _MakeRoomLibrary

    def define_pipelines(self) -> list[Any]:
        """The one nopython pipeline."""
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.passes = [(_BareLowering if made is NativeLowering else made, why) for made, why in pipeline.passes]
        pipeline.add_pass_after(self.maker, AnnotateTypes)
        pipeline.finalize()
        return [pipeline]


class EntryCompiler(RoomCompiler):
    """Numba's default pipeline with an entry point's library."""

    maker = _MakeEntryLibrary

    def compile_extra(self, func: Any) -> Any:
        """Compiles an entry point, and says so first."""
        stages.begin(func)
        return super().compile_extra(func)
