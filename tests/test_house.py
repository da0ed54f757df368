"""The house rules: imports run down only, nothing of Linux is needed before it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dmtui

ROOT = Path(dmtui.__file__).parent
FLOORS = ["thinpool", "machine", "deviceset", "monitor", "diagnosis", "remote", "lab", "tui", "browser", "cli"]
FILES = sorted(ROOT.rglob("*.py"))

ON_MACOS = """
import importlib.abc, sys
class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.startswith("dmtui.machine.kernel"):
            raise ImportError(f"{name} is for Linux only")
sys.meta_path.insert(0, Blocker())
sys.platform = "darwin"
from pathlib import Path
import dmtui.cli, dmtui.tui.app, dmtui.lab.starter
from dmtui.machine.emulated import EmulatedMachine
from dmtui.monitor.discover import Discoverer
machine = EmulatedMachine.open(Path(sys.argv[1]))
dmtui.lab.starter.populate(machine, sys.argv[1] + "/devicemapper")
assert len(Discoverer(machine).take().pools) == 1
sys.exit(dmtui.cli.main(["--emulated-dir", sys.argv[1], "info"]))
"""


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


def floor(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_down_the_house_only(path):
    if floor(path) not in FLOORS:
        return
    mine = FLOORS.index(floor(path))
    for module in imports(path):
        parts = module.split(".")
        if parts[0] == "dmtui" and len(parts) > 1 and parts[1] in FLOORS:
            assert FLOORS.index(parts[1]) <= mine, f"{module} is above"
        if floor(path) not in ("tui", "cli"):
            assert parts[0] not in ("textual", "rich"), f"{module} belongs into the dashboard"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_kernel_machine_touches_the_kernel(path):
    if "kernel" in path.relative_to(ROOT).parts:
        return
    # The lock of a graph directory is a file's on both machines, and the emulated machine's store is a file that other
    # processes write to; what it takes to lock the one and to watch the other is imported where it is used.
    # Another machine is reached by a program that macOS has as well.
    allowed = {
        ROOT / "machine" / "durable.py": {"fcntl"},
        ROOT / "machine" / "emulated" / "written.py": {"ctypes"},
        ROOT / "remote" / "connection.py": {"subprocess"},
    }.get(path, set())
    assert not {"fcntl", "ctypes", "subprocess"} & set(imports(path)) - allowed


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name


def test_everything_but_the_kernel_machine_works_where_there_is_no_linux(tmp_path):
    done = subprocess.run([sys.executable, "-c", ON_MACOS, str(tmp_path / "machine")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Pool Name: docker-" in done.stdout
    assert "no device-mapper" in done.stderr
