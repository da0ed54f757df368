"""Each way in which a machine cannot be watched has its words and a next step."""

import pytest

from dmtui.remote.errors import ended
from dmtui.remote.reach import Reach

DENIED = "root@web1: Permission denied (publickey,password)."
CASES = {
    "key": (255, DENIED, 4, True, "Permission denied (publickey,password)", "ssh-add"),
    "host key": (255, "Host key verification failed.\n", 1, True, "its key is not known here", "`ssh web1`"),
    "name": (255, "ssh: Could not resolve hostname web1: Name or service not known\n", 1, False, "resolve", ""),
    "down": (255, "ssh: connect to host web1 port 22: Connection refused\r\n", 1, False, "Connection refused", ""),
    "mute": (255, "", 1, False, "did not say why", "ssh -v web1"),
    "no dmtui": (127, "bash: dmtui: command not found", 1, True, "PATH", "--remote-command /PATH/dmtui"),
    "not run": (126, "bash: /x/dmtui: Permission denied", 1, True, "cannot be run", "install dmtui"),
    "sudo": (1, "sudo: a terminal is required to read the password", 4, True, "asks for a password", "sudo -n dmtui"),
    "older": (2, "dmtui: argument --format: invalid choice", 2, True, "does not understand us", "same version"),
    "not root": (4, "dmtui: device-mapper: not permitted; run as root", 4, True, "not permitted", "sudo -n dmtui"),
    "failed": (1, "dmtui: poll: cannot be read", 1, False, "exit status 1): dmtui: poll: cannot be read", ""),
    "killed": (-15, "", 1, False, "exit status -15", ""),
    "cut": (None, "", 1, False, "the connection is gone", ""),
}


@pytest.mark.parametrize(("status", "said", "exit_status", "lasting", "happened", "step"), CASES.values(), ids=CASES)
def test_why(status, said, exit_status, lasting, happened, step):
    error = ended(Reach("web1"), status, said)
    assert str(error).startswith("host web1: ")
    assert happened in error.happened
    assert step in error.next_step
    assert (error.exit_status, error.lasting) == (exit_status, lasting)


@pytest.mark.parametrize(
    ("host", "as_root"),
    [("web1", "root@web1"), ("alice@web1", "root@web1"), ("ssh://alice@web1:2222", "ssh://root@web1:2222")],
)
def test_a_host_that_needs_root_says_both_ways_there(host, as_root):
    error = ended(Reach(host), 4, "dmtui: device-mapper: is for root only; run as root")
    assert f"(--host {as_root})" in error.next_step
    assert "NOPASSWD: /PATH/dmtui --machine=kernel watch *" in error.next_step


def test_what_the_machine_says_moves_no_cursor_and_has_an_end():
    error = ended(Reach("web1"), 1, "\x1b[2J\x1b]0;owned\x07 " + "x" * 100_000)
    assert str(error).isprintable()
    assert len(str(error)) < 500
