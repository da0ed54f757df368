"""Automatic direct-lvm: its parameters, what may be taken, what is made, and that all of it is undone."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from dmtui.deviceset.directlvm import DirectLvm, read_setup
from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.graph import open_graph
from dmtui.deviceset.optionrules import rule
from dmtui.deviceset.options import parse_options
from dmtui.deviceset.plan import PlanFailedError
from dmtui.deviceset.status import pool_name
from dmtui.deviceset.store import RecordStore
from dmtui.machine.durable import DurableFiles, Lock
from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import MachineError
from dmtui.machine.filesystems import Mount
from dmtui.thinpool.errors import BadUsageError, DmtuiError, MissingError
from tests.deviceset.graphs import MIB, write_record
from tests.deviceset.killing import KilledError, Reaper
from tests.deviceset.lvm import POOL, DivertedFiles, FakeLvm, LvmMachine

BASE = ("dm.basesize=16M", "dm.fs=ext4")
PROFILE = "activation{\nthin_pool_autoextend_threshold=80\nthin_pool_autoextend_percent=20\n}"


class Host:
    """An emulated machine with an empty disk and LVM's tools, and a graph directory to be."""

    def __init__(self, home: Path):
        self.home = home
        self.emulated = EmulatedMachine.open(home)
        self.emulated.files.make_directory(str(home))
        self.emulated.files.make_sparse_file(str(home / "disk"), 1024 * MIB)
        self.disk = self.emulated.loops.attach(str(home / "disk"), autoclear=False).path
        self.lvm = FakeLvm(self.emulated, home)
        self.machine = LvmMachine(self.emulated, self.lvm)
        self.durable = DivertedFiles(home / "profiles")
        self.graph = str(home / "graph")
        self.profile = home / "profiles/docker-thinpool.profile"
        self.config = home / "graph/setup-config.json"

    def open(self, *options: str, **named):
        texts = [f"dm.directlvm_device={self.disk}", *BASE, *options]
        named = {"making": True, "durable": self.durable, **named}
        return open_engine(named.pop("machine", self.machine), self.graph, parse_options(texts), **named)

    def start(self, *options: str, **named) -> None:
        engine = self.open(*options, **named)
        try:
            engine.run(engine.plans.start("now"))
        finally:
            engine.close()

    def plan(self, *options: str, **named):
        engine = self.open(*options, **named)
        try:
            return engine.plans.start("now")
        finally:
            engine.close()

    def stop(self) -> None:
        """As after a reboot that did not activate the pool."""
        self.emulated.device_mapper.remove(POOL)

    @property
    def clean(self) -> bool:
        """Nothing of an attempt is left."""
        intents = Path(self.graph, "dmtui/work")
        left = [*intents.iterdir()] if intents.exists() else []
        records = Path(self.graph, "metadata/base")
        return self.lvm.empty and not (self.profile.exists() or self.config.exists() or records.exists() or left)


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path / "machine")
    yield host
    host.emulated.close()


def test_the_plan_names_the_very_command_lines(host):
    plan = host.plan("dm.thinp_percent=90", "dm.thinp_metapercent=2%")
    tag = open_graph(host.emulated.files, host.graph).prefix
    assert [step.command for step in plan.steps if step.command][:7] == [
        f"pvcreate --force {host.disk}",
        f"vgcreate --addtag {tag} docker {host.disk}",
        "lvcreate --yes --wipesignatures y --name thinpool --extents 90%VG docker",
        "lvcreate --yes --wipesignatures y --name thinpoolmeta --extents 2%VG docker",
        "lvconvert --yes --zero n --chunksize 512K --thinpool docker/thinpool --poolmetadata docker/thinpoolmeta",
        "lvchange --metadataprofile docker-thinpool docker/thinpool",
        "lvchange --monitor y docker/thinpool",
    ]
    assert host.lvm.changes == []
    assert host.clean


def test_the_operator_is_told_what_is_lost_and_that_monitoring_is_new(host):
    notices = "\n".join(host.plan().notices)
    assert f"{host.disk} is given to LVM: what is on it is lost" in notices
    assert "once it is 80% full it grows by 20%, while the group has room" in notices
    assert "which the original leaves to the operator" in notices


