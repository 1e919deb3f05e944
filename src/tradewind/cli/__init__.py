"""The command line `tradewind`.

Reading order: main (errors and exit codes), app (options from Structs), commands/ (one file each), emit (all output).

Exit codes: 0 all well, 1 inner error, 2 bad use, 3 bad data, 130 interrupted, 141 nobody reads the output any more.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from tradewind import __version__
from tradewind.domain.errors import BadUse, NoRoom, TradewindError

from .emit import Emit

if TYPE_CHECKING:
    from .command import Command

INTERRUPTED, PIPE_BROKEN = 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code; the entry point of the `tradewind` script."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    emit = Emit(sys.stdout, sys.stderr, as_json="--json" in words)
    try:
        if words == ["--version"]:
            emit.out.write(f"tradewind {__version__}\n")
        code = 0 if words == ["--version"] else _run(words, emit)
        emit.out.flush()
        return code
    except BrokenPipeError:
        # What still lies in the buffer has no reader; without this the interpreter would complain at exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (emit.out, emit.err):
            os.dup2(nowhere, stream.fileno())
        return PIPE_BROKEN


def _run(words: list[str], emit: Emit) -> int:
    import typer

    from .app import Job, application
    from .command import Frame, give
    from .compiling import compiling

    try:
        job = application()(args=words, prog_name="tradewind", standalone_mode=False)
        if not isinstance(job, Job):
            return int(job or 0)
        with compiling(emit), redirect_stdout(emit.err):  # a user's strategy may print: stdout is for the answer alone
            answer = job.command.run(job.options, Frame(dict(os.environ), emit))
        return give(job.command, answer, emit)
    except typer.TyperException as error:
        return _failed(_usage(error), words, emit)
    except TradewindError as error:
        return _failed(error, words, emit)
    except KeyboardInterrupt:
        return _failed(_interrupted(words), words, emit)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _failed(_system(error), words, emit)
    except Exception as error:  # noqa: BLE001 - the last line of defence tells, it does not swallow
        return _failed(_inner(error), words, emit)


def _failed(error: TradewindError, words: list[str], emit: Emit) -> int:
    command = _command(words)
    if os.environ.get("TRADEWIND_DEBUG") == "1":
        emit.trace()
    emit.error(error, command.keys if command else ())
    return error.exit_code


def _command(words: list[str]) -> Command | None:
    from .commands import COMMANDS

    plain = [word for word in words if not word.startswith("-")]
    return next((item for item in COMMANDS if item.name.split(" ") == plain[: len(item.name.split(" "))]), None)


class Interrupted(TradewindError):
    """Ctrl-C."""

    exit_code = INTERRUPTED


def _interrupted(words: list[str]) -> Interrupted:
    command = _command(words)
    return Interrupted("interrupted", expected="the command to end by itself", todo=command.resume if command else "run it again")


def _usage(error: Exception) -> BadUse:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "tradewind"
    what = getattr(error, "format_message", error.__str__)().replace("\n", " ")
    return BadUse(what[:1].lower() + what[1:].rstrip("."), where=path, expected=_expected(error), todo=f"see `{path} --help`")


def _expected(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return str(context.command.get_usage(context)).removeprefix("Usage: ").strip() if context else "a command"


def _system(error: OSError) -> TradewindError:
    place = str(error.filename or "")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom("the disk is full", where=place, expected="free space", todo="free some, or choose another --out")
    reason = (error.strerror or str(error)).lower()
    if isinstance(error, PermissionError | FileNotFoundError | NotADirectoryError | IsADirectoryError) and place:
        return BadUse(reason, where=place, expected="a path that can be used", todo="correct the path or its permissions")
    return TradewindError(f"the system refused: {reason}", where=place, expected="no such error", todo="try again")


def _inner(error: Exception) -> TradewindError:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_globals.get('__name__', '?')}, line {frame.tb_lineno}" if frame else ""
    todo = "this is a defect: run it again with TRADEWIND_DEBUG=1 and report what it prints"
    return TradewindError(f"{type(error).__name__}: {error}", where=place, expected="no such error", todo=todo)
