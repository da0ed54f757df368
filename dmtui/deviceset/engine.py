"""The device set of one graph directory, opened for changing: locked, recovered, and ready to plan and perform."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from dmtui.deviceset.deviceplans import DevicePlans, DeviceSetState
from dmtui.deviceset.graph import Graph, open_graph
from dmtui.deviceset.ids import ThinIds
from dmtui.deviceset.optionrules import rule
from dmtui.deviceset.options import Options
from dmtui.deviceset.plan import Outcome, Plan, PlanFailedError, Progress, perform
from dmtui.deviceset.poollink import PoolLink
from dmtui.deviceset.records import read_records
from dmtui.deviceset.recovery import recover
from dmtui.deviceset.status import pool_name
from dmtui.deviceset.store import RecordStore
from dmtui.machine.durable import DurableFiles, InUseError, Lock
from dmtui.machine.protocols import Machine


@dataclass(slots=True)
class Engine:
    """A graph directory with its lock held (for a dry run: without it). Use `open_engine`, and `close` in the end.

    Attributes:
        recovered: what the start had to finish or undo, a line each.
        broken: records that could not be read, a line each; nothing is done to them.
    """

    store: RecordStore
    pool: PoolLink
    plans: DevicePlans
    recovered: tuple[str, ...]
    broken: tuple[str, ...]
    _lock: Lock | None
    _now: Callable[[], float]

    def run(self, plan: Plan, watch: Callable[[Progress], None] = lambda _: None) -> Outcome:
        """Perform a plan and note it in the audit log, whatever it came to.

        Raises:
            PlanFailedError: a step failed; what was done before is undone.
        """
        began = self._now()
        try:
            outcome = perform(plan, watch)
        except PlanFailedError as error:
            self.store.audit(_entry(error.outcome, began))
            raise
        self.store.audit(_entry(outcome, began))
        return outcome

    def close(self) -> None:
        """Note the next thin id for the original's sake, and let go of the lock."""
        if self._lock is None:
            return
        state = self.store.read_state()
        if state is not None and state.next_device_id != self.plans.state.ids.last:
            self.store.write_state(replace(state, next_device_id=self.plans.state.ids.last))
        self._lock.release()


def open_engine(
    machine: Machine,
    directory: str,
    options: Options,
    *,
    recovering: bool = True,
    durable: DurableFiles | None = None,
    now: Callable[[], float] = time.time,
) -> Engine:
    """Lock a graph directory, recover what the last writer left, and load its records.

    For a dry run, without `recovering`, nothing is locked, mended or written: what is planned then is what would be
    done after the recovery of the next start.

    Raises:
        InUseError: another process changes it, or a dockerd runs on it.
        MissingError: there is no such directory.
        MachineError: the machine refuses.
    """
    graph = open_graph(machine.files, directory)
    store = RecordStore(graph, machine.files, durable or DurableFiles())
    ruling = rule(options, deferred_removal_supported=machine.device_mapper.deferred_removal_supported())
    pool = PoolLink(machine.device_mapper, pool_name(graph, options))
    if recovering:
        _refuse_beside_docker(machine, graph)
    lock, recovered = _lock_and_recover(store, pool, now()) if recovering else (None, [])
    try:
        state, broken = _load(store, graph)
    except BaseException:
        if lock is not None:
            lock.release()
        raise
    plans = DevicePlans(
        store, pool, state, min_free_percent=options.min_free_percent, deferred_deletion=ruling.deferred_deletion
    )
    return Engine(store, pool, plans, tuple(recovered), broken, lock, now)


def _refuse_beside_docker(machine: Machine, graph: Graph) -> None:
    """A running dockerd keeps its records in memory: whoever changes them under it loses data."""
    root = str(PurePosixPath(graph.directory).parent)
    running = machine.processes.using("dockerd", root)
    if running:
        pids = ", ".join(str(process.pid) for process in running)
        raise InUseError(
            f"graph directory {graph.directory}",
            f"is in use by dockerd, process {pids}",
            "stop it first; watching goes on",
        )


def _lock_and_recover(store: RecordStore, pool: PoolLink, moment: float) -> tuple[Lock, list[str]]:
    store.make_directories()
    since = datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
    lock = store.durable.lock(store.lock_path, f"process {os.getpid()} since {since}\n")
    try:
        return lock, recover(store, pool)
    except BaseException:
        lock.release()
        raise


def _load(store: RecordStore, graph: Graph) -> tuple[DeviceSetState, tuple[str, ...]]:
    records = read_records(graph.records_directory)
    # A parent without a record is one whose device is gone: its children still name it truly. A child without one is
    # what a kill left of an undone creation.
    parents = {name: parent for name, parent in store.read_parents().items() if name in records.devices}
    state = store.read_state()
    taken = (record.device_id for record in records.devices.values())
    ids = ThinIds(taken, state.next_device_id if state else 0)
    return DeviceSetState(dict(records.devices), parents, ids), records.broken


def _entry(outcome: Outcome, began: float) -> dict[str, Any]:
    return {
        "when": datetime.fromtimestamp(began, UTC).isoformat(timespec="milliseconds"),
        "who": getpass.getuser() if hasattr(os, "getuid") else "",
        "pid": os.getpid(),
        "operation": outcome.plan.operation,
        "object": outcome.plan.subject,
        "steps": [step.command or step.text for step in outcome.plan.steps],
        "result": "failed" if outcome.error else "done",
        "error": outcome.error,
        "undone": outcome.undone,
        "seconds": round(outcome.seconds, 6),
    }
