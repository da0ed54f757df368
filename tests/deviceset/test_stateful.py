"""Random sequences of operations, deaths, failures, strangers and reboots: engine, files and machine keep in agreement.

What is expected `tests.deviceset.modelled` tells; what is there `tests.deviceset.world` reads, past the engine.
``DMTUI_STATEFUL_SEQUENCES`` is the number of sequences (1,000 before a release), a small one by default.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dmtui.deviceset.engine import Engine
from dmtui.deviceset.options import Options
from dmtui.deviceset.plan import PlanFailedError
from dmtui.deviceset.reaping import reap
from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import ExistsError
from dmtui.thinpool.errors import DmtuiError
from tests.deviceset.fates import Death, DiedError, Failure, Fate, Process
from tests.deviceset.modelled import BASE, Model
from tests.deviceset.world import Observer, World

MIB = 1024**2
BLOCK_BYTES = 64 * 1024
BASE_BYTES = 32 * MIB
DATA_BYTES, METADATA_BYTES = 256 * MIB, 4 * MIB
SEQUENCES = int(os.environ.get("DMTUI_STATEFUL_SEQUENCES", "25"))
STEPS = 30

MOST_DEVICES = 6
WHICH = st.integers(0, MOST_DEVICES)
"""One of the devices that are there, by its place in their order; beyond the last: one that is not there."""
SIZES = st.one_of(st.none(), st.sampled_from([16 * MIB, BASE_BYTES, 40 * MIB, 48 * MIB]))
DATA_SIZES = st.sampled_from([None, 128 * MIB, DATA_BYTES, 320 * MIB])
METADATA_SIZES = st.sampled_from([None, METADATA_BYTES, 6 * MIB])
FATES = st.one_of(
    st.builds(Death, st.integers(1, 60), st.sampled_from(["before", "after", "torn"])),
    st.builds(Failure, st.integers(1, 60)),
)

has_pool = precondition(lambda self: self.model.pool)

Change = Callable[[Model], None]
Act = Callable[[Engine], object]


class DeviceSetMachine(RuleBasedStateMachine):
    """One graph directory on one emulated machine, the processes that work on it, and what else befalls it."""

    def __init__(self):
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="dmtui-stateful-"))
        self.machine = EmulatedMachine.open(self.home)
        self.directory = str(self.home / "graph")
        self.process: Process | None = None
        self.held: dict[str, list[int]] = {}

    def teardown(self):
        self._end()
        self.machine.close()
        shutil.rmtree(self.home)

    @initialize(removal=st.booleans(), deletion=st.booleans(), discards=st.booleans())
    def begin(self, removal, deletion, discards):
        self.options = Options(
            base_size_bytes=BASE_BYTES,
            loop_data_size_bytes=DATA_BYTES,
            loop_metadata_size_bytes=METADATA_BYTES,
            filesystem="ext4",
            deferred_removal=removal or deletion,
            deferred_deletion=deletion,
            discard_on_delete=discards,
        )
        defers = (removal or deletion, deletion)
        self.model = Model(*defers)
        self.observer = Observer(self.machine, self.directory, defers)
        self._do(_start_change, _start)
        assert self.model.pool

    # What the product does

    @rule()
    def start(self):
        self._do(_start_change, _start)

    @rule(parent=WHICH, size=SIZES, taken=st.integers(0, 9))
    def create(self, parent, size, taken):
        name, parent = self._free_name(taken), self._name(parent)
        self._do(lambda model: model.create(name, parent, size), _run("create", name, parent, size))

    @rule(which=WHICH)
    def activate(self, which):
        name = self._name(which)
        self._do(lambda model: model.activate(name), _run("activate", name))

    @rule(which=WHICH)
    def deactivate(self, which):
        name = self._name(which)
        self._do(lambda model: model.deactivate(name, deferred=False), _run("deactivate", name))

    @rule(which=WHICH)
    def mount(self, which):
        name = self._name(which)
        self._do(lambda model: model.mount(name), _run("mount", name), mounted=name)

    @rule(which=WHICH)
    def unmount(self, which):
        name = self._name(which)
        self._do(lambda model: model.unmount(name), _run("unmount", name))

    @rule(which=WHICH)
    def remove(self, which):
        name = self._name(which)
        self._do(lambda model: model.remove(name), _run("remove", name))

    @rule()
    def reap(self):
        self._do(Model.reap, reap)

    @rule(data=DATA_SIZES, metadata=METADATA_SIZES)
    def extend(self, data, metadata):
        self._do(lambda model: model.extend(data, metadata), _run("extend", data, metadata))

    @rule()
    def trim(self):
        self._do(Model.trim, _run("trim"))

    @rule()
    def check(self):
        self._do(Model.read_metadata, _check)

    @rule(deleting=st.booleans())
    def reconcile(self, deleting):
        self._do(lambda model: model.reconcile(deleting=deleting), _reconciling(deleting))

    @rule(force=st.booleans(), rarely=st.integers(0, 2))
    def remove_pool(self, force, rarely):
        if rarely:
            return
        self._do(lambda model: model.remove_pool(force=force), _run("remove_pool", force=force))

    @rule()
    def leave(self):
        """The process ends in order; the next operation is a new process's."""
        if self.process is not None:
            self.process.engine.close()
            self._end()

    # What befalls it

    @has_pool
    @rule(parent=WHICH, size=SIZES, fate=FATES)
    def create_fatefully(self, parent, size, fate):
        name, parent = self._free_name(), self._name(parent)
        self._suffer(fate, name, lambda model: model.create(name, parent, size), _run("create", name, parent, size))

    @has_pool
    @rule(which=WHICH, fate=FATES)
    def remove_fatefully(self, which, fate):
        name = self._name(which)
        self._suffer(fate, name, lambda model: model.remove(name), _run("remove", name))

    @has_pool
    @rule(which=WHICH, fate=FATES)
    def mount_fatefully(self, which, fate):
        name = self._name(which)
        self._suffer(fate, name, lambda model: model.mount(name), _run("mount", name))

    @has_pool
    @rule(which=WHICH, fate=FATES)
    def unmount_fatefully(self, which, fate):
        name = self._name(which)
        self._suffer(fate, name, lambda model: model.unmount(name), _run("unmount", name))

    @has_pool
    @rule(which=WHICH, fate=FATES)
    def activate_fatefully(self, which, fate):
        name = self._name(which)
        self._suffer(fate, name, lambda model: model.activate(name), _run("activate", name))

    @rule(data=DATA_SIZES, metadata=METADATA_SIZES, fate=FATES)
    def extend_fatefully(self, data, metadata, fate):
        self._suffer(fate, None, lambda model: model.extend(data, metadata), _run("extend", data, metadata))

    @rule(fate=FATES)
    def start_fatefully(self, fate):
        self._suffer(fate, BASE, _start_change, _start)

    @rule(rarely=st.integers(0, 2))
    def reboot(self, rarely):
        if rarely:
            return
        self._end()
        self.machine.reboot()
        self.held.clear()
        self.model.reboot()

    @rule(which=WHICH)
    def hold(self, which):
        """Another process opens a device."""
        name = self._name(which)
        device = self.model.devices.get(name)
        if device is not None and device.active and not device.going:
            self.held.setdefault(name, []).append(self.machine.leaks.begin(self._node(name)))
            self.model.hold(name)

    @precondition(lambda self: any(self.held.values()))
    @rule(which=st.integers(0, 3))
    def release(self, which):
        names = sorted(name for name, pids in self.held.items() if pids)
        name = names[which % len(names)]
        self.machine.leaks.end(self.held[name].pop())
        self.model.release(name)

    @rule(which=WHICH, block=st.integers(0, 255), count=st.integers(1, 16))
    def write(self, which, block, count):
        """Data of a device changes, and that of no other."""
        name = self._name(which)
        device = self.model.devices.get(name)
        if device is None or not device.active:
            return
        before = self._look().thins
        self.machine.write(self._node(name), offset_bytes=block * BLOCK_BYTES, length_bytes=count * BLOCK_BYTES)
        after, thin_id = self._look(), self._look().ids[name]
        assert before is not None
        assert after.thins is not None
        assert set(range(block, block + count)) <= set(after.thins[thin_id])
        assert _without(after.thins, thin_id) == _without(before, thin_id)

    @has_pool
    @rule(thin_id=st.integers(2, 12))
    def intrude(self, thin_id):
        """Somebody else makes a thin id in the pool."""
        with suppress(ExistsError):
            self.machine.device_mapper.message(self.observer.prefix.pool_name, f"create_thin {thin_id}")
            self.model.strangers.add(thin_id)

    @invariant()
    def all_agree(self):
        self._agree(self.model)

    # How that is done

    def _name(self, which: int) -> str:
        names = [*sorted(self.model.devices), "missing"]
        return names[which % len(names)]

    def _free_name(self, taken: int = 1) -> str:
        """A name that is free, or with a 0 (and when there are devices enough) perhaps one that is not."""
        names = [f"d{number}" for number in range(1, MOST_DEVICES)]
        free = [name for name in names if name not in self.model.devices]
        return free[0] if free and taken else names[0]

    def _engine(self) -> Engine:
        if self.process is None:
            self.process = Process(self.machine)
            self.process.open(self.directory, self.options, making=True)
        return self.process.engine

    def _end(self) -> None:
        if self.process is not None:
            self.process.end()
            self.process = None

    def _do(self, change: Change, act: Act, mounted: str | None = None) -> None:
        """An operation does what the model says, or is refused as the model says, and changes nothing."""
        expected, kind = self.model.foresee(change)
        before = self._look()
        try:
            act(self._engine())
        except DmtuiError as error:
            cause = error.cause if isinstance(error, PlanFailedError) else error
            assert kind is not None, f"refused: {cause}"
            assert isinstance(cause, kind), f"{type(cause).__name__}, not {kind.__name__}: {cause}"
        else:
            assert kind is None, f"not refused, {kind.__name__} was expected"
        self.model = expected
        _keep_data(before, self._look(), {BASE, mounted})

    def _suffer(self, fate: Fate, name: str | None, change: Change, act: Act) -> None:
        """An operation that dies or fails in its midst is whole or undone once the next start is through."""
        done, _ = self.model.foresee(change)
        before = self._look()
        engine = self._engine()
        assert self.process is not None
        self.process.course.begin(fate)
        with suppress(DiedError, DmtuiError):
            act(engine)
        self.process.course.begin()
        self._end()
        was = self.model
        with suppress(DmtuiError):
            self._engine()
            _start(self._engine())
        world = self._look()
        outcomes = [_restarted(model) for model in (was, done)]
        fitting = [model for model in outcomes if _fits(model, world.shown, name)]
        assert fitting, f"neither undone nor whole:\n  {world.shown}\n  undone {outcomes[0]}\n  whole {outcomes[1]}"
        world.shown.strangers = was.strangers & world.shown.strangers if world.thins is not None else was.strangers
        self.model = world.shown
        _keep_data(before, world, {BASE, name})

    def _agree(self, model: Model) -> None:
        world = self._look()
        assert world.oddities == []
        if world.thins is None:
            world.shown.strangers = model.strangers
        assert asdict(world.shown) == asdict(model)
        assert world.mode in ("", "rw")
        assert not world.needs_check

    def _look(self) -> World:
        return self.observer.look()

    def _node(self, name: str) -> str:
        return self.observer.prefix.device_name(name)


