"""A view shows one version for ever, cannot be written, and costs no copy."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.fabric import views

from . import markets


def test_a_view_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "CHUNK_ROWS", 64)
    made = markets.market(20)
    hot, held, start = views.Hot(100), [], 0
    assert len(hot.view()) == 0
    for size in (1, 63, 64, 10, 150, len(made)):
        part = made[start : start + size]
        start += len(part)
        assert hot.append(part) == start
        held.append((hot.view(), start))
    for view, version in held:
        assert view.version == version
        assert view.rows().tobytes() == made[view.first : version].tobytes()
        assert len(view) >= min(100, version)
        with pytest.raises(ValueError, match="read-only"):
            view.parts[-1]["price"][0] = 1
        with pytest.raises(ValueError, match="read-only"):
            view.rows()["price"][0] = 1
    assert held[-1][0].first > 0


def test_a_view_shares_memory_and_speaks_polars() -> None:
    made = markets.market(3)
    hot = views.Hot()
    hot.append(made)
    view = hot.view()
    assert np.shares_memory(view.rows(), hot.view().rows())
    trades = view.frame("trades", markets.INSTRUMENTS)
    wanted = made[made["kind"] == codes.TRADE]
    assert (trades["price_units"].to_numpy() == wanted["price"]).all()
    assert (made["kind"][trades["at"].to_numpy()] == codes.TRADE).all()
    assert set(trades["venue"]) == {"binance", "kraken"}
    assert view.frame("funding", markets.INSTRUMENTS).height == 0
    middle = int(made["ts_local"][len(made) // 2])
    assert (view.since(middle)["ts_local"] >= middle).all()
    assert len(view.since(middle)) == (made["ts_local"] >= middle).sum()
