"""Used metadata, block by block, as measured on a real kernel with 64 MiB of metadata and 200,000 data blocks."""

import random

import pytest

from dmtui.machine.emulated.metadata import in_memory
from tests.machine.emulated.bench import check_counts, put, unmap

RESERVE = 1638


@pytest.fixture
def pool():
    return in_memory(16384, 200_000)


def live(pool) -> int:
    return pool.metadata_used_blocks - RESERVE


def create(pool, count: int) -> None:
    for thin_id in range(count):
        pool.create_thin(thin_id)
        pool.commit()


def scatter(pool, thin_id: int, blocks) -> None:
    for block in blocks:
        put(pool, thin_id, block)
        pool.commit()


def test_an_empty_pool_has_22_live_blocks(pool):
    assert live(pool) == 22


@pytest.mark.parametrize(
    ("thins", "measured"),
    [(1, 23), (10, 32), (100, 122), (126, 148), (127, 151), (252, 277), (253, 280), (500, 529), (1000, 1036)],
)
def test_thins_cost_a_root_each_and_the_nodes_of_two_trees(pool, thins, measured):
    create(pool, thins)
    assert live(pool) == measured


def test_deleting_all_thins_leaves_an_empty_pool(pool):
    create(pool, 1000)
    for thin_id in range(1000):
        pool.delete_thin(thin_id)
        pool.commit()
    assert live(pool) == 22


@pytest.mark.parametrize(("blocks", "measured"), [(252, 23), (253, 25), (1000, 28), (10_000, 64), (50_000, 225)])
def test_sequential_blocks_fill_their_leaves(pool, blocks, measured):
    create(pool, 1)
    put(pool, 0, 0, blocks)
    pool.commit()
    assert live(pool) == measured


@pytest.mark.parametrize(("blocks", "step"), [(1000, 1), (10_000, 3)])
def test_a_run_written_at_once_makes_the_tree_of_single_writes(blocks, step):
    at_once, one_by_one = in_memory(16384, 200_000), in_memory(16384, 200_000)
    for pool in (at_once, one_by_one):
        create(pool, 1)
    put(at_once, 0, 7, blocks)
    for block in range(7, 7 + blocks):
        put(one_by_one, 0, block)
    for pool in (at_once, one_by_one):
        pool.commit()
        put(pool, 0, 20_000, step)
    assert at_once.blocks.nodes[at_once.root_of(0)].keys == one_by_one.blocks.nodes[one_by_one.root_of(0)].keys
    assert live(at_once) == live(one_by_one)


@pytest.mark.parametrize(
    ("blocks", "measured", "slack"), [(252, 23, 0), (253, 25, 0), (1000, 28, 1), (5000, 46, 2), (10_000, 68, 3)]
)
def test_random_blocks_leave_their_leaves_some_88_percent_full(pool, blocks, measured, slack):
    # Another random order than the one measured: a few leaves more or less.
    create(pool, 1)
    scatter(pool, 0, random.Random(1).sample(range(10**6), blocks))
    assert abs(live(pool) - measured) <= slack


def test_a_hundred_snapshots_cost_nothing_until_they_are_written(pool):
    create(pool, 1)
    put(pool, 0, 0, 10_000)
    pool.commit()
    for snapshot in range(1, 101):
        pool.create_snapshot(snapshot, 0)
        pool.commit()
    assert live(pool) == 64
    order = random.Random(2)
    for snapshot in range(1, 101):
        scatter(pool, snapshot, [order.randrange(10_000)])
    assert abs(live(pool) - 286) <= 3
    before = live(pool)
    scatter(pool, 50, order.sample(range(10_000), 50))
    assert abs(live(pool) - before - 37) <= 3
    for thin_id in range(101):
        pool.delete_thin(thin_id)
        pool.commit()
    assert live(pool) == 22
    assert pool.data.state.used_blocks == 0


def test_a_held_copy_costs_one_block_then_copies(pool):
    create(pool, 1)
    put(pool, 0, 0, 1000)
    pool.commit()
    pool.hold()
    pool.commit()
    assert live(pool) == 29
    put(pool, 0, 2000)
    pool.commit()
    # The top-level leaf, the details leaf, the thin's root and one of its leaves exist twice now.
    assert live(pool) == 33
    check_counts(pool)
    pool.release()
    pool.commit()
    assert live(pool) == 28


def test_what_a_held_copy_refers_to_outlives_its_thin(pool):
    create(pool, 1)
    put(pool, 0, 0, 40)
    pool.hold()
    pool.delete_thin(0)
    pool.commit()
    assert pool.data.state.used_blocks == 40
    pool.release()
    pool.commit()
    assert pool.data.state.used_blocks == 0


def test_a_data_device_grows_by_one_block_for_each_16320():
    pool = in_memory(1024, 16_320)
    assert pool.metadata_used_blocks == 111
    pool.grow_data(1)
    pool.commit()
    assert pool.metadata_used_blocks == 112


def test_the_169th_bitmap_splits_the_index_tree():
    pool = in_memory(4096, 168 * 16_320)
    before = pool.metadata_used_blocks
    pool.grow_data(1)
    pool.commit()
    assert pool.metadata_used_blocks == before + 3


@pytest.mark.parametrize(
    ("total", "used"), [(12, 10), (13, 10), (16, 10), (17, 10), (32, 12), (256, 34), (512, 60), (4_161_600, 4359)]
)
def test_an_empty_pool_shows_the_reserve_as_used(total, used):
    assert in_memory(total, 1024).metadata_used_blocks == used


def test_counts_of_three_and_more_live_in_a_tree_of_their_own(pool):
    create(pool, 1)
    put(pool, 0, 0, 700)
    pool.commit()
    before = live(pool)
    for snapshot in range(1, 4):
        pool.create_snapshot(snapshot, 0)
        # Breaking one block copies its leaf, which adds a reference to each data block of it.
        for block in (0, 300, 600):
            put(pool, snapshot, block)
        pool.commit()
    check_counts(pool)
    # Each snapshot has a root and leaves of its own; 697 shared counts need an overflow tree of four nodes.
    leaves = before - 22 - 1
    assert live(pool) > before + 3 * (leaves + 1)


def test_a_discard_goes_key_by_key_and_rebalances(pool):
    create(pool, 1)
    put(pool, 0, 0, 5000)
    pool.commit()
    unmap(pool, 0, 100, 4900)
    pool.commit()
    check_counts(pool)
    assert pool.thins[0].mapped_blocks == 200
    unmap(pool, 0, 0, 10_000)
    pool.commit()
    assert live(pool) == 23


@pytest.mark.parametrize(("blocks", "last"), [(256, 219), (12_288, 10_916)])
def test_the_create_thin_that_ends_the_metadata_is_known_to_the_message(blocks, last):
    pool = in_memory(blocks, 1024)
    thin_id = 0
    while True:
        pool.create_thin(thin_id)
        pool.commit()
        if not pool.metadata_free_blocks:
            break
        thin_id += 1
    assert thin_id == last
