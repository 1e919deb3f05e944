"""Compiled before anybody listens: what a feed needs on its way from bytes to rows."""

from __future__ import annotations

import gc

import numpy as np

from tradewind.domain import codes
from tradewind.domain.rows import rows
from tradewind.venues.keepers import BookKeeper, OrderedKeeper, TradeKeeper
from tradewind.venues.scanner import Scanner

from .desk import entered
from .websocket import FrameParser


def make_ready() -> None:
    """Compiles the readers, judges and numbers: half a minute inside the loop would be taken for silence."""
    scanner = Scanner((), (), 1)
    scanner.scan(b"{}", 0)
    scanner.stretch(b"{}", 0, 0, -1)
    message = rows(1)
    message["kind"], message["marks"], message["price"], message["quantity"] = codes.DEPTH, codes.WHOLE, 1, 1
    for proof in (codes.PROOF_NONE, codes.PROOF_CRC32):
        keeper = BookKeeper(proof)
        keeper.take(message)
        keeper.follow(message)
    trades = TradeKeeper()
    trades.last_id = 0
    trades.follow(message)
    OrderedKeeper(ordered=False).follow(message)
    FrameParser(0)
    entered(message, np.ones(1, np.int64), 0, 0, codes.NEVER)


def settle() -> None:
    """Takes what stands now out of the garbage collector's rounds: over a compiler's objects one takes 50 ms and finds nothing.

    For a process that goes on to listen, once everything it keeps is loaded.
    """
    gc.collect()
    gc.freeze()
