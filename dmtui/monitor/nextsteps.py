"""What to do about an alert: a few words, and the exact commands of whoever owns the pool.

Where the pool is ours a key of the dashboard does it, too. Of others only what they offer themselves is named; where
they offer nothing, what works on any pool. ``SIZE``, ``SECTORS``, ``FILE``, ``KEY`` and ``DIR`` are for the operator
to fill in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from dmtui.monitor.alertrules import Rule
from dmtui.monitor.sample import Backing, Pool
from dmtui.thinpool.names import Owner
from dmtui.thinpool.status import DiscardPolicy, NoSpacePolicy, PoolMode
from dmtui.thinpool.values import frozen

_DATA_FILE = "/devicemapper/data"
_NO_ROOM_BYTES = 16 * 1024**2
"""A host with less free lets a loop file fail the next writes of its pool."""


@frozen
class NextStep:
    """What to do next.

    Attributes:
        text: what, in a few words that go on after "next:".
        commands: the commands for it, in their order.
        action: the dashboard's action that does it, ``pool_extend`` say; empty where it has none.
        values: what the form of that action begins with, each with its field's name.
        once_down: what is left to do once the pool is gone, where it has to be taken down first; else None.
    """

    text: str
    commands: tuple[str, ...] = ()
    action: str = ""
    once_down: NextStep | None = None
    values: tuple[tuple[str, str], ...] = ()


@frozen
class _Case:
    """A pool with something wrong, and how commands about it are written.

    Attributes:
        pool: as it is now.
        emulated: its machine is: the command names that, and no program is run that looks for a kernel.
    """

    pool: Pool
    emulated: bool

    def dmtui(self, words: str) -> str:
        """A command of ours."""
        return own_command(self.pool, words, emulated=self.emulated)

    def check(self, *, clears: bool) -> str:
        """Looks through the metadata of the pool, which is down; if they are whole it may clear the mark on them."""
        if self.pool.owner == Owner.DMTUI.value:
            return self.dmtui(f"pool check{' --clear-needs-check' if clears else ''}")
        backing = self.pool.metadata_backing
        metadata = backing.loop_file or backing.device or backing.dev
        return f"thin_check {'--clear-needs-check-flag ' if clears else ''}{metadata}"


def next_step(rule: Rule, pool: Pool, *, emulated: bool = False) -> NextStep:
    """What to do about an alert of that rule about a pool as it is now, on a kernel's or on an emulated machine."""
    return _OF_RULE[rule](_Case(pool, emulated))


def own_command(pool: Pool, words: str, *, emulated: bool) -> str:
    """A command of ours about a pool on loop files; an emulated machine's directory holds the graph."""
    graph = graph_of(pool) or "DIR"
    if emulated:
        return f"dmtui --machine emulated --emulated-dir {graph.removesuffix('/devicemapper')} {words}"
    return f"dmtui --graph {graph} {words}"


def graph_of(pool: Pool) -> str:
    """The graph directory that a pool on loop files is of; empty where that cannot be told."""
    path = pool.data_backing.loop_file or ""
    return path.removesuffix(_DATA_FILE) if path.endswith(_DATA_FILE) else ""


def _more_data(case: _Case) -> NextStep:
    return _data_step(case, "extend its data space")


def _data_step(case: _Case, ours: str) -> NextStep:
    """More data space; `ours` is how it is said where its owner can give it."""
    pool = case.pool
    if pool.owner == Owner.DMTUI.value:
        return NextStep(ours, (case.dmtui("pool extend --data SIZE"),), "pool_extend")
    if pool.owner == Owner.LVM.value:
        return NextStep(ours, (f"lvextend --size +SIZE {pool.display_name}",))
    by_hand = (*_grown(pool.data_backing), _longer_table(pool))
    if pool.owner == Owner.DOCKER.value:
        return NextStep("docker system prune, or extend", ("docker system prune", *_docker(case, "--data")))
    if pool.owner == Owner.CONTAINERD.value:
        return NextStep("remove snapshots, or extend by hand", ("ctr snapshots rm KEY", *by_hand))
    return NextStep("extend by hand, or delete devices", by_hand)


