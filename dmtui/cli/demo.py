"""``dmtui demo``: guided demonstrations on an emulated machine of their own, in the dashboard or as text."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dmtui.cli.closing import tidied
from dmtui.cli.reading import need_terminal
from dmtui.cli.session import Session
from dmtui.thinpool.errors import BadUsageError, ExitStatus

if TYPE_CHECKING:
    from dmtui.lab.scenario import Scenario

_NAME_WIDTH = 15
_TEXT_WIDTH = 84
_REMOVALS = 50
"""So often the directory of a demonstration is removed while others make it again."""


def demo(session: Session, arguments: argparse.Namespace) -> int:
    """Play a demonstration, or list them all."""
    from dmtui.lab.scenarios import SCENARIOS  # noqa: PLC0415 - the other commands need none of it

    if arguments.list:
        print(_listing(SCENARIOS))
        return int(ExitStatus.DONE)
    _check_speed(arguments.speed)
    if arguments.headless:
        return _headless(session, arguments, _wanted(arguments.scenario))
    chosen = None if arguments.scenario is None else _wanted(arguments.scenario)
    need_terminal("use `dmtui demo SCENARIO --headless` in pipes")
    from dmtui.tui.demonstration import Showing, show  # noqa: PLC0415 - only here is the dashboard needed

    def directory(scenario: Scenario) -> AbstractContextManager[Path]:
        """Where one of several is kept, each has a directory of its own."""
        several = arguments.keep is not None and chosen is None
        return _directory(f"{arguments.keep}/{scenario.name}" if several else arguments.keep)

    _say_which(session)
    return show(chosen, Showing(session.settings, arguments.speed, arguments.ascii, directory))


def _headless(session: Session, arguments: argparse.Namespace, scenario: Scenario) -> int:
    from dmtui.lab.headless import lines  # noqa: PLC0415
    from dmtui.lab.player import Player  # noqa: PLC0415

    _say_which(session)
    failed = False
    with _directory(arguments.keep) as directory:
        player = Player(scenario, directory)
        try:
            for line in lines(player, directory):
                print(line)
            failed = any(played.failure for played in player.played)
        finally:
            player.close()
    return int(ExitStatus.FAILED if failed else ExitStatus.DONE)


def _wanted(name: str | None) -> Scenario:
    from dmtui.lab.scenarios import SCENARIOS, find  # noqa: PLC0415

    found = None if name is None else find(name)
    if found is None:
        known = ", ".join(scenario.name for scenario in SCENARIOS)
        subject = "dmtui demo --headless" if name is None else f"demonstration {name!r}"
        raise BadUsageError(subject, "needs a name" if name is None else "is unknown", f"there are {known}")
    return found


def _listing(scenarios: tuple[Scenario, ...]) -> str:
    indent = " " * _NAME_WIDTH
    return "\n".join(
        textwrap.fill(
            scenario.summary, _TEXT_WIDTH, initial_indent=f"{scenario.name:<{_NAME_WIDTH}}", subsequent_indent=indent
        )
        for scenario in scenarios
    )


def _check_speed(speed: float) -> None:
    if not 0.1 <= speed <= 100:
        raise BadUsageError("option --speed", f"does not take {speed:g}", "it takes a number from 0.1 to 100")


def _say_which(session: Session) -> None:
    """Whatever machine is asked for, a demonstration plays on one of its own; that is never left unsaid."""
    asked = "--machine kernel is not touched" if session.settings.machine == "kernel" else "nothing real is touched"
    print(f"dmtui: a demonstration plays on an emulated machine of its own: {asked}", file=sys.stderr)


@contextmanager
def _directory(kept: str | None) -> Generator[Path]:
    """A directory for the machine: the one to keep, or a temporary one that is removed afterwards."""
    if kept is not None:
        yield Path(kept).expanduser().absolute()
        return
    directory = Path(tempfile.mkdtemp(prefix="dmtui-demo-"))

    def remove() -> None:
        # Other threads may still use it, and even make it again: by its new name they do not find it.
        gone = directory.with_name(f"{directory.name}.gone")
        for _ in range(_REMOVALS):
            with suppress(OSError):
                directory.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
            time.sleep(0.02)  # the others come to their next file
            if not directory.exists():
                return

    try:
        with tidied(remove, (signal.SIGHUP, signal.SIGTERM)):
            yield directory
    finally:
        remove()
