#!/usr/bin/env python3
"""Set Tradewind up beside this file and run it. Needs nothing but Python and the package index pip is set to.

    python3 start.py                    the demo (`tradewind demo`)
    python3 start.py demo --duration 5s any `tradewind` command
    python3 start.py test [ARGS]        all tests; ARGS go to pytest

The first run makes `.venv` here with the exact, hash-locked packages of `requirements/`; later runs only look at a mark in it.
A run that was interrupted is begun anew. Words go to stderr, so that stdout stays the command's own.
This file must parse on any Python 3: an old one shall say so in one line instead of with a traceback.
"""

import os
import shutil
import subprocess
import sys
from typing import Any, Dict, List, Optional

HERE = os.path.dirname(os.path.abspath(__file__))
OLDEST = (3, 11)
NEED_BYTES = 1500 * 1000 * 1000  # packages with byte code, pip's downloads beside them
MARK = "tradewind-setup.json"  # in .venv: absent or empty while the set-up is unfinished
WHAT_PIP_SAYS = (  # first match wins: (what pip printed, what it means, what to do)
    ("No space left on device", "the disk is full", "free about 1.5 GB"),
    ("DO NOT MATCH THE HASHES", "a package differs from its locked hash", "try again; if it stays, do not install"),
    ("CERTIFICATE_VERIFY_FAILED", "the package index is not trusted here", "set pip's `cert` to your proxy's CA file"),
    ("NewConnectionError", "the package index cannot be reached", "check the network or pip's proxy settings"),
    ("NameResolutionError", "the package index cannot be reached", "check the network or pip's proxy settings"),
    ("ConnectTimeoutError", "the package index does not answer", "check the network or pip's proxy settings"),
    ("ProxyError", "the proxy to the package index refuses", "check pip's proxy settings"),
    ("Read timed out", "the package index does not answer", "try again later"),
    ("No matching distribution", "no file of a locked version fits this system", "use CPython 3.11 to 3.13"),
)


class Stop(Exception):
    """Said in one line; `code` is the exit code: 1 something failed, 2 this machine or call cannot work."""

    def __init__(self, line: str, code: int = 2) -> None:
        Exception.__init__(self, line)
        self.code = code


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main(arguments: List[str]) -> int:
    """Set up what `arguments` need and become that command; returns only where it cannot."""
    try:
        check_python()
        testing = arguments[:1] == ["test"]
        with Alone():
            set_up("test" if testing else "core")
        return become(command(arguments, testing))
    except Stop as stop:
        say("tradewind: " + str(stop))
        return stop.code
    except KeyboardInterrupt:
        say("tradewind: interrupted; the same command begins again where that is safe")
        return 130


def command(arguments: List[str], testing: bool) -> List[str]:
    if testing:
        return [venv_bin("python"), "-m", "pytest"] + (arguments[1:] or ["-n", "2", "--dist", "loadfile"])
    return [venv_bin("tradewind")] + (arguments or ["demo"])


def become(words: List[str]) -> int:
    """Replace this process; the child may write byte code, or every later start would compile again."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH")}
    if words[2:3] == ["pytest"]:
        os.chdir(HERE)
    try:
        os.execve(words[0], words, env)
    except OSError as error:
        raise Stop("%s cannot be run (%s); delete .venv and try again" % (words[0], error.strerror), 1) from error


# What this machine must offer ----------------------------------------------------------------------------------------


def check_python() -> None:
    """Raise Stop where this interpreter cannot make the environment."""
    if sys.platform.startswith("win"):
        raise Stop("Windows is supported through WSL: open a Linux shell there and run the same command")
    if tuple(sys.version_info[:2]) < OLDEST:
        newer = newer_python()
        todo = "run it with %s" % newer if newer else "install Python 3.11 or newer and run it with that"
        raise Stop("Python %d.%d is too old, 3.11 is needed; %s" % (sys.version_info[0], sys.version_info[1], todo))


def newer_python() -> str:
    """The name of a new enough interpreter on PATH that really runs, or ''."""
    for minor in (13, 12, 11):
        name = "python3.%d" % minor
        if shutil.which(name) and quiet([name, "-c", "import venv, ensurepip"]) == 0:
            return name
    return ""


def check_machine() -> None:
    """Raise Stop where a fresh environment cannot be made: no venv module, no space."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        package = "python%d.%d-venv" % tuple(sys.version_info[:2])
        line = "this Python lacks the %s module; install it (Debian and Ubuntu: apt install %s)"
        raise Stop(line % (error.name or "venv", package)) from error
    free = shutil.disk_usage(HERE).free
    if free < NEED_BYTES:
        raise Stop("only %.1f GB free in %s, about 1.5 GB are needed; free some space" % (free / 1e9, HERE), 1)


class Alone:
    """Holds the folder, so that two set-ups do not write one environment."""

    def __enter__(self) -> None:
        import fcntl

        self.fd = os.open(HERE, os.O_RDONLY)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another start.py is setting up here; waiting for it")
            fcntl.flock(self.fd, fcntl.LOCK_EX)

    def __exit__(self, *_: Any) -> None:
        os.close(self.fd)


# The environment -----------------------------------------------------------------------------------------------------


