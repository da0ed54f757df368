"""Processes that perform an operation on the kernel's machine and are killed at one of its calls, really.

``python -m tests.deviceset.dying`` serves requests, a JSON object a line: ``{"home", "title", "at", "manner"}``. For
each it forks a process, which alone opens the machine: nothing of device-mapper, and no thread, is there before the
fork. It answers how the process ended and which calls it had made. A fresh interpreter would take seconds each time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

from dmtui.machine.durable import DurableFiles
from tests.deviceset.killing import KillingMachine, Manner, Reaper
from tests.deviceset.operations import OPERATIONS
from tests.deviceset.sites import Site


class Server:
    """The test's side of it."""

    def __init__(self, directory: Path) -> None:
        words = [sys.executable, "-m", "tests.deviceset.dying"]
        self._log = (directory / "dying.log").open("wb")
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, cwd=Path.cwd()
        )

    def run(self, home: Path, title: str, at: int | None = None, manner: Manner = Manner.BEFORE) -> list[str]:
        """Let a process perform an operation; returns its calls. Where `at` is given, it was killed there."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"home": str(home), "title": title, "at": at, "manner": manner.value}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["error"] == "", answer["error"]
        assert answer["signal"] == (0 if at is None else signal.SIGKILL), answer
        return answer["trace"]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._log.close()


def main() -> None:
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _live(json.loads(line), writing)
        os.close(writing)
        with os.fdopen(reading) as told:
            answer = json.loads(told.read() or '{"trace": [], "error": "it told nothing"}')
        status = os.waitpid(child, 0)[1]
        answer["signal"] = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        print(json.dumps(answer), flush=True)


def _live(request: dict[str, Any], writing: int) -> None:
    """The life of one process, to its end or to its death."""
    operation, reaper = OPERATIONS[request["title"]], Reaper(request["at"], Manner(request["manner"]))

    def tell(error: str) -> None:
        with os.fdopen(writing, "w") as telling:
            json.dump({"trace": reaper.trace, "error": error}, telling)

    def die() -> None:
        tell("")
        os.kill(os.getpid(), signal.SIGKILL)

    reaper.die = die
    error = ""
    try:
        from dmtui.machine.kernel import KernelMachine

        machine = KernelMachine()
        killing = KillingMachine(machine, reaper)
        site = Site(killing, Path(request["home"]), busy_seconds=8, external=operation.external)
        engine = site.engine(*operation.options, making=operation.starts, durable=reaper.wrap(DurableFiles()))
        operation.perform(engine)
        engine.close()
        machine.close()
    except BaseException:
        error = traceback.format_exc()
    tell(error)
    os._exit(0)


if __name__ == "__main__":
    main()
