"""Datasets: immutable, versioned by content, labelled, and rebuilt to the same id anywhere.

From raw tapes, not from the lake: the sieve says which rows are believed, decisions of the quarantine are honoured, bars are made
of what was believed, features come from the machine's own definitions, labels look ahead by a stated horizon. The id is the
hash of the specification, of every bit of every column and of the raw segments they came from; nothing of the place, the
machine or the day enters it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tradewind import __version__
from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse, did_you_mean
from tradewind.storage.files import write_whole
from tradewind.storage.tape import Tape

from . import frames
from .frames import Quality
from .labels import labeller
from .raw import open_raw
from .sieve import Judge
from .spec import Spec, read
from .store import Store

if TYPE_CHECKING:
    import polars as pl

MANIFEST, ROWS_FILE = "manifest.json", "rows.parquet"
ID_CHARS = 32
LIBRARIES = ("numpy", "numba", "llvmlite", "polars", "deltalake")
Say = Callable[[str], None]
JudgeFor = Callable[[Tape], Judge | None]


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A raw segment the content was made of."""

    tape: str  # its name in the specification
    segment: int
    digest: str
    rows: int
    first_ts: int
    last_ts: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a dataset is answerable by. What stands under `made` is not part of the content."""

    id: str
    format: int
    content: str  # the id without the raw segments: equal where two recordings gave the same rows
    spec: Spec
    rows: int
    columns: dict[str, str]
    digests: dict[str, str]
    inputs: list[Input]
    code: str
    features: dict[str, int]
    label_horizon_ns: int
    lookback_ns: int
    first_ts: int
    last_ts: int
    quality: list[Quality]
    gaps: list[dict[str, Any]]
    released: list[str]
    made: dict[str, str]


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What a build gives."""

    id: str
    rows: int
    manifest: Path
    new: bool


def build(
    store: Store, path: Path, say: Say = lambda line: None, judge_for: JudgeFor = lambda tape: None, *, compiled: bool = True
) -> Built:
    """Builds the dataset that a specification describes; one that is there already is proven equal and left.

    Raises BadUse for a specification that asks for what is not there, BadData where the tapes give no row.
    """
    spec = read(path)
    tapes = [(name, open_raw(path.parent / name)) for name in spec.tapes]
    _refuse_early(spec, [tape for _, tape in tapes], path)
    for name, tape in tapes:
        say(f"proving {name}")
        tape.verify()
    made = frames.make(store, spec, [tape for _, tape in tapes], say, judge_for, compiled=compiled)
    if not made.frame.height:
        raise BadData("no row came out", where=str(path), expected="believed bars of the instruments in the span")
    digests = column_digests(made.frame)
    name = identity(spec, digests, [part.sha256 for _, tape in tapes for part in tape.manifest.segments])
    manifest = _manifest(name, spec, tapes, made, digests)
    folder = store.datasets / name
    new = not (folder / MANIFEST).exists()
    if new:
        _write(folder, made.frame, manifest)
    _record(store, folder, manifest)
    return Built(id=name, rows=made.frame.height, manifest=folder / MANIFEST, new=new)


def _refuse_early(spec: Spec, tapes: list[Tape], path: Path) -> None:
    """What needs no row to be known as wrong, before the first is proven and judged."""
    known = sorted({instrument.name for tape in tapes for instrument in tape.manifest.instruments})
    try:
        labeller(spec.label.kind)
        for name in spec.rows.instruments:
            if name not in known:
                todo = did_you_mean([name], known)
                raise BadUse(f"no tape has {name}", where="rows.instruments", expected=", ".join(known), todo=todo)
    except BadUse as error:
        raise error.at(str(path)) from None


def column_digests(frame: pl.DataFrame) -> dict[str, str]:
    """Hex sha256 of each column: type, length, which values are null, and the values with zeros where they are. Raises BadData."""
    import polars as pl

    found = {}
    for name in frame.columns:
        column = frame[name]
        hashed = hashlib.sha256(f"{column.dtype}:{len(column)}\n".encode())
        hashed.update(np.packbits(column.is_null().to_numpy()).tobytes())
        if column.dtype == pl.String:
            hashed.update("\n".join(text or "" for text in column.to_list()).encode())
        else:
            if column.dtype.is_float() and not column.is_finite().fill_null(True).all():
                raise BadData(f"column {name} holds a value that is no finite number", todo="leave the feature out")
            values = column.cast(pl.Int8) if column.dtype == pl.Boolean else column
            hashed.update(np.ascontiguousarray(values.fill_null(0).to_numpy()).tobytes())
        found[name] = hashed.hexdigest()
    return found


def identity(spec: Spec, digests: dict[str, str], raw: Iterable[str] = ()) -> str:
    """The dataset's id; without `raw`, the name of its content alone."""
    hashed = hashlib.sha256(spec.content())
    for name in sorted(digests):
        hashed.update(f"\n{name}={digests[name]}".encode())
    for digest in sorted(set(raw)):
        hashed.update(f"\nraw {digest}".encode())
    return hashed.hexdigest()[:ID_CHARS]


