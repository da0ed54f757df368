"""What to do about an alert: a few words, and the exact commands of whoever owns the pool.

Where the pool is ours a key of the dashboard does it, too. Of others only what they offer themselves is named; where
they offer nothing, what works on any pool. ``SIZE``, ``SECTORS``, ``FILE``, ``KEY`` and ``DIR`` are for the operator
to fill in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dmtui.monitor.alertrules import Rule
from dmtui.monitor.sample import Backing, Pool
from dmtui.thinpool.names import Owner
from dmtui.thinpool.status import NoSpacePolicy, PoolMode
from dmtui.thinpool.values import frozen

_DATA_FILE = "/devicemapper/data"


@frozen
class NextStep:
    """What to do next.

    Attributes:
        text: what, in a few words that go on after "next:".
        commands: the commands for it, in their order.
        action: the dashboard's action that does it, ``pool_extend`` say; empty where it has none.
    """

    text: str
    commands: tuple[str, ...] = ()
    action: str = ""


def next_step(rule: Rule, pool: Pool, *, emulated: bool = False) -> NextStep:
    """What to do about an alert of that rule about a pool as it is now, on a kernel's or on an emulated machine."""
    step = _OF_RULE[rule](pool)
    if not emulated:
        return step
    return NextStep(step.text, tuple(_emulated(each, graph_of(pool)) for each in step.commands), step.action)


def _emulated(command: str, graph: str) -> str:
    """The command that does on an emulated machine what one does on a real one; the graph lies in its directory."""
    ours = f"dmtui --machine emulated --emulated-dir {graph.removesuffix('/devicemapper') or 'DIR'} "
    named, clears = f"dmtui --graph {graph or 'DIR'} ", "thin_check --clear-needs-check-flag "
    if command.startswith(clears):
        return f"{ours}emulator fault clear-needs-check {command.removeprefix(clears)}"
    if command.startswith("thin_check "):
        return f"{ours}pool check"
    return ours + command.removeprefix(named) if command.startswith(named) else command


def graph_of(pool: Pool) -> str:
    """The graph directory that a pool on loop files is of; empty where that cannot be told."""
    path = pool.data_backing.loop_file or ""
    return path.removesuffix(_DATA_FILE) if path.endswith(_DATA_FILE) else ""


def _more_data(pool: Pool) -> NextStep:
    return _data_step(pool, "extend its data space")


def _data_step(pool: Pool, ours: str) -> NextStep:
    """More data space; `ours` is how it is said where its owner can give it."""
    if pool.owner == Owner.DMTUI.value:
        return NextStep(ours, (_dmtui(pool, "pool extend --data SIZE"),), "pool_extend")
    if pool.owner == Owner.LVM.value:
        return NextStep(ours, (f"lvextend --size +SIZE {pool.display_name}",))
    by_hand = (*_grown(pool.data_backing), _longer_table(pool))
    if pool.owner == Owner.DOCKER.value:
        return NextStep("docker system prune, or extend", ("docker system prune", *_docker(pool, "--data")))
    if pool.owner == Owner.CONTAINERD.value:
        return NextStep("remove snapshots, or extend by hand", ("ctr snapshots rm KEY", *by_hand))
    return NextStep("extend by hand, or delete devices", by_hand)


def _more_metadata(pool: Pool) -> NextStep:
    text = "extend its metadata space"
    if pool.owner == Owner.DMTUI.value:
        return NextStep(text, (_dmtui(pool, "pool extend --metadata SIZE"),), "pool_extend")
    if pool.owner == Owner.LVM.value:
        return NextStep(text, (f"lvextend --poolmetadatasize +SIZE {pool.display_name}",))
    if pool.owner == Owner.DOCKER.value:
        return NextStep("stop Docker, extend its metadata", _docker(pool, "--metadata"))
    # Unlike more data, more metadata need no new table: the kernel looks at the device when the pool is resumed.
    resumed = f"dmsetup suspend {pool.name} && dmsetup resume {pool.name}"
    return NextStep(f"{text} by hand", (*_grown(pool.metadata_backing), resumed))


