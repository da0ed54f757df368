"""From a machine to a sample, on both machines."""

import dataclasses
import json

import pytest

from dmtui.machine.errors import MachineError, TimedOutError
from dmtui.monitor.discover import Discoverer
from dmtui.monitor.poolformats import pools_json, pools_table, watch_line
from dmtui.thinpool.table import ThinTable
from tests.deviceset.graphs import DATA_BYTES, METADATA_BYTES, MIB, make_graph, make_pool


@pytest.fixture
def graph(machine, home):
    return make_graph(machine, home)


def add_thin(machine, graph, name: str, thin_id: int, size_bytes: int = 16 * MIB) -> str:
    pool, device = graph.prefix.pool_name, graph.prefix.device_name(name)
    machine.device_mapper.message(pool, f"create_thin {thin_id}")
    table = ThinTable(f"/dev/mapper/{pool}", thin_id)
    machine.device_mapper.create(device, [table.target(size_bytes // 512)])
    return device


def sampled(machine, graph):
    sample = Discoverer(machine).take()
    pool = sample.pool(graph.prefix.pool_name)
    assert pool is not None
    return sample, pool


def test_a_pool_is_found_with_its_figures_and_its_files(machine, graph):
    made = make_pool(machine, graph)
    sample, pool = sampled(machine, graph)
    assert (sample.machine, sample.problems) == (machine.kind, ())
    assert (pool.mode, pool.needs_check, pool.transaction_id) == ("rw", False, 0)
    assert (pool.data.used_bytes, pool.data.total_bytes) == (0, DATA_BYTES)
    assert (pool.metadata.used_bytes, pool.metadata.total_bytes) == (111 * 4096, METADATA_BYTES)
    assert (pool.data_backing.device, pool.data_backing.loop_file) == (made.data.path, graph.data_file)
    assert pool.data_backing.loop_file_size_bytes == DATA_BYTES
    assert pool.data_backing.disks == (made.data.path,)
    assert pool.data_backing.host_free_bytes is not None
    assert pool.open_count == 0


def test_a_device_that_does_not_answer_is_there_with_unknown_figures(machine, graph, monkeypatch):
    make_pool(machine, graph)
    web, db = (add_thin(machine, graph, name, number) for number, name in enumerate(("web", "db"), start=1))
    discoverer = Discoverer(machine)
    before = discoverer.take().pool(graph.prefix.pool_name)
    statuses, silent = type(machine.device_mapper).statuses, {web}

    def partly(mapper, names):
        for name, answer in zip(names, statuses(mapper, names), strict=True):
            yield TimedOutError(f"device {name}", "does not answer", "look at dmesg") if name in silent else answer

    monkeypatch.setattr(type(machine.device_mapper), "statuses", partly)
    monkeypatch.setattr(machine, "standstill", lambda: None)
    for _ in range(2):
        sample = discoverer.take()
        assert sample.problems == (f"device {web}: does not answer; look at dmesg",)
        first, second = sample.pool(graph.prefix.pool_name).devices
        assert (first, second.name) == (dataclasses.replace(before.devices[0], mapped_bytes=None), db)
        assert first.highest_mapped_sector is None
    silent.clear()
    assert discoverer.take().pool(graph.prefix.pool_name) == before
    silent.add(web)
    machine.device_mapper.remove(web)
    assert [device.name for device in discoverer.take().pool(graph.prefix.pool_name).devices] == [db]


def test_a_data_file_that_is_attached_twice_is_told(machine, graph):
    make_pool(machine, graph)
    other = machine.loops.attach(graph.data_file)
    _, pool = sampled(machine, graph)
    assert pool.data_backing.loop_file_also_on == (other.path,)
    assert pool.metadata_backing.loop_file_also_on == ()
    assert pool.findings == (f"the data file {graph.data_file} is attached twice: also as {other.path}",)
    machine.loops.release(other)


def test_a_deleted_data_file_is_told(machine, graph):
    make_pool(machine, graph)
    machine.files.remove_file(graph.data_file)
    _, pool = sampled(machine, graph)
    assert pool.data_backing.loop_file_deleted
    assert "was deleted" in pool.findings[0]
    assert (pool.data_backing.loop_file_size_bytes, pool.data_backing.loop_file_missing) == (None, False)


@pytest.mark.parametrize("path", ["/nowhere/data", "metadata"], ids=["nothing there", "another file there"])
def test_a_data_file_that_its_path_does_not_lead_to_is_told(machine, graph, monkeypatch, path):
    make_pool(machine, graph)
    elsewhere = graph.metadata_file if path == "metadata" else path
    data, metadata = (
        next(loop for loop in machine.loops.list_bound() if loop.backing_path == file)
        for file in (graph.data_file, graph.metadata_file)
    )
    bound = (dataclasses.replace(data, backing_path=elsewhere), metadata)
    monkeypatch.setattr(machine.loops, "list_bound", lambda: bound)
    _, pool = sampled(machine, graph)
    assert pool.data_backing.loop_file_missing
    assert pool.data_backing.loop_file_size_bytes is None
    assert pool.findings == (f"the data file of {data.path} is not found at {elsewhere}",)


def test_thin_devices_belong_to_their_pool(machine, graph):
    make_pool(machine, graph)
    names = [add_thin(machine, graph, f"thin{number}", number) for number in (3, 1)]
    _, pool = sampled(machine, graph)
    assert [(device.thin_id, device.name) for device in pool.devices] == [(1, names[1]), (3, names[0])]
    assert [device.display_name for device in pool.devices] == ["thin1", "thin3"]
    assert pool.devices[0].size_bytes == 16 * MIB
    assert (pool.devices[0].mapped_bytes, pool.devices[0].highest_mapped_sector) == (0, None)
    assert pool.open_count == 2


def test_the_owner_is_docker_by_name_and_dmtui_by_uuid(machine, graph):
    make_pool(machine, graph)
    assert sampled(machine, graph)[1].owner == "docker"
    machine.device_mapper.remove(graph.prefix.pool_name)
    for path in (graph.data_file, graph.metadata_file):
        machine.files.remove_file(path)
    make_pool(machine, graph, uuid="DMTUI-test")
    assert sampled(machine, graph)[1].owner == "dmtui"


def test_a_device_on_the_way_out_is_shown_without_it(machine, graph):
    make_pool(machine, graph)
    discoverer = Discoverer(machine)
    device = add_thin(machine, graph, "gone", 1)
    assert len(discoverer.take().pool(graph.prefix.pool_name).devices) == 1
    machine.device_mapper.remove(device)
    assert discoverer.take().pool(graph.prefix.pool_name).devices == ()


def test_a_name_taken_over_by_another_thin_id_is_noticed(machine, graph):
    make_pool(machine, graph)
    discoverer = Discoverer(machine)
    device = add_thin(machine, graph, "same", 1)
    discoverer.take()
    machine.device_mapper.remove(device)
    add_thin(machine, graph, "same", 2, size_bytes=8 * MIB)
    assert discoverer.take().pool(graph.prefix.pool_name).devices[0].thin_id == 2


def test_pools_json_holds_exactly_the_keys_of_the_contract(machine, graph):
    make_pool(machine, graph)
    add_thin(machine, graph, "one", 1)
    listed = json.loads(pools_json(sampled(machine, graph)[0]))
    pool = next(pool for pool in listed if pool["name"] == graph.prefix.pool_name)
    assert (
        list(pool)
        == (
            "name dev uuid owner mode needs_check block_size data metadata low_water_mark transaction_id data_device "
            "metadata_device data_loop_file metadata_loop_file open_count devices"
        ).split()
    )
    assert list(pool["devices"][0]) == "name dev thin_id size mapped highest_mapped open_count".split()
    assert pool["data"] == {"used": 0, "total": DATA_BYTES}


def test_the_table_and_the_line_name_the_pool_once(machine, graph):
    make_pool(machine, graph)
    sample, pool = sampled(machine, graph)
    assert pools_table(sample).count(pool.name) == 1
    assert watch_line(sample).count(pool.name) == 1
    assert watch_line(sample).count("\n") == 1


def test_a_machine_without_pools_has_an_empty_sample(machine):
    sample = Discoverer(machine).take()
    assert sample.pools == ()
    assert pools_table(sample) == "no thin pool on this machine\n"


class TestAStandstill:
    """What is told without asking: only of an emulated machine, which must not hold its own loop devices for it."""

    @pytest.fixture
    def asked(self, machine, graph, monkeypatch):
        make_pool(machine, graph)
        if machine.kind == "emulated":
            machine.loops.release_all()
        lists, asked = machine.device_mapper.list_devices, []
        monkeypatch.setattr(machine.device_mapper, "list_devices", lambda: asked.append(1) or lists())
        return asked

    def test_the_sample_before_is_told_again_at_another_moment(self, machine, asked):
        moments = iter((10.0, 11.0))
        discoverer = Discoverer(machine, now=lambda: next(moments))
        first, second = discoverer.take(), discoverer.take()
        assert second.pools == first.pools
        assert (second.taken_at, second.machine_at > first.machine_at) == (11.0, True)
        assert len(asked) == (1 if machine.kind == "emulated" else 2)

    def test_a_change_is_seen_at_once(self, machine, graph, asked):
        discoverer = Discoverer(machine)
        assert discoverer.take().pools[0].devices == ()
        add_thin(machine, graph, "web", 1)
        assert [device.display_name for device in discoverer.take().pools[0].devices] == ["web"]

    def test_a_machine_that_cannot_tell_is_asked_each_time(self, machine, asked, monkeypatch):
        monkeypatch.setattr(machine, "standstill", lambda: None)
        discoverer = Discoverer(machine)
        discoverer.take()
        discoverer.take()
        assert len(asked) == 2

    def test_what_could_not_be_read_is_asked_for_again(self, machine, graph, asked, monkeypatch):
        broken = MachineError("device x", "cannot be read", "look at it")
        with monkeypatch.context() as broke:
            broke.setattr(machine.device_mapper, "statuses", lambda _: iter([broken]))
            discoverer = Discoverer(machine)
            assert discoverer.take().problems == (str(broken),)
        assert discoverer.take().problems == ()
        assert len(asked) == 2
