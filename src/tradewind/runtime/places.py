"""Files and folders that a command names, judged before anything heavy is imported; and the folders Tradewind uses of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import platformdirs

from tradewind.domain.errors import BadUse

TAPE, JOURNAL = "tape.json", "journal.json"  # the file that makes a folder a tape or a journal
NOTES, MARKET = "notes.json", "market"  # or a recording


class Folders(msgspec.Struct, frozen=True):
    """Where Tradewind keeps what outlives a run. TRADEWIND_CACHE and TRADEWIND_DATA move them."""

    cache: Path  # compiled compositions; may be deleted at any time
    data: Path  # trials, measured latencies; worth a backup


def folders(environment: Mapping[str, str]) -> Folders:
    """The folders for this user."""
    cache, data = environment.get("TRADEWIND_CACHE"), environment.get("TRADEWIND_DATA")
    return Folders(
        Path(cache) if cache else platformdirs.user_cache_path("tradewind"),
        Path(data) if data else platformdirs.user_data_path("tradewind"),
    )


def readable_folder(path: Path, what: str, marker: str, todo: str) -> None:
    """Raises BadUse unless `path` is a folder that can be read and holds a file or folder named `marker`."""
    where, expected = str(path), f"{what} (it holds {marker})"
    if not path.exists():
        raise BadUse("there is no such folder", where=where, expected=expected, todo=todo)
    if not path.is_dir():
        raise BadUse("this is a file, not a folder", where=where, expected=expected, todo=todo)
    try:
        names = {item.name for item in path.iterdir()}
    except OSError as error:
        raise BadUse(
            f"the folder cannot be read ({error.strerror})", where=where, expected=expected, todo="change its permissions"
        ) from error
    if marker not in names:
        raise BadUse(f"the folder holds no {marker}", where=where, expected=expected, todo=todo)


def readable_tape(path: Path) -> None:
    """Raises BadUse unless `path` is a tape or a recording."""
    marker = NOTES if (path / NOTES).is_file() else TAPE
    readable_folder(path, "a tape", marker, "make one with `tradewind import FORMAT FILE... --out FOLDER`")


def readable_file(path: Path, what: str) -> None:
    """Raises BadUse unless `path` is a file that can be opened."""
    where, todo = str(path), "correct the path"
    if not path.exists():
        raise BadUse("there is no such file", where=where, expected=what, todo=todo)
    if not path.is_file():
        raise BadUse("this is a folder, not a file", where=where, expected=what, todo="name the files in it")
    try:
        path.open("rb").close()
    except OSError as error:
        raise BadUse(
            f"the file cannot be read ({error.strerror})", where=where, expected=what, todo="change its permissions"
        ) from error


def writable_folder(path: Path, marker: str = "") -> None:
    """Raises BadUse unless `path` can become an output folder: absent, empty, or ours (it holds `marker`)."""
    where, todo = str(path), "choose another folder"
    if path.exists() and not path.is_dir():
        raise BadUse("this is a file, not a folder", where=where, expected="a folder to write in", todo=todo)
    if marker and path.is_dir() and any(path.iterdir()) and not (path / marker).exists():
        raise BadUse(
            "the folder is in use by something else",
            where=where,
            expected=f"a new or empty folder, or one that holds {marker}",
            todo=todo,
        )
    parent = next(item for item in (path, *path.absolute().parents) if item.exists())
    if not parent.is_dir():
        raise BadUse(f"{str(parent)!r} is a file", where=where, expected="a folder to write in", todo=todo)
