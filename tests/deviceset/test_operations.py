"""The operations as forms: texts in, plans out, by the rules of the command line."""

from __future__ import annotations

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.operations import OPERATIONS, Kind, Risk, operation
from dmtui.deviceset.options import parse_options
from dmtui.thinpool.errors import BadUsageError, MissingError

SMALL = parse_options(["dm.loopdatasize=256M", "dm.loopmetadatasize=8M", "dm.basesize=64M", "dm.fs=ext4"])


@pytest.fixture
def machine_kind():
    return "emulated"


@pytest.fixture
def engine(machine, home):
    engine = open_engine(machine, str(home / "graph"), SMALL, making=True)
    engine.run(engine.plans.start("now"))
    yield engine
    engine.close()


def do(engine, identity: str, **values: str) -> tuple[str, ...]:
    """Fill in a form, look at its plans, perform them, and ask what came of it."""
    form = operation(identity)
    form.check(values)
    prepared = form.prepare(engine.plans, values)
    assert all(plan.lines() for plan in prepared.plans())
    for make in prepared.makers:
        engine.run(make())
    return prepared.result()


def test_several_devices_are_created_by_one_form(engine):
    do(engine, "device create", name="one two  three")
    assert set(engine.devices.state.records) == {"", "one", "two", "three"}
    assert sorted(record.device_id for record in engine.devices.state.records.values()) == [1, 2, 3, 4]


def test_a_device_goes_through_its_life_by_forms(engine):
    do(engine, "device create", name="one", size="128M")
    do(engine, "device create", name="two", parent="one")
    do(engine, "device mount", name="one two")
    do(engine, "device unmount", name="one two")
    do(engine, "device activate", name="base two")
    do(engine, "device deactivate", name="base two", deferred="yes")
    do(engine, "device remove", name="two one")
    assert set(engine.devices.state.records) == {""}


def test_the_pool_goes_through_its_life_by_forms(engine):
    do(engine, "pool extend", data="512M")
    assert engine.devices.pool.figures().data.total_blocks == 8192
    assert do(engine, "pool check")[-1] == "the metadata are sound"
    do(engine, "pool trim")
    assert do(engine, "pool reap") == ("no device waits any more",)
    do(engine, "pool remove")
    do(engine, "pool create")
    assert engine.devices.pool.exists()


@pytest.mark.parametrize("form", OPERATIONS, ids=lambda form: form.id)
def test_what_a_form_needs_is_asked_for_by_its_title(form):
    for field in form.fields:
        if field.required:
            with pytest.raises(BadUsageError, match=f"^{field.title}: is missing"):
                form.check({})
        if field.kind is Kind.SIZE:
            with pytest.raises(BadUsageError):
                form.check({each.name: "x" for each in form.fields} | {field.name: "ten"})


def test_only_what_destroys_asks_for_a_name_again_where_it_has_one():
    asking = {form.id for form in OPERATIONS if form.confirm}
    assert asking == {"device remove"}
    assert all(form.risk is Risk.DESTROYS for form in OPERATIONS if form.confirm)


def test_the_engine_s_own_refusal_comes_through(engine):
    with pytest.raises(MissingError):
        operation("device activate").prepare(engine.plans, {"name": "nobody"}).plans()