def _start_change(model: Model) -> None:
    model.start(BASE_BYTES, DATA_BYTES, METADATA_BYTES)


def _start(engine: Engine) -> None:
    engine.run(engine.plans.start("now"))


def _run(name: str, *arguments, **named) -> Act:
    return lambda engine: engine.run(getattr(engine.plans, name)(*arguments, **named))


def _check(engine: Engine) -> None:
    check = engine.plans.check()
    engine.run(check.plan)
    assert check.result is not None
    assert check.result.sound


def _reconciling(deleting: bool) -> Act:
    def act(engine: Engine) -> None:
        inspection = engine.plans.inspect()
        engine.run(inspection.plan)
        assert inspection.result is not None
        engine.run(engine.plans.reconcile(inspection.result, delete_orphans=deleting))

    return act


def _restarted(model: Model) -> Model:
    return model.foresee(_start_change)[0]


def _fits(model: Model, shown: Model, touched: str | None) -> bool:
    """Whether that is what the model says; the device in work may also have been let go, or be active already."""
    wanted, found = asdict(model), asdict(shown)
    for one in (wanted, found):
        one.pop("strangers")
        if touched in one["devices"]:
            for key in ("active", "going", "users"):
                one["devices"][touched].pop(key)
    return wanted == found


def _keep_data(before: World, after: World, written: set[str | None]) -> None:
    """No operation maps or unmaps a block of a device that was there before and is still, but of what it writes to."""
    if before.thins is None or after.thins is None:
        return
    for name in set(before.ids) & set(after.ids) - written:
        if before.ids[name] == after.ids[name]:
            assert after.thins[after.ids[name]] == before.thins[before.ids[name]], name


def _without(thins: dict[int, dict[int, int]], thin_id: int) -> dict[int, dict[int, int]]:
    return {other: mapped for other, mapped in thins.items() if other != thin_id}


TestDeviceSet = DeviceSetMachine.TestCase
TestDeviceSet.settings = settings(max_examples=SEQUENCES, stateful_step_count=STEPS)
