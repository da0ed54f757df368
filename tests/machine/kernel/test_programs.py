"""Programs of a host: found, run without a shell, never waited for without an end."""

import os
import signal
import time
from pathlib import Path

import pytest

from dmtui.machine.errors import FileMissingError, MachineError, MachineNotPermittedError, TimedOutError
from dmtui.machine.kernel.programs import KernelPrograms


@pytest.fixture
def program(tmp_path):
    """Writes a shell script that can be run by its name; returns the programs that include it."""

    def write(text, name="tool"):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return KernelPrograms(f"{path.parent}:/usr/bin:/bin")

    return write


def gone(pid) -> bool:
    """Whether a process ends within 5 s."""
    give_up_at = time.monotonic() + 5
    while time.monotonic() < give_up_at:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_standard_output_is_returned(program):
    assert program("echo one; echo two >&2").run(["tool"]) == "one\n"


def test_arguments_arrive_as_they_are(program):
    assert (
        program('for word in "$@"; do echo "[$word]"; done').run(["tool", "a b", "$HOME", ""]) == "[a b]\n[$HOME]\n[]\n"
    )


def test_messages_are_in_english(program, monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert program("echo $LC_ALL").run(["tool"]) == "C\n"


def test_there_is_nothing_to_read(program):
    assert program("read line || echo end").run(["tool"]) == "end\n"


def test_a_program_has_a_session_of_its_own(program):
    sid = int(program("exec ps -o sid= -p $$").run(["tool"]))
    assert sid != os.getsid(0)


def test_output_that_is_no_text_is_no_error(program):
    assert program(r"printf 'a\377b'").run(["tool"]) == "a\ufffdb"


def test_much_output_on_both_sides_is_read(program):
    output = program("yes | head -c 300000; yes | head -c 300000 >&2").run(["tool"])
    assert len(output) == 300000


def test_a_failure_has_the_last_words_that_say_anything(program):
    with pytest.raises(MachineError, match=r"tool -x: failed: no room left$"):
        program("echo usage >&2; echo 'no room left' >&2; echo >&2; exit 3").run(["tool", "-x"])


def test_a_silent_failure_has_its_exit_status(program):
    with pytest.raises(MachineError, match="exit status 3"):
        program("exit 3").run(["tool"])


def test_a_killed_program_has_its_signal(program):
    with pytest.raises(MachineError, match="killed by signal 9"):
        program("kill -9 $$").run(["tool"])


def test_a_missing_program_is_told_with_its_package():
    with pytest.raises(FileMissingError, match=r"thin_ls: there is no such program in PATH; install thin-provisioning"):
        KernelPrograms("/nowhere").run(["thin_ls"])


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("mkfs.xfs", "xfsprogs"),
        ("resize2fs", "e2fsprogs"),
        ("lvcreate", "lvm2"),
        ("unknown", "add its directory to PATH"),
    ],
)
def test_a_missing_program_is_told_with_what_to_install(name, package):
    with pytest.raises(FileMissingError, match=package):
        KernelPrograms("/nowhere").run([name])


def test_a_file_that_may_not_be_run_is_no_program(program, tmp_path):
    programs = program("")
    (tmp_path / "bin" / "tool").chmod(0o644)
    assert programs.missing(["tool"]) == ("tool",)


def test_a_program_that_cannot_be_started_is_told(program, tmp_path):
    programs = program("")
    (tmp_path / "bin" / "tool").write_bytes(b"\x7fELF")
    with pytest.raises(MachineError, match="starting it failed"):
        programs.run(["tool"])


def test_root_s_programs_are_found_by_everybody(monkeypatch):
    monkeypatch.setenv("PATH", "relative:/nowhere")
    programs = KernelPrograms()
    assert programs.missing(["sh", "no-such-program"]) == ("no-such-program",)
    assert programs.run(["sh", "-c", "echo $PATH"]).startswith("/nowhere:/usr/local/sbin:")


def test_a_program_that_hangs_is_killed_with_all_it_started(program, tmp_path):
    pids = tmp_path / "pids"
    programs = program(f"sleep 1000 & echo $! $$ >{pids}; wait")
    started = time.monotonic()
    with pytest.raises(TimedOutError, match=r"has not ended after 0.5 s"):
        programs.run(["tool"], seconds=0.5)
    assert time.monotonic() - started < 5
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_a_child_that_keeps_the_output_open_is_not_waited_for(program):
    started = time.monotonic()
    with pytest.raises(TimedOutError):
        program("setsid sleep 20 & exit 0").run(["tool"], seconds=0.5)
    assert time.monotonic() - started < 5


def test_a_program_that_cannot_be_killed_is_not_waited_for(program, monkeypatch):
    sent = []
    monkeypatch.setattr(os, "killpg", lambda group, number: sent.append((group, number)))
    started = time.monotonic()
    with pytest.raises(TimedOutError):
        program("exec sleep 3").run(["tool"], seconds=0.3)
    assert time.monotonic() - started < 2
    (kill,) = sent
    assert kill[1] == signal.SIGKILL
    os.kill(kill[0], signal.SIGKILL)
    assert gone(kill[0])  # a thread reaps it


def test_programs_do_not_keep_the_working_directory_busy(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert program("pwd").run(["tool"]) == "/\n"


def test_a_program_that_we_may_not_run_is_told(program, tmp_path, monkeypatch):
    programs = program("")
    monkeypatch.setattr("shutil.which", lambda name, path: str(tmp_path))  # a directory
    with pytest.raises(MachineNotPermittedError):
        programs.run(["tool"])
    assert Path(tmp_path).is_dir()
