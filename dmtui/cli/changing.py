"""How a command changes something: its plan first, then its progress, then what came of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dmtui.cli.session import Session
from dmtui.thinpool.errors import BadUsageError, ExitStatus
from dmtui.thinpool.text import printable

if TYPE_CHECKING:
    from dmtui.deviceset.engine import Engine
    from dmtui.deviceset.plan import Plan, Progress
    from dmtui.deviceset.plans import Plans


def change(
    session: Session, arguments: argparse.Namespace, make: Callable[[Plans], Plan], *, making: bool = False
) -> int:
    """Make a plan, show it, and unless it is a dry run perform it."""
    with opened(session, arguments, making=making) as engine:
        plan = make(engine.plans)
        show(plan)
        if not arguments.dry_run:
            perform(engine, plan)
    return int(ExitStatus.DONE)


@contextmanager
def opened(session: Session, arguments: argparse.Namespace, *, making: bool = False) -> Generator[Engine]:
    """The engine for one command, closed in the end; what its start had to mend is told on standard error."""
    from dmtui.deviceset.engine import open_engine  # noqa: PLC0415 - what the readers of a pool never need
    from dmtui.deviceset.options import parse_options  # noqa: PLC0415
    from dmtui.deviceset.patience import Patience  # noqa: PLC0415

    dry = bool(arguments.dry_run)
    if session.settings.read_only and not dry:
        command = " ".join(("dmtui", arguments.group, arguments.verb))
        raise BadUsageError(command, "changes something", "leave --read-only out")
    options = parse_options(session.settings.storage_opt)
    patience = Patience(busy_seconds=session.settings.busy_timeout)
    engine = open_engine(
        session.machine, session.graph_directory, options, recovering=not dry, making=making, patience=patience
    )
    try:
        for note in engine.recovered:
            print(f"dmtui: {printable(note)}", file=sys.stderr)
        yield engine
    finally:
        engine.close()


def show(plan: Plan) -> None:
    """Print a plan."""
    print("\n".join(printable(line) for line in plan.lines()), flush=True)


def perform(engine: Engine, plan: Plan) -> None:
    """Perform a plan, its progress line by line."""
    outcome = engine.run(plan, say)
    print(f"done in {outcome.seconds:.3f} s")


def say(progress: Progress) -> None:
    """Print a step of the progress, or what is waited for; that nobody reads it any more stops no operation."""
    step = f"{progress.step}/{progress.of}" if progress.step else "..."
    with suppress(BrokenPipeError):
        print(f"  [{step}] {progress.phase.value}: {printable(progress.text)}", flush=True)


def moment() -> str:
    """Now, for others to read."""
    return datetime.now(UTC).isoformat(timespec="seconds")
