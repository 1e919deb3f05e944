"""A thread that writes blocks changes no byte, holds its caller where it falls behind, and hides no failure."""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

import pytest

from tradewind.domain.errors import TradewindError
from tradewind.storage import marketlog
from tradewind.storage.background import MOST_WAITING, Background
from tradewind.storage.marketlog import MarketLog, MarketReader

from .faults import DiskThatFails
from .journals import FAST, rows_of_any_bits


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marketlog, "BLOCK_ROWS", 10)
    monkeypatch.setattr(marketlog, "SEGMENT_ROWS", 40)
    monkeypatch.setattr(marketlog, "STAGED_ROWS", 1)


def test_the_same_rows_give_the_same_files(tmp_path: Path) -> None:
    given_rows = rows_of_any_bits(437)
    for name, worker, step in (("inline", None, 7), ("thread", Background("a test"), 13)):
        with MarketLog(tmp_path / name, [], [], "a test", FAST, worker) as log:
            for at in range(0, 437, step):
                log.append(given_rows[at : at + step])
            log.sync()
            log.prune(100)
    names = sorted(path.name for path in (tmp_path / "inline").iterdir() if path.suffix != ".tail")
    assert len(names) == 10
    for name in names:
        assert (tmp_path / "inline" / name).read_bytes() == (tmp_path / "thread" / name).read_bytes(), name
    for reader in (MarketReader(tmp_path / "inline"), MarketReader(tmp_path / "thread")):
        assert b"".join(part.tobytes() for part in reader.rows()) == given_rows[80:].tobytes()


@pytest.mark.parametrize("operation", ["fsync", "rename"])
def test_what_failed_there_is_told_at_a_later_call_and_costs_no_row(tmp_path: Path, operation: str) -> None:
    disk = DiskThatFails()
    log = MarketLog(tmp_path / "m", [], [], "a test", disk, Background("a test"))
    given_rows = rows_of_any_bits(60)
    log.append(given_rows[:39])
    disk.errors[operation] = (errno.EIO, disk.calls[operation] + 1)
    log.append(given_rows[39:45])
    with pytest.raises(TradewindError, match="Input/output error"):
        log.sync()
    with pytest.raises(TradewindError, match="takes nothing more"):
        log.append(given_rows[45:])
    log.close()
    with MarketLog.reopen(tmp_path / "m", FAST) as again:
        assert again.rows == 45
    assert b"".join(part.tobytes() for part in MarketReader(tmp_path / "m").rows()) == given_rows[:45].tobytes()


def test_a_failure_ends_the_jobs_behind_it() -> None:
    done: list[int] = []
    worker = Background("a test", clock=time.thread_time_ns)
    worker.do(lambda: done.append(1))
    worker.do(lambda: done.append(1 // 0))
    with pytest.raises(ZeroDivisionError):
        worker.wait()
    with pytest.raises(ZeroDivisionError):
        worker.do(lambda: done.append(2))
    worker.close()
    worker.close()
    assert done == [1] and worker.spent_ns > 0


def test_who_gives_too_many_jobs_waits() -> None:
    worker, held, given = Background("a test"), threading.Event(), []

    def give() -> None:
        for number in range(MOST_WAITING + 3):
            worker.do(held.wait)
            given.append(number)

    giver = threading.Thread(target=give)
    giver.start()
    giver.join(0.1)
    assert len(given) == MOST_WAITING + 1, "one is being done, the rest wait"
    held.set()
    giver.join()
    worker.close()
