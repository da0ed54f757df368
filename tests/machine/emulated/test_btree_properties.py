"""The copy-on-write trees against plain dictionaries, whatever is done to them, and in whatever order."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from dmtui.machine.emulated.btree import BTree, Values
from dmtui.machine.emulated.btree_remove import remove, remove_run
from dmtui.machine.emulated.metadata import in_memory
from dmtui.machine.emulated.node import Node
from tests.machine.emulated.bench import check_counts, put, unmap

SMALL = settings(max_examples=60, deadline=None)


def tree(leaf_entries: int = 252):
    pool = in_memory(16384, 100)
    family = BTree(pool.blocks, Values(leaf_entries))
    return family, family.empty()


@SMALL
@given(
    st.integers(0, 2**32),
    st.lists(st.tuples(st.sampled_from(["add", "drop", "run", "block"]), st.integers(0, 3000)), max_size=40),
    st.sampled_from([126, 252, 336]),
)
def test_a_tree_holds_what_a_dictionary_holds(seed, steps, leaf_entries):
    order = random.Random(seed)
    family, root = tree(leaf_entries)
    model: dict[int, int] = {}
    for step, at in steps:
        if step == "add":
            for _ in range(60):
                key = order.randrange(4000)
                root = family.insert(root, key, at)
                model[key] = at
        elif step == "block":
            for key in range(at, at + 200):
                root = family.insert(root, key, at)
                model[key] = at
        elif step == "drop" and model:
            for key in order.sample(sorted(model), min(50, len(model))):
                root = remove(family, root, key)
                del model[key]
        elif step == "run":
            present = next((key for key in sorted(model) if key >= at), None)
            if present is None:
                continue
            root, count, _ = remove_run(family, root, present, present + 300)
            gone = [key for key in sorted(model) if key >= present][:count]
            assert count >= 1
            assert gone[-1] < present + 300
            for key in gone:
                del model[key]
    assert dict(family.items(root)) == model
    assert family.highest_key(root) == max(model, default=None)
    for key in (0, 1, 1999, 4000):
        assert family.lookup(root, key) == model.get(key)


@SMALL
@given(st.integers(0, 2**32), st.integers(5, 60))
def test_reference_counts_equal_what_can_be_reached(seed, steps):
    order = random.Random(seed)
    pool = in_memory(4096, 20_000)
    models: dict[int, set[int]] = {}
    for _ in range(steps):
        choice = order.random()
        ids = sorted(models)
        if choice < 0.2 or not ids:
            thin_id = order.randrange(400)
            if thin_id not in models:
                pool.create_thin(thin_id)
                models[thin_id] = set()
        elif choice < 0.4:
            origin, thin_id = order.choice(ids), order.randrange(400)
            if thin_id not in models:
                pool.create_snapshot(thin_id, origin)
                models[thin_id] = set(models[origin])
        elif choice < 0.48:
            thin_id = order.choice(ids)
            pool.delete_thin(thin_id)
            del models[thin_id]
        elif choice < 0.75:
            thin_id, begin, count = order.choice(ids), order.randrange(2000), order.randrange(1, 400)
            if count < pool.data.counters.count(0):
                put(pool, thin_id, begin, count)
                models[thin_id] |= set(range(begin, begin + count))
        elif choice < 0.9:
            thin_id, begin, count = order.choice(ids), order.randrange(2000), order.randrange(1, 600)
            unmap(pool, thin_id, begin, begin + count)
            models[thin_id] -= set(range(begin, begin + count))
        elif pool.superblock.held_block < 0:
            pool.commit()
            pool.hold()
        else:
            pool.release()
        if not ids or choice < 0.48 or choice >= 0.9 or order.random() < 0.5:  # messages always commit
            pool.commit()
    pool.commit()
    check_counts(pool)
    for thin_id, model in models.items():
        assert {block for block, _ in pool.mappings.items(pool.root_of(thin_id))} == model


@given(st.lists(st.integers(0, 2**40), unique=True, max_size=60), st.booleans(), st.integers(0, 2**40))
def test_a_node_survives_its_compact_form(keys, leaf, value):
    node = Node(leaf)
    for key in sorted(keys):
        node.insert_at(len(node), key, value + key)
    again = Node.decode(node.encode())
    assert (again.leaf, again.keys, again.values) == (node.leaf, node.keys, node.values)


@given(st.integers(1, 252), st.integers(0, 2**40), st.integers(0, 2**30))
def test_a_straight_run_of_mappings_is_tiny_and_survives(count, key, block):
    node = Node(True)
    for index in range(count):
        node.insert_at(index, key + index, (block + index) << 24 | 5)
    form = node.encode()
    assert count == 1 or len(form) == 19
    assert Node.decode(form).values == node.values
