"""What is offered instead where a pool is somebody else's."""

from __future__ import annotations

import dataclasses

import pytest

from dmtui.tui.actions import ACTIONS, Risk
from dmtui.tui.owners import refusal
from tests.tui import samples


@pytest.mark.parametrize(
    ("pool", "action_id", "command"),
    [
        (samples.docker_pool(), "device_remove", "docker rm CONTAINER"),
        (samples.docker_pool(), "pool_check", "dmtui --graph /var/lib/docker/devicemapper pool check"),
        (samples.containerd_pool(), "device_remove", "ctr snapshots rm KEY"),
        (samples.lvm_pool(), "device_remove", "lvremove vg0/home"),
        (samples.lvm_pool(), "pool_extend", "lvextend --size +SIZE vg0/thin"),
        (
            dataclasses.replace(samples.docker_pool(), owner="dmtui"),
            "device_remove",
            "dmtui --graph /var/lib/docker/devicemapper device remove",
        ),
    ],
)
def test_the_owner_s_own_command_is_shown(pool, action_id, command):
    assert command in refusal(action_id, pool, pool.devices[0])


def test_on_an_emulated_machine_the_command_names_it():
    ours = dataclasses.replace(samples.docker_pool(), owner="dmtui")
    told = refusal("pool_check", ours, None, emulated=True)
    assert "`dmtui --machine emulated --emulated-dir /var/lib/docker pool check`" in told


def test_of_an_unknown_owner_nothing_is_known():
    pool = dataclasses.replace(samples.docker_pool(), owner="unknown")
    assert refusal("device_remove", pool, None).endswith("belongs to somebody unknown: it is only watched here")


@pytest.mark.parametrize("pool", [samples.docker_pool(), samples.lvm_pool(), samples.containerd_pool()])
def test_every_action_that_changes_something_is_refused_in_words(pool):
    for action in ACTIONS:
        if action.risk is not Risk.LOOK:
            assert "belongs to" in refusal(action.id, pool, None)
