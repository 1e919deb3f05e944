"""A world as Python holds it: built from a spec and a seed, read chunk by chunk."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tradewind.domain.codes import END, FAULT, NEVER, PROOF_CRC32
from tradewind.domain.errors import BadUse, NoRoom
from tradewind.domain.instruments import MONEY, Instrument, Stream
from tradewind.domain.rows import ROW, Rows
from tradewind.simulation.world import layout
from tradewind.simulation.world.chance import seed_words
from tradewind.simulation.world.spec import FAULT_NAMES_VENUE, FaultSpec, InstrumentSpec, WorldSpec, check

_YEAR_S = 365.0 * 86_400.0
_OPENING_NS = 1_000_000  # between the openings of two instruments
_KINDS = {name: code for code, name in layout.FAULT_NAMES.items()} | {"depeg": layout.DEPEG}


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """One thing done to the feeds (or, `genuine`, to the market itself), for scoring those who judge them."""

    kind: str
    place: str  # instrument, venue, or asset; empty: the whole market
    source: int  # depth stream of the instrument, else -1
    instrument: int  # -1: a venue, an asset, or all
    start_ns: int
    end_ns: int
    genuine: bool
    params: dict[str, float | str]


class World:
    """Seeded market rows of several venues. The same spec and seed give the same rows, however they are cut into chunks."""

    def __init__(self, spec: WorldSpec, seed: int) -> None:
        check(spec)
        self.spec, self.seed = spec, seed
        self.instruments = [_instrument(spec, i) for i in spec.instruments]
        self.streams, sources = _streams(spec)
        self._truths: list[Truth] = []
        self.state = _state(spec, seed, sources)
        self.queue = np.zeros((len(self.streams), layout.QUEUED), ROW)

    def chunks(self, rows_per_chunk: int = 1 << 18) -> Iterator[Rows]:
        """The rows that are left, in fresh arrays of at most `rows_per_chunk`, messages whole.

        Raises NoRoom where the spec is livelier than the generator's queues can hold.
        """
        if rows_per_chunk < 2 * layout.MESSAGE_ROOM:
            raise BadUse(f"rows_per_chunk = {rows_per_chunk}", where="world", expected=f"at least {2 * layout.MESSAGE_ROOM}")
        from tradewind.simulation.world.loop import advance

        reason = -1
        while reason != END:
            out = np.zeros(rows_per_chunk, ROW)
            n, reason = advance(self.state, self.queue, out)
            self._fetch()
            if reason == FAULT:
                what = (
                    "a stream holds more rows on their way" if self.state[0]["overflow"] == 1 else "one message holds more changes"
                )
                raise NoRoom(
                    f"{what} than the world has room for", where="world", todo="lower activity or an instrument's events_per_s"
                )
            if n:
                yield out[:n]

    @property
    def truths(self) -> list[Truth]:
        """What was done up to the rows fetched so far, in order of its start; faults that still run are cut at now."""
        s = self.state[0]
        running = []
        for place in range(layout.INSTRUMENTS + layout.VENUES):
            t = s["trouble"][place]
            if t["fault"] != layout.NO_FAULT and (t["hits"] > 0 or place >= layout.INSTRUMENTS):
                running.append(self._truth(t["fault"], place, t, int(s["now"]), self._reached(place)))
        return sorted(self._truths + running, key=lambda t: (t.start_ns, t.kind, t.place))

    @property
    def faults(self) -> list[Truth]:
        """Only what is false in the feeds."""
        return [t for t in self.truths if not t.genuine]

    def _fetch(self) -> None:
        s = self.state[0]
        for line in s["truth"][: s["n_truths"]]:
            self._truths.append(self._truth(line["fault"], int(line["place"]), line, int(line["finish"])))
        s["n_truths"] = 0

    def _reached(self, place: int) -> float:
        """The magnitude of a fault that still runs; a lie's is what it grew to."""
        s = self.state[0]
        t = s["trouble"][place]
        if t["fault"] != layout.LYING:
            return float(t["magnitude"])
        u = min((int(s["now"]) - int(t["start"])) / max(int(t["finish"] - t["start"]), 1), 0.5)
        return float(16.0 * t["magnitude"] * u * u * (1.0 - u) * (1.0 - u))

    def _truth(self, fault: int, place: int, line: Any, end_ns: int, magnitude: float | None = None) -> Truth:
        genuine = int(fault) in layout.EVENT_NAMES
        kind = layout.EVENT_NAMES[int(fault)] if genuine else layout.FAULT_NAMES[int(fault)]
        params: dict[str, float | str] = {
            "magnitude": float(line["magnitude"]) if magnitude is None else magnitude,
            "ref": int(line["ref_id"]),
            "rows": int(line["hits"]),
        }
        name, source, instrument = "", -1, -1
        if fault == layout.DEPEG:
            name = self.spec.assets[place].name
        elif fault == layout.REGIME:
            params = {"regime": layout.REGIME_NAMES[int(line["magnitude"])]}
        elif not genuine and place >= layout.INSTRUMENTS:
            name = self.spec.venues[place - layout.INSTRUMENTS].name
        elif not genuine:
            name, instrument = self.spec.instruments[place].name, place
            source = int(self.state[0]["instrument_of"][place]["depth_source"])
        return Truth(
            kind=kind,
            place=name,
            source=source,
            instrument=instrument,
            start_ns=int(line["start"]),
            end_ns=end_ns,
            genuine=genuine,
            params=params,
        )


