"""External numbers are known from their publication on, and from then on only."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from aiohttp import ClientSession, web

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse
from tradewind.fabric import datasets, ingest, observations
from tradewind.fabric.observations import Columns, Observation
from tradewind.fabric.webhook import application, dated
from tradewind.venues.adapter import Answer, Ask

from . import markets
from .test_datasets import SPEC, build, lay_out

DAY = codes.DAY
CSV = "value,event,published\n1.5,2024-01-01,2024-01-02T08:00:00Z\n-0.000000001,2024-01-02,1704268800\n2,2024-01-01,2024-01-03\n"


def ns(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def test_a_file_gives_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(CSV)
    found = observations.from_file(tmp_path / "x.csv", Columns())
    assert found == [
        Observation(published_ns=ns("2024-01-02T08:00:00"), event_ns=ns("2024-01-01"), value_e9=1_500_000_000),
        Observation(published_ns=ns("2024-01-03"), event_ns=ns("2024-01-01"), value_e9=2_000_000_000),
        Observation(published_ns=ns("2024-01-03T08:00:00"), event_ns=ns("2024-01-02"), value_e9=-1),
    ]
    frame = pl.DataFrame({"v": [0.1], "t": [ns("2024-01-01")]}).with_columns(pl.col("t").cast(pl.Datetime("ns", "UTC")))
    frame.write_parquet(tmp_path / "x.parquet")
    columns = Columns(value="v", event="t", published="", delay_ns=codes.HOUR)
    found = observations.from_file(tmp_path / "x.parquet", columns)
    assert found == [Observation(published_ns=ns("2024-01-01T01:00:00"), event_ns=ns("2024-01-01"), value_e9=100_000_000)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("value,event\n1,2024-01-01\n", "published"), ("value,event,published\nx,2024-01-01,2024-01-02\n", "no number"),
        ("value,event,published\n1,noon,2024-01-02\n", "noon"), ("value,event,published\n1,2024-01-03,2024-01-02\n", "before"),
        ("value,event,published\nnan,2024-01-01,2024-01-02\n", "no number"),
    ],
)  # fmt: skip
def test_what_is_no_observation_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(BadData) as error:
        observations.from_file(tmp_path / "x.csv", Columns())
    assert told in str(error.value)
    assert "record 1" in str(error.value)


def test_an_answer_is_walked() -> None:
    body = json.dumps({"data": [{"rows": [{"v": "7.25", "t": 1_700_000_000_000}]}]}).encode()
    answer = Answer(status=200, headers={}, body=body, sent_ns=0, received_ns=ns("2024-01-01"))
    found = observations.from_answer(answer, Columns(value="v", event="t", published=""), ("data", "0", "rows"))
    assert found == [Observation(published_ns=ns("2024-01-01"), event_ns=1_700_000_000 * codes.SECOND, value_e9=7_250_000_000)]
    with pytest.raises(BadData, match="no list"):
        observations.from_answer(answer, Columns(), ("data", "1"))


def test_an_address_is_asked_through_the_transport() -> None:
    asked = []

    class Door:
        async def ask(self, base: str, ask: Ask) -> Answer:
            asked.append((base, ask.path, ask.query))
            return Answer(
                status=200, headers={}, body=b'[{"value": 2, "event": 1700000000}]', sent_ns=0, received_ns=ns("2024-01-01")
            )

    found = asyncio.run(observations.fetch(Door(), "https://host.example/v1/x?a=b", Columns(published="")))
    assert asked == [("https://host.example", "/v1/x", (("a", "b"),))]
    assert found[0].value_e9 == 2_000_000_000


def test_as_of_goes_by_publication(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(CSV)
    with markets.store(tmp_path / "s") as store:
        tape = observations.tape_of(tmp_path / "t", "x", "value", observations.from_file(tmp_path / "x.csv", Columns()))
        assert ingest.ingest(store, tape, markets.judge()).accepted == 3
        edges = ["2024-01-02T07:59:59.999999999", "2024-01-02T08:00:00", "2024-01-02T23:59", "2024-01-03", "2024-01-04"]
        known = observations.as_of(store.lake, "x", pl.Series([ns(edge) for edge in edges]))
        assert known.to_list() == [None, 1.5, 1.5, 2.0, -1e-9]
        with pytest.raises(BadUse, match="observe"):
            observations.as_of(store.lake, "y", pl.Series([1]))


def test_an_onchain_series_becomes_a_column(tmp_path: Path) -> None:
    """The worked example of docs/data.md: a daily count, published with a delay, beside the bars of a market."""
    start = markets.START
    with markets.store(tmp_path / "s") as store:
        lines = [f"{1000 + n},{(start - DAY + n * 600 * codes.SECOND) // codes.SECOND}" for n in range(300)]
        (tmp_path / "chain.csv").write_text("\n".join(["value,event", *lines]) + "\n")
        columns = Columns(published="", delay_ns=codes.HOUR)
        found = observations.from_file(tmp_path / "chain.csv", columns)
        ingest.ingest(store, observations.tape_of(tmp_path / "chain", "addresses", "count", found), markets.judge())
        made = build(store, lay_out(tmp_path, text=SPEC + '[[external]]\nname = "addresses"\n'))
        frame = datasets.load(store, made.id)
        for ts, value in frame.select("ts", "external.addresses").iter_rows():
            last = max(n for n in range(300) if start - DAY + n * 600 * codes.SECOND + codes.HOUR <= ts)
            assert value == 1000 + last
        assert frame["external.addresses"].n_unique() > 2


def test_the_webhook_takes_what_bears_the_token() -> None:
    kept: list[tuple[str, list[Observation]]] = []
    token, now = "a-token-of-some-length", ns("2024-01-05")

    async def post(session: ClientSession, url: str, body: object, bearer: str = token) -> int:
        async with session.post(url, json=body, headers={"Authorization": f"Bearer {bearer}"}) as answer:
            return answer.status

    async def play() -> list[int]:
        runner = web.AppRunner(application(token, lambda name, found: kept.append((name, found)), lambda: now))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}/observations/"
        record = {"value": 1.25, "event": "2024-01-04", "published": "2020-01-01"}
        async with ClientSession() as session:
            answers = [
                await post(session, base + "x", [record]),
                await post(session, base + "x", [record], "another-token-entirely"),
                await post(session, base + "x", {"value": 1}),
                await post(session, base + "x", [{**record, "event": "2024-02-01"}]),
                await post(session, base + "a%20b", [record]),
            ]
        await runner.cleanup()
        return answers

    assert asyncio.run(play()) == [200, 401, 400, 400, 400]
    assert kept == [("x", [Observation(published_ns=now, event_ns=ns("2024-01-04"), value_e9=1_250_000_000)])]
    with pytest.raises(BadUse, match="short"):
        application("guess", lambda name, found: None, lambda: 0)
    with pytest.raises(BadData, match="not happened"):
        dated([{"value": 1, "event": "2024-02-01"}], now)
