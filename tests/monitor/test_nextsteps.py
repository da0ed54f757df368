"""What to do about an alert: every rule has a step for every owner, with the commands that owner offers."""

import dataclasses

import pytest

from dmtui.monitor.alertrules import Rule
from dmtui.monitor.alerts import AlertState
from dmtui.monitor.nextsteps import next_step
from dmtui.monitor.sample import Backing
from dmtui.thinpool.names import Owner
from tests.monitor import made

GRAPH = "/var/lib/dmtui"
FILES = {
    "data_backing": made.backing(f"{GRAPH}/devicemapper/data"),
    "metadata_backing": made.backing(f"{GRAPH}/devicemapper/metadata", dev="7:1", device="/dev/loop1"),
}
OURS = made.pool(0.95, owner="dmtui", **FILES)
DOCKERS = made.pool(0.95, owner="docker", **FILES)
CONTAINERDS = made.pool(0.95, owner="containerd", **FILES)
SOMEBODYS = made.pool(0.95, name="thin", owner="unknown", **FILES)
LVMS = dataclasses.replace(made.pool(0.95, name="vg0-thin-tpool", owner="lvm"), display_name="vg0/thin")
FULL = {"mode": "out_of_data_space"}
READ_ONLY = {"mode": "ro", "needs_check": True}


def commands(rule, pool, **changes):
    return next_step(rule, dataclasses.replace(pool, **changes)).commands


@pytest.mark.parametrize("owner", Owner)
@pytest.mark.parametrize("rule", Rule)
def test_every_rule_has_a_step_for_every_owner(rule, owner):
    step = next_step(rule, dataclasses.replace(DOCKERS, owner=owner.value, mode="Fail"))
    assert step.text
    assert len(step.text) <= 36
    ours = set(Rule) - {Rule.DATA_FILE, Rule.METADATA_FILE, Rule.SUSPENDED, Rule.HOST_END, Rule.HOST_DEBT}
    assert bool(step.action) is (owner is Owner.DMTUI and rule in ours)


def test_our_own_pool_is_extended_by_our_own_command_and_key():
    step = next_step(Rule.DATA, OURS)
    assert step.commands == (f"dmtui --graph {GRAPH} pool extend --data SIZE",)
    assert step.action == "pool_extend"
    assert commands(Rule.METADATA, OURS) == (f"dmtui --graph {GRAPH} pool extend --metadata SIZE",)


def test_lvm_s_pool_is_extended_and_repaired_by_lvm():
    assert commands(Rule.DATA, LVMS) == ("lvextend --size +SIZE vg0/thin",)
    assert commands(Rule.METADATA_END, LVMS) == ("lvextend --poolmetadatasize +SIZE vg0/thin",)
    assert "lvconvert --repair vg0/thin" in commands(Rule.NEEDS_CHECK, LVMS)


def test_docker_frees_space_and_is_stopped_before_our_engine_extends_its_pool():
    extend = f"dmtui --graph {GRAPH} pool extend --data SIZE"
    assert commands(Rule.DATA, DOCKERS) == (
        "docker system prune",
        "systemctl stop docker",
        extend,
        "systemctl start docker",
    )


def test_a_pool_of_nobody_known_is_extended_by_a_longer_table():
    grown, loaded = commands(Rule.DATA, SOMEBODYS)
    assert grown.startswith(f"truncate --size SIZE {GRAPH}/devicemapper/data && losetup --set-capacity ")
    assert loaded == ("dmsetup table thin | sed 's/^0 [0-9]*/0 SECTORS/' | dmsetup load thin && dmsetup resume thin")


def test_more_metadata_need_no_new_table():
    assert commands(Rule.METADATA, SOMEBODYS)[-1] == "dmsetup suspend thin && dmsetup resume thin"


def test_a_pool_on_disks_is_not_told_to_be_a_longer_file():
    disk = Backing("8:32", "/dev/sdc", disks=("sdc",))
    (loaded,) = commands(Rule.DATA, SOMEBODYS, data_backing=disk)
    assert loaded.startswith("dmsetup table thin | ")


@pytest.mark.parametrize(
    ("policy", "text"),
    [("queue_if_no_space", "extend it while writes wait"), ("error_if_no_space", "extend it, then fsck what failed")],
)
def test_a_full_pool_is_extended_before_writes_fail_or_mended_after(policy, text):
    step = next_step(Rule.MODE, dataclasses.replace(OURS, **FULL, no_space_policy=policy))
    assert (step.text, step.action) == (text, "pool_extend")


def test_a_pool_that_needs_a_check_is_taken_down_checked_and_brought_back():
    assert commands(Rule.NEEDS_CHECK, OURS, **READ_ONLY) == (
        f"dmtui --graph {GRAPH} pool remove",
        f"dmtui --graph {GRAPH} pool check --clear-needs-check",
        f"dmtui --graph {GRAPH} pool create",
    )
    assert commands(Rule.MODE, OURS, **READ_ONLY) == commands(Rule.NEEDS_CHECK, OURS, **READ_ONLY)


