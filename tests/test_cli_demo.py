"""``dmtui demo`` on the command line."""

import os
import signal
import sys

import pytest

from dmtui.cli import main
from dmtui.lab.scenarios import SCENARIOS
from tests.tui.terminal import Terminal


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """Temporary directories, settings and data where the test can see them."""
    for name in ("TMPDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr("tempfile.tempdir", None)


def test_the_list_names_every_demonstration_with_its_sentence(capsys):
    assert main(["demo", "--list"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    for scenario in SCENARIOS:
        assert f"{scenario.name} {scenario.summary}" in words


def test_an_unknown_one_is_bad_usage_and_is_answered_with_those_there_are(capsys):
    assert main(["demo", "nonsense"]) == 2
    error = capsys.readouterr().err
    assert "demonstration 'nonsense': is unknown" in error
    assert all(scenario.name in error for scenario in SCENARIOS)
    assert error.count("\n") == 1


def test_headless_needs_a_name(capsys):
    assert main(["demo", "--headless"]) == 2
    assert "needs a name" in capsys.readouterr().err


def test_headless_plays_to_the_end_and_leaves_nothing(capsys, tmp_path):
    assert main(["demo", "snapshots", "--headless"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("snapshots: Snapshots share blocks")
    assert "6/6 Three more containers" in printed.out
    assert "\nRemember\n" in printed.out
    assert list((tmp_path / "TMPDIR").iterdir()) == []
    assert list((tmp_path / "XDG_DATA_HOME").iterdir()) == []


def test_headless_prints_the_same_bytes_each_time(capsys):
    main(["demo", "crash", "--headless"])
    first = capsys.readouterr().out
    main(["demo", "crash", "--headless"])
    assert capsys.readouterr().out == first


def test_a_kept_machine_can_be_looked_at_afterwards(capsys, tmp_path):
    kept = tmp_path / "kept"
    assert main(["demo", "needs-check", "--headless", "--keep", str(kept)]) == 0
    capsys.readouterr()
    assert main(["--machine", "emulated", "--emulated-dir", str(kept), "info"]) == 0
    assert "Pool Name: docker-8:1-1048700-pool" in capsys.readouterr().out


def test_a_directory_that_is_used_is_not_played_in(capsys, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    assert main(["demo", "snapshots", "--headless", "--keep", str(tmp_path / "mine")]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_whatever_machine_is_asked_for_the_kernel_is_not_touched_and_that_is_said(capsys, monkeypatch):
    def opened(*_):
        raise AssertionError("a demonstration opened a machine of the session")

    monkeypatch.setattr("dmtui.cli.session.choose_machine", opened)
    assert main(["--machine", "kernel", "demo", "grow", "--headless"]) == 0
    assert "--machine kernel is not touched" in capsys.readouterr().err


@pytest.mark.parametrize("speed", ["0", "-1", "1000", "nan"])
def test_a_speed_that_is_none_is_bad_usage(capsys, speed):
    assert main(["demo", "snapshots", "--headless", "--speed", speed]) == 2
    assert "option --speed" in capsys.readouterr().err


def test_in_a_pipe_it_says_how_to_do_without_a_terminal(capsys):
    assert main(["demo", "snapshots"]) == 2
    assert "--headless" in capsys.readouterr().err


@pytest.mark.parametrize("sign", [signal.SIGHUP, signal.SIGTERM])
@pytest.mark.parametrize("words", [["leaked-mount"], ["leaked-mount", "--headless", "--speed", "0.1"]])
def test_one_whose_terminal_is_closed_leaves_nothing_either(tmp_path, sign, words):
    place = tmp_path / "place"
    place.mkdir()
    environment = os.environ | {"TMPDIR": str(place), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    terminal = Terminal([sys.executable, "-m", "dmtui", "demo", *words], environment)
    try:
        terminal.wait_for("A container runs")
        assert [each.name.startswith("dmtui-demo-") for each in place.iterdir()] == [True]
        os.kill(terminal._pid, sign)
        assert terminal.wait_for_end() < 5.0
    except BaseException:
        terminal.kill()
        raise
    assert list(place.iterdir()) == []
