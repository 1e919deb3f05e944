"""The package as a program."""

from __future__ import annotations

import subprocess
import sys

from tradewind import __version__


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tradewind", *words], capture_output=True, text=True, check=False)


def test_the_package_is_a_program_that_says_its_version() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.strip() == f"tradewind {__version__}"


def test_its_exit_code_is_the_command_lines() -> None:
    assert run("no-such-command").returncode == 2
