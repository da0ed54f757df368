"""The device set of one graph directory, opened for changing: locked, recovered, and ready to plan and perform."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from dmtui.deviceset.deviceset import DeviceSet, load_state
from dmtui.deviceset.graph import Graph, open_graph, planned_graph
from dmtui.deviceset.intents import Claim, UnfinishedError
from dmtui.deviceset.optionrules import rule
from dmtui.deviceset.options import Options
from dmtui.deviceset.patience import Patience
from dmtui.deviceset.plan import LostLockError, Outcome, Phase, Plan, PlanFailedError, Progress, perform
from dmtui.deviceset.plans import Plans
from dmtui.deviceset.poollink import PoolLink
from dmtui.deviceset.recovery import recover, recover_writer
from dmtui.deviceset.status import pool_name
from dmtui.deviceset.store import RecordStore
from dmtui.deviceset.upkeep import tidy
from dmtui.machine.durable import DurableFiles, InUseError, Lock
from dmtui.machine.protocols import Machine
from dmtui.thinpool.errors import DmtuiError


@dataclass(slots=True)
class Engine:
    """A graph directory with its lock held (for a dry run: without it). Use `open_engine`, and `close` in the end.

    Attributes:
        devices: the device set.
        plans: makes its plans.
        recovered: what the start had to finish or undo, a line each.
    """

    devices: DeviceSet
    plans: Plans
    recovered: tuple[str, ...]
    _lock: Lock | None
    _now: Callable[[], float]
    _left: str = ""
    """The operation that was left half done here: only a new start finishes it, and what follows counts on that."""

    @property
    def store(self) -> RecordStore:
        """The files of the graph directory."""
        return self.devices.store

    def run(self, plan: Plan, watch: Callable[[Progress], None] = lambda _: None) -> Outcome:
        """Perform a plan and note it in the audit log, whatever it came to.

        While a slow step is under way others may work: the lock is let go, the plan's intents keep its devices ours.

        Raises:
            InUseError: another process has one of its devices in work; nothing was done.
            UnfinishedError: something was left half done on one of its devices; nothing was done either.
            PlanFailedError: a step failed; what was done before is undone, or finished at the next start.
        """
        if self._left:
            raise UnfinishedError(
                f"graph directory {self.devices.graph.directory}",
                f"has an unfinished operation: {self._left}",
                "the next command finishes what is left",
            )
        began, claims = self._now(), self._claim(plan)
        self.devices.patience.tell = lambda text: watch(Progress(0, len(plan.steps), text, Phase.NOTED))
        try:
            outcome = perform(plan, watch, self._aside)
        except PlanFailedError as error:
            self._left = f"{plan.operation} of {plan.subject}" if error.outcome.unfinished else ""
            self._end(claims, _let_be if error.outcome.unfinished else self.devices.intents.take_back)
            self.store.audit(_entry(error.outcome, began))
            raise
        except BaseException:
            self._left = f"{plan.operation} of {plan.subject}"
            self._end(claims, _let_be)
            raise
        self._end(claims, self.devices.intents.drop)
        self.store.audit(_entry(outcome, began))
        return outcome

    def close(self) -> None:
        """Note the next thin id for the original's sake, and let go of the lock."""
        if self._lock is None:
            return
        state = self.store.read_state()
        if state.next_device_id != self.devices.state.ids.last:
            self.store.write_state(replace(state, next_device_id=self.devices.state.ids.last))
        self._lock.finish()

    def _claim(self, plan: Plan) -> list[Claim]:
        intents, since = self.devices.intents, _moment(self._now())
        intents.check_free(plan.touches)
        intents.check_finished(plan.builds_on)
        claims: list[Claim] = []
        try:
            for intent in plan.intents:
                claims.append(intents.claim(intent, since))  # noqa: PERF401 - what is claimed is let go on failure
        except BaseException:
            self._end(claims, intents.take_back)
            raise
        return claims

    def _end(self, claims: list[Claim], how: Callable[[Claim], None]) -> None:
        for claim in claims:
            how(claim)

    @contextmanager
    def _aside(self) -> Generator[None]:
        """Let others have the lock meanwhile; where somebody had it, nothing known before is taken for granted."""
        if self._lock is None:
            raise AssertionError("a dry run performs nothing")
        mark = self._lock.finish()
        try:
            yield
        finally:
            lock = self._lock_again()
            if lock.found != mark:
                # Whoever had it meanwhile may have been killed in a transaction: ours would write over it.
                recover_writer(self.devices, _moment(self._now()), killed=bool(lock.earlier))
                self.devices.reload()

    def _lock_again(self) -> Lock:
        directory, why = self.devices.graph.directory, "is kept by another process"
        try:
            taken = self.devices.patience.until(self._take_lock, f"the lock of {directory}")
        except DmtuiError as error:
            taken, why = False, f"cannot be locked again: {error.subject}: {error.happened}"
        if not taken or self._lock is None:
            self._lock = None
            raise LostLockError(directory, why, "see that nobody works on it; the next start goes on")
        return self._lock

    def _take_lock(self) -> bool:
        try:
            self._lock = _lock(self.store, self._now())
        except InUseError:
            return False
        return True


