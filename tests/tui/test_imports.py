"""The dashboard stays above its house, and starts where there is no Linux."""

import subprocess
import sys

import pytest


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    ["dmtui.cli", "dmtui.monitor.discover", "dmtui.monitor.poller", "dmtui.deviceset.status", "dmtui.machine.emulated"],
)
def test_nothing_below_the_dashboard_loads_textual_or_rich(module):
    assert not {name.split(".")[0] for name in loaded_after(f"import {module}")} & {"textual", "rich"}


@pytest.mark.parametrize("module", ["dmtui.tui.app", "dmtui.monitor.discover", "dmtui.machine.emulated"])
def test_nothing_but_the_kernel_machine_loads_linux_only_modules(module):
    loaded = loaded_after(f"import {module}")
    bare = loaded_after("import textual.app, sqlite3") if module == "dmtui.tui.app" else loaded_after("import sqlite3")
    new = loaded - bare
    assert not [name for name in new if name.startswith("dmtui.machine.kernel")]
    assert not new & {"fcntl", "termios", "ctypes", "pwd", "grp", "resource"}


def test_the_help_screen_is_read_when_it_is_asked_for():
    assert "dmtui.tui.screens.help" not in loaded_after("import dmtui.tui.app")


def test_no_command_reads_the_others_and_the_dashboard_of_an_old_machine_no_engine(tmp_path):
    from tests.tui.operating import Site

    Site(tmp_path).machine.close()
    assert not [name for name in loaded_after("import dmtui.cli") if name.startswith(("dmtui.cli.dev", "dmtui.lab"))]
    code = f"import dmtui.cli; dmtui.cli.main(['--machine', 'emulated', '--emulated-dir', {str(tmp_path)!r}, 'pools'])"
    assert "dmtui.deviceset.engine" not in loaded_after(code)


def test_a_missing_stylesheet_is_told_by_its_name():
    from dmtui.tui.look import stylesheet

    with pytest.raises(FileNotFoundError, match=r"nothing\.tcss"):
        stylesheet("nothing.tcss")


def test_the_stylesheet_of_the_package_comes_first(tmp_path, monkeypatch):
    import dmtui
    from dmtui.tui import look

    package = tmp_path / "dmtui"
    (package / "styles").mkdir(parents=True)
    (package / "styles" / "overview.tcss").write_text("")
    monkeypatch.setattr(dmtui, "__file__", str(package / "__init__.py"))
    assert look.stylesheet("overview.tcss") == package / "styles" / "overview.tcss"