def test_a_start_makes_the_pool_and_devices_live_in_it(host):
    host.start()
    assert host.lvm.groups.keys() == {"docker"}
    assert (host.lvm.profiles, host.lvm.monitored) == ({"docker-thinpool"}, {"docker/thinpool"})
    assert host.profile.read_text() == PROFILE
    assert host.profile.stat().st_mode & 0o777 == 0o600
    engine = host.open()
    assert engine.devices.pool.name == POOL
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.activate("one"))
    engine.run(engine.plans.remove("one"))
    engine.close()


def test_the_parameters_are_kept_as_they_were_typed_in_the_keys_of_the_original(host):
    host.start("dm.thinp_percent=90%", "dm.thinp_metapercent=2", "dm.thinp_autoextend_threshold=0")
    assert host.config.read_text() == (
        f'{{"Device":"{host.disk}","ThinpPercent":90,"ThinpMetaPercent":2,'
        '"AutoExtendPercent":0,"AutoExtendThreshold":0}'
    )
    assert host.config.stat().st_mode & 0o777 == 0o600


def test_a_second_start_asks_lvm_for_nothing(host):
    host.start()
    host.lvm.lines.clear()
    host.start()
    assert host.lvm.lines == []


def test_spelling_out_a_default_is_no_change(host):
    """The original stores 0 for what was left out, and takes the default, typed later, for a change."""
    host.start()
    defaults = ("dm.thinp_percent=95", "dm.thinp_metapercent=1%", "dm.thinp_autoextend_percent=20")
    host.start(*defaults, "dm.thinp_autoextend_threshold=80", "dm.directlvm_device_force=true")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("dm.thinp_percent=90", "dm.thinp_metapercent=1"),
            "dm.thinp_percent: is 90%, but the pool was set up with 95%",
        ),
        (("dm.thinp_percent=95", "dm.thinp_metapercent=2"), "dm.thinp_metapercent: is 2%, but .* with 1%"),
        (("dm.thinp_autoextend_percent=30",), "dm.thinp_autoextend_percent: is 30%, but .* with 20%"),
        (("dm.thinp_autoextend_threshold=70",), "dm.thinp_autoextend_threshold: is 70%, but .* with 80%"),
        (("dm.directlvm_device=/dev/sdz",), "dm.directlvm_device: is /dev/sdz, but .* with /dev/loop0"),
    ],
)
def test_a_changed_parameter_is_refused_naming_old_and_new(host, options, words):
    host.start()
    with pytest.raises(BadUsageError, match=words):
        host.plan(*options)


def test_another_name_of_the_same_device_is_no_change(host):
    host.start()
    host.plan(f"dm.directlvm_device=/dev/.{host.disk.removeprefix('/dev')}")


def test_an_inactive_pool_is_not_built_anew(host):
    host.start()
    host.stop()
    with pytest.raises(MissingError, match="lvchange -ay docker/thinpool"):
        host.plan()


def test_a_graph_that_was_set_up_so_is_not_given_loop_files_for_want_of_the_option(host):
    host.start()
    with pytest.raises(DmtuiError, match=f"give dm.directlvm_device={host.disk}, or dm.thinpooldev=docker-thinpool"):
        open_engine(host.machine, host.graph, parse_options(BASE), recovering=False).plans.start("now")
    options = parse_options([*BASE, "dm.thinpooldev=docker-thinpool"])
    open_engine(host.machine, host.graph, options, recovering=False).plans.start("now")


def test_without_lvm_s_tools_nothing_is_begun(host):
    """The emulated machine as it is."""
    with pytest.raises(DmtuiError, match=r"needs pvcreate, .*; install lvm2, or"):
        host.plan(machine=host.emulated)
    assert host.clean
    assert host.emulated.device_mapper.list_devices() == ()


