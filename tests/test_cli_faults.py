"""``dmtui emulator fault``, ``hold`` and ``umount``: what goes wrong, is seen, and is mended again."""

import json
import os
import shlex

import pytest

from dmtui.cli import main
from dmtui.machine.emulated import EmulatedMachine
from dmtui.monitor.alertrules import Rule
from dmtui.monitor.discover import Discoverer
from dmtui.monitor.nextsteps import next_step


@pytest.fixture
def dmtui(capsys, monkeypatch, tmp_path, starter):
    """Runs the command over a populated machine; returns its status, standard output and standard error."""
    for key in [key for key in os.environ if key.startswith("DMTUI_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*words):
        try:
            status = main(["--emulated-dir", str(starter.directory), "--machine", "emulated", *map(str, words)])
        except SystemExit as done:
            status = done.code
        return status, *capsys.readouterr()

    return run


def mode(dmtui) -> tuple[str, bool]:
    report = json.loads(dmtui("info", "--format", "json")[1])
    return report["mode"], report["needs_check"]


@pytest.mark.parametrize(
    ("kind", "found", "file"),
    [
        ("data-error", ("ro", True), "data"),
        ("metadata-write-error", ("ro", True), "metadata"),
        ("metadata-error", ("Fail", None), "metadata"),
    ],
)
def test_a_broken_disk_is_listed_found_at_the_next_commit_and_mended(dmtui, starter, kind, found, file):
    assert dmtui("emulator", "fault", kind) == (0, "", "")
    assert mode(dmtui) == ("rw", False)
    path = starter.directory / "devicemapper" / "devicemapper" / file
    listed = dmtui("emulator", "fault", "list")[1]
    assert listed.startswith(f"{kind}: {path} (")
    assert f"fault: {listed}" in dmtui("emulator", "status")[1]
    assert dmtui("device", "create", "another")[0] == 1
    assert mode(dmtui) == found
    log = dmtui("--read-only", "emulator", "log")[1].splitlines()
    assert f"switching pool to {'fail' if found[0] == 'Fail' else 'read-only'} mode" in "".join(log)
    assert all(line.startswith("[") for line in log)
    assert dmtui("emulator", "fault", kind, "--off") == (0, "", "")
    assert dmtui("emulator", "fault", "list") == (0, "", "")


def test_a_device_that_hangs_is_given_up_by_the_option_and_the_others_go_on(dmtui):
    assert dmtui("emulator", "fault", "hang", "web") == (0, "", "")
    status, _, err = dmtui("device", "deactivate", "web", "--udev-timeout", "0.1")
    assert (status, "the device hangs" in err) == (1, True)
    (pool,) = json.loads(dmtui("--udev-timeout", "0.1", "pools", "--format", "json")[1])
    assert len(pool["devices"]) == 2
    assert "-web (" in dmtui("emulator", "status")[1].split(" hangs\n")[0].splitlines()[-1]
    assert dmtui("emulator", "fault", "hang", "web", "--off") == (0, "", "")
    assert dmtui("device", "deactivate", "web")[0] == 0


def test_udev_that_lags_is_waited_for_as_the_option_says(dmtui):
    assert dmtui("device", "create", "another")[0] == 0
    assert dmtui("emulator", "fault", "udev-lag", "--seconds", "3600") == (0, "", "")
    assert "udev-lag: 3600 s (" in dmtui("emulator", "fault", "list")[1]
    status, _, err = dmtui("device", "activate", "another", "--udev-timeout", "0.1")
    assert (status, "udev has not answered within 0.1 s" in err) == (1, True)
    assert dmtui("emulator", "fault", "udev-lag", "--off") == (0, "", "")
    assert dmtui("device", "activate", "another")[0] == 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["nothing"], 2),
        (["list", "web"], 2),
        (["list", "--off"], 2),
        (["fail-pool", "--off"], 2),
        (["hang", "--seconds", "3"], 2),
        (["udev-lag", "web"], 2),
        (["udev-lag", "--seconds", "0"], 2),
        (["hang", "nobody"], 3),
        (["data-error", "web"], 1),
        (["data-error", "/nobody"], 1),
        (["hang", "--off"], 1),
        (["hang", "web", "--off"], 1),
    ],
)
def test_what_makes_no_sense_is_one_line_and_switches_nothing_on(dmtui, words, status):
    found, out, err = dmtui("emulator", "fault", *words)
    assert (found, out, err.count("\n")) == (status, "", 1)
    assert dmtui("emulator", "fault", "list") == (0, "", "")


def test_a_session_that_only_reads_lists_them_and_switches_none(dmtui):
    assert dmtui("--read-only", "emulator", "fault", "hang")[0] == 2
    assert dmtui("--read-only", "emulator", "fault", "list") == (0, "", "")


def test_a_process_that_works_in_a_mounted_device_is_listed_and_keeps_it_mounted(dmtui):
    dmtui("device", "mount", "web")
    where = json.loads(dmtui("device", "show", "web", "--format", "json")[1])["mounted_at"]
    pid = dmtui("emulator", "hold", "web", "--how", "cwd", "--command", "bash")[1].strip()
    listed = dmtui("emulator", "processes")[1]
    assert (f"process {pid} holds" in listed, "(bash, in the host's mount namespace)" in listed) == (True, True)
    status, _, err = dmtui("emulator", "umount", where)
    assert (status, err.count("\n"), "EBUSY" in err) == (1, 1, True)
    assert dmtui("emulator", "umount", where, "--lazy") == (0, "", "")
    assert dmtui("emulator", "release", pid) == (0, "", "")
    assert dmtui("emulator", "processes") == (0, "", "")


def test_the_engine_keeps_off_a_graph_directory_in_which_dockerd_is_at_work(dmtui):
    dmtui("device", "mount", "web")
    pid = dmtui("emulator", "hold", "web", "--how", "file", "--command", "dockerd")[1].strip()
    status, _, err = dmtui("device", "create", "another")
    assert (status, "dockerd" in err) == (1, True)
    dmtui("emulator", "release", pid)
    assert dmtui("device", "create", "another")[0] == 0


@pytest.mark.parametrize(
    ("fault", "rule"),
    [("fail-metadata-write", Rule.NEEDS_CHECK), ("fail-metadata-write", Rule.MODE), ("fail-pool", Rule.MODE)],
)
def test_what_an_alert_says_to_do_next_makes_the_pool_well_when_it_is_typed(dmtui, starter, fault, rule):
    assert dmtui("emulator", "fault", fault)[0] == 0
    machine = EmulatedMachine.open(starter.directory)
    (pool,) = Discoverer(machine).take().pools
    machine.close()
    for command in next_step(rule, pool, emulated=True).commands:
        ours = f"dmtui --machine emulated --emulated-dir {starter.directory} "
        assert command.startswith(ours)
        assert dmtui(*shlex.split(command.removeprefix(ours)))[0] == 0, command
    report = json.loads(dmtui("info", "--format", "json")[1])
    assert (report["mode"], report["needs_check"]) == ("rw", False)