def _more_metadata(case: _Case) -> NextStep:
    pool = case.pool
    text = "extend its metadata space"
    if pool.owner == Owner.DMTUI.value:
        return NextStep(text, (case.dmtui("pool extend --metadata SIZE"),), "pool_extend")
    if pool.owner == Owner.LVM.value:
        return NextStep(text, (f"lvextend --poolmetadatasize +SIZE {pool.display_name}",))
    if pool.owner == Owner.DOCKER.value:
        return NextStep("stop Docker, extend its metadata", _docker(case, "--metadata"))
    # Unlike more data, more metadata need no new table: the kernel looks at the device when the pool is resumed.
    resumed = f"dmsetup suspend {pool.name} && dmsetup resume {pool.name}"
    return NextStep(f"{text} by hand", (*_grown(pool.metadata_backing), resumed))


def _host_space(case: _Case) -> NextStep:
    pool = case.pool
    frees = {Owner.DOCKER.value: "docker system prune", Owner.CONTAINERD.value: "ctr snapshots rm KEY"}
    if pool.owner in frees:
        return NextStep("free space on the host, and trim", (frees[pool.owner],))
    if not _can_trim(pool):
        whose = (case.dmtui("emulator host-space SIZE"),) if case.emulated else _host_shown(pool)
        return NextStep("free space on the host", whose)
    if pool.owner == Owner.DMTUI.value:
        return NextStep("trim, and free space on the host", (case.dmtui("pool trim"),), "pool_trim")
    return NextStep("free space on the host, and trim", ("fstrim --all",))


def _can_trim(pool: Pool) -> bool:
    """Whether something may come of it: it gives back what mounted file systems have free, through a sound pool."""
    sound = pool.mode in (None, PoolMode.READ_WRITE.value, PoolMode.OUT_OF_DATA_SPACE.value)
    passes_down = pool.discard_policy in (None, DiscardPolicy.PASSDOWN.value)
    return sound and passes_down and any(device.mounted_at != () for device in pool.devices)


def _host_shown(pool: Pool) -> tuple[str, ...]:
    """The command that tells of the full file system, where one lies below the pool."""
    file = pool.data_backing.loop_file or pool.metadata_backing.loop_file
    return (f"df --human-readable {file}",) if file else ()


def _of_mode(case: _Case) -> NextStep:
    pool = case.pool
    if pool.mode == PoolMode.OUT_OF_DATA_SPACE.value:
        waits = pool.no_space_policy == NoSpacePolicy.QUEUE.value
        return _data_step(case, "extend it while writes wait" if waits else "extend it, then fsck what failed")
    if pool.mode == PoolMode.FAIL.value:
        return _taken_down(case, clears=False)
    if pool.mode == PoolMode.READ_ONLY.value:
        return _check(case) if pool.needs_check else _more_metadata(case)
    asked = (f"dmsetup status --noflush {pool.name}", "dmesg --level err,warn")
    return _on_its_host(NextStep("see what the kernel says", asked), case)


def _check(case: _Case) -> NextStep:
    return _taken_down(case, clears=True)


def _taken_down(case: _Case, *, clears: bool) -> NextStep:
    """Nobody uses the pool, its metadata are checked, it comes back; with no room on its host it would break again."""
    step = _checked(case, clears=clears)
    frees = _host_space(case).commands if _is_host_full(case.pool) else ()
    if not frees:
        return step
    return replace(step, text="free space on the host, then check it", commands=(*frees, *step.commands), action="")


def _is_host_full(pool: Pool) -> bool:
    free = (pool.data_backing.host_free_bytes, pool.metadata_backing.host_free_bytes)
    return any(each is not None and each < _NO_ROOM_BYTES for each in free)


