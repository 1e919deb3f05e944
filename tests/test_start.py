"""start.py: what it says where a machine lacks something, when it does nothing, and how it recovers from a half-made .venv."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement


@pytest.fixture
def place(repo: Path, tmp_path: Path) -> Path:
    """A folder with start.py and what it reads, and no environment."""
    shutil.copy(repo / "start.py", tmp_path)
    shutil.copy(repo / "pyproject.toml", tmp_path)
    shutil.copytree(repo / "requirements", tmp_path / "requirements")
    (tmp_path / "src").mkdir()
    return tmp_path


@pytest.fixture
def start(place: Path) -> ModuleType:
    """The start.py of that folder, imported."""
    spec = importlib.util.spec_from_file_location("start_under_test", place / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one_line(text: str, *words: str) -> None:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("tradewind: ")
    for word in words:
        assert word in lines[0], (word, lines[0])


def run(place: Path, before: str = "", python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """start.py as a program, after the statements `before` have changed the interpreter it runs in."""
    code = f"import sys, runpy\n{before}\nsys.argv = ['start.py']\nrunpy.run_path('start.py', run_name='__main__')"
    return subprocess.run([python, "-c", code], cwd=place, capture_output=True, text=True, timeout=60, check=False)


# What a machine may lack ----------------------------------------------------------------------------------------------


def test_it_parses_on_the_oldest_python_that_meets_it(repo: Path) -> None:
    ast.parse((repo / "start.py").read_text(), feature_version=(3, 6))


def test_old_python_says_so_in_one_line(place: Path) -> None:
    done = run(place, "sys.version_info = (3, 9, 1, 'final', 0)")
    assert done.returncode == 2
    one_line(done.stderr, "Python 3.9 is too old", "3.11")
    assert done.stdout == ""
    assert not (place / ".venv").exists()


@pytest.mark.parametrize("minor", [6, 8, 10])
def test_a_real_old_python_says_so_too(place: Path, minor: int) -> None:
    homes = [Path(sys.base_prefix).parent] if "versions" in sys.base_prefix else []
    found = [path for home in homes for path in home.glob(f"3.{minor}.*/bin/python3")] or [shutil.which(f"python3.{minor}")]
    if found[0] is None:
        pytest.skip(f"no Python 3.{minor} on this machine")
    done = subprocess.run([str(found[0]), "start.py"], cwd=place, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    one_line(done.stderr, f"Python 3.{minor} is too old")


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_missing_venv_module_names_the_package_to_install(place: Path, module: str) -> None:
    done = run(place, f"sys.modules[{module!r}] = None")
    assert done.returncode == 2
    one_line(done.stderr, f"lacks the {module} module", f"python3.{sys.version_info[1]}-venv")
    assert not (place / ".venv").exists()


def test_no_space_says_how_much_is_needed(place: Path) -> None:
    done = run(place, "import shutil; u = shutil.disk_usage('.'); shutil.disk_usage = lambda p: u._replace(free=2 * 10**8)")
    assert done.returncode == 1
    one_line(done.stderr, "only 0.2 GB free", "1.5 GB")


def test_windows_is_sent_to_wsl(place: Path) -> None:
    done = run(place, "sys.platform = 'win32'")
    assert done.returncode == 2
    one_line(done.stderr, "WSL")


def test_read_only_folder_says_so(place: Path) -> None:
    refuse = "import os\ndef no(*a, **k): raise OSError(30, 'Read-only file system')\nos.mkdir = no"
    done = run(place, refuse)
    assert done.returncode == 2
    assert "making" in done.stderr.splitlines()[0]
    one_line(done.stderr.splitlines()[1], "cannot write", "Read-only file system")


def test_an_environment_of_somebody_else_is_not_touched(place: Path) -> None:
    (place / ".venv").mkdir()
    (place / ".venv" / "precious").write_text("x")
    done = run(place)
    assert done.returncode == 2
    one_line(done.stderr, "was not made by start.py")
    assert (place / ".venv" / "precious").exists()


def test_a_failing_venv_module_says_why(start: ModuleType, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    fake = place / "fakepython"
    fake.write_text("#!/bin/sh\necho 'Error: the venv module is broken here'\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(start.Stop, match="the venv module is broken here") as caught:
        start.make_fresh()
    assert caught.value.code == 1


def fake_environment(start: ModuleType, script: str) -> None:
    """A .venv whose python is a shell script."""
    folder = Path(start.HERE) / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").write_text("#!/bin/sh\n" + script)
    (folder / "python").chmod(0o755)


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("WARNING: NewConnectionError: no route", "the package index cannot be reached; check the network"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full; free about 1.5 GB"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "differs from its locked hash"),
        ("ERROR: something nobody foresaw", "pip failed: ERROR: something nobody foresaw"),
    ],
)
def test_a_failing_pip_is_one_line(start: ModuleType, printed: str, said: str) -> None:
    fake_environment(start, f"echo '{printed}'\necho 'ERROR: No matching distribution' | head -c 0\nexit 1\n")
    with pytest.raises(start.Stop, match=re.escape(said)) as caught:
        start.pip(["x"])
    assert caught.value.code == 1
    assert "\n" not in str(caught.value)


def test_progress_names_package_and_size(start: ModuleType) -> None:
    assert start.wheel_name("Downloading numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl (16.9 MB)") == "numpy 2.4.6 (16.9 MB)"
    assert start.wheel_name("Processing /a b/rich-15.0.0-py3-none-any.whl (from -r x.txt (line 3))") == "rich 15.0.0"


def test_real_pip_without_a_network_is_one_line(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_environment(start, f'exec "{sys.executable}" "$@"\n')
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(start.Stop, match="the package index cannot be reached"):
        start.pip(["--dry-run", "a-package-nobody-has"])


# What it does -----------------------------------------------------------------------------------------------------------


class Journal(list[str]):
    """Stands in for the steps that would make a real environment."""

    def __init__(self, start: ModuleType, monkeypatch: pytest.MonkeyPatch, fail_at: str = "") -> None:
        super().__init__()
        self.folder = Path(start.HERE) / ".venv"

        def fresh() -> None:
            self.note("fresh", fail_at)
            shutil.rmtree(self.folder, ignore_errors=True)
            (self.folder / "bin").mkdir(parents=True)
            (self.folder / "bin" / "python").write_text("")
            start.write_mark("")

        monkeypatch.setattr(start, "make_fresh", fresh)
        monkeypatch.setattr(start, "pip", lambda words: self.note("pip " + Path(words[-1]).name, fail_at))
        monkeypatch.setattr(start, "compile_sources", lambda: None)

    def note(self, step: str, fail_at: str) -> None:
        if fail_at and step.startswith(fail_at):
            raise KeyboardInterrupt
        self.append(step)


def test_second_run_does_nothing(start: ModuleType, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    steps = Journal(start, monkeypatch)
    start.set_up("core")
    assert steps == ["fresh", "pip core.txt", f"pip {place.name}"]
    start.set_up("core")
    assert len(steps) == 3


def test_test_packages_are_added_to_the_same_environment(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Journal(start, monkeypatch)
    start.set_up("core")
    start.set_up("test")
    assert steps[3:4] == ["pip test.txt"]
    start.set_up("core")
    start.set_up("test")
    assert len(steps) == 5


def test_interrupted_set_up_begins_anew(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        Journal(start, patch, fail_at="pip")
        start.set_up("core")
    assert start.read_mark() is None
    steps = Journal(start, monkeypatch)
    start.set_up("core")
    assert steps[0] == "fresh"
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        Journal(start, patch, fail_at="pip")
        start.set_up("test")
    assert start.read_mark() is None


@pytest.mark.parametrize("step", ["mkdir", "rename", "rmtree"])
def test_interrupt_while_the_old_environment_makes_room(start: ModuleType, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    folder = Path(start.HERE) / ".venv"
    folder.mkdir()
    start.write_mark("")
    (folder / "old").write_text("")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(shutil if step == "rmtree" else os, step, interrupt)
        start.make_fresh()
    fake = Path(start.HERE) / "fakepython"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    start.make_fresh()
    assert [path.name for path in folder.iterdir()] == [start.MARK]
    assert not list(Path(start.HERE).glob(".venv.*"))


def test_changed_requirements_or_a_moved_folder_make_a_fresh_environment(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    steps = Journal(start, monkeypatch)
    start.set_up("core")
    with (place / "requirements" / "core.txt").open("a") as file:
        file.write("# changed\n")
    start.set_up("core")
    assert steps.count("fresh") == 2
    (place / ".venv" / "bin" / "python").unlink()
    start.set_up("core")
    assert steps.count("fresh") == 3
    before = start.fingerprints()
    monkeypatch.setattr(start, "OLDEST", start.OLDEST)
    shutil.copytree(place, place / "moved", ignore=shutil.ignore_patterns(".venv", "moved"))
    monkeypatch.setattr(start, "HERE", str(place / "moved"))
    assert start.fingerprints()["core"] != before["core"]


def test_lint_settings_do_not_make_a_fresh_environment(start: ModuleType, place: Path) -> None:
    before = start.fingerprints()
    with (place / "pyproject.toml").open("a") as file:
        file.write("\n[tool.other]\nx = 1\n")
    assert start.fingerprints() == before


def test_what_is_run(start: ModuleType) -> None:
    tradewind, python = start.venv_bin("tradewind"), start.venv_bin("python")
    assert start.command([], False) == [tradewind, "demo"]
    assert start.command(["demo", "--json"], False) == [tradewind, "demo", "--json"]
    assert start.command(["test", "-k", "x"], True) == [python, "-m", "pytest", "-k", "x"]
    assert start.command(["test"], True)[:3] == [python, "-m", "pytest"]


def test_the_command_takes_over_with_its_own_stdout_and_code(place: Path, start: ModuleType) -> None:
    fake_environment(start, "")
    tool = place / ".venv" / "bin" / "tradewind"
    tool.write_text('#!/bin/sh\necho "{\\"said\\": \\"$*\\", \\"quiet\\": \\"$PYTHONDONTWRITEBYTECODE\\"}"\nexit 3\n')
    tool.chmod(0o755)
    wanted = start.fingerprints()
    start.write_mark(wanted["core"])
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    call = [sys.executable, str(place / "start.py"), "why", "17"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert done.returncode == 3
    assert json.loads(done.stdout) == {"said": "why 17", "quiet": ""}
    assert done.stderr == ""


# The locks ----------------------------------------------------------------------------------------------------------------


def locked(repo: Path, name: str) -> dict[str, list[str]]:
    """Versions by package name; a package may have one for each Python."""
    found: dict[str, list[str]] = {}
    for line in (repo / "requirements" / name).read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==([^ ;\\]+)", line):
            found.setdefault(match[1].lower().replace("_", "-"), []).append(match[2])
    return found


def test_locks_hold_what_pyproject_asks_for(repo: Path) -> None:
    project = tomllib.loads((repo / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    core = project["project"]["dependencies"] + groups["build"]
    extras = [
        item for items in project["project"]["optional-dependencies"].values() for item in items if not item.startswith("tradewind")
    ]
    for name, asked in (("core.txt", core), ("test.txt", core + extras + groups["test"] + groups["lint"])):
        have = locked(repo, name)
        for item in map(Requirement, asked):
            versions = have.get(item.name.lower(), [])
            assert versions, f"{name} lacks {item}"
            assert all(item.specifier.contains(version) for version in versions), (name, str(item), versions)


def test_locks_agree_and_name_no_address(repo: Path) -> None:
    core, test = locked(repo, "core.txt"), locked(repo, "test.txt")
    assert {name: test.get(name) for name in core} == core
    for name in ("core.txt", "test.txt"):
        text = (repo / "requirements" / name).read_text()
        assert "://" not in text
        assert not re.search(r"^-", text, re.MULTILINE), "an option line"
        entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
        assert all("--hash=sha256:" in entry for entry in entries)
