"""``--host`` on the command line, over a program that stands in for ssh and runs dmtui here."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from dmtui.cli.remote import words_there
from dmtui.monitor.recording import Recording
from dmtui.monitor.sample import Sample
from tests.remote.conftest import ssh
from tests.remote.fakessh import until
from tests.tui import samples
from tests.tui.operating import Site
from tests.tui.terminal import Terminal

__all__ = ["ssh"]
CALL = f"{sys.executable} -m dmtui"


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    """Nobody's configuration or environment but the test's."""
    for key in list(os.environ):
        if key.startswith("DMTUI_"):
            monkeypatch.delenv(key)
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))


@pytest.fixture
def far(tmp_path, ssh, monkeypatch):
    """Options for a host whose machine is an emulated one with a pool and two devices."""
    site = Site(tmp_path)
    site.set_up("web", "db", active=("web",))
    directory = str(site.machine.directory) if hasattr(site.machine, "directory") else str(tmp_path)
    site.machine.close()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    return ["--machine", "emulated", "--emulated-dir", directory, "--remote-command", CALL]


def test_watch_prints_the_samples_of_the_host(run, far):
    status, out, err = run(*far, "--host", "good", "watch", "--count", "2", "--interval", "0.1")
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 2
    assert "pool rw data" in out


def test_watch_in_json_is_whole_with_the_devices_that_are_only_recorded(run, far):
    status, out, _ = run(*far, "watch", "--host", "good", "--format", "json", "--count", "1")
    sample = Sample.from_json(out)
    assert status == 0
    assert {device.display_name for device in sample.pools[0].devices} >= {"web"}
    assert {record.display_name for record in sample.pools[0].recorded} == {"base", "web", "db"}
    assert abs(sample.taken_at - time.time()) < 10


def test_pools_of_a_host(run, far):
    status, out, _ = run(*far, "--host", "good", "pools", "--format", "json")
    assert status == 0
    assert [pool["owner"] for pool in json.loads(out)] == ["dmtui"]
    assert "POOL" in run(*far, "--host", "good", "pools")[1]


def test_a_host_without_pools_is_not_taken_for_this_machine(run, ssh):
    ssh.sends(samples.sample())
    assert run("--host", "steady", "pools") == (0, "no thin pool on host steady\n", "")


def test_record_over_ssh_is_a_recording(run, far, tmp_path):
    path = tmp_path / "far.gz"
    status, _, err = run(*far, "--host", "good", "record", path, "--count", "2", "--interval", "0.1")
    assert status == 0
    assert "2 samples are in" in err
    with Recording.open(str(path)) as recording:
        assert len(recording) == 2


def test_a_recording_goes_on_over_a_connection_that_dies(run, ssh, tmp_path):
    status, _, err = run("--host", "dies", "record", tmp_path / "far", "--count", "4", "--interval", "0.1")
    assert status == 0
    assert "Broken pipe" in err
    assert len(ssh.pids) == 2


def test_a_host_that_cannot_be_watched_costs_no_older_recording(run, ssh, tmp_path):
    path = tmp_path / "far"
    path.write_text("older")
    status, _, _ = run("--host", "refuses", "record", path, "--force")
    assert status == 4
    assert path.read_text() == "older"


@pytest.mark.parametrize(
    ("host", "exit_status", "words"),
    [
        ("refuses", 4, "Permission denied (publickey); `ssh refuses` must work unasked"),
        ("bare", 1, "install dmtui there, or say where it is: --remote-command /PATH/dmtui"),
        ("older", 2, "install the same version there"),
        ("plain", 4, "sudo -n dmtui"),
        ("garbage", 0, ""),
        ("newer", 1, "cannot read"),
        ("nowhere", 1, "Could not resolve hostname"),
    ],
)
def test_one_line_says_why_a_host_cannot_be_watched(run, ssh, host, exit_status, words):
    status, out, err = run("--host", host, "watch", "--count", "1", "--format", "json")
    assert status == exit_status
    if exit_status:
        assert out == ""
        assert err.startswith(f"dmtui: host {host}: ")
        assert err.count("\n") == 1
        assert words in err


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (["info", "--format", "json"], "dmtui info --format json"),
        (["device", "remove", "web"], "dmtui device remove web"),
        (["--graph", "/x", "pool", "trim"], "dmtui --graph /x pool trim"),
        (["demo"], "dmtui demo"),
        (["replay", "file"], "dmtui replay file"),
        (["emulator", "status"], "dmtui emulator status"),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_what_does_not_watch_is_refused_with_the_words_that_do_it_there(run, ssh, words, there, before):
    host = ["--host", "good"]
    status, out, err = run(*(host + words if before else words + host))
    assert (status, out) == (2, "")
    assert err == f"dmtui: host good: only its samples come here; `ssh good {there}` does it there\n"
    assert not ssh.pids


@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "-v", "a b", "$(id)", "root@-x", "@nogroup", ""])
@pytest.mark.parametrize("command", ["watch", "pools", "record", "device", ""])
def test_no_ssh_is_started_for_what_is_no_host(run, ssh, host, command, tmp_path):
    words = {"record": [str(tmp_path / "x")], "device": ["list"]}.get(command, [])
    status, out, err = run(f"--host={host}", *([command] if command else []), *words)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert not ssh.pids


def test_a_group_of_the_configuration(run, far, tmp_path):
    directory = tmp_path / "CONFIG" / "dmtui"
    directory.mkdir(parents=True)
    (directory / "config.toml").write_text('[hosts]\nfar = ["good"]\nboth = ["web1", "web2"]\n')
    assert run(*far, "--host", "@far", "watch", "--count", "1")[0] == 0
    status, _, err = run(*far, "--host", "@both", "watch", "--count", "1")
    assert status == 2
    assert "names 2 hosts; this command takes one at a time" in err


def test_the_dashboard_needs_a_terminal(run, ssh):
    status, _, err = run("--host", "good")
    assert status == 2
    assert "`dmtui --host HOST watch` in pipes" in err


def test_words_there_leave_out_the_way_there():
    assert words_there(["--host", "a", "pool", "--remote-command=x", "trim", "--host=b"]) == ["pool", "trim"]


def test_serve_lets_browsers_watch_hosts(ssh):
    from argparse import Namespace

    from dmtui.cli.parser import build_parser
    from dmtui.cli.serving import child_words

    words = ["--host", "web1", "--host", "web2", "--remote-command", "sudo -n dmtui", "serve", "--host", "0.0.0.0"]
    arguments = build_parser(words).parse_args(words)
    assert isinstance(arguments, Namespace)
    child = child_words(arguments)
    assert child[-4:] == ["--remote-command=sudo -n dmtui", "--host=web1", "--host=web2", "--read-only"]
    assert arguments.host == "0.0.0.0"


def environment() -> dict[str, str]:
    return {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}


def test_the_dashboard_shows_the_host_and_leaves_no_ssh(far, ssh):
    terminal = Terminal([sys.executable, "-m", "dmtui", *far, "--host", "good", "--host", "hangs"], environment())
    try:
        terminal.wait_for(r"READ-ONLY.*LIVE")
        until(lambda: len(ssh.alive) >= 2, what="both connections")
        terminal.press("q")
        assert terminal.wait_for_end() < 3.0
    except BaseException:
        terminal.kill()
        raise
    until(lambda: not ssh.alive, 1.0, "the end of what ssh had started")


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_a_dashboard_that_is_told_to_end_or_loses_its_terminal_ends_its_ssh(far, ssh, sign):
    terminal = Terminal([sys.executable, "-m", "dmtui", *far, "--host", "silent", "--host", "hangs"], environment())
    terminal.wait_for(r"READ-ONLY")
    until(lambda: len(ssh.alive) >= 2, what="both connections")
    if sign is signal.SIGHUP:
        os.close(terminal._fd)
        terminal._fd = os.open(os.devnull, os.O_RDWR)
    else:
        os.kill(terminal._pid, sign)
    try:
        assert terminal.wait_for_end() < 5.0
    except TimeoutError:
        terminal.kill()
        raise
    until(lambda: not ssh.alive, 1.0, "the end of what ssh had started")


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_ssh_does_not_outlive_a_watcher_that_is_killed(far, ssh, sign):
    words = [sys.executable, "-m", "dmtui", *far, "--host", "good", "watch", "--interval", "0.2"]
    watcher = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: ssh.alive, what="the start of ssh")
    time.sleep(0.5)
    watcher.send_signal(sign)
    watcher.wait(10)
    until(lambda: not ssh.alive, what="the end of ssh")


def test_ctrl_c_ends_a_watch_and_its_ssh(far, ssh):
    words = [sys.executable, "-m", "dmtui", *far, "--host", "hangs", "watch"]
    watcher = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watcher.stdout.readline()
    watcher.send_signal(signal.SIGINT)
    watcher.communicate(timeout=10)
    assert watcher.returncode == 130
    until(lambda: not ssh.alive, 1.0, "the end of what ssh had started")
