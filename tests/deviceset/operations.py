"""Every operation of the engine, for the tests that kill it: what is there before, what is done, on both machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dmtui.deviceset.engine import Engine
from dmtui.deviceset.reaping import reap
from dmtui.deviceset.store import MountCount
from dmtui.thinpool.errors import DmtuiError
from tests.deviceset.sites import EXTERNAL_POOL, MIB, Site


def _nothing(_: Site) -> None:
    """A device set with its base device is all there has to be."""


@dataclass(frozen=True)
class Operation:
    """One operation. It is undone when the picture is the one before it, whole when it is that after a whole run.

    Attributes:
        perform: does it, by an engine that was opened for it.
        prepare: what is there before.
        options: beyond those that the device set was made with.
        starts: it is a start, so that it makes the directory.
        fresh: there is nothing before.
        mends: something is wrong before, and nothing afterwards.
        external: it is about a pool that somebody else has made.
        revive: what somebody else does after a reboot.
    """

    perform: Callable[[Engine], None]
    prepare: Callable[[Site], None] = _nothing
    options: tuple[str, ...] = ()
    starts: bool = False
    fresh: bool = False
    mends: bool = False
    external: bool = False
    revive: Callable[[Site], None] = _nothing


def _do(name: str, *arguments, **named) -> Callable[[Engine], None]:
    def perform(engine: Engine) -> None:
        engine.run(getattr(engine.plans, name)(*arguments, **named))

    return perform


def _prepared(*performed: Callable[[Engine], None], hold: str | None = None, then=(), let_go: bool = False):
    """Perform some operations, let somebody open a device, perform others, let him go again."""

    def prepare(site: Site) -> None:
        engine = site.engine()
        for perform in performed:
            perform(engine)
        if hold is not None:
            site.hold(hold)
        for perform in then:
            perform(engine)
        if let_go:
            site.let_go()
        engine.close()

    return prepare


def _shut_down(site: Site) -> None:
    """As after a reboot: files are there, devices are not."""
    if site.machine.kind == "emulated":
        site.machine.reboot()
    else:
        site.machine.device_mapper.remove(site.graph.prefix.pool_name)


def _check(engine: Engine) -> None:
    check = engine.plans.check()
    engine.run(check.plan)
    assert check.result is not None
    assert check.result.sound


def _remove_pool_by_force(engine: Engine) -> None:
    """It goes as far as it can, and says who keeps the rest."""
    with suppress(DmtuiError):
        engine.run(engine.plans.remove_pool(force=True))


def _reconcile(engine: Engine) -> None:
    inspection = engine.plans.inspect()
    engine.run(inspection.plan)
    assert inspection.result is not None
    engine.run(engine.plans.reconcile(inspection.result, delete_orphans=True))


def _reconcile_twice(engine: Engine) -> None:
    """What is deactivated first is an orphan then."""
    _reconcile(engine)
    _reconcile(engine)


def _with_dead_record(site: Site) -> None:
    _prepared(_OLD)(site)
    site.pool.message(f"delete {site.id_of('old')}")


def _with_old_count(site: Site) -> None:
    """A kernel gives the number of a mount that has gone to the next one, also after a reboot."""
    _prepared(_OLD, _do("mount", "old"))(site)
    last = site.store.read_mount_counts()["old"].mount_id
    _prepared(_do("unmount", "old"))(site)
    coming = last + (site.machine.kind == "emulated")
    site.store.write_mount_counts({"old": MountCount(3, coming)})


def _with_orphan(site: Site) -> None:
    site.pool.message("create_thin 77")


def _with_unrecorded_node(site: Site) -> None:
    _prepared(_OLD, _do("activate", "old"))(site)
    Path(site.store.record_path("old")).unlink()
    site.store.write_parents({})


def _with_broken_files(site: Site) -> None:
    _prepared(_OLD, _do("create", "lost"))(site)
    site.store.write_parents({"old": ""})
    Path(site.store.record_path("lost")).write_text('{"device_id":')
    Path(site.store.mounts_path).write_text("[]")
    site.pool.message("delete 3")


def _with_old_release_s_records(site: Site) -> None:
    """One file for all devices, as before 0.12."""
    _prepared(_OLD, _do("create", "older"))(site)
    names = {"": "base", "old": "old", "older": "older"}
    paths = {name: Path(site.store.record_path(name)) for name in names}
    devices = {name: json.loads(path.read_text()) for name, path in paths.items()}
    Path(site.directory, "devicemapper").mkdir(exist_ok=True)
    Path(site.directory, "devicemapper", "json").write_text(json.dumps({"Devices": devices}))
    for path in paths.values():
        path.unlink()


_START = _do("start", "now")
_OLD = _do("create", "old")

OPERATIONS: dict[str, Operation] = {
    "start on an empty directory": Operation(_START, starts=True, fresh=True),
    "start on given devices": Operation(
        _START,
        Site.give_devices,
        ("dm.datadev={data}", "dm.metadatadev={metadata}"),
        starts=True,
        fresh=True,
        revive=Site.give_devices,
    ),
    "start on a pool of somebody else": Operation(
        _START,
        Site.give_pool,
        (f"dm.thinpooldev=/dev/mapper/{EXTERNAL_POOL}",),
        starts=True,
        fresh=True,
        external=True,
        revive=Site.give_pool,
    ),
    "start after a reboot": Operation(_START, _shut_down, starts=True),
    "start with a larger dm.basesize": Operation(_START, options=("dm.basesize=48M",), starts=True),
    "start after a reboot with larger files and base": Operation(
        _START, _shut_down, ("dm.basesize=48M", "dm.loopdatasize=320M"), starts=True
    ),
    "create": Operation(_do("create", "new")),
    "create of an active parent": Operation(_do("create", "new", "old"), _prepared(_OLD, _do("activate", "old"))),
    "create of an active parent that is to go": Operation(
        _do("create", "new", "old"),
        _prepared(_OLD, _do("activate", "old"), hold="old", then=[_do("deactivate", "old", deferred=True)]),
    ),
    "create from another parent": Operation(_do("create", "new", "old"), _prepared(_OLD)),
    "create with a larger size": Operation(_do("create", "new", "", 48 * MIB)),
    "activate": Operation(_do("activate", "old"), _prepared(_OLD)),
    "deactivate": Operation(_do("deactivate", "old"), _prepared(_OLD, _do("activate", "old"))),
    "mount": Operation(_do("mount", "old"), _prepared(_OLD)),
    "mount of an active device": Operation(_do("mount", "old"), _prepared(_OLD, _do("activate", "old"))),
    "mount where an old count speaks of the same mount": Operation(_do("mount", "old"), _with_old_count),
    "mount again": Operation(_do("mount", "old"), _prepared(_OLD, _do("mount", "old"))),
    "unmount": Operation(_do("unmount", "old"), _prepared(_OLD, _do("mount", "old"), _do("mount", "old"))),
    "last unmount": Operation(_do("unmount", "old"), _prepared(_OLD, _do("mount", "old"))),
    "last unmount of one held by somebody else": Operation(
        _do("unmount", "old"), _prepared(_OLD, _do("mount", "old"), hold="old")
    ),
    "remove": Operation(_do("remove", "old"), _prepared(_OLD)),
    "remove of a parent": Operation(_do("remove", "old"), _prepared(_OLD, _do("create", "child", "old"))),
    "remove while active": Operation(_do("remove", "old"), _prepared(_OLD, _do("activate", "old"))),
    "remove of one held by somebody else": Operation(
        _do("remove", "old"), _prepared(_OLD, _do("activate", "old"), hold="old")
    ),
    "reap": Operation(
        lambda engine: reap(engine) and None,
        _prepared(_OLD, _do("activate", "old"), hold="old", then=[_do("remove", "old")], let_go=True),
    ),
    "extend data": Operation(_do("extend", 320 * MIB)),
    "extend metadata": Operation(_do("extend", None, 8 * MIB)),
    "extend both while in use": Operation(_do("extend", 320 * MIB, 8 * MIB), _prepared(_OLD, _do("mount", "old"))),
    "trim mounted devices": Operation(
        _do("trim"), _prepared(_OLD, _do("create", "two"), _do("mount", "old"), _do("mount", "two"))
    ),
    "trim an inactive pool": Operation(_do("trim"), _shut_down),
    "remove pool": Operation(
        _do("remove_pool"),
        _prepared(_OLD, _do("create", "two"), _do("mount", "old"), _do("mount", "old"), _do("activate", "two")),
    ),
    "remove pool by force while a device is held": Operation(
        _remove_pool_by_force, _prepared(_OLD, _do("mount", "old"), hold="old")
    ),
    "check": Operation(_check),
    "check an inactive pool": Operation(_check, _shut_down),
    "reconcile a record whose thin id is gone": Operation(_reconcile, _with_dead_record, mends=True),
    "reconcile a thin id without a record": Operation(_reconcile, _with_orphan, mends=True),
    "reconcile an active device without a record": Operation(_reconcile_twice, _with_unrecorded_node, mends=True),
    "put broken files away": Operation(lambda _: None, _with_broken_files, mends=True),
    "migrate an old release's records": Operation(lambda _: None, _with_old_release_s_records),
}
