"""A sample is plain data that survives JSON."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmtui.monitor.sample import Backing, Pool, RecordedDevice, Sample, Space, ThinDevice
from tests.monitor import made

floats = st.floats(allow_nan=False, allow_infinity=False)


def values_of(kind):
    """Any value of a sample's class, built from its annotations."""
    texts = st.text(max_size=8)
    by_annotation = {
        "str": texts,
        "str | None": st.none() | texts,
        "int": st.integers(),
        "int | None": st.none() | st.integers(),
        "float": floats,
        "float | None": st.none() | floats,
        "bool": st.booleans(),
        "bool | None": st.none() | st.booleans(),
        "tuple[str, ...]": st.lists(texts, max_size=2).map(tuple),
        "tuple[str, ...] | None": st.none() | st.lists(texts, max_size=2).map(tuple),
        "tuple[RecordedDevice, ...] | None": st.none()
        | st.deferred(lambda: st.lists(values_of(RecordedDevice), max_size=2).map(tuple)),
        "Space": st.deferred(lambda: values_of(Space)),
        "Backing": st.deferred(lambda: values_of(Backing)),
        "tuple[ThinDevice, ...]": st.deferred(lambda: st.lists(values_of(ThinDevice), max_size=2).map(tuple)),
        "tuple[Pool, ...]": st.deferred(lambda: st.lists(values_of(Pool), max_size=2).map(tuple)),
    }
    return st.builds(kind, **{field.name: by_annotation[field.type] for field in dataclasses.fields(kind)})


@given(values_of(Sample))
def test_every_sample_survives_json(sample):
    line = sample.to_json()
    assert "\n" not in line
    assert Sample.from_json(line) == sample


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"format":99}', '{"format":1}', "null", '{"format":1,"pools":3}'])
def test_what_is_no_sample_is_refused(line):
    with pytest.raises(ValueError):
        Sample.from_json(line)


def test_unknown_space_has_no_fraction():
    assert Space(None, 10, None).used_fraction is None
    assert Space(1, 0, None).used_fraction is None
    assert Space(1, 4, 3).used_fraction == 0.25


POOL_LINE = Sample(1.0, 0.1, "kernel", "test", (made.pool(devices=(made.thin(1),)),)).to_json()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"taken_at":1.0', '"taken_at":"now"'),
        ('"taken_at":1.0', '"taken_at":NaN'),
        ('"taken_at":1.0', f'"taken_at":1{"0" * 400}'),
        ('"needs_check":false', '"needs_check":0'),
        ('"open_count":0', '"open_count":true'),
        ('"open_count":0', '"open_count":0.5'),
        ('"devices":[{', '"devices":[7,{'),
        ('"disks":[', '"disks":["x",null,'),
        ('"findings":[]', '"findings":"none"'),
        ('"data":{', '"data":{"colour":"red",'),
        ('"name":"p",', ""),
        ('"problems":[]', '"problems":' + "[" * 100_000 + "]" * 100_000),
    ],
)
def test_a_line_of_somebody_else_is_a_sample_in_every_field_or_refused(right, wrong):
    assert Sample.from_json(POOL_LINE)
    assert right in POOL_LINE
    with pytest.raises(ValueError):
        Sample.from_json(POOL_LINE.replace(right, wrong, 1))


def test_a_line_of_an_earlier_release_lacks_what_came_later():
    fields = json.loads(POOL_LINE)
    for backing in (fields["pools"][0]["data_backing"], fields["pools"][0]["metadata_backing"]):
        del backing["loop_file_missing"], backing["loop_file_also_on"]
    assert Sample.from_json(json.dumps(fields)) == Sample.from_json(POOL_LINE)


def test_a_problem_that_names_a_pool_tells_of_it():
    sample = made.sample(problems=("device docker-8:1-7-pool: cannot be read",))
    assert sample.tells_of("docker-8:1-7-pool")
    assert not sample.tells_of("vg0-pool")
