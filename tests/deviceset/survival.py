"""What must hold once a process was killed in the midst of an operation: checked the same way on both machines."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace

from dmtui.deviceset.engine import Engine
from dmtui.thinpool.errors import DmtuiError
from tests.deviceset.operations import Operation
from tests.deviceset.sites import Picture, Site


@dataclass(frozen=True)
class Expected:
    """The pictures of a device set before an operation and after a whole one, and what was wrong before."""

    operation: Operation
    before: Picture
    whole: Picture
    faults_before: frozenset[str] = frozenset()

    @property
    def undone(self) -> tuple[Picture, ...]:
        """What counts as undone.

        Files may have grown already: the next start takes them as they are, and a pool that has seen them must.
        """
        if self.operation.starts and self.before.files:
            return self.before, replace(self.before, files=self.whole.files)
        return (self.before,)

    def after_power_cut(self) -> tuple[Picture, ...]:
        """What a start makes of it."""
        whole = _rested(self.whole)
        undone = () if self.operation.starts else [_rested(each) for each in self.undone]
        return whole, _without_deleted(whole), *undone


def survive(site: Site, expected: Expected) -> list[str]:
    """Open the engine anew; returns what is wrong, a line each.

    The operation is whole or undone; undone, it can be done now; then the device set can be used.
    """
    operation, wrong = expected.operation, _Wrong()
    with wrong.engine(site, operation, making=operation.starts) as engine:
        picture, faults = site.picture(), frozenset(site.faults())
        undone = picture in expected.undone
        if not undone and picture != expected.whole:
            wrong += [f"not whole: {picture.differences(expected.whole)}"]
            wrong += [f"not undone: {picture.differences(each)}" for each in expected.undone]
        wrong += faults - expected.faults_before
        if not wrong and (undone or faults):
            operation.perform(engine)
            wrong += _compare(site, expected.whole)
        if not wrong:
            wrong += _use(site, engine)
    return wrong.lines


def survive_power_cut(site: Site, expected: Expected) -> list[str]:
    """The same after the machine has lost all but its disks: a start brings the device set back."""
    wrong = _Wrong()
    with wrong.engine(site, expected.operation, making=True) as engine:
        engine.run(engine.plans.start("now"))
        faults = frozenset(site.faults(rebooted=True))
        wrong += faults - expected.faults_before
        picture = _rested(site.picture())
        differences = [picture.differences(each) for each in expected.after_power_cut()]
        if all(differences):
            wrong += [f"not as before or after: {each}" for each in differences]
        if not wrong and not faults:
            wrong += _use(site, engine, rebooted=True)
    return wrong.lines


class _Wrong:
    """What is wrong so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __iadd__(self, lines: Iterable[str]) -> _Wrong:
        self.lines += sorted(lines)
        return self

    def __bool__(self) -> bool:
        return bool(self.lines)

    @contextmanager
    def engine(self, site: Site, operation: Operation, *, making: bool) -> Generator[Engine]:
        """An engine; whatever it refuses is wrong."""
        engine = None
        try:
            engine = site.engine(*(operation.options if operation.starts else ()), making=making)
            yield engine
        except DmtuiError as error:
            self.lines.append(f"the next step failed: {error}")
        finally:
            if engine is not None:
                if self.lines:
                    self.lines += [f"recovered: {note}" for note in engine.recovered]
                engine.close()


def _use(site: Site, engine: Engine, *, rebooted: bool = False) -> list[str]:
    """What a device set is for; all is as before afterwards."""
    if not site.pool.exists():
        engine.run(engine.plans.start("now"))
    before, plans = site.picture(), engine.plans
    engine.run(plans.create("used"))
    for plan in (plans.mount, plans.unmount, plans.remove):
        engine.run(plan("used"))
    assert site.audited()[-1]["object"] == "used"
    return _compare(site, before, rebooted=rebooted)


def _compare(site: Site, expected: Picture, *, rebooted: bool = False) -> list[str]:
    difference = site.picture().differences(expected)
    return [*site.faults(rebooted=rebooted), *([f"in the end {difference}"] if difference else [])]


def _rested(picture: Picture) -> Picture:
    """What is left of it after a reboot and a start, which makes the pool as large as its files."""
    return replace(picture, active={}, counts={}, pool=None)


def _without_deleted(picture: Picture) -> Picture:
    """The same where what was held by somebody, who is gone now, was deleted after all."""
    records = {name: record for name, record in picture.records.items() if not record[2]}
    return replace(picture, records=records, parents={n: p for n, p in picture.parents.items() if n in records})
