"""The command line: what it prints, its exit status, and one clear line for every mistake."""

import argparse
import json
import os
import stat
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dmtui.cli import main
from dmtui.cli.reading import populate_if_fresh
from dmtui.cli.session import Session
from dmtui.monitor.sample import Sample


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    """Nobody's configuration or environment but the test's."""
    for key in list(os.environ):
        if key.startswith("DMTUI_"):
            monkeypatch.delenv(key)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def empty(tmp_path):
    """Options for a new emulated machine."""
    return ["--machine", "emulated", "--emulated-dir", str(tmp_path / "machine")]


@pytest.fixture
def populated(starter):
    """Options for an emulated machine with a pool and devices."""
    return ["--machine", "emulated", "--emulated-dir", str(starter.directory)]


def one_line(text: str) -> bool:
    return text.count("\n") == 1 and text.startswith(("dmtui: ", "dmtui "))


def test_info_prints_the_status_block(run, populated):
    status, out, err = run(*populated, "info")
    assert status == 0, err
    lines = dict(line.split(": ", 1) for line in out.splitlines())
    assert lines["Pool Blocksize"] == "65.54 kB"
    assert lines["Base Device Size"] == "10.74 GB"
    assert lines["Data Space Total"] == "25.77 GB"
    assert lines["Data loop file"].endswith("/devicemapper/devicemapper/data")
    assert lines["Pool Origin"] == "existing"


def test_info_in_json_and_docker_form_tell_the_same_pool(run, populated):
    report = json.loads(run(*populated, "info", "--format", "json")[1])
    assert f"  Pool Name: {report['pool_name']}\n" in run(*populated, "info", "--format", "docker")[1]
    assert report["pool_origin"] == "existing"


def test_global_options_may_stand_behind_the_command(run, populated):
    assert run("info", *populated)[0] == 0


def test_without_a_pool_info_says_so_with_status_3(run, empty, tmp_path):
    status, out, err = run(*empty, "info")
    assert (status, out) == (3, "")
    assert one_line(err)
    assert "no pool" in err


def test_without_a_pool_json_says_absent(run, empty, tmp_path):
    from dmtui.machine.emulated import EmulatedMachine

    machine = EmulatedMachine.open(tmp_path / "machine")
    machine.files.make_directory(str(tmp_path / "machine" / "devicemapper"))
    machine.close()
    status, out, err = run(*empty, "info", "--format", "json")
    assert status == 3
    assert json.loads(out)["pool_origin"] == "absent"
    assert one_line(err)


def test_pools_lists_pool_and_devices(run, populated):
    status, out, _ = run(*populated, "pools", "--format", "json")
    (pool,) = json.loads(out)
    assert status == 0
    assert pool["owner"] == "dmtui"
    assert len(pool["devices"]) == 3
    table = run(*populated, "pools")[1]
    assert pool["name"] in table
    assert "worker" in table


def test_a_machine_that_was_only_asked_before_is_populated_for_the_dashboard_once(run, empty, tmp_path):
    assert run("pools", *empty)[0] == 0
    session = Session(argparse.Namespace(machine="emulated", emulated_dir=str(tmp_path / "machine")))
    assert "newly made" in populate_if_fresh(session, session.machine)
    (pool,) = json.loads(run("pools", "--format", "json", *empty)[1])
    assert len(pool["devices"]) == 3
    assert populate_if_fresh(session, session.machine) == ""
    session.close()


def test_a_dashboard_that_only_watches_leaves_an_empty_machine_as_it_found_it(run, empty, tmp_path):
    assert run("pools", *empty)[0] == 0
    words = argparse.Namespace(machine="emulated", emulated_dir=str(tmp_path / "machine"), read_only=True)
    session = Session(words)
    assert populate_if_fresh(session, session.machine) == ""
    assert json.loads(run("pools", "--format", "json", *empty)[1]) == []
    session.close()


def test_watch_prints_a_line_a_sample(run, populated):
    status, out, _ = run(*populated, "watch", "--count", "2", "--interval", "0.1", "--format", "json")
    assert status == 0
    samples = [Sample.from_json(line) for line in out.splitlines()]
    assert len(samples) == 2
    assert samples[0].pools == samples[1].pools
    assert run(*populated, "watch", "--count", "1")[1].count("\n") == 1


