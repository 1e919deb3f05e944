"""`tradewind sandbox`: emulated venues until somebody stops them."""

from __future__ import annotations

from tradewind.domain.errors import BadUse
from tradewind.runtime.options import SandboxOptions

from ..command import Answer, Command, Frame, call


def run(options: SandboxOptions, frame: Frame) -> Answer:
    """Runs `runtime.sandbox.sandbox` under a live view; the first line tells where the venues listen."""
    if not 0 < options.speed <= 1e4:  # NaN fails too
        raise BadUse(f"{options.speed} is out of range", where="--speed", expected="above 0, at most 10000", todo="correct it")
    if not 0 < options.orders_per_second <= 1e5:
        told = f"{options.orders_per_second} is out of range"
        raise BadUse(told, where="--orders-per-second", expected="above 0, at most 100000", todo="correct it")
    if not 0 <= options.reel <= 1e6:
        raise BadUse(f"{options.reel} is out of range", where="--reel", expected="0 to 1000000", todo="correct it")
    if not 0 <= options.port_base <= 65_000:
        raise BadUse(f"{options.port_base} is no port", where="--port-base", expected="0 to 65000", todo="correct it")

    def first(line: dict[str, object]) -> None:
        frame.emit.data(line)
        if not frame.emit.as_json:
            for name, addresses in dict(line["venues"]).items():  # type: ignore[call-overload]
                frame.emit.say(f"{name:10} rest {addresses['rest']}   ws {addresses['ws']}")

    with frame.emit.live() as watch:
        call("sandbox", "sandbox", options, first=first, watch=watch)
    return Answer([], blocks=["the venues are closed"])


SANDBOX = Command("sandbox", SandboxOptions, ("venues", "control"), run, resume="run it again: the same seed gives the same market")
