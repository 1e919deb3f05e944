"""`tradewind import`: recorded exchange files become a tape."""

from __future__ import annotations

from collections.abc import Callable

from tradewind.runtime.config import unknown_name
from tradewind.runtime.options import FORMATS, ImportOptions
from tradewind.runtime.places import TAPE, readable_file, writable_folder

from ..command import Answer, Command, Frame, call, summary


def run(options: ImportOptions, frame: Frame) -> Answer:
    """Judges format, files and folder, then runs `runtime.imports.import_files`."""
    if options.format not in FORMATS:
        raise unknown_name("format", options.format, FORMATS, where="tradewind import FORMAT")
    for file in options.files:
        if not file.is_dir():  # a folder stands for the files in it
            readable_file(file, f"a recording in the format {options.format}")
    writable_folder(options.out, TAPE)
    result = call("imports", "import_files", options.format, options.files, options.out, _progress(frame.emit.say))
    return Answer(summary(result))


def _progress(say: Callable[[str], None]) -> Callable[[str, int, int], None]:
    """One line for each file as it is begun."""
    begun: set[str] = set()

    def progress(file: str, _read: int, size: int) -> None:
        if file not in begun:
            begun.add(file)
            say(f"reading {file} ({size / 1e6:.1f} MB)")

    return progress


KEYS = ("rows", "instruments", "gaps", "checksum_failures", "book_mismatches", "refused", "first_ts", "last_ts")
IMPORT = Command("import", ImportOptions, KEYS, run, resume="run it again: a tape appears only when it is whole")