def test_a_write_on_the_emulated_machine_moves_the_figures(run, populated):
    before = json.loads(run(*populated, "info", "--format", "json")[1])
    assert run(*populated, "emulator", "write", "web", "--offset", "5G", "--length", "200M") == (0, "", "")
    after = json.loads(run(*populated, "info", "--format", "json")[1])
    assert after["data_space"]["used"] - before["data_space"]["used"] == 200 * 2**20
    assert run(*populated, "emulator", "read", "web", "--offset", "5G", "--length", "200M") == (
        0,
        "209.7 MB read\n",
        "",
    )
    assert run(*populated, "emulator", "discard", "web", "--offset", "5G", "--length", "200M")[0] == 0
    again = json.loads(run(*populated, "info", "--format", "json")[1])
    assert again["data_space"]["used"] == before["data_space"]["used"]


def test_a_full_host_limits_what_is_available(run, populated):
    assert run(*populated, "emulator", "host-space", "1G")[0] == 0
    report = json.loads(run(*populated, "info", "--format", "json")[1])
    assert report["data_space"]["available"] == 2**30


def test_a_power_cut_loses_what_was_written_in_the_last_second_and_a_reboot_does_not(run, populated):
    for lost, how, offsets in ((False, "reboot", ("5G", "6G")), (True, "power-cut", ("7G", "8G"))):
        run(*populated, "pool", "create")
        run(*populated, "device", "activate", "web")
        run(*populated, "emulator", "clock", "step", "2")
        run(*populated, "emulator", "clock", "freeze")
        # After a quiet second a first change is committed at once.
        for offset in offsets:
            assert run(*populated, "emulator", "write", "web", "--offset", offset, "--length", "1M")[0] == 0
        before = json.loads(run(*populated, "device", "show", "web", "--format", "json")[1])["mapped"]
        assert run(*populated, "emulator", how)[0] == 0
        assert run(*populated, "pool", "create")[0] == 0
        assert run(*populated, "device", "activate", "web")[0] == 0
        after = json.loads(run(*populated, "device", "show", "web", "--format", "json")[1])["mapped"]
        assert before - after == lost * 1024**2


def test_after_a_reboot_there_is_no_pool(run, populated):
    assert run(*populated, "emulator", "reboot")[0] == 0
    assert run(*populated, "info")[0] == 3
    assert run(*populated, "pools", "--format", "json")[1] == "[]\n"


def test_the_clock_of_the_emulated_machine_is_stopped_stepped_and_let_go(run, populated):
    assert run(*populated, "emulator", "clock")[1].endswith("+00:00, runs\n")
    assert run(*populated, "emulator", "clock", "freeze") == (0, "", "")
    shown = run(*populated, "emulator", "clock", "show")[1]
    assert shown.endswith("+00:00, stands still\n")
    assert run(*populated, "emulator", "clock")[1] == shown
    assert run(*populated, "emulator", "clock", "step", "86400") == (0, "", "")
    later = run(*populated, "emulator", "clock")[1]
    times = [datetime.fromisoformat(text.partition(",")[0]) for text in (shown, later)]
    assert times[1] - times[0] == timedelta(days=1)
    assert run(*populated, "emulator", "clock", "run") == (0, "", "")
    assert run(*populated, "emulator", "clock")[1].endswith(", runs\n")


def test_how_long_writers_wait_for_space_is_told_and_set(run, populated):
    assert run(*populated, "emulator", "no-space-timeout") == (0, "60\n", "")
    assert run(*populated, "emulator", "no-space-timeout", "5") == (0, "", "")
    assert run(*populated, "emulator", "no-space-timeout") == (0, "5\n", "")


