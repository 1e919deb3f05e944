"""The Typer application, made from the commands: a Struct's fields become options and arguments, its doc the help.

Typer only reads the words. What it gives back is run by `main`, because Typer has its own ideas of Ctrl-C and broken pipes.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
import typer

from tradewind.runtime.options import Told

from .command import Command
from .commands import COMMANDS

JSON = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


class Job(msgspec.Struct, frozen=True):
    """A command and the options it is to run with."""

    command: Command
    options: msgspec.Struct


def application() -> typer.Typer:
    """The whole command line; called with words it gives a Job, or an exit code where help was all that was asked for."""
    app = typer.Typer(
        name="tradewind", add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
        help="An autonomous crypto trading system: one machine, one tape, every decision explained. --version says which.",
    )  # fmt: skip
    app.callback()(_nothing)
    groups: dict[str, typer.Typer] = {}
    for command in COMMANDS:
        *group, name = command.name.split(" ")
        home = app
        if group:
            if group[0] not in groups:
                groups[group[0]] = typer.Typer(rich_markup_mode=None)
                app.add_typer(groups[group[0]], name=group[0], help=GROUPS[group[0]])
            home = groups[group[0]]
        home.command(name, help=inspect.getdoc(command.options))(_function(command))
    return app


GROUPS = {
    "new": "Files to start from.",
    "config": "The configuration that holds here.",
    "truth": "How well false data is told from true.",
    "data": "The store: what was recorded, how good it is.",
    "dataset": "Labelled, versioned tables to learn from.",
}


def _nothing() -> None:
    """Keeps Typer from taking a lone command for the application."""


def _function(command: Command) -> Callable[..., Job]:
    """A function with the signature Typer reads."""

    def function(**values: Any) -> Job:
        values.pop("json")  # `main` has looked for it already, so that a word Typer refuses is told as JSON too
        return Job(command, command.options(**values))

    parameters = [
        *_parameters(command.options),
        inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, annotation=JSON, default=False),
    ]
    parameters.sort(key=lambda item: item.default is not inspect.Parameter.empty)
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {item.name: item.annotation for item in parameters}
    function.__name__ = command.name.replace(" ", "_").replace("-", "_")
    return function


def _parameters(options: type[msgspec.Struct]) -> list[inspect.Parameter]:
    hints = get_type_hints(options, include_extras=True)
    made = []
    for field in msgspec.structs.fields(options):
        kind, told = get_args(hints[field.name])
        default: Any = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        elif default is msgspec.NODEFAULT:
            default = inspect.Parameter.empty
        annotation = operator.getitem(Annotated, (kind, _typer_of(told, field.name)))  # Annotated[...], made at run time
        made.append(inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default))
    return made


def _typer_of(told: Told, name: str) -> Any:
    if told.argument:
        return typer.Argument(help=told.doc, metavar=name.upper())
    return typer.Option(told.option or option_name(name), help=told.doc)


def option_name(field: str) -> str:
    """How a field is typed on the command line."""
    return "--" + field.replace("_", "-")
