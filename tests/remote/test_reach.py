"""The argument list of ssh: no shell here, words for the shell there quoted, no option that a name could become."""

import shlex
import subprocess

import pytest

from dmtui.remote.reach import Reach, in_both_shells, program_of
from dmtui.thinpool.errors import BadUsageError


def test_the_host_stands_alone_behind_the_end_of_the_options():
    words = Reach("root@web1").watching(2.0)
    assert words[0] == "ssh"
    assert words[-3:-1] == ["--", "root@web1"]
    assert words[-1] == "dmtui --machine=kernel watch --format json --interval 2"
    options = words[1:-3]
    for option in ("BatchMode=yes", "ClearAllForwardings=yes", "ControlMaster=no", "PermitLocalCommand=no"):
        assert options[options.index(option) - 1] == "-o"
    assert {"-T", "-a", "-x"} <= set(options)


def test_a_host_that_nobody_checked_is_checked():
    with pytest.raises(BadUsageError):
        Reach("-oProxyCommand=id").watching(1.0)


def test_words_reach_the_program_there_whole_whatever_is_in_them():
    nasty = ("a b", "$HOME", "`id`", "it's", ";", "-x", "*")
    words = Reach("web1", ("printf", "%s\\n", *nasty), ("--graph=/a b", "--machine=emulated")).watching(0.5)
    there = subprocess.run(["sh", "-c", words[-1]], capture_output=True, text=True, check=True)
    printed = there.stdout.splitlines()
    assert printed == [*nasty, "--graph=/a b", "--machine=emulated", "watch", "--format", "json", "--interval", "0.5"]


def test_what_is_to_be_typed_survives_both_shells():
    typed = in_both_shells("web1", ("dmtui", "device", "remove", "a b'c"))
    here = shlex.split(typed)
    assert here[:2] == ["ssh", "web1"]
    assert shlex.split(" ".join(here[2:])) == ["dmtui", "device", "remove", "a b'c"]
    assert Reach("web1").typed("pool", "trim") == "ssh web1 dmtui pool trim"


def test_the_far_command_is_split_as_a_shell_does():
    assert program_of("sudo -n '/opt/my tools/dmtui'", "x") == ("sudo", "-n", "/opt/my tools/dmtui")


@pytest.mark.parametrize("text", ["", "  ", "'", "-oX=y dmtui", "dm\x1btui"])
def test_a_far_command_that_is_none_is_refused(text):
    with pytest.raises(BadUsageError):
        program_of(text, "option --remote-command")