def test_emulator_status_names_what_it_holds(run, populated):
    status, out, _ = run(*populated, "emulator", "status")
    assert status == 0
    assert "thin-pool" in out
    assert "/dev/loop0" in out


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["nonsense"], 2),
        (["info", "--format", "yaml"], 2),
        (["--machine", "abacus", "info"], 2),
        (["--nonsense", "info"], 2),
        (["--storage-opt", "dm.nonsense=1", "info"], 2),
        (["--storage-opt", "dm.fs", "info"], 2),
        (["--graph", "", "info"], 2),
        (["--graph", "/no/such/directory", "info"], 3),
        (["--graph", "no\nsuch\x1b[31m", "info"], 3),
        (["watch", "--count", "0"], 2),
        (["watch", "--count", "1", "--interval", "0"], 2),
        (["emulator"], 2),
        (["device"], 2),
        (["device", "show", "nobody"], 3),
        (["device", "activate", "nobody"], 3),
        (["device", "create", "a/b"], 2),
        (["device", "create", "web"], 1),
        (["device", "create", "small", "--size", "1G"], 2),
        (["emulator", "write", "web", "--offset", "x", "--length", "1"], 2),
        (["emulator", "write", "nobody", "--offset", "0", "--length", "1"], 3),
        (["emulator", "host-space", "-5"], 2),
        (["emulator", "no-space-timeout", "-5"], 2),
        (["emulator", "clock", "step"], 2),
        (["emulator", "clock", "run", "5"], 2),
        (["emulator", "clock", "step", "-5"], 2),
    ],
)
def test_a_mistake_is_one_clear_line_and_the_right_status(run, populated, words, status):
    got, out, err = run(*populated, *words)
    assert (got, out) == (status, "")
    assert one_line(err), err
    assert "\x1b" not in err


def test_the_dashboard_needs_a_terminal(run, populated):
    status, out, err = run(*populated)
    assert (status, out) == (2, "")
    assert one_line(err)
    assert "needs a terminal" in err


def test_another_target_under_the_pool_s_name_is_refused(run, populated, starter):
    from dmtui.machine.emulated import EmulatedMachine
    from dmtui.thinpool.table import Target

    name = json.loads(run(*populated, "info", "--format", "json")[1])["pool_name"]
    run(*populated, "emulator", "reboot")
    machine = EmulatedMachine.open(starter.directory)
    machine.device_mapper.create(name, [Target(0, 8, "error", "")])
    machine.close()
    status, out, err = run(*populated, "info")
    assert (status, out) == (1, "")
    assert one_line(err)
    assert "is not a thin pool" in err


def test_garbage_in_place_of_the_emulated_machine_is_one_line(run, empty, tmp_path):
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine" / "machine.sqlite3").write_text("garbage " * 1000)
    status, _, err = run(*empty, "pools")
    assert status == 1
    assert one_line(err)


def test_auto_says_aloud_which_machine_and_why(run, monkeypatch, tmp_path):
    from dmtui.machine import choose

    monkeypatch.setattr(choose.sys, "platform", "darwin")
    status, out, err = run("--emulated-dir", tmp_path / "machine", "pools")
    assert (status, out) == (0, "no thin pool on this machine\n")
    assert "emulated" in err
    assert "no device-mapper" in err


def test_kernel_without_device_mapper_fails_with_the_way_out(run, monkeypatch, tmp_path):
    from dmtui.machine import choose

    monkeypatch.setattr(choose.sys, "platform", "darwin")
    status, out, err = run("--machine", "kernel", "pools")
    assert (status, out) == (1, "")
    assert "--machine emulated" in err


def test_the_environment_and_the_file_set_options_and_the_line_wins(run, populated, monkeypatch, tmp_path):
    directory = populated[3]
    monkeypatch.setenv("DMTUI_MACHINE", "emulated")
    monkeypatch.setenv("DMTUI_EMULATED_DIR", directory)
    assert run("info")[0] == 0
    monkeypatch.setenv("DMTUI_GRAPH", "/no/such/directory")
    assert run("info")[0] == 3
    assert run("--graph", f"{directory}/devicemapper", "info")[0] == 0
    monkeypatch.delenv("DMTUI_GRAPH")
    (tmp_path / "config" / "dmtui").mkdir(parents=True)
    (tmp_path / "config" / "dmtui" / "config.toml").write_text('graph = "/no/such/directory"\n')
    assert run("info")[0] == 3


