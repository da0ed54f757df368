"""What is kept in the store is what was in memory: processes may take turns at every operation."""

import random
import time

import pytest

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import MachineError
from dmtui.thinpool.table import Target
from tests.machine.emulated.bench import BLOCK, Bench, check_counts


def play(machines, seed: int, steps: int) -> list[str]:
    """Random operations, each by the next of the machines, which all are the same directory."""
    order = random.Random(seed)
    bench = Bench(machines[0], blocks=2000, words="5 1 error_if_no_space")
    lines = []
    for step in range(steps):
        bench.machine = machines[step % len(machines)]
        bench.mapper = bench.machine.device_mapper
        thin_id = order.randrange(12)
        at, count = order.randrange(900), order.randrange(1, 90)
        act = order.choice(["create", "snap", "write", "write", "discard", "delete", "hold", "release", "reload"])
        try:
            if act == "create":
                bench.thin(thin_id)
            elif act == "snap":
                bench.msg(f"create_snap {thin_id} {order.randrange(12)}")
            elif act == "write":
                bench.machine.write(f"t{thin_id}", offset_bytes=at * BLOCK, length_bytes=count * BLOCK)
            elif act == "discard":
                bench.discard(f"t{thin_id}", at, count)
            elif act == "delete":
                bench.mapper.remove(f"t{thin_id}")
                bench.msg(f"delete {thin_id}")
            elif act == "reload":
                bench.reload("5 1 error_if_no_space")
            else:
                bench.msg("reserve_metadata_snap" if act == "hold" else "release_metadata_snap")
        except MachineError as error:
            lines.append(f"{act} {error.errno}")
        lines += [f"{act} {bench.line()} {bench.events}"]
        lines += [bench.line(entry.name) for entry in bench.mapper.list_devices()]
    return lines


@pytest.mark.parametrize("seed", range(4))
def test_two_processes_in_turn_do_what_one_does(tmp_path, seed):
    alone = [EmulatedMachine.open(tmp_path / "alone")]
    in_turn = [EmulatedMachine.open(tmp_path / "in_turn") for _ in range(2)]
    assert play(alone, seed, 150) == play(in_turn, seed, 150)
    for machine in (alone[0], in_turn[1]):
        with machine._store.write() as connection:
            pool = machine._pools.metadata(connection, 1)
            pool.commit()
            check_counts(pool)
    for machine in (*alone, *in_turn):
        machine.close()


def test_a_write_in_many_pieces_survives_the_relief_of_memory(make_bench, monkeypatch):
    monkeypatch.setattr("dmtui.machine.emulated.stored._KEPT_NODES", 4)
    monkeypatch.setattr("dmtui.machine.emulated.stored._UNWRITTEN_NODES", 3)
    monkeypatch.setattr("dmtui.machine.emulated.pool_io._PIECE_BLOCKS", 256)
    bench = make_bench(blocks=12_000, metadata=16 << 20)
    bench.thin(1, blocks=20_000)
    bench.machine.write("t1", offset_bytes=0, length_bytes=5000 * BLOCK)
    bench.msg("create_snap 2 1")
    bench.machine.write("t1", offset_bytes=100 * BLOCK, length_bytes=3000 * BLOCK)
    bench.discard("t1", 1000, 3000)
    assert bench.figures == "5900/12000 rw queue_if_no_space"
    with bench.machine._store.write() as connection:
        pool = bench.machine._pools.metadata(connection, 1)
        pool.commit()
        check_counts(pool)


def test_the_cost_of_an_operation_does_not_grow_with_the_number_of_thins(make_bench):
    bench = make_bench(metadata=64 << 20)

    def cost(act, times: int = 60) -> float:
        """The shortest of many: what other processes took from us is not ours."""
        took = []
        for _ in range(times):
            started = time.perf_counter()
            act()
            took.append(time.perf_counter() - started)
        return min(took)

    bench.thin(0)
    few = cost(lambda: bench.mapper.status("p")), cost(lambda: bench.mapper.status("t0"))
    for thin_id in range(1, 700):
        bench.msg(f"create_thin {thin_id}")
        bench.mapper.create(f"t{thin_id}", [Target(0, 1280, "thin", f"254:0 {thin_id}")])
    many = cost(lambda: bench.mapper.status("p")), cost(lambda: bench.mapper.status("t0"))
    assert bench.mapper.info("p").open_count == 700
    assert many[0] < 5 * few[0]
    assert many[1] < 5 * few[1]
    assert max(many) < 0.005


def test_a_pool_s_table_loaded_by_one_process_is_made_live_by_another(tmp_path):
    """Fresh metadata are formatted when the table is loaded, and are on the disk then."""
    first, second = EmulatedMachine.open(tmp_path), EmulatedMachine.open(tmp_path)
    for name, size in (("data", 1000 * BLOCK), ("metadata", 4 * 1024**2)):
        first.files.make_sparse_file(str(tmp_path / name), size)
        first.loops.attach(str(tmp_path / name))
    length = 1000 * BLOCK // 512
    first.device_mapper.create("pool", [Target(0, length, "error", "")])
    first.device_mapper.load("pool", [Target(0, length, "thin-pool", f"/dev/loop1 /dev/loop0 {BLOCK // 512} 0")])
    second.device_mapper.resume("pool")
    second.device_mapper.message("pool", "create_thin 1")
    first.close()
    second.close()