def _instrument(spec: WorldSpec, i: InstrumentSpec) -> Instrument:
    venue = next(v for v in spec.venues if v.name == i.venue)
    return Instrument(
        venue=i.venue, symbol=i.symbol or i.base + i.quote, base=i.base, quote=i.quote, price_exponent=i.price_exponent,
        quantity_exponent=i.quantity_exponent, tick=i.tick, lot=i.lot, min_quantity=i.min_quantity,
        min_notional=round(i.min_notional * MONEY), maker_fee_e7=i.maker_fee_e7, taker_fee_e7=i.taker_fee_e7, proof=venue.proof,
    )  # fmt: skip


def _streams(spec: WorldSpec) -> tuple[list[Stream], NDArray[np.int64]]:
    """The streams, and shape (instruments, 3): depth, trade and quote source, -1 where there is none."""
    quoting = {v.name for v in spec.venues if v.quotes}
    streams: list[Stream] = []
    sources = np.full((len(spec.instruments), 3), -1, np.int64)
    for k, i in enumerate(spec.instruments):
        for c, channel in enumerate(("depth", "trade", "quote")):
            if channel != "quote" or i.venue in quoting:
                sources[k, c] = len(streams)
                streams.append(Stream(venue=i.venue, channel=channel, instrument=k))
    return streams, sources


def _state(spec: WorldSpec, seed: int, sources: NDArray[np.int64]) -> NDArray[np.void]:
    state = np.zeros(1, layout.STATE)
    s = state[0]
    s["rng0"], s["rng1"] = seed_words(seed)
    s["now"], s["stop"], s["next_release"] = spec.start_ns, spec.start_ns + spec.duration_ns, NEVER
    s["n_assets"], s["n_venues"], s["n_instruments"] = len(spec.assets), len(spec.venues), len(spec.instruments)
    s["n_streams"] = int(sources.max()) + 1
    s["stream"]["head_ts"] = NEVER
    s["most_levels"] = spec.levels
    s["volatility"], s["tempo"], s["activity"] = spec.volatility, spec.tempo, spec.activity
    s["regime"], s["regime_until"] = layout.CALM, 0
    s["depeg_rate"] = spec.depegs_per_day / 86_400.0
    _put_faults(s, spec)
    _put_assets(s, spec)
    for v, venue in enumerate(spec.venues):
        t = s["venue_of"][v]
        t["follow"], t["noise"] = venue.follow_per_s, venue.noise_bp * 1e-4 * math.sqrt(2.0 * venue.follow_per_s)
        t["wander"] = venue.wander_bp * 1e-4
        t["floor_ns"], t["spread_ns"] = max(venue.latency_floor_ns, 1), float(venue.latency_spread_ns)
        t["batch_ns"], t["quotes"], t["checksum"] = venue.batch_ns, int(venue.quotes), int(venue.proof == PROOF_CRC32)
    for k, i in enumerate(spec.instruments):
        _put_instrument(s["instrument_of"][k], spec, i, sources[k])
    n = len(spec.instruments)
    s["n_due"] = 3 * n + len(spec.venues) + 2
    s["due"] = NEVER
    s["due"][:n] = spec.start_ns + _OPENING_NS * np.arange(1, n + 1)
    s["due"][s["n_due"] - 2] = spec.start_ns
    s["due"][s["n_due"] - 1] = s["plan"][0]["start"] if spec.faults else NEVER
    return state


