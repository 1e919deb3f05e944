"""`tradewind data ...` and `tradewind dataset ...`: the store's tapes, tables, quarantine and datasets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tradewind.runtime import data_options as of
from tradewind.runtime.places import TAPE, readable_file, readable_folder

from ..command import Answer, Command, Frame, call
from ..emit import Table

BAD_DATA = 3
MARKET = "market"
MAKE_TAPE = "make one with `tradewind import FORMAT FILE... --out FOLDER`"


def _plain(function: str, says: bool = False) -> Callable[[Any, Frame], Answer]:
    """A command that only calls its function of `runtime.data`."""

    def run(options: Any, frame: Frame) -> Answer:
        more = (frame.emit.say,) if says else ()
        return Answer(call("data", function, options, options.place(frame.environment), *more))

    return run


def ingest(options: of.IngestOptions, frame: Frame) -> Answer:
    """Looks at the folders before anything is compiled."""
    for folder in options.tapes:
        if not (folder / MARKET).is_dir():  # a recording is as good
            readable_folder(folder, "a tape", TAPE, MAKE_TAPE)
    return Answer(call("data", "take", options, options.place(frame.environment), frame.emit.say))


def coverage(options: of.CoverageOptions, frame: Frame) -> Answer:
    """A line a series and day for people, all figures as JSON."""
    found = call("data", "coverage", options, options.place(frame.environment))
    columns = ("series", "day", "rows", "refused", "duplicates", "gaps", "quality")
    lines = [
        (f"{row['venue']}:{row['instrument']}:{row['channel']}", row["day"], row["rows"], row["quarantined"], row["duplicates"],
         row["gaps"], row["quality"])
        for row in found["coverage"]
    ]  # fmt: skip
    inside, all_of_them = sum(row["gaps"] for row in found["coverage"]), len(found["gaps"])
    told = f"{inside:,} gaps between first and last rows; `--json` names {all_of_them:,}, those before and behind them too"
    return Answer(found, [Table("coverage", columns, lines), told])


def prove(options: of.LakeVerifyOptions, frame: Frame) -> Answer:
    """A lake that differs is bad data."""
    found = call("data", "prove", options, options.place(frame.environment), frame.emit.say)
    return Answer(found, exit_code=0 if found["equal"] else BAD_DATA)


def observe(options: of.ObserveOptions, frame: Frame) -> Answer:
    """Looks at the file first."""
    readable_file(options.file, "a CSV or Parquet file")
    return Answer(call("data", "observe", options, options.place(frame.environment), frame.emit.say))


def hooked(options: of.WebhookOptions, frame: Frame) -> Answer:
    """Says where it listens, then waits."""
    say = frame.emit.say
    return Answer(
        call(
            "webhook", "run", options, options.place(frame.environment), frame.environment, say,
            lambda at: say(f"post to {at}NAME; Ctrl-C ends"),
        )
    )  # fmt: skip


def build(options: of.BuildOptions, frame: Frame) -> Answer:
    """Looks at the specification first."""
    readable_file(options.spec, "a dataset's specification")
    return Answer(call("data", "build", options, options.place(frame.environment), frame.emit.say))


INGESTED = ("raw", "accepted", "quarantined", "duplicates", "segments", "series", "gaps", "entries")
AGAIN = "run it again: what was done stays"


class _Told(msgspec.Struct, frozen=True):
    """A command's row in the table below."""

    name: str
    options: type[msgspec.Struct]
    keys: tuple[str, ...]
    run: Callable[[Any, Frame], Answer]


_TOLD = (
    _Told("data ingest", of.IngestOptions, INGESTED, ingest),
    _Told("data coverage", of.CoverageOptions, ("coverage", "gaps"), coverage),
    _Told("data quality", of.QualityOptions, ("report", "series", "worst", "trust"), _plain("quality")),
    _Told("data query", of.QueryOptions, ("columns", "count", "rows"), _plain("query")),
    _Told("data export", of.ExportOptions, ("file", "rows"), _plain("export")),
    _Told("data verify", of.LakeVerifyOptions, ("equal", "partitions", "rows", "balanced", "differs", "unproven"), prove),
    _Told("data compact", of.CompactOptions, ("files_saved", "rows_pruned", "files_deleted", "tables"), _plain("compact")),
    _Told("data quarantine", of.QuarantineOptions, ("entries", "rows", "bars", "datasets"), _plain("quarantined")),
    _Told("data download", of.DownloadOptions, ("rows", "days", "partial", "had", "tapes"), _plain("fetch", says=True)),
    _Told("data observe", of.ObserveOptions, ("rows", "tape", "first_ts", "last_ts"), observe),
    _Told("data series", of.SeriesOptions, ("rows", "tape", "first_ts", "last_ts"), _plain("pull", says=True)),
    _Told("data webhook", of.WebhookOptions, ("kept", "refused", "tapes", "taken_in"), hooked),
    _Told("dataset build", of.BuildOptions, ("id", "rows", "manifest", "new"), build),
    _Told("dataset list", of.DatasetListOptions, ("datasets",), _plain("listed")),
    _Told("dataset show", of.DatasetShowOptions, ("id", "rows", "manifest", "state", "card"), _plain("shown")),
    _Told(
        "dataset diff", of.DatasetDiffOptions, ("equal", "only_a", "only_b", "changed", "columns", "causes"), _plain("difference")
    ),
    _Told("dataset gc", of.DatasetGcOptions, ("removed", "dry"), _plain("collect")),
)
DATA: tuple[Command, ...] = tuple(Command(told.name, told.options, told.keys, told.run, resume=AGAIN) for told in _TOLD)
