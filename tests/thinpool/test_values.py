"""Values: equal, hashed and told by their fields, and copied with a change by `dataclasses.replace`."""

from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, field, replace

import pytest

from dmtui.thinpool.values import frozen


@frozen
class Extent:
    """Some blocks."""

    begin: int
    length: int = 1
    note: str = field(default="", compare=False)


@frozen
class Place:
    """One field only."""

    begin: int


def test_values_are_equal_when_their_compared_fields_are():
    assert Extent(1, 2, "a") == Extent(1, 2, "b")
    assert Extent(1, 2) != Extent(1, 3)


def test_a_value_of_another_kind_is_another():
    assert Place(1) != Extent(1)
    assert Place(1) != 1


def test_equal_values_are_one_in_a_set():
    assert len({Extent(1), Extent(1, note="again"), Extent(2)}) == 2
    assert len({Place(1), Place(1)}) == 1


def test_a_value_tells_its_fields():
    assert repr(Extent(1, 2)) == "Extent(begin=1, length=2, note='')"


def test_a_changed_copy_leaves_the_value_alone():
    before = Extent(1, 2)
    assert (replace(before, length=5), before) == (Extent(1, 5), Extent(1, 2))


def test_a_value_becomes_a_dictionary_and_survives_copying_and_pickling():
    assert asdict(Extent(1)) == {"begin": 1, "length": 1, "note": ""}
    assert copy.deepcopy(Extent(1)) == pickle.loads(pickle.dumps(Extent(1))) == Extent(1)


def test_a_field_that_does_not_exist_cannot_be_set():
    with pytest.raises(AttributeError):
        Place(1).begins = 2


@frozen
class Heap:
    """Fields with what each value makes for itself."""

    name: str
    parts: list[int] = field(default_factory=list[int])
    seen: list[str] = field(default_factory=list[str], compare=False)

    def __post_init__(self) -> None:
        self.seen.append("made")


def test_every_value_has_its_own_of_what_is_made_for_it():
    first, second = Heap("a"), Heap("b", seen=["given"])
    first.parts.append(1)
    assert (first.parts, second.parts) == ([1], [])
    assert (first.seen, second.seen) == (["made"], ["given", "made"])


@pytest.mark.parametrize("values", [(), (1, 2, "a", 4)])
def test_a_value_is_refused_what_a_function_would_be_refused_also_the_first_of_its_kind(values):
    for kind in (Extent, frozen(type("New", (), {"__annotations__": {"begin": int, "length": int, "note": str}}))):
        with pytest.raises(TypeError):
            kind(*values)
        with pytest.raises(TypeError):
            kind(*values, end=2)


def test_what_makes_a_value_is_compiled_with_the_first_one():
    kind = frozen(type("Late", (), {"__annotations__": {"begin": int}}))
    before = kind.__init__
    assert kind(begin=3).begin == 3
    assert kind.__init__ is not before
    assert kind.__init__.__code__.co_varnames == ("self", "begin")