def _let_be(claim: Claim) -> None:
    """Leave an intent to the next start."""
    claim.lock.release()


def open_engine(
    machine: Machine,
    directory: str,
    options: Options,
    *,
    recovering: bool = True,
    making: bool = False,
    durable: DurableFiles | None = None,
    patience: Patience | None = None,
    now: Callable[[], float] = time.time,
) -> Engine:
    """Lock a graph directory, recover what the last writer left, and load its records.

    For a dry run, without `recovering`, nothing is locked, mended or written: what is planned then is what would be
    done after the recovery of the next start. With `making` a directory that does not exist is made, or in a dry run
    taken for made (its names then have inode 0).

    Raises:
        InUseError: another process changes it, or a dockerd runs on it.
        MissingError: there is no such directory.
        BadUsageError: the options contradict each other.
        MachineError: the machine refuses.
    """
    ruling = rule(options, deferred_removal_supported=machine.device_mapper.deferred_removal_supported())
    if making and recovering:
        machine.files.make_directory(directory)
    graph = (planned_graph if making else open_graph)(machine.files, directory)
    store = RecordStore(graph, machine.files, durable or DurableFiles())
    pool = PoolLink(machine.device_mapper, pool_name(graph, options))

    def device_set() -> DeviceSet:
        return DeviceSet(machine, store, pool, options, ruling, patience or Patience(), load_state(store))

    if not recovering:
        devices = device_set()
        return Engine(devices, Plans(devices), (), None, now)
    _refuse_beside_docker(machine, graph)
    store.make_directories()
    lock = _lock(store, now())
    try:
        recovered = tidy(store)
        devices = device_set()
        recovered += recover(devices, _moment(now()), killed=bool(lock.earlier))
        devices.reload()
        if recovered:
            store.audit(_who(now()) | {"operation": "recover", "object": pool.name, "steps": recovered})
    except BaseException:
        lock.release()
        raise
    return Engine(devices, Plans(devices), tuple(recovered), lock, now)


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


def _lock(store: RecordStore, moment: float) -> Lock:
    try:
        return store.durable.lock(store.lock_path, f"process {os.getpid()} since {_moment(moment)}\n")
    except InUseError as error:
        raise InUseError(f"graph directory {store.graph.directory}", error.happened, error.next_step) from None


def _moment(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _who(moment: float) -> dict[str, Any]:
    return {
        "when": datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds"),
        "who": getpass.getuser() if hasattr(os, "getuid") else "",
        "pid": os.getpid(),
    }


def _entry(outcome: Outcome, began: float) -> dict[str, Any]:
    return _who(began) | {
        "operation": outcome.plan.operation,
        "object": outcome.plan.subject,
        "steps": [step.command or step.text for step in outcome.plan.steps],
        "result": "failed" if outcome.error else "done",
        "error": outcome.error,
        "undone": outcome.undone,
        "unfinished": outcome.unfinished,
        "seconds": round(outcome.seconds, 6),
    }
