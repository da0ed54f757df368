"""``dmtui pool``: the engine's operations on the pool of the graph directory."""

from __future__ import annotations

import argparse
import json

from dmtui.cli.changing import change, moment, opened, perform, say, show
from dmtui.cli.session import Session
from dmtui.thinpool.errors import BadUsageError, ExitStatus
from dmtui.thinpool.sizes import parse_size
from dmtui.thinpool.text import printable


def no_verb(session: Session, arguments: argparse.Namespace) -> int:
    """Say that a verb is missing."""
    raise BadUsageError("dmtui pool", "needs a verb", "`dmtui pool --help` lists them")


def create(session: Session, arguments: argparse.Namespace) -> int:
    """Make the pool and its base device, or bring an existing one into use."""
    if not arguments.dry_run:
        _check_start(session, arguments)
    return change(session, arguments, lambda plans: plans.start(moment()), making=True)


def _check_start(session: Session, arguments: argparse.Namespace) -> None:
    """Plan it once without touching anything, so that what is refused leaves not even a directory."""
    trial = argparse.Namespace(**(vars(arguments) | {"dry_run": True}))
    with opened(session, trial, making=True) as engine:
        engine.plans.start(moment())


def extend(session: Session, arguments: argparse.Namespace) -> int:
    """Let the pool have more data or metadata space, while it is used."""
    data, metadata = size_or_none(arguments.data), size_or_none(arguments.metadata)
    return change(session, arguments, lambda plans: plans.extend(data, metadata))


def trim(session: Session, arguments: argparse.Namespace) -> int:
    """Give back what is free: in mounted devices to the pool, of a pool at rest to the host."""
    return change(session, arguments, lambda plans: plans.trim())


def remove(session: Session, arguments: argparse.Namespace) -> int:
    """Take the pool down: unmount, deactivate, remove its node; files and data stay."""
    return change(session, arguments, lambda plans: plans.remove_pool(force=arguments.force))


def check(session: Session, arguments: argparse.Namespace) -> int:
    """Check the pool's metadata; status 0 where they are sound, 1 where they are not."""
    with opened(session, arguments) as engine:
        checking = engine.plans.check(clears=arguments.clear_needs_check)
        show(checking.plan)
        if arguments.dry_run:
            return int(ExitStatus.DONE)
        perform(engine, checking.plan)
    result = checking.result
    if result is None:
        raise AssertionError("a check that did not fail has a result")
    for line in checking.words:
        print(printable(line))
    return int(ExitStatus.DONE if result.sound else ExitStatus.FAILED)


def reconcile(session: Session, arguments: argparse.Namespace) -> int:
    """Compare records, pool and active devices; show what could be cleared away, and do it where that is asked for."""
    from dmtui.deviceset.comparisonformats import reconciliation_fields, reconciliation_lines  # noqa: PLC0415

    if arguments.delete_orphans and not arguments.apply:
        raise BadUsageError("--delete-orphans", "does nothing alone", "say --apply as well, after a look without both")
    with opened(session, arguments) as engine:
        inspection = engine.plans.inspect()
        if arguments.format == "text" or arguments.dry_run:
            show(inspection.plan)
        if arguments.dry_run:
            return int(ExitStatus.DONE)
        engine.run(inspection.plan)
        found = inspection.result
        if found is None:
            raise AssertionError("an inspection that did not fail has a result")
        if arguments.format == "json":
            print(json.dumps(reconciliation_fields(found), indent=2))
        else:
            print("\n".join(printable(line) for line in reconciliation_lines(found)))
        plan = engine.plans.reconcile(found, delete_orphans=arguments.delete_orphans)
        if arguments.format == "text":
            show(plan)
        if arguments.apply:
            perform(engine, plan)
        elif plan.steps and arguments.format == "text":
            print("nothing was changed: --apply does it")
    return int(ExitStatus.DONE)


def reap(session: Session, arguments: argparse.Namespace) -> int:
    """Try to delete the devices that were busy when they were removed."""
    from dmtui.deviceset.reaping import reap as reap_all  # noqa: PLC0415
    from dmtui.deviceset.removal import flagged, plan_remove  # noqa: PLC0415

    with opened(session, arguments) as engine:
        names = flagged(engine.devices)
        for name in names:
            show(plan_remove(engine.devices, name, deferring=True))
        if not names:
            print("no device waits for its deletion")
        if arguments.dry_run:
            return int(ExitStatus.DONE)
        results = reap_all(engine, say)
    for result in results:
        print(printable(f"{result.name}: {'deleted' if result.gone else f'still waits: {result.why}'}"))
    return int(ExitStatus.DONE)


def size_or_none(text: str | None) -> int | None:
    """A size in bytes, None where none was given."""
    return None if text is None else parse_size(text)
