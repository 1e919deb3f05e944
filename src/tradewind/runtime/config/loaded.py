"""A configuration that was read, with the origin of each value."""

from __future__ import annotations

from pathlib import Path as File

import msgspec

from tradewind.domain.errors import BadUse

from .schema import Config


class Loaded(msgspec.Struct, frozen=True):
    """A configuration and where each value came from (keys are dotted paths; "default" otherwise)."""

    config: Config
    origins: dict[str, str]
    file: str | None

    def origin(self, key: str) -> str:
        """Where the value of `key` came from."""
        return self.origins.get(key, "default")

    def python_file(self, strategy: str) -> File | None:
        """The file of a `python:` strategy, relative to the configuration file as written; None for one that ships."""
        kind = self.config.strategies[strategy].kind
        folder = File(self.file).parent if self.file else File()
        return folder / kind.removeprefix("python:") if kind.startswith("python:") else None

    def bad(self, key: str, what: str, *, expected: str = "", todo: str = "") -> BadUse:
        """An error about the value of `key`, naming its file and line, variable or option."""
        return BadUse(what, where=f"{self.origin(key)}, key {key}", expected=expected, todo=todo)
