"""`tradewind new strategy`: a small working strategy file and the lines of configuration that run it."""

from __future__ import annotations

import keyword
import re
from importlib import resources

import msgspec

from tradewind.domain.errors import BadUse

from .config import KINDS
from .options import ScaffoldOptions

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


class Scaffolded(msgspec.Struct, frozen=True):
    """The files made and what to type next."""

    name: str
    files: list[str]
    next: str


def new_strategy(options: ScaffoldOptions) -> Scaffolded:
    """Writes OUT/NAME.py and OUT/NAME.toml. Raises BadUse for a bad name, or where a file is already there."""
    name = options.name
    where = "tradewind new strategy NAME"
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        expected = "small letters, digits and underscores, a letter first, at most 32, no word of Python"
        raise BadUse(f"{name!r} is no name for a strategy", where=where, expected=expected, todo="choose another name")
    if name in KINDS:
        raise BadUse(f"{name!r} ships with Tradewind", where=where, expected="a name of your own", todo="choose another name")
    if options.out.exists() and not options.out.is_dir():
        raise BadUse(
            "this is a file, not a folder", where=str(options.out), expected="a folder to write in", todo="choose another --out"
        )
    code, snippet = options.out / f"{name}.py", options.out / f"{name}.toml"
    for file in (code, snippet):
        if file.exists():
            raise BadUse("the file is already there", where=str(file), expected="no such file", todo="choose another name or --out")
    options.out.mkdir(parents=True, exist_ok=True)
    code.write_text(_code(name), encoding="utf-8")
    snippet.write_text(_snippet(name), encoding="utf-8")
    return Scaffolded(name, [str(code), str(snippet)], f"tradewind backtest --config {snippet} --tape FOLDER")


def _code(name: str) -> str:
    words = name.split("_")
    template = resources.files("tradewind.strategies").joinpath("template.py.txt").read_text(encoding="utf-8")
    return template.format(name=name, title=" ".join(words).capitalize(), class_name="".join(word.capitalize() for word in words))


def _snippet(name: str) -> str:
    """A whole configuration: copy its table into your own tradewind.toml to run the strategy beside others."""
    return f'[strategies.{name}]\nkind = "python:{name}.py"\ninstruments = ["*"]\nparameters = {{ length = 30, size = 1.0 }}\n'
