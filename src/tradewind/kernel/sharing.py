"""What `kernel.accounts` is once compiled: two types of a few pointers, and code spliced in where they are used.

A room is compiled anew for each type of `s` it is called with; the source is one. Which record a table lies in is known when
compiling, so reading through either type costs what reading the record does. Nothing of what is computed depends on this file.
"""

from __future__ import annotations

from typing import Any

from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, register_model


class _Shared(types.Type):
    """Pointers that read like one record. `account`: the record of an account's tables, `market`: the whole one."""

    def __init__(self, market: types.Record, account: types.Record) -> None:
        self.market, self.account = market, account
        super().__init__(f"{type(self).__name__}({market.name}, {account.name})")

    def __repr__(self) -> str:
        return type(self).__name__

    @property
    def mangling_args(self) -> tuple[str, tuple[int, ...]]:
        """A short name in symbols: the long one names every field."""
        return type(self).__name__, (self._code,)  # type: ignore[attr-defined]

    def place(self, table: str) -> str:
        """The member a table is reached by."""
        raise NotImplementedError


class MarketType(_Shared):
    """The market with its accounts."""

    def __init__(self, market: types.Record, account: types.Record, row: types.Record) -> None:
        self.own = types.Array(account, 1, "A")
        self.boxes = types.Array(row, 2, "C")
        self.row = row
        super().__init__(market, account)

    def place(self, table: str) -> str:
        """Always its own record."""
        return "market"


class AccountType(_Shared):
    """One account in the market."""

    def place(self, table: str) -> str:
        """The account's record where it has the table."""
        return "account" if table in self.account.fields else "market"


@register_model(MarketType)
class _MarketModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, kind: MarketType) -> None:
        super().__init__(dmm, kind, [("market", types.voidptr), ("own", kind.own), ("boxes", kind.boxes)])


@register_model(AccountType)
class _AccountModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, kind: AccountType) -> None:
        super().__init__(dmm, kind, [("market", types.voidptr), ("account", types.voidptr)])


@infer_getattr
class _MarketTables(AttributeTemplate):  # type: ignore[misc]
    key: type[_Shared] = MarketType

    def generic_resolve(self, kind: _Shared, attr: str) -> Any:
        record = getattr(kind, kind.place(attr))
        return self.context.resolve_getattr(record, attr)


@infer_getattr
class _AccountTables(_MarketTables):
    key = AccountType


@lower_getattr_generic(MarketType)  # type: ignore[untyped-decorator]
@lower_getattr_generic(AccountType)  # type: ignore[untyped-decorator]
def _table(context: Any, builder: Any, kind: _Shared, value: Any, attr: str) -> Any:
    place = kind.place(attr)
    record = getattr(kind, place)
    pointer = getattr(cgutils.create_struct_proxy(kind)(context, builder, value), place)
    pointer = builder.bitcast(pointer, context.get_value_type(record))
    return context.get_getattr(record, attr)(context, builder, record, pointer, attr)


def _element(context: Any, builder: Any, kind: types.Array, array: Any, n: Any) -> Any:
    """The pointer to array[n, 0, ...]."""
    view = context.make_array(kind)(context, builder, array)
    first = builder.bitcast(view.data, context.get_value_type(types.voidptr))
    return builder.gep(first, [builder.mul(n, builder.extract_value(view.strides, 0))])


@intrinsic  # type: ignore[untyped-decorator]
def join(typing: Any, state: Any, own: Any, boxes: Any) -> Any:
    kind = MarketType(state.dtype, own.dtype, boxes.dtype)

    def made(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        shared = cgutils.create_struct_proxy(kind)(context, builder)
        pointer = context.make_array(state)(context, builder, args[0]).data
        shared.market = builder.bitcast(pointer, context.get_value_type(types.voidptr))
        shared.own = context.cast(builder, args[1], own, kind.own)
        shared.boxes = args[2]
        return shared._getvalue()

    return kind(state, own, boxes), made


@intrinsic  # type: ignore[untyped-decorator]
def number(typing: Any, s: Any) -> Any:
    def made(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not isinstance(s, MarketType):
            return context.get_constant(types.intp, 1)
        shared = cgutils.create_struct_proxy(s)(context, builder, args[0])
        return context.make_array(s.own)(context, builder, shared.own).nitems

    return types.intp(s), made


@intrinsic  # type: ignore[untyped-decorator]
def member(typing: Any, s: Any, n: Any) -> Any:
    kind = AccountType(s.market, s.account) if isinstance(s, MarketType) else s

    def made(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not isinstance(s, MarketType):
            return args[0]
        shared = cgutils.create_struct_proxy(s)(context, builder, args[0])
        one = cgutils.create_struct_proxy(kind)(context, builder)
        one.market = shared.market
        one.account = _element(context, builder, s.own, shared.own, args[1])
        return one._getvalue()

    return kind(s, types.intp), made


@intrinsic  # type: ignore[untyped-decorator]
def box(typing: Any, s: Any, n: Any, out: Any) -> Any:
    kind = types.Array(s.row, 1, "C") if isinstance(s, MarketType) else out

    def made(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not isinstance(s, MarketType):
            return args[2]
        shared = cgutils.create_struct_proxy(s)(context, builder, args[0])
        boxes = context.make_array(s.boxes)(context, builder, shared.boxes)
        one = context.make_array(kind)(context, builder)
        one.data = builder.bitcast(_element(context, builder, s.boxes, shared.boxes, args[1]), one.data.type)
        one.itemsize = boxes.itemsize
        one.nitems = builder.extract_value(boxes.shape, 1)
        one.shape = cgutils.pack_array(builder, [one.nitems])
        one.strides = cgutils.pack_array(builder, [boxes.itemsize])
        one.meminfo = cgutils.get_null_value(one.meminfo.type)
        one.parent = cgutils.get_null_value(one.parent.type)
        return one._getvalue()

    return kind(s, types.intp, out), made