@pytest.mark.parametrize(
    ("absent", "packages"),
    [
        ({"lvconvert"}, "install lvm2, or"),
        ({"thin_check"}, "install thin-provisioning-tools, or"),
        ({"vgs", "thin_check"}, "install lvm2 and thin-provisioning-tools, or"),
    ],
)
def test_missing_tools_are_named_with_their_packages(host, absent, packages):
    host.lvm.absent = absent
    with pytest.raises(DmtuiError, match=packages) as caught:
        host.plan()
    assert all(name in str(caught.value) for name in absent)


def missing(host):
    host.disk = "/dev/sdz"


def plain_file(host):
    host.disk = str(host.home / "disk")


def small(host):
    host.emulated.files.make_sparse_file(str(host.home / "small"), 128 * MIB)
    host.disk = host.emulated.loops.attach(str(host.home / "small"), autoclear=False).path


def mounted(host):
    dev = host.emulated.files.identify(host.disk).rdev
    host.machine.mounted.append(Mount(99, "/srv/photos", dev, "xfs", ()))


def in_a_group(host):
    host.lvm.volumes[host.disk] = "vg-photos"


def group_exists(host):
    host.lvm.groups["docker"] = set()


def pool_exists(host):
    host.lvm.logical |= {"x/a", "x/b"}
    host.lvm._lvconvert("--thinpool", "x/a", "--poolmetadata", "x/b")


def has_records(host):
    host.emulated.files.make_directory(f"{host.graph}/metadata")
    fields = {"device_id": 1, "size": 16 * MIB, "transaction_id": 1, "initialized": True, "deleted": False}
    write_record(open_graph(host.emulated.files, host.graph), "base", **fields)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (missing, "does not exist"),
        (plain_file, "is no block device"),
        (small, r"has 134.2 MB, of which 1% is less than an extent of LVM"),
        (mounted, "is mounted at /srv/photos"),
        (in_a_group, "is in the volume group vg-photos"),
        (group_exists, "volume group docker: exists already, .*dm.thinpooldev=docker-thinpool"),
        (pool_exists, "pool docker-thinpool: exists already"),
        (has_records, "has records of 1 devices"),
    ],
)
@pytest.mark.parametrize("force", [(), ("dm.directlvm_device_force=true",)])
def test_what_is_in_the_way_is_named_forced_or_not(host, stage, words, force):
    stage(host)
    with pytest.raises(DmtuiError, match=words):
        host.plan(*force)
    assert host.lvm.changes == []


def test_what_the_device_carries_is_named_and_lost_only_when_forced(host):
    host.lvm.signatures[host.disk] = ["gpt", "xfs"]
    with pytest.raises(DmtuiError, match="carries gpt, xfs"):
        host.plan()
    notices = host.plan("dm.directlvm_device_force=true").notices
    assert f"{host.disk} is given to LVM: what is on it is lost, gpt, xfs" in notices


def test_a_physical_volume_of_no_group_is_taken_and_stays_one_when_that_fails(host):
    """The original leaves one behind where it fails, and refuses it then (issue 35936)."""
    host.lvm.volumes[host.disk] = ""
    assert any("is a physical volume of no group already" in notice for notice in host.plan().notices)
    host.lvm.fails = "vgcreate"
    with pytest.raises(PlanFailedError):
        host.start()
    assert host.lvm.volumes == {host.disk: ""}
    host.lvm.fails = ""
    host.start()


def test_a_physical_volume_that_lvm_does_not_list_is_somebody_s(host):
    host.lvm.signatures[host.disk] = ["LVM2_member"]
    with pytest.raises(DmtuiError, match="carries LVM2_member"):
        host.plan()


def test_a_check_that_cannot_be_made_is_an_error(host):
    """The original passes over a check whose tool fails."""
    host.lvm.fails = "pvs"
    with pytest.raises(MachineError, match="no luck today"):
        host.plan()