@pytest.mark.parametrize("pool", [OURS, DOCKERS, CONTAINERDS, SOMEBODYS, LVMS])
def test_of_what_has_to_be_taken_down_the_rest_is_known(pool):
    step = next_step(Rule.NEEDS_CHECK, dataclasses.replace(pool, **READ_ONLY))
    down = len(step.commands) - len(step.once_down.commands)
    assert down > 0
    assert step.commands[down:] == step.once_down.commands
    assert len(step.once_down.text) <= 36


def test_where_the_host_is_full_space_comes_first():
    full = {name: dataclasses.replace(FILES[name], host_free_bytes=1 << 20) for name in FILES}
    pool = dataclasses.replace(OURS, **READ_ONLY, **full)
    step, roomy = (next_step(Rule.NEEDS_CHECK, each) for each in (pool, dataclasses.replace(pool, **FILES)))
    assert (step.text, step.action) == ("free space on the host, then check it", "")
    assert step.commands == (f"df --human-readable {GRAPH}/devicemapper/data", *roomy.commands)
    assert step.once_down == roomy.once_down
    assert len(step.text) <= 37


def test_no_program_of_the_host_is_asked_about_an_emulated_machine():
    gone = dataclasses.replace(FILES["data_backing"], loop_file_deleted=True)
    for rule, changes in (
        (Rule.DATA_FILE, {"data_backing": gone}),
        (Rule.SUSPENDED, {}),
        (Rule.MODE, {"mode": "Error"}),
    ):
        pool = dataclasses.replace(OURS, **changes)
        assert next_step(rule, pool).commands
        assert next_step(rule, pool, emulated=True).commands == ()


MOUNTED, IDLE, UNASKED = (made.thin(1, mounted_at=where) for where in (("/mnt",), (), None))


class TestTrimming:
    @pytest.mark.parametrize("devices", [(MOUNTED,), (IDLE, MOUNTED), (UNASKED,)])
    def test_it_is_advised_where_something_may_come_of_it(self, devices):
        pool = dataclasses.replace(OURS, devices=devices)
        assert next_step(Rule.HOST_DEBT, pool).action == "pool_trim"
        assert commands(Rule.HOST_END, SOMEBODYS, devices=devices) == ("fstrim --all",)

    @pytest.mark.parametrize(
        "changes",
        [
            {"devices": ()},
            {"devices": (IDLE,)},
            {"devices": (MOUNTED,), "mode": "Fail"},
            {"devices": (MOUNTED,), "mode": "ro"},
            {"devices": (MOUNTED,), "discard_policy": "no_discard_passdown"},
        ],
    )
    def test_it_is_not_where_nothing_can(self, changes):
        pool = dataclasses.replace(OURS, **changes)
        step = next_step(Rule.HOST_DEBT, pool)
        assert (step.text, step.action) == ("free space on the host", "")
        assert step.commands == (f"df --human-readable {GRAPH}/devicemapper/data",)
        (emulated,) = next_step(Rule.HOST_DEBT, pool, emulated=True).commands
        assert emulated.endswith(" emulator host-space SIZE")


def test_a_pool_that_only_ran_out_of_metadata_gets_more_of_them():
    assert commands(Rule.MODE, OURS, mode="ro") == commands(Rule.METADATA, OURS)


def test_a_deleted_file_is_saved_through_the_loop_device_that_holds_it():
    backing = dataclasses.replace(DOCKERS.data_backing, loop_file_deleted=True)
    assert commands(Rule.DATA_FILE, DOCKERS, data_backing=backing) == ("dd if=/dev/loop0 of=FILE bs=1M conv=sparse",)


def test_a_suspended_pool_is_resumed():
    assert commands(Rule.SUSPENDED, SOMEBODYS) == ("dmsetup resume thin",)


def test_an_alert_carries_the_step_of_its_pool_as_it_is_now():
    state = AlertState()
    for at, changes in enumerate(({}, {}, FULL)):
        state, _ = state.step(made.sample(dataclasses.replace(OURS, **changes), at=made.NOW + at), {})
    by_rule = {alert.rule: alert.next_step for alert in state.alerts}
    assert by_rule[Rule.DATA] == next_step(Rule.DATA, OURS, emulated=True)
    assert by_rule[Rule.MODE].text == "extend it while writes wait"


def test_on_an_emulated_machine_the_command_names_it_and_asks_no_kernel_s_program():
    ours = f"dmtui --machine emulated --emulated-dir {GRAPH}"
    assert next_step(Rule.NEEDS_CHECK, OURS, emulated=True).commands == (
        f"{ours} pool remove",
        f"{ours} pool check --clear-needs-check",
        f"{ours} pool create",
    )
    assert f"{ours} pool check" in next_step(Rule.MODE, dataclasses.replace(OURS, mode="Fail"), emulated=True).commands