def _host_space(pool: Pool) -> NextStep:
    if pool.owner == Owner.DMTUI.value:
        return NextStep("trim, and free space on the host", (_dmtui(pool, "pool trim"),), "pool_trim")
    frees = {Owner.DOCKER.value: "docker system prune", Owner.CONTAINERD.value: "ctr snapshots rm KEY"}
    return NextStep("free space on the host, and trim", (frees.get(pool.owner, "fstrim --all"),))


def _of_mode(pool: Pool) -> NextStep:
    if pool.mode == PoolMode.OUT_OF_DATA_SPACE.value:
        waits = pool.no_space_policy == NoSpacePolicy.QUEUE.value
        return _data_step(pool, "extend it while writes wait" if waits else "extend it, then fsck what failed")
    if pool.mode == PoolMode.FAIL.value:
        return _taken_down(pool, "take it down, check its metadata", "thin_check")
    if pool.mode == PoolMode.READ_ONLY.value:
        return _check(pool) if pool.needs_check else _more_metadata(pool)
    return NextStep("see what the kernel says", (f"dmsetup status --noflush {pool.name}", "dmesg --level err,warn"))


def _check(pool: Pool) -> NextStep:
    return _taken_down(pool, "take it down, check its metadata", "thin_check --clear-needs-check-flag")


def _taken_down(pool: Pool, text: str, check: str) -> NextStep:
    """Nobody uses the pool, its metadata are checked, it comes back."""
    metadata = pool.metadata_backing.loop_file or pool.metadata_backing.device or pool.metadata_backing.dev
    checks = f"{check} {metadata}"
    if pool.owner == Owner.DMTUI.value:
        commands = (_dmtui(pool, "pool remove"), checks, _dmtui(pool, "pool create"))
        return NextStep(text, commands, "pool_remove")
    if pool.owner == Owner.LVM.value:  # its activation runs thin_check, which clears the mark where all is well
        name = pool.display_name
        repair = (f"lvchange --activate n {name}", f"lvconvert --repair {name}", f"lvchange --activate y {name}")
        return NextStep("deactivate all of it, then repair", repair)
    service = {Owner.DOCKER.value: "docker", Owner.CONTAINERD.value: "containerd"}.get(pool.owner)
    if service is None:
        return NextStep("take it down, check it, load it anew", (f"dmsetup remove {pool.name}", checks))
    stop, start = (f"systemctl {word} {service}" for word in ("stop", "start"))
    return NextStep(text, (stop, f"dmsetup remove {pool.name}", checks, start))


def _of_data_file(pool: Pool) -> NextStep:
    return _of_file(pool.data_backing)


def _of_metadata_file(pool: Pool) -> NextStep:
    return _of_file(pool.metadata_backing)


def _of_file(backing: Backing) -> NextStep:
    loop = backing.device or backing.dev
    if backing.loop_file_deleted:
        text = "stop its users, save it now"
        return NextStep(text, (f"dd if={loop} of=FILE bs=1M conv=sparse",))
    if backing.loop_file_missing:
        return NextStep("find out where the file is now", (f"losetup --list {loop}",))
    detached = tuple(f"losetup --detach {other}" for other in backing.loop_file_also_on)
    return NextStep("detach the one that nothing uses", detached)


def _resume(pool: Pool) -> NextStep:
    return NextStep("resume it, unless work goes on", (f"dmsetup resume {pool.name}",))


def _dmtui(pool: Pool, words: str) -> str:
    return f"dmtui --graph {graph_of(pool) or 'DIR'} {words}"


def _docker(pool: Pool, option: str) -> tuple[str, ...]:
    """Extending a pool that Docker's own driver made: it cannot itself, our engine can over the same files."""
    return ("systemctl stop docker", _dmtui(pool, f"pool extend {option} SIZE"), "systemctl start docker")


def _grown(backing: Backing) -> tuple[str, ...]:
    """A longer device below the pool; of one that is no loop device only its owner knows how."""
    if backing.loop_file is None:
        return ()
    return (f"truncate --size SIZE {backing.loop_file} && losetup --set-capacity {backing.device or backing.dev}",)


def _longer_table(pool: Pool) -> str:
    """The same table with another length, loaded and taken into use."""
    longer = f"dmsetup table {pool.name} | sed 's/^0 [0-9]*/0 SECTORS/' | dmsetup load {pool.name}"
    return f"{longer} && dmsetup resume {pool.name}"


_OF_RULE: Mapping[Rule, Callable[[Pool], NextStep]] = {
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