COMMANDS = [
    "pvcreate",
    "vgcreate",
    "lvcreate --yes --wipesignatures y --name thinpool ",
    "lvcreate --yes --wipesignatures y --name thinpoolmeta ",
    "lvconvert",
    "lvchange --metadataprofile",
    "lvchange --monitor",
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("acts", [False, True], ids=["fails", "acts and does not end"])
def test_a_failing_command_is_undone_with_all_before_it_and_a_second_attempt_succeeds(host, command, acts):
    """The original undoes nothing, and falls over its own volume group the next time (issue 35936)."""
    host.lvm.fails, host.lvm.acts = command, acts
    with pytest.raises(PlanFailedError) as caught:
        host.start()
    assert not caught.value.outcome.unfinished
    assert host.clean
    host.lvm.fails = ""
    host.start()


def test_a_failure_long_after_the_setup_is_undone_too(host, monkeypatch):
    def fail(*_):
        raise MachineError("mkfs.ext4", "failed: no luck today")

    monkeypatch.setattr(host.emulated.filesystems, "make", fail)
    with pytest.raises(PlanFailedError) as caught:
        host.start()
    assert not caught.value.outcome.unfinished
    assert host.clean


def test_what_cannot_be_undone_now_is_undone_at_the_next_start(host):
    host.lvm.fails, undone = "lvconvert", "vgremove"
    run = host.lvm.run

    def refuse_both(arguments, **named):
        if arguments[0] == undone:
            raise MachineError(undone, "failed: no luck either")
        return run(arguments, **named)

    host.lvm.run = refuse_both
    with pytest.raises(PlanFailedError) as caught:
        host.start()
    assert caught.value.outcome.unfinished
    host.lvm.run, host.lvm.fails = run, ""
    engine = host.open()
    engine.close()
    assert engine.recovered == (f"the setup of direct-lvm on {host.disk} was undone",)
    assert host.clean


def test_a_pool_that_the_daemon_does_not_watch_is_no_success(host):
    host.lvm.daemon = False
    with pytest.raises(
        PlanFailedError, match=r"install dmeventd, or do without it by dm\.thinp_autoextend_threshold=100"
    ):
        host.start()
    assert host.clean
    never = "dm.thinp_autoextend_threshold=100%"
    assert "LVM never extends the pool" in "\n".join(host.plan(never).notices)
    host.start(never)
    assert host.lvm.monitored == set()


def test_a_profile_of_that_name_is_replaced_and_put_back_when_that_fails(host):
    host.profile.write_text("somebody's")
    assert any("exists and is replaced" in notice for notice in host.plan().notices)
    host.lvm.fails = "lvconvert"
    with pytest.raises(PlanFailedError):
        host.start()
    assert host.profile.read_text() == "somebody's"


def test_percentages_without_room_for_the_spare_metadata_do_without_it(host):
    plan = host.plan("dm.thinp_percent=99", "dm.thinp_metapercent=1")
    assert any("--poolmetadataspare n" in step.command for step in plan.steps)
    assert any("no room for LVM's spare" in notice for notice in plan.notices)
    assert not any("--poolmetadataspare" in step.command for step in host.plan().steps)


def locks() -> list[Lock]:
    return [each for each in gc.get_objects() if isinstance(each, Lock)]


def killed(host: Host, at: int) -> bool:
    """A start that dies at its n-th call of LVM, of files or of the machine; whether it did."""
    reaper = Reaper(at)
    machine = LvmMachine(host.emulated, reaper.wrap(host.lvm))
    try:
        host.start(machine=machine, durable=reaper.wrap(host.durable))
    except KilledError:
        return True
    finally:
        for lock in locks():
            lock.release()
    return False


def test_killed_at_any_call_a_setup_is_whole_or_undone_at_the_next_start(tmp_path):
    host, whole = Host(tmp_path / "0"), False
    for at in range(1, 300):
        if whole:
            host = Host(tmp_path / str(at))
        died = killed(host, at)
        engine = host.open()
        whole = "" in engine.devices.state.records
        engine.close()
        if whole:
            assert host.lvm.groups.keys() == {"docker"}
            assert json.loads(host.config.read_text())["Device"] == host.disk
            host.start()
            host.emulated.close()
        else:
            assert host.clean
        if not died:
            assert whole
            assert at > 50, "the reaper counted no calls"
            return
    raise AssertionError("the start never came to its end")


def kill_at_line(host: Host, line: str) -> None:
    run = host.lvm.run

    def die(arguments, **named):
        if arguments[0] == line:
            raise KilledError
        return run(arguments, **named)

    host.lvm.run = die
    with pytest.raises(KilledError):
        host.start()
    for lock in locks():
        lock.release()
    host.lvm.run = run


def test_a_group_that_somebody_made_meanwhile_is_not_taken_down(host):
    kill_at_line(host, "vgcreate")
    host.lvm.groups["docker"], host.lvm.volumes[host.disk] = {"mine"}, "docker"
    host.lvm.logical.add("docker/thinpool")
    with pytest.raises(DmtuiError, match="volume group docker: exists already"):
        host.plan()
    assert host.lvm.logical == {"docker/thinpool"}
    assert host.lvm.volumes == {host.disk: "docker"}


def test_the_next_start_undoes_a_killed_setup_whatever_its_options(host):
    kill_at_line(host, "lvconvert")
    open_engine(host.machine, host.graph, parse_options(BASE), durable=host.durable).close()
    assert host.clean


def test_a_note_of_another_release_is_left_alone_and_told(host):
    kill_at_line(host, "lvconvert")
    path = Path(host.graph, "dmtui/work/%lvm")
    path.write_text(json.dumps({"operation": "set up direct-lvm", "details": {"disk": host.disk}}))
    engine = host.open()
    engine.close()
    assert "cannot be finished yet" in "\n".join(engine.recovered)
    assert path.exists()
    assert "docker" in host.lvm.groups


@pytest.fixture
def store(host):
    host.emulated.files.make_directory(host.graph)
    return RecordStore(open_graph(host.emulated.files, host.graph), host.emulated.files, DurableFiles())


@pytest.mark.parametrize(
    ("content", "setup"),
    [
        (None, None),
        ("", None),
        ("{}", None),
        ('{"Device":"","ThinpPercent":0}', None),
        ('{"Device":"/dev/sdb"}', DirectLvm("/dev/sdb")),
        (
            '{"Device":"/dev/sdb","ThinpPercent":90,"ThinpMetaPercent":2,"AutoExtendPercent":3,"AutoExtendThreshold":4}',
            DirectLvm("/dev/sdb", 90, 2, 3, 4),
        ),
    ],
)
def test_the_file_of_the_original_is_read(host, store, content, setup):
    if content is not None:
        host.config.write_text(content)
    assert read_setup(store) == setup


@pytest.mark.parametrize("content", ["{", "[]", '{"Device":7}', '{"Device":"/dev/sdb","ThinpPercent":"95"}'])
def test_a_broken_file_is_told_not_taken_for_none(host, store, content):
    host.config.write_text(content)
    with pytest.raises(DmtuiError, match=r"setup-config\.json"):
        read_setup(store)


def settled(*texts):
    return rule(parse_options(texts), deferred_removal_supported=True)


def test_zero_stands_for_the_default_and_that_is_said():
    ruling = settled("dm.directlvm_device=/dev/sdb", "dm.thinp_percent=0%", "dm.thinp_metapercent=5")
    assert "dm.thinp_percent=0% stands for its default, 95%" in ruling.notices
    with pytest.raises(BadUsageError, match="add up to 101 %"):
        settled("dm.directlvm_device=/dev/sdb", "dm.thinp_percent=0", "dm.thinp_metapercent=6")


def test_force_without_a_device_has_no_effect_and_makes_no_pool_external(host, store):
    ruling = settled("dm.directlvm_device_force=true")
    assert any("dm.directlvm_device_force has no effect" in notice for notice in ruling.notices)
    assert ruling.discard_on_delete
    options = parse_options(["dm.directlvm_device_force=true"])
    assert pool_name(store.graph, options) == store.graph.prefix.pool_name


@pytest.mark.parametrize("device", ["sdb", "-f", "./sdb"])
def test_a_device_is_given_by_its_path(device):
    with pytest.raises(BadUsageError, match="is no path"):
        settled(f"dm.directlvm_device={device}")


def test_discard_on_delete_is_off_with_direct_lvm_where_the_original_decides_too_early(host):
    host.start()
    engine = host.open()
    assert not engine.devices.ruling.discard_on_delete
    engine.close()
