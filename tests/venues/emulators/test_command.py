"""`tradewind sandbox` as a process: its first line, its end, its refusals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def sandbox(*words: str) -> Iterator[subprocess.Popen[str]]:
    call = [sys.executable, "-m", "tradewind.cli", "sandbox", *words]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def free_port() -> int:
    """The first of five ports nobody listens on."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 65_000 and all(is_free(port + more) for more in range(5)):
            return port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.scenario
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_line_tells_the_addresses_and_a_signal_ends_it_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('[{"kind": "rest_fail", "venue": "kraken", "params": {"status": 504}}]')
    port = free_port()
    with sandbox("--venues", "binance,kraken", "--port-base", str(port), "--faults", str(script), "--json") as child:
        assert child.stdout is not None
        first = json.loads(child.stdout.readline())
        assert first["venues"]["binance"] == {"rest": f"http://127.0.0.1:{port}", "ws": f"ws://127.0.0.1:{port}"}
        assert first["venues"]["kraken"]["rest"] == f"http://127.0.0.1:{port + 1}"
        with urllib.request.urlopen(first["venues"]["binance"]["rest"] + "/api/v3/time", timeout=10) as answer:
            assert "serverTime" in json.load(answer)
        with pytest.raises(urllib.error.HTTPError, match="504"):
            urllib.request.urlopen(first["venues"]["kraken"]["rest"] + "/0/public/Time", timeout=10)
        with urllib.request.urlopen(first["control"] + "/faults", timeout=10) as answer:
            assert json.load(answer)["faults"][0]["fired"] == 1
        child.send_signal(number)
        rest, words = child.communicate(timeout=30)
        assert child.returncode == 0, words
        assert rest == "", "one line and no more"
        assert "Traceback" not in words


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--venues", "mtgox"), "mtgox"),
        (("--speed", "0"), "--speed"),
        (("--port-base", "-1"), "--port-base"),
        (("--reel", "-5"), "--reel"),
        (("--orders-per-second", "nan"), "--orders-per-second"),
    ],
)
def test_bad_use_begins_nothing(words: tuple[str, ...], named: str) -> None:
    with sandbox(*words, "--json") as child:
        out, err = child.communicate(timeout=60)
        assert child.returncode == 2
        assert named in json.loads(out)["error"]["what"] + json.loads(out)["error"]["where"]
        assert "Traceback" not in err


def test_a_taken_port_is_told() -> None:
    port = free_port()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        with sandbox("--venues", "kraken", "--port-base", str(port), "--json") as child:
            out, _ = child.communicate(timeout=60)
            assert child.returncode == 2
            assert str(port) in json.loads(out)["error"]["where"]