@pytest.mark.parametrize("text", ["graph = 7", "nonsense = 1", "graph =", "interval = 'fast'", "machine = 'abacus'"])
def test_a_wrong_configuration_file_is_one_line(run, empty, tmp_path, text):
    (tmp_path / "config" / "dmtui").mkdir(parents=True)
    (tmp_path / "config" / "dmtui" / "config.toml").write_text(text)
    status, _, err = run(*empty, "pools")
    assert status == 2
    assert one_line(err)
    assert "config.toml" in err


def test_the_emulated_machine_is_private(run, populated):
    assert stat.S_IMODE(os.stat(populated[3]).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(f"{populated[3]}/machine.sqlite3").st_mode) == 0o600


def test_a_reader_that_goes_away_is_no_error(populated):
    words = [sys.executable, "-m", "dmtui", *populated, "watch", "--interval", "0.1"]
    watching = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watching.stdout.readline()
    watching.stdout.close()
    assert watching.stderr.read() == b""
    assert watching.wait(30) == 0


def test_the_command_line_starts_without_the_dashboard():
    code = "import sys, dmtui.cli; sys.exit(any(m.split('.')[0] in ('textual', 'rich') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_device_goes_through_its_life(run, populated):
    def listed():
        return {view["name"]: view for view in json.loads(run(*populated, "device", "list", "--format", "json")[1])}

    assert run(*populated, "device", "create", "mine", "--parent", "debian", "--size", "12G")[0] == 0
    assert run(*populated, "device", "activate", "mine")[0] == 0
    mine = listed()["mine"]
    assert (
        list(mine)
        == ("name thin_id size transaction_id initialized deleted parent active mounted_at mapped open_count").split()
    )
    assert (mine["size"], mine["parent"], mine["active"], mine["open_count"]) == (12 * 2**30, "debian", True, 0)
    assert listed()["web"]["parent"] == "web-init"
    assert run(*populated, "device", "deactivate", "mine")[0] == 0
    assert "parent: debian" in run(*populated, "device", "show", "mine")[1]
    assert run(*populated, "device", "remove", "mine")[0] == 0
    assert "mine" not in listed()


def test_a_leaked_mount_keeps_a_device_open_until_its_process_ends(run, populated):
    def open_count():
        return json.loads(run(*populated, "device", "show", "web", "--format", "json")[1])["open_count"]

    status, pid, _ = run(*populated, "emulator", "leak", "web")
    assert (status, open_count()) == (0, 1)
    assert f"process {pid.strip()} holds" in run(*populated, "emulator", "status")[1]
    assert run(*populated, "emulator", "unleak", pid.strip())[0] == 0
    assert open_count() == 0
    status, _, err = run(*populated, "emulator", "unleak", pid.strip())
    assert status in (1, 3)
    assert one_line(err)


def test_a_failed_pool_is_one_line_with_status_1_and_unknown_figures(run, populated):
    assert run(*populated, "emulator", "fault", "fail-pool")[0] == 0
    status, out, err = run(*populated, "info", "--format", "json")
    assert (status, json.loads(out)["mode"]) == (1, "Fail")
    assert json.loads(out)["data_space"] == {"used": None, "total": None, "available": None}
    assert one_line(err)
    assert "Fail" in err
    status, out, err = run(*populated, "info")
    assert (status, one_line(err)) == (1, True)
    assert "Data Space Used: unknown" in out
    (pool,) = json.loads(run(*populated, "pools", "--format", "json")[1])
    assert [device["mapped"] for device in pool["devices"]] == [None] * 3


@pytest.mark.parametrize("words", [("watch", "--count", "1"), ("pools",), ("info",), ("demo", "--list")])
def test_an_output_that_is_full_is_told_in_one_line(populated, words):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "dmtui", *populated, *words]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    told = "standard output cannot be written: No space left on device; make room for it"
    assert ended.stderr == f"dmtui: {told}\n"


