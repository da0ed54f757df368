"""A sample is plain data that survives JSON."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmtui.monitor.sample import Backing, Pool, Sample, Space, ThinDevice

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
        "bool": st.booleans(),
        "bool | None": st.none() | st.booleans(),
        "tuple[str, ...]": st.lists(texts, max_size=2).map(tuple),
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
