"""`tradewind import`: recorded exchange files become a tape."""

from __future__ import annotations

from tradewind.runtime.config import unknown_name
from tradewind.runtime.options import FORMATS, ImportOptions
from tradewind.runtime.places import TAPE, readable_file, writable_folder

from ..command import Answer, Command, Frame, call, summary


def run(options: ImportOptions, frame: Frame) -> Answer:
    """Judges format, files and folder, then runs `runtime.imports.import_files`."""
    if options.format not in FORMATS:
        raise unknown_name("format", options.format, FORMATS, where="tradewind import FORMAT")
    for file in options.files:
        readable_file(file, f"a recording in the format {options.format}")
    writable_folder(options.out, TAPE)
    return Answer(summary(call("imports", "import_files", options, say=frame.emit.say)))


KEYS = ("rows", "instruments", "gaps", "checksum_failures", "book_mismatches", "refused", "first_ts", "last_ts")
IMPORT = Command("import", ImportOptions, KEYS, run, resume="run it again: a tape appears only when it is whole")
