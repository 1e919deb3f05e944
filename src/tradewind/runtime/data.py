"""The commands of the data fabric as functions: each takes its options and the store's folder and gives what is to be told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.fabric import (
    beliefs,
    catalogue,
    datasets,
    differences,
    download,
    ingest,
    observations,
    quarantine,
    retention,
    series,
    verify,
)
from tradewind.fabric.assembly import budget_of
from tradewind.fabric.raw import open_raw
from tradewind.fabric.spec import moment
from tradewind.fabric.store import Store
from tradewind.storage.projection import TABLES, day_number, day_text
from tradewind.venues.plugins import adapter_of, split

from . import data_options as of
from . import live_source
from .options import duration_ns

Say = Callable[[str], None]


def take(options: of.IngestOptions, place: Path, say: Say) -> dict[str, Any]:
    """`data ingest`."""
    total = ingest.Ingested()
    with Store(place) as store:
        for folder in options.tapes:
            done = ingest.ingest(store, open_raw(folder, ended=True), say=say)
            for name in total.__struct_fields__:
                setattr(total, name, getattr(total, name) + getattr(done, name))
    return {**msgspec.structs.asdict(total), "store": str(place)}


def coverage(options: of.CoverageOptions, place: Path) -> dict[str, Any]:
    """`data coverage`."""
    with Store.existing(place) as store:
        catalogue.known(store, options.series)
        covered = [msgspec.structs.asdict(row) for row in catalogue.coverage(store, options.series)]
        return {"coverage": covered, "gaps": [msgspec.structs.asdict(gap) for gap in catalogue.gaps(store, options.series)]}


def quality(options: of.QualityOptions, place: Path) -> dict[str, Any]:
    """`data quality`."""
    from tradewind.monitor import pages
    from tradewind.monitor import quality as page

    with Store.existing(place) as store:
        catalogue.known(store, options.series)
        covered = catalogue.coverage(store, options.series)
        found = quarantine.entries(store, series=options.series)
        trust = beliefs.believed(store.records, options.series)
        text = page.render(page.Known(covered, catalogue.gaps(store, options.series), found, trust), options.series)
    pages.write(text, options.out)
    worst = sorted(covered, key=lambda row: row.quality)[:20]
    told = [{"series": row.series, "day": row.day, "quality": row.quality, "quarantined": row.quarantined} for row in worst]
    return {"report": str(options.out), "series": len({row.series for row in covered}), "worst": told,
            "trust": [msgspec.structs.asdict(one) for one in sorted(trust, key=lambda one: one.quality)[:20]]}  # fmt: skip


def query(options: of.QueryOptions, place: Path) -> dict[str, Any]:
    """`data query`."""
    with Store.existing(place) as store:
        found = store.lake.query(options.sql)
    shown = found.head(max(options.limit, 0))
    rows = [{name: _told(value) for name, value in row.items()} for row in shown.iter_rows(named=True)]
    return {"columns": found.columns, "count": found.height, "rows": rows}


def _told(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def export(options: of.ExportOptions, place: Path) -> dict[str, Any]:
    """`data export`."""
    if options.table not in TABLES:
        raise BadUse(f"no table {options.table!r}", where="tradewind data export TABLE", expected=", ".join(TABLES))
    if options.out.suffix not in (".parquet", ".csv"):
        raise BadUse(f"{options.out.suffix!r} is no format", where="--out", expected="a file ending in .parquet or .csv")
    if not options.out.parent.is_dir():
        raise BadUse("there is no such folder", where=str(options.out.parent), expected="one for the file", todo="make it first")
    venue, _, instrument = options.series.partition(":")
    with Store.existing(place) as store:
        catalogue.known(store, options.series)
        series = (venue, instrument) if options.series else None
        frame = store.lake.scan(options.table, series, moment(options.start, 0), moment(options.stop, 1 << 62)).collect()
    unfinished = options.out.with_name(options.out.name + ".part")
    if options.out.suffix == ".csv":
        frame.write_csv(unfinished)
    else:
        frame.write_parquet(unfinished, compression="zstd")
    unfinished.replace(options.out)
    return {"file": str(options.out), "rows": frame.height}


def prove(options: of.LakeVerifyOptions, place: Path, say: Say) -> dict[str, Any]:
    """`data verify`."""
    with Store.existing(place) as store:
        return msgspec.structs.asdict(verify.verify(store, say))


def compact(options: of.CompactOptions, place: Path) -> dict[str, Any]:
    """`data compact`."""
    saved = pruned = deleted = 0
    with Store.existing(place) as store, store.alone():
        for table in store.lake.tables():
            if options.keep_days > 0:
                pruned += retention.keep(store, table.table, options.keep_days)
            saved += store.lake.compact(table.table)
            if options.vacuum_hours >= 0:
                deleted += store.lake.vacuum(table.table, options.vacuum_hours)
        kept = [msgspec.structs.asdict(table) for table in store.lake.tables()]
    return {"files_saved": saved, "rows_pruned": pruned, "files_deleted": deleted, "tables": kept}


def quarantined(options: of.QuarantineOptions, place: Path) -> dict[str, Any]:
    """`data quarantine`."""
    with Store.existing(place) as store:
        if options.action == "list":
            found = [quarantine.shown(entry) for entry in quarantine.entries(store, options.state, options.series)]
            return {"entries": found, "rows": sum(entry["rows"] for entry in found), "bars": [], "datasets": []}
        if options.action not in ("release", "confirm"):
            raise BadUse(f"{options.action!r} is no action", where="tradewind data quarantine", expected="list, release or confirm")
        if not options.entries:
            raise BadUse("names no entry", where=f"tradewind data quarantine {options.action}", expected="ids that `list` prints")
        if options.action == "confirm":
            kept = [quarantine.shown(quarantine.confirm(store, name, options.by, options.note)) for name in options.entries]
            return {"entries": kept, "rows": 0, "bars": [], "datasets": []}
        done = [quarantine.release(store, name, options.by, options.note) for name in options.entries]
        return {
            "entries": [msgspec.structs.asdict(one) for one in done], "rows": sum(one.rows for one in done),
            "bars": sorted({end for one in done for end in one.bars}),
            "datasets": sorted({name for one in done for name in one.datasets}),
        }  # fmt: skip


def observe(options: of.ObserveOptions, place: Path, say: Say) -> dict[str, Any]:
    """`data observe`."""
    delay = duration_ns(options.delay, "--delay")
    columns = observations.Columns(value=options.value, event=options.event, published=options.published, delay_ns=delay)
    found = observations.from_file(options.file, columns)
    tape = observations.tape_of(options.tape, options.name, options.unit, found)
    with Store(place) as store:
        done = ingest.ingest(store, tape, say=say)
    return {"rows": done.accepted, "tape": str(options.tape), "first_ts": found[0].published_ns, "last_ts": found[-1].published_ns}


def pull(options: of.SeriesOptions, place: Path, say: Say) -> dict[str, Any]:
    """`data series`."""
    import asyncio
    import random

    from tradewind.fabric.clock import JournalTime, SystemClock
    from tradewind.fabric.network import Network
    from tradewind.fabric.transport import Settings

    made = series.series_of(options.name)

    async def run() -> list[observations.Observation]:
        network = Network(Settings(JournalTime(SystemClock()), random.Random(1)))
        try:
            return await series.fetch(network, made, moment(options.since, 0))
        finally:
            await network.aclose()

    found = asyncio.run(run())
    if not found:
        return {"rows": 0, "tape": "", "first_ts": 0, "last_ts": 0}
    tape = observations.tape_of(options.tape, made.name, made.unit, found)
    with Store(place) as store:
        done = ingest.ingest(store, tape, say=say)
    return {"rows": done.accepted, "tape": str(options.tape), "first_ts": found[0].published_ns, "last_ts": found[-1].published_ns}


def fetch(options: of.DownloadOptions, place: Path, say: Say) -> dict[str, Any]:
    """`data download`."""
    import asyncio

    venue, symbol = split(options.symbol)
    days = [day_text(_day(text)) for text in (options.first, options.last)]
    if days[0] > days[1]:
        raise BadUse(f"{days[0]} is after {days[1]}", where="--first, --last", expected="the first day not after the last")
    if options.timeframe and options.timeframe not in codes.TIMEFRAME_NAMES:
        raise BadUse(f"no timeframe {options.timeframe!r}", where="--timeframe", expected=", ".join(codes.TIMEFRAME_NAMES))
    adapter_of(venue)
    choice = live_source.Choice(source=live_source.known_source(options.source), venues=(venue,), symbols={venue: (symbol,)})
    folder = options.tapes or place / "raw"

    async def run() -> download.Downloaded:
        async with live_source.opened(choice, say) as (fabric, _):
            wanted = fabric.wanted[0]
            source = download.Source(
                wanted.adapter, wanted.place.rest, fabric.outside, budget_of(wanted.adapter, fabric.outside.time)
            )
            order = download.Order(download.topic_of(wanted.adapter, options.timeframe), options.timeframe, *days)
            with Store(place) as store:
                return await download.download(store, source, order, folder, say)

    return {**msgspec.structs.asdict(asyncio.run(run())), "tapes": str(folder)}


def _day(text: str) -> int:
    try:
        return day_number(text)
    except ValueError as error:
        raise BadUse(f"{text!r} is no day", where="--first, --last", expected="YYYY-MM-DD") from error


# Datasets --------------------------------------------------------------------------------------------------------------


def build(options: of.BuildOptions, place: Path, say: Say) -> dict[str, Any]:
    """`dataset build`."""
    with Store(place) as store:
        return msgspec.structs.asdict(datasets.build(store, options.spec, say))


def listed(_options: of.DatasetListOptions, place: Path) -> dict[str, Any]:
    """`dataset list`."""
    with Store.existing(place) as store:
        rows = sorted(store.records.rows("datasets"), key=lambda row: row["made_ns"])
    return {"datasets": [row for row in rows if row["state"] != "removed"]}


def shown(options: of.DatasetShowOptions, place: Path) -> dict[str, Any]:
    """`dataset show`."""
    with Store.existing(place) as store:
        name = datasets.find(store, options.dataset)
        manifest, record = datasets.manifest_of(store, name), store.records.rows("datasets", id=name)[0]
        frame = datasets.load(store, name)
        if options.out is not None:
            from tradewind.monitor import datacard, pages

            pages.write(datacard.render(manifest, frame, record), options.out)
        path = store.datasets / name / datasets.MANIFEST
    told = msgspec.to_builtins(manifest)
    return {**told, "manifest": str(path), "state": record["state"], "why": record["why"], "card": str(options.out or "")}


def difference(options: of.DatasetDiffOptions, place: Path) -> dict[str, Any]:
    """`dataset diff`."""
    with Store.existing(place) as store:
        return msgspec.structs.asdict(differences.diff(store, options.a, options.b))


def collect(options: of.DatasetGcOptions, place: Path) -> dict[str, Any]:
    """`dataset gc`."""
    with Store.existing(place) as store:
        return {"removed": datasets.collect(store, dry=options.dry), "dry": options.dry}
