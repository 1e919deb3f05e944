"""Lines of recordings, compressed or not, and the account of what in them was refused."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import msgspec
import zstandard

from tradewind.domain.errors import BadData
from tradewind.venues.ahead import ahead

PLAIN_BYTES = 1 << 19  # of a file that is not compressed
BESIDE_BYTES = 1 << 18  # from this size on a compressed file is inflated in a thread of its own
READ_BYTES = 1 << 16  # compressed bytes a read: even at gzip's best ratio no more than 70 MB come out
MAX_LINE_BYTES = 16 << 20  # the largest honest message is a full depth snapshot, about 1 MB
MAX_USELESS_LINES = 1_000  # a file whose first thousand lines are all refused is not what it was said to be
MAX_REASONS = 100  # reasons kept apart; hostile input could name a new one on every line
EXAMPLE_CHARS = 120
MAX_ZSTD_WINDOW = 1 << 27
GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

Progress = Callable[[str, int, int], None]
"""(file, bytes read of it, bytes it has), as they lie on disk."""


class Refusal(msgspec.Struct):
    """How often something was refused for one reason, and where first."""

    count: int
    where: str
    example: str


class Refusals:
    """Everything an import did not take, by reason. Nothing is dropped without an entry here."""

    def __init__(self) -> None:
        self.by_reason: dict[str, Refusal] = {}
        self.total = 0

    def add(self, reason: str, file: str, line: int, text: bytes | str = b"") -> None:
        """Count one refused line (or bar, or frame) under `reason`; the first keeps its place and its beginning."""
        self.total += 1
        if len(self.by_reason) >= MAX_REASONS and reason not in self.by_reason:
            reason = "other reasons"
        known = self.by_reason.get(reason)
        if known is not None:
            known.count += 1
            return
        shown = text[:EXAMPLE_CHARS]
        example = shown.decode("utf-8", "backslashreplace") if isinstance(shown, bytes) else shown
        self.by_reason[reason] = Refusal(1, f"{file}, line {line}", example)

    def first(self) -> str:
        """The most frequent reason with its example, for an error message."""
        if not self.by_reason:
            return "it holds no line"
        reason, refusal = max(self.by_reason.items(), key=lambda item: item[1].count)
        return f"{reason} ({refusal.count} times, first {refusal.where}: {refusal.example!r})"

    def counts(self) -> dict[str, int]:
        """Refused lines by reason."""
        return {reason: refusal.count for reason, refusal in sorted(self.by_reason.items())}


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _new_gzip() -> _Inflater:
    return zlib.decompressobj(wbits=31)


def _new_zstd() -> _Inflater:
    return zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW).decompressobj()


class _Damaged(NamedTuple):
    """Where compressed bytes end too early."""

    reason: str
    text: str


def _packed(stream: BinaryIO) -> Callable[[], _Inflater] | None:
    """What inflates `stream`, by its first bytes; None where it is plain."""
    stream.seek(0)
    head = stream.read(4)
    stream.seek(0)
    return _new_gzip if head[:2] == GZIP_MAGIC else _new_zstd if head == ZSTD_MAGIC else None


def _plain(stream: BinaryIO, size: int) -> Iterator[tuple[int, bytes | _Damaged]]:
    """(bytes read, decompressed piece) of `stream`; a damaged or cut compression ends the pieces."""
    make, read = _packed(stream), 0
    inflater = make() if make else None
    while data := stream.read(READ_BYTES if make else PLAIN_BYTES):
        read += len(data)
        if make is None or inflater is None:
            yield read, data
            continue
        try:
            while data:
                if inflater.eof:
                    inflater = make()
                yield read, inflater.decompress(data)
                data = inflater.unused_data if inflater.eof else b""
        except (zlib.error, zstandard.ZstdError) as error:
            yield read, _Damaged("damaged compression", str(error))
            return
    if inflater is not None and not inflater.eof:
        yield read, _Damaged("truncated compression: the file ends too early", f"{size} bytes")


def _pieces(path: Path, refusals: Refusals, progress: Progress | None) -> Iterator[bytes]:
    """A file's decompressed pieces, told and counted; large ones are read beside whoever takes them. Raises BadData."""
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            made = _plain(stream, size)
            for read, piece in ahead(made) if size >= BESIDE_BYTES and _packed(stream) else made:
                if progress is not None:
                    progress(path.name, read, size)
                if isinstance(piece, _Damaged):
                    refusals.add(piece.reason, path.name, 0, piece.text)
                else:
                    yield piece
    except OSError as error:
        raise BadData(f"cannot be read: {error.strerror or error}", where=str(path), expected="a readable file") from error


def texts(path: Path, refusals: Refusals, progress: Progress | None = None, max_line: int = MAX_LINE_BYTES) -> Iterator[bytes]:
    """Whole lines, each with its end, piece by piece: `blocks` for those who split nothing and count themselves."""
    rest, length = list[bytes](), 0
    pieces = _pieces(path, refusals, progress)
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if cut and length + len(piece) <= max_line:
            yield b"".join([*rest, piece[:cut]])
            rest, length = [piece[cut:]], len(piece) - cut
        elif length + len(piece) > max_line:  # there may be a line too long: split, and look at each
            for _, lines in _split(chain([*rest, piece], pieces), path.name, refusals, max_line):
                yield b"\n".join([*lines, b""])
            return
        else:
            rest.append(piece)
            length += len(piece)
    if length:
        yield b"".join([*rest, b"\n"])


def blocks(
    path: Path, refusals: Refusals, progress: Progress | None = None, max_line: int = MAX_LINE_BYTES
) -> Iterator[tuple[int, list[bytes]]]:
    """(number of the first line, lines) piece by piece, without line ends. Compression is found by content.

    A line longer than `max_line` is refused and skipped. Raises BadData where the file cannot be read.
    """
    yield from _split(_pieces(path, refusals, progress), path.name, refusals, max_line)


def _split(pieces: Iterator[bytes], file: str, refusals: Refusals, max_line: int) -> Iterator[tuple[int, list[bytes]]]:
    """Lines of joined pieces. A line's pieces are put together once, when its end is there."""
    number, rest, length, skipping = 1, list[bytes](), 0, False
    for piece in pieces:
        if b"\n" in piece:
            lines = b"".join([*rest, piece]).split(b"\n")
            last = lines.pop()
            rest, length = [last], len(last)
            if skipping or max(map(len, lines)) > max_line:
                _refuse_long(lines, skipping, number, file, refusals, max_line)
                skipping = False
            yield number, lines
            number += len(lines)
        else:
            rest.append(piece)
            length += len(piece)
        if length > max_line:
            if not skipping:
                refusals.add("line too long", file, number, b"".join(rest)[:EXAMPLE_CHARS])
            rest, length, skipping = [], 0, True
    if length and not skipping:
        yield number, [b"".join(rest)]


def _refuse_long(lines: list[bytes], skipping: bool, number: int, file: str, refusals: Refusals, max_line: int) -> None:
    """Blank the lines that are too long; the first one's beginning may have been skipped and counted already."""
    for index, line in enumerate(lines):
        if index == 0 and skipping:
            lines[0] = b""
        elif len(line) > max_line:
            refusals.add("line too long", file, number + index, line[:EXAMPLE_CHARS])
            lines[index] = b""
