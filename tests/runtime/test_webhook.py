"""The webhook's command: closed unless opened, kept before confirmed, refusals said, tapes at the end."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tradewind.domain.errors import BadUse
from tradewind.runtime import webhook
from tradewind.runtime.data_options import WebhookOptions
from tradewind.storage.tape import Tape

TOKEN = "a-token-of-some-length"
RECORD = {"value": "1.25", "event": "2024-01-04"}


@pytest.mark.parametrize(
    ("changes", "environment", "told"),
    [
        ({"host": "0.0.0.0"}, {webhook.TOKEN: TOKEN}, "other computers"), ({}, {}, "no token"),
        ({}, {webhook.TOKEN: "short"}, "too short"), ({"token_file": Path("nowhere")}, {webhook.TOKEN: TOKEN}, "cannot be read"),
    ],
)  # fmt: skip
def test_it_is_closed_unless_opened(tmp_path: Path, changes: dict[str, Any], environment: dict[str, str], told: str) -> None:
    with pytest.raises(BadUse, match=told):
        webhook.run(WebhookOptions(tapes=tmp_path / "t", **changes), tmp_path, environment, print, print)


async def _played(options: WebhookOptions, guard: webhook.Guard, posts: list[tuple[str, Any, str]]) -> list[int]:
    heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.ensure_future(webhook._serve(options, TOKEN, guard, heard.set_result))
    base, got = await heard, []
    async with ClientSession() as session:
        for name, body, bearer in posts:
            async with session.post(
                base + name, data=io.BytesIO(json.dumps(body).encode()), headers={"Authorization": f"Bearer {bearer}"}
            ) as answer:
                got.append(answer.status)
    os.kill(os.getpid(), signal.SIGTERM)
    await serving
    return got


def test_what_comes_is_kept_and_what_is_refused_is_said(tmp_path: Path) -> None:
    box, said = webhook.Box(tmp_path, frozenset({"mood", "chain"})), list[str]()
    guard = webhook.Guard(box, said.append)
    (tmp_path / "chain.jsonl").write_bytes(b'{"published_ns":7,"event_ns":5,"value_e9":3}\n{"published_ns":8,"ev')  # cut before
    posts = [("mood", [RECORD], TOKEN), ("mood", [RECORD], "x" * 22), ("other", [RECORD], TOKEN), ("mood", "no", TOKEN)]
    posts += [("mood", [{"value": "x" * (2 << 20), "event": "2024-01-04"}], TOKEN), ("mood", [{**RECORD, "value": 2}], TOKEN)]
    got = asyncio.run(_played(WebhookOptions(tapes=tmp_path), guard, posts))
    assert got == [200, 401, 404, 400, 413, 200]
    assert box.kept == {"mood": 2}
    assert len((tmp_path / "mood.jsonl").read_bytes().splitlines()) == 2, "kept before it is confirmed"
    assert sum(guard.refused.values()) == len(said) == 4
    tapes = box.tapes(1)
    assert [path.name for path in tapes] == ["chain-1", "mood-1"]
    rows = [next(iter(Tape.open(path).segments())) for path in tapes]
    assert [part["value"].tolist() for part in rows] == [[3], [1_250_000_000, 2_000_000_000]]
    assert not list(tmp_path.glob("*.jsonl"))


def test_the_rate_is_held(tmp_path: Path) -> None:
    clock = [0.0]
    guard = webhook.Guard(webhook.Box(tmp_path, frozenset()), print, lambda: clock[0])
    taken = [guard.within_rate() for _ in range(60)]
    assert taken == [True] * 50 + [False] * 10
    clock[0] = 1.0
    assert [guard.within_rate() for _ in range(11)] == [True] * 10 + [False]