def set_up(kind: str) -> None:
    """Bring .venv to the state `kind` ("core" or "test") asks for; nothing to do is the common case and quick."""
    wanted = fingerprints()
    made = read_mark()
    if made is not None and made.get(kind) == wanted[kind] and os.path.exists(venv_bin("python")):
        return
    if kind == "core" or made is None or made.get("core") != wanted["core"] or not os.path.exists(venv_bin("python")):
        check_machine()
        make_fresh()
    else:
        write_mark("")
    say("installing the locked packages of requirements/%s.txt (a minute or two, once)" % kind)
    pip(["--require-hashes", "-r", os.path.join(HERE, "requirements", kind + ".txt")])
    pip(["--no-deps", "--no-build-isolation", "--no-index", "-e", HERE])
    compile_sources()
    write_mark(wanted["core"], wanted["test"] if kind == "test" else "")
    say("ready")


def fingerprints() -> Dict[str, str]:
    """What the environment is made from: a hash for each kind. Lint and test settings do not count."""
    import hashlib
    import tomllib

    with open(os.path.join(HERE, "pyproject.toml"), "rb") as file:
        project = tomllib.load(file)
    base = repr((HERE, project["project"], project["build-system"])).encode()
    result = {}
    for kind in ("core", "test"):
        with open(os.path.join(HERE, "requirements", kind + ".txt"), "rb") as file:
            result[kind] = hashlib.sha256(base + file.read()).hexdigest()
    return result


def make_fresh() -> None:
    """An empty environment in .venv, in place of a half-made or outdated one of ours; never of somebody else's."""
    folder = os.path.join(HERE, ".venv")
    if os.path.lexists(folder) and not os.path.lexists(os.path.join(folder, MARK)):
        raise Stop("%s was not made by start.py; move it away and try again" % folder)
    say("making %s" % folder)
    try:
        # A marked folder takes the old one's place in one step: an interrupt anywhere leaves a folder we know as ours, or none.
        for leftover in (folder + ".new", folder + ".old"):
            if os.path.lexists(leftover):
                shutil.rmtree(leftover)
        os.mkdir(folder + ".new")
        with open(os.path.join(folder + ".new", MARK), "w"):
            pass
        if os.path.lexists(folder):
            os.rename(folder, folder + ".old")
        os.rename(folder + ".new", folder)
        shutil.rmtree(folder + ".old", ignore_errors=True)
    except OSError as error:
        raise Stop("cannot write in %s (%s); copy the project to a folder of yours" % (HERE, error.strerror)) from error
    done = subprocess.run([sys.executable, "-m", "venv", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        words = done.stdout.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise Stop("python -m venv failed: %s; check disk space and that Python's venv package is complete" % words[-1], 1)


def pip(words: List[str]) -> None:
    """Run `pip install` with its progress in short lines; raise Stop with one line that says what failed."""
    call = [venv_bin("python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--retries", "2", "--compile"]
    heard = []  # type: List[str]
    child = subprocess.Popen(call + ["--progress-bar", "off"] + words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with child:  # an interrupt reaches pip too, and leaving waits for it
        for raw in child.stdout or ():
            line = raw.decode(errors="replace").strip()
            heard.append(line)
            if line.startswith(("Downloading ", "Using cached ", "Processing ")):
                say("  " + wheel_name(line))
            elif line.startswith("Installing collected"):
                say("  unpacking and compiling")
    if child.returncode:
        raise Stop(meaning(heard), 1)


def wheel_name(line: str) -> str:
    """`numpy 2.4.6 (16.9 MB)` of pip's `Downloading .../numpy-2.4.6-cp311-....whl (16.9 MB)`."""
    file, _, size = line.split(" (from ")[0].partition(".whl")
    words = file.split(" ")[-1].split("/")[-1].split("-")
    return " ".join(words[:2]) + size


def meaning(heard: List[str]) -> str:
    """One line for a failed pip: what it means and what to do."""
    everything = "\n".join(heard)
    for sign, what, todo in WHAT_PIP_SAYS:
        if sign in everything:
            return "%s; %s" % (what, todo)
    errors = [line for line in heard if line.startswith("ERROR")] or heard or ["pip said nothing"]
    return "pip failed: %s" % errors[-1][:300]


def compile_sources() -> None:
    """Byte code for our own sources: where PYTHONDONTWRITEBYTECODE is set, no later run would write it."""
    quiet([venv_bin("python"), "-m", "compileall", "-q", os.path.join(HERE, "src")])


def read_mark() -> Optional[Dict[str, str]]:
    """What .venv was made from, or None where it is missing, half-made or not ours."""
    import json

    try:
        with open(os.path.join(HERE, ".venv", MARK)) as file:
            made = json.load(file)
    except (OSError, ValueError):
        return None
    return made if isinstance(made, dict) else None


def write_mark(core: str, test: str = "") -> None:
    """Say what .venv was made from; an empty `core` says that it is being made."""
    import json

    path = os.path.join(HERE, ".venv", MARK)
    with open(path + ".new", "w") as file:
        file.write(json.dumps({"core": core, "test": test}) if core else "")
    os.replace(path + ".new", path)


def venv_bin(name: str) -> str:
    return os.path.join(HERE, ".venv", "bin", name)


def quiet(words: List[str]) -> int:
    try:
        return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode
    except OSError:
        return -1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