def _manifest(name: str, spec: Spec, tapes: list[tuple[str, Tape]], made: frames.Made, digests: dict[str, str]) -> Manifest:
    frame, length = made.frame, codes.TIMEFRAME_NS[spec.every_code]
    inputs = [
        Input(tape=place, segment=n, digest=part.sha256, rows=part.rows, first_ts=part.first_ts, last_ts=part.last_ts)
        for place, tape in tapes
        for n, part in enumerate(tape.manifest.segments)
    ]
    return Manifest(
        id=name, format=1, content=identity(spec, digests), spec=spec, rows=frame.height,
        columns={key: str(kind) for key, kind in frame.schema.items()},
        digests=digests, inputs=inputs, code=made.code, features=made.features, label_horizon_ns=spec.label.horizon * length,
        lookback_ns=made.lookback * length, first_ts=int(frame["ts"].min()), last_ts=int(frame["ts"].max()),
        quality=made.quality, gaps=made.gaps, released=made.released,
        made={"tradewind": __version__, **{library: version(library) for library in LIBRARIES}},
    )  # fmt: skip


def _write(folder: Path, frame: pl.DataFrame, manifest: Manifest) -> None:
    """The folder appears whole, and its files can only be read."""
    aside = folder.with_name(folder.name + ".making")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    frame.write_parquet(aside / ROWS_FILE, compression="zstd", compression_level=3)
    write_whole(aside / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    for file in aside.iterdir():
        file.chmod(0o444)
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


def _record(store: Store, folder: Path, manifest: Manifest) -> None:
    # Features with a fading memory read every bar before them, so a row depends on all of the tape up to its label's end.
    span = {"first_ts": 0, "last_ts": manifest.last_ts + manifest.label_horizon_ns}
    names = [name.partition(":") for name in manifest.spec.rows.instruments]
    row = {
        "id": manifest.id, "name": manifest.spec.name, "folder": str(folder), "rows": manifest.rows,
        "first_ts": manifest.first_ts, "last_ts": manifest.last_ts, "made_ns": store.clock(), "state": "valid", "why": "",
    }  # fmt: skip
    inputs = {(part.digest, venue, rest) for part in manifest.inputs for venue, _, rest in names}
    with store.records.change() as connection:
        store.records.put(connection, "datasets", [row])
        made = [
            {"dataset": manifest.id, "digest": digest, "venue": venue, "instrument": rest, **span}
            for digest, venue, rest in sorted(inputs)
        ]
        store.records.put(connection, "dataset_inputs", made)


# Reading ---------------------------------------------------------------------------------------------------------------


def find(store: Store, name: str) -> str:
    """The id that `name` means: an id, the beginning of one, or a dataset's name (then the youngest). Raises BadUse."""
    rows = store.records.rows("datasets")
    by_id = [row["id"] for row in rows if row["id"].startswith(name)] if re.fullmatch("[0-9a-f]{4,}", name) else []
    by_name = sorted((row for row in rows if row["name"] == name), key=lambda row: row["made_ns"])
    if len(by_id) == 1:
        return str(by_id[0])
    if by_name:
        return str(by_name[-1]["id"])
    what = f"{len(by_id)} ids begin with {name!r}" if by_id else f"no dataset {name!r}"
    raise BadUse(what, where=str(store.datasets), expected="an id or name that `dataset list` prints")


def manifest_of(store: Store, name: str) -> Manifest:
    """The manifest of a dataset, by id."""
    return msgspec.json.decode((store.datasets / name / MANIFEST).read_bytes(), type=Manifest)


def load(store: Store, name: str) -> pl.DataFrame:
    """The rows of a dataset, proven. Raises BadData where they are not what the id says."""
    import polars as pl

    manifest = manifest_of(store, name)
    frame = pl.read_parquet(store.datasets / name / ROWS_FILE)
    if identity(manifest.spec, column_digests(frame), [part.digest for part in manifest.inputs]) != name:
        raise BadData("the rows are not those of this id", where=str(store.datasets / name), todo="build it again")
    return frame


def collect(store: Store, *, dry: bool = False) -> list[str]:
    """Removes stale datasets, and folders nobody has a record of; returns their ids. Records of removed ones stay, as removed."""
    kept = {row["id"] for row in store.records.rows("datasets") if row["state"] == "valid"}
    there = sorted(item.name for item in store.datasets.iterdir() if item.is_dir()) if store.datasets.is_dir() else []
    gone = [name for name in there if name not in kept]
    if not dry:
        for name in gone:
            shutil.rmtree(store.datasets / name, ignore_errors=True)
            with store.records.change() as connection:
                store.records.update(connection, "datasets", {"id": name}, {"state": "removed"})
    return gone