def _put_assets(s: Any, spec: WorldSpec) -> None:
    for a, asset in enumerate(spec.assets):
        t = s["asset"][a]
        t["level"], t["stable"] = asset.price_usd, int(asset.stable)
        t["deviation"] = 0.0 if asset.stable else asset.volatility / math.sqrt(_YEAR_S)
        t["loading"], t["own"] = asset.correlation, math.sqrt(1.0 - asset.correlation * asset.correlation)
        t["beta"] = asset.correlation * asset.volatility / 0.6
        t["pull"] = 1.0 / 200.0


def _put_instrument(t: Any, spec: WorldSpec, i: InstrumentSpec, sources: NDArray[np.int64]) -> None:
    names = [a.name for a in spec.assets]
    t["base_asset"], t["quote_asset"] = names.index(i.base), names.index(i.quote)
    t["venue"] = [v.name for v in spec.venues].index(i.venue)
    t["tick"], t["lot"] = i.tick, i.lot
    t["price_exponent"], t["quantity_exponent"] = i.price_exponent, i.quantity_exponent
    t["price_unit"], t["quantity_unit"] = 10.0**i.price_exponent, 10.0**i.quantity_exponent
    t["smallest"] = max(-(-max(i.min_quantity, 1) // i.lot) * i.lot, i.lot)
    t["rate"], t["trade_share"] = i.events_per_s * spec.activity, i.trade_share
    t["tolerance"], t["spacing"], t["tight"] = i.tolerance_bp * 1e-4, i.spacing_bp * 1e-4, i.tight
    t["touch_usd"], t["level_usd"], t["trade_usd"] = i.touch_usd, i.level_usd, i.trade_usd
    t["basis"] = next(v.basis_bp for v in spec.venues if v.name == i.venue) * 1e-4
    t["depth_source"], t["trade_source"], t["quote_source"] = sources


def _put_faults(s: Any, spec: WorldSpec) -> None:
    total = sum(spec.faults_per_hour.values())
    s["fault_rate"] = total / 3600.0
    for name, rate in spec.faults_per_hour.items():
        s["fault_shares"][_KINDS[name]] = rate / total if total else 0.0
    s["n_plans"] = len(spec.faults)
    for k, f in enumerate(sorted(spec.faults, key=lambda f: f.at_ns)):
        plan = s["plan"][k]
        plan["fault"], plan["place"] = _KINDS[f.kind], _place(spec, f)
        plan["start"], plan["span"], plan["magnitude"] = (
            spec.start_ns + f.at_ns,
            f.duration_ns,
            f.magnitude or _MAGNITUDES.get(f.kind, 0.0),
        )


_MAGNITUDES = {"decimal_shift": 10.0, "crossed": 0.001, "wick": -0.08, "clock_jump": 5.0, "lying": 0.005, "depeg": 0.06}


def _place(spec: WorldSpec, f: FaultSpec) -> int:
    if f.kind == "depeg":
        return [a.name for a in spec.assets].index(f.place)
    if f.kind in FAULT_NAMES_VENUE:
        return layout.INSTRUMENTS + [v.name for v in spec.venues].index(f.place)
    return [i.name for i in spec.instruments].index(f.place)
