"""`tradewind config show`: the configuration that holds here."""

from __future__ import annotations

from tradewind.runtime.config.walk import dotted, leaves, written
from tradewind.runtime.options import ShowOptions, configured

from ..command import Answer, Command, Frame
from ..emit import Table


def run(options: ShowOptions, frame: Frame) -> Answer:
    """Every key with its value and, where asked, its origin."""
    loaded = configured(options, frame.environment)
    rows = [(dotted(path), written(key, value), loaded.origin(dotted(path))) for path, key, value in leaves(loaded.config)]
    data = {"file": loaded.file, "config": {key: value for key, value, _ in rows}}
    if options.origin:
        data["origins"] = {key: origin for key, _, origin in rows}
        shown = Table("configuration", ("key", "value", "origin"), [(key, _text(value), origin) for key, value, origin in rows])
    else:
        shown = Table("configuration", ("key", "value"), [(key, _text(value)) for key, value, _ in rows])
    return Answer(data, blocks=[shown])


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


SHOW = Command("config show", ShowOptions, ("file", "config"), run)