def _checked(case: _Case, *, clears: bool) -> NextStep:
    pool, check = case.pool, case.check(clears=clears)
    text, rest = "take it down, check its metadata", "check its metadata, bring it back"
    if pool.owner == Owner.DMTUI.value:
        commands, values = (check, case.dmtui("pool create")), (("clear", "yes"),) if clears else ()
        left = NextStep(rest, commands, "pool_check", values=values)
        return _before(left, text, case.dmtui("pool remove"), action="pool_remove")
    if pool.owner == Owner.LVM.value:  # its activation runs thin_check, which clears the mark where all is well
        name = pool.display_name
        left = NextStep("repair it, activate it", (f"lvconvert --repair {name}", f"lvchange --activate y {name}"))
        return _before(left, "deactivate all of it, then repair", f"lvchange --activate n {name}")
    service = {Owner.DOCKER.value: "docker", Owner.CONTAINERD.value: "containerd"}.get(pool.owner)
    if service is None:
        left = NextStep("check its metadata, load it anew", (check,))
        return _before(left, "take it down, check it, load it anew", f"dmsetup remove {pool.name}")
    stop, start = (f"systemctl {word} {service}" for word in ("stop", "start"))
    return _before(NextStep(rest, (check, start)), text, stop, f"dmsetup remove {pool.name}")


def _before(left: NextStep, text: str, *down: str, action: str = "") -> NextStep:
    """What takes a pool down, with what is left to do then: what told of it has gone with the pool."""
    return NextStep(text, (*down, *left.commands), action, left)


def _of_data_file(case: _Case) -> NextStep:
    return _on_its_host(_of_file(case.pool.data_backing), case)


def _of_metadata_file(case: _Case) -> NextStep:
    return _on_its_host(_of_file(case.pool.metadata_backing), case)


def _on_its_host(step: NextStep, case: _Case) -> NextStep:
    """An emulated machine has no programs: typed in a shell they would look for devices of the machine it runs on."""
    return replace(step, commands=()) if case.emulated else step


def _of_file(backing: Backing) -> NextStep:
    loop = backing.device or backing.dev
    if backing.loop_file_deleted:
        text = "stop its users, save it now"
        return NextStep(text, (f"dd if={loop} of=FILE bs=1M conv=sparse",))
    if backing.loop_file_missing:
        return NextStep("find out where the file is now", (f"losetup --list {loop}",))
    detached = tuple(f"losetup --detach {other}" for other in backing.loop_file_also_on)
    return NextStep("detach the one that nothing uses", detached)


def _resume(case: _Case) -> NextStep:
    step = NextStep("resume it, unless work goes on", (f"dmsetup resume {case.pool.name}",))
    return _on_its_host(step, case)


def _docker(case: _Case, option: str) -> tuple[str, ...]:
    """Extending a pool that Docker's own driver made: it cannot itself, our engine can over the same files."""
    return ("systemctl stop docker", case.dmtui(f"pool extend {option} SIZE"), "systemctl start docker")


def _grown(backing: Backing) -> tuple[str, ...]:
    """A longer device below the pool; of one that is no loop device only its owner knows how."""
    if backing.loop_file is None:
        return ()
    return (f"truncate --size SIZE {backing.loop_file} && losetup --set-capacity {backing.device or backing.dev}",)


def _longer_table(pool: Pool) -> str:
    """The same table with another length, loaded and taken into use."""
    longer = f"dmsetup table {pool.name} | sed 's/^0 [0-9]*/0 SECTORS/' | dmsetup load {pool.name}"
    return f"{longer} && dmsetup resume {pool.name}"


_OF_RULE: Mapping[Rule, Callable[[_Case], NextStep]] = {
    Rule.DATA: _more_data,
    Rule.METADATA: _more_metadata,
    Rule.DATA_END: _more_data,
    Rule.METADATA_END: _more_metadata,
    Rule.HOST_END: _host_space,
    Rule.HOST_DEBT: _host_space,
    Rule.MODE: _of_mode,
    Rule.NEEDS_CHECK: _check,
    Rule.DATA_FILE: _of_data_file,
    Rule.METADATA_FILE: _of_metadata_file,
    Rule.SUSPENDED: _resume,
}
