"""A program called ssh that is none: it checks how it is called, and then does what the name of the host says."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

from tests.tui import samples

SCRIPT = r"""#!/bin/sh
# Called as ssh: ... -o BatchMode=yes ... -- HOST WORDS
home=HOME
echo $$ >> "$home/pids"
: > "$home/call.$$"
for word in "$@"; do printf '%s\n' "$word" >> "$home/call.$$"; done
batch=no
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  case $1 in BatchMode=yes) batch=yes;; esac
  shift
done
[ $batch = yes ] && [ $# -eq 3 ] || { echo "fake ssh: called wrongly" >&2; exit 99; }
case $2 in
  good|web*|db*) exec sh -c "$3";;
  steady) while :; do cat "$home/sample"; sleep 0.1; done;;
  flood) while :; do cat "$home/sample" "$home/sample" "$home/sample"; done;;
  once) cat "$home/sample"; exec sleep 1000;;
  dies) for n in 1 2 3; do cat "$home/sample"; sleep 0.1; done
        echo "client_loop: send disconnect: Broken pipe" >&2; exit 255;;
  ends) cat "$home/sample"; exit 0;;
  refuses) echo "root@refuses: Permission denied (publickey)." >&2; exit 255;;
  unknown) echo "No ED25519 host key is known for unknown and you have requested strict checking." >&2
           echo "Host key verification failed." >&2; exit 255;;
  nowhere) echo "ssh: Could not resolve hostname nowhere: Name or service not known" >&2; exit 255;;
  bare) echo "bash: line 1: dmtui: command not found" >&2; exit 127;;
  older) echo "dmtui: argument --format: invalid choice" >&2; exit 2;;
  sudo) echo "sudo: a password is required" >&2; exit 1;;
  plain) echo "dmtui: device-mapper: not permitted; run as root" >&2; exit 4;;
  evil) printf 'dmtui: \033]0;owned\007 \033[2J\n' >&2; exit 1;;
  silent) exec sleep 1000;;
  hangs) trap '' TERM HUP INT; cat "$home/sample"; while :; do sleep 1; done;;
  mutters) echo "Welcome to mutters"; echo; while :; do cat "$home/sample"; sleep 0.1; done;;
  garbage) cat "$home/sample"; printf 'what \033[2J is this\n'; exec sleep 1000;;
  chatter) while :; do echo "la la la"; done;;
  endless) exec cat /dev/zero;;
  newer) echo '{"format":2,"taken_at":1.0,"quantum":true}'; exec sleep 1000;;
  *) echo "fake ssh: no host $2" >&2; exit 98;;
esac
"""


class FakeSsh:
    """The program, in a directory for PATH.

    Attributes:
        directory: where it is.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True)
        program = directory / "ssh"
        program.write_text(SCRIPT.replace("HOME", str(directory), 1))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.sends(samples.sample(samples.docker_pool(), at=time.time()))

    def sends(self, sample) -> None:
        """Let its hosts send that sample."""
        (self.directory / "sample").write_text(sample.to_json() + "\n")

    @property
    def pids(self) -> list[int]:
        """Of everyone that was started."""
        path = self.directory / "pids"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    @property
    def calls(self) -> list[list[str]]:
        """The argument list of everyone that was started."""
        return [(self.directory / f"call.{pid}").read_text().splitlines() for pid in self.pids]

    @property
    def alive(self) -> list[int]:
        """Those that are there still, and the members of their process groups."""
        groups = set(self.pids)
        return [pid for pid, group in _groups() if group in groups]


def _groups() -> list[tuple[int, int]]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has gone meanwhile
                continue
            if fields[0] != "Z":
                found.append((int(entry.name), int(fields[2])))
    return found


def until(condition, seconds: float = 10.0, what: str = "it") -> None:
    """Wait for something that another thread or process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.01)


def path_with(directory: Path) -> str:
    """PATH with a directory before all others."""
    return f"{directory}:{os.environ['PATH']}"


def broken(sample, **changes) -> str:
    """A line of a sample with fields that are others."""
    return json.dumps(json.loads(sample.to_json()) | changes, separators=(",", ":"))