def test_a_pool_that_needs_a_check_says_so_until_it_is_cleared_offline(run, populated):
    assert run(*populated, "emulator", "fault", "fail-metadata-write")[0] == 0
    report = json.loads(run(*populated, "info", "--format", "json")[1])
    assert (report["mode"], report["needs_check"]) == ("ro", True)
    assert run(*populated, "emulator", "fault", "clear-needs-check")[0] == 1
    assert run(*populated, "emulator", "reboot")[0] == 0
    assert run(*populated, "emulator", "fault", "clear-needs-check")[0] == 0


def test_a_dry_run_prints_the_plan_and_changes_nothing(run, populated):
    def state():
        files = {str(path): path.read_bytes() for path in graph.rglob("*") if path.is_file()}
        return files, run(*populated, "device", "list")[1], run(*populated, "emulator", "status")[1]

    graph = Path(populated[3]) / "devicemapper"
    before = state()
    for words in (["create", "mine"], ["remove", "web"], ["deactivate", "web"], ["activate", "debian"]):
        status, out, err = run(*populated, "device", *words, "--dry-run")
        assert (status, err) == (0, "")
        assert "# dmsetup " in out
    assert state() == before


def test_read_only_refuses_what_changes(run, populated):
    status, _, err = run(*populated, "--read-only", "device", "remove", "web")
    assert status == 2
    assert one_line(err)


@pytest.mark.parametrize(
    "words",
    [
        ["write", "web", "--offset", "0", "--length", "1M"],
        ["discard", "web", "--offset", "0", "--length", "1M"],
        ["host-space", "1G"],
        ["leak", "web"],
        ["unleak", "1"],
        ["fault", "fail-pool"],
        ["clock", "step", "60"],
        ["clock", "freeze"],
        ["no-space-timeout", "5"],
        ["reboot"],
        ["power-cut"],
    ],
)
def test_read_only_refuses_what_would_change_the_emulated_machine(run, populated, words):
    before = run(*populated, "emulator", "status")
    status, out, err = run(*populated, "--read-only", "emulator", *words)
    assert (status, out) == (2, "")
    assert one_line(err)
    assert "leave --read-only out" in err
    assert run(*populated, "--read-only", "emulator", "status") == before


def test_a_size_beyond_all_bounds_is_one_line(run, populated):
    status, out, err = run(*populated, "emulator", "host-space", "10000000P")
    assert (status, out) == (2, "")
    assert one_line(err)
    assert "less than 8192P" in err


def test_a_wrong_value_names_the_option_as_it_was_written(run, populated, monkeypatch):
    assert "option --busy-timeout: does not take" in run(*populated, "--busy-timeout", "-1", "info")[2]
    monkeypatch.setenv("DMTUI_BUSY_TIMEOUT", "soon")
    assert "environment DMTUI_BUSY_TIMEOUT: does not take" in run(*populated, "info")[2]


def test_without_a_graph_directory_the_next_step_makes_it(run, tmp_path):
    status, _, err = run("--machine", "emulated", "--emulated-dir", str(tmp_path / "new"), "device", "create", "web")
    assert status == 3
    assert one_line(err)
    assert "`dmtui pool create` makes both" in err


def test_a_graph_directory_below_a_file_is_one_line_with_a_next_step(run, populated, tmp_path):
    (tmp_path / "file").write_text("")
    status, out, err = run(*populated, "--graph", str(tmp_path / "file" / "graph"), "pool", "create")
    assert (status, out) == (1, "")
    assert one_line(err)
    assert "check the path: a part of it is a file" in err


def test_version_and_help(run):
    assert run("--version")[:2] == (0, "dmtui 0.1.0\n")
    status, out, _ = run("--help")
    assert status == 0
    assert "pools" in out


def test_every_word_of_the_command_line_leads_to_a_function_that_is_there():
    import argparse

    from dmtui.cli.parser import build_parser

    waiting, found = [build_parser()], set()
    while waiting:
        parser = waiting.pop()
        found.add(parser.get_default("command"))
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                waiting += action.choices.values()
    assert len(found) > 25
    assert all(callable(command.function) for command in found)


def test_an_error_is_told_once_by_our_name(capsys):
    assert main(["pool"]) == 2
    assert capsys.readouterr().err.startswith("dmtui pool: needs a verb")
