"""The engine's operations as forms: what each asks for, what its plan is, what it tells afterwards.

One table for every face of the product that lets somebody fill in a form; texts become values here, by the rules of the
command line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial

from dmtui.deviceset.plan import Plan
from dmtui.deviceset.plans import Plans
from dmtui.deviceset.removal import flagged, plan_remove
from dmtui.thinpool.errors import BadUsageError, NotGivenError
from dmtui.thinpool.sizes import parse_size
from dmtui.thinpool.values import frozen

Values = Mapping[str, str]
_BASE = "base"
MOST_AT_ONCE = 1000
"""So many devices may be made with one form."""


class Kind(Enum):
    """What a field takes."""

    NEW_NAME = "a new device's name"
    DEVICE = "a recorded device's name"
    SIZE = "a size such as 10G"
    COUNT = "a number"
    FLAG = "yes or no"


class Risk(Enum):
    """What an operation may do, in rising order."""

    REVERSIBLE = "reversible"
    CREATES = "creates"
    DESTROYS = "destroys"


@frozen
class Field:
    """A field of a form; an empty text is "not given"."""

    name: str
    title: str
    kind: Kind
    help: str
    required: bool = False


@frozen
class Prepared:
    """One or several plans made from a form, each to be made when those before it have been performed.

    Attributes:
        makers: make the plans, in their order.
        subjects: the device that each of them is about; empty where there is one plan, about the pool. What is done to
            one of several devices does not depend on the others.
        result: lines that tell what was found, to be asked for after the plans were performed.
    """

    makers: tuple[Callable[[], Plan], ...]
    result: Callable[[], tuple[str, ...]] = tuple
    subjects: tuple[str, ...] = ()

    def plans(self) -> tuple[Plan, ...]:
        """All the plans, each as if it were the first."""
        return tuple(make() for make in self.makers)


@frozen
class Operation:
    """Something the operator can ask the engine for.

    Attributes:
        id: its word on the command line, ``device create`` say.
        confirm: the field whose text must be typed again before it runs; empty where nothing is destroyed.
    """

    id: str
    title: str
    help: str
    risk: Risk
    fields: tuple[Field, ...]
    prepare: Callable[[Plans, Values], Prepared]
    confirm: str = ""

    def check(self, values: Values) -> None:
        """Raise `BadUsageError` for the first field that is missing (`NotGivenError`), or whose text cannot be read."""
        for field in self.fields:
            text = values.get(field.name, "").strip()
            if field.required and not text:
                raise NotGivenError(field.title, "is missing", f"give {field.kind.value}")
            if text and field.kind is Kind.SIZE:
                parse_size(text)
            if text and field.kind is Kind.COUNT:
                _count(field.title, text)


def on_file(name: str) -> str:
    """A device's name on file: the base device has none."""
    return "" if name == _BASE else name


def _given(values: Values, name: str) -> str:
    return values.get(name, "").strip()


def _size(values: Values, name: str) -> int | None:
    text = _given(values, name)
    return parse_size(text) if text else None


def _flag(values: Values, name: str) -> bool:
    return _given(values, name) in ("yes", "true", "1")


def _count(title: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_AT_ONCE):
        raise BadUsageError(title, f"is {text!r}", f"give a number from 1 to {MOST_AT_ONCE}, or nothing")
    return int(text)


def _names(values: Values) -> tuple[str, ...]:
    """The names that a form gives, each once."""
    return tuple(dict.fromkeys(_given(values, "name").split()))


def _new_names(values: Values) -> tuple[str, ...]:
    """The same, each as ``NAME-1`` to ``NAME-n`` where a number is given."""
    number = _given(values, "count")
    if not number:
        return _names(values)
    return tuple(f"{name}-{index}" for name in _names(values) for index in range(1, int(number) + 1))


def _create(plans: Plans, values: Values) -> Prepared:
    parent, size = on_file(_given(values, "parent")), _size(values, "size")
    names = _new_names(values)
    return Prepared(tuple(partial(plans.create, name, parent, size) for name in names), subjects=names)


def _each(make: Callable[[Plans, str, Values], Plan]) -> Callable[[Plans, Values], Prepared]:
    def prepare(plans: Plans, values: Values) -> Prepared:
        names = _names(values)
        return Prepared(tuple(partial(make, plans, on_file(name), values) for name in names), subjects=names)

    return prepare


def _pool(make: Callable[[Plans, Values], Plan]) -> Callable[[Plans, Values], Prepared]:
    return lambda plans, values: Prepared((partial(make, plans, values),))


def _check(plans: Plans, values: Values) -> Prepared:
    checking = plans.check(clears=_flag(values, "clear"))
    return Prepared((lambda: checking.plan,), lambda: checking.words)


def _remove(plans: Plans, values: Values) -> Prepared:
    names = _names(values)

    def result() -> tuple[str, ...]:
        waiting = [name for name in flagged(plans.devices) if name in names]
        return tuple(f"{name} is still open: it waits for its deletion, reaping tries again" for name in waiting)

    return Prepared(tuple(partial(plans.remove, on_file(name)) for name in names), result, names)


def _reap(plans: Plans, _: Values) -> Prepared:
    waiting = flagged(plans.devices)

    def result() -> tuple[str, ...]:
        return tuple(f"{name} still waits" for name in flagged(plans.devices)) or ("no device waits any more",)

    makers = tuple(partial(plan_remove, plans.devices, name, deferring=True) for name in waiting)
    return Prepared(makers, result, tuple(waiting))


_NAMES = Field("name", "Device", Kind.DEVICE, "one, or several with blanks between", required=True)
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "device create",
        "Create a device",
        "A snapshot of its parent, or of the base device.",
        Risk.CREATES,
        (
            Field("name", "Name", Kind.NEW_NAME, "one, or several with blanks between", required=True),
            Field("parent", "Parent", Kind.DEVICE, "whose snapshot it becomes; empty: the base device"),
            Field("size", "Size", Kind.SIZE, "at least the parent's; empty: the parent's"),
            Field("count", "How many", Kind.COUNT, "NAME-1 to NAME-n; empty: one of each name"),
        ),
        _create,
    ),
    Operation(
        "device activate",
        "Activate",
        "Make the device's node.",
        Risk.REVERSIBLE,
        (_NAMES,),
        _each(lambda plans, name, _: plans.activate(name)),
    ),
    Operation(
        "device deactivate",
        "Deactivate",
        "Remove the device's node; its data stay.",
        Risk.REVERSIBLE,
        (_NAMES, Field("deferred", "Deferred", Kind.FLAG, "as soon as nobody has it open")),
        _each(lambda plans, name, values: plans.deactivate(name, deferred=_flag(values, "deferred"))),
    ),
    Operation(
        "device mount",
        "Mount",
        "Mount the device below the graph directory, or count one more user of it.",
        Risk.REVERSIBLE,
        (_NAMES,),
        _each(lambda plans, name, _: plans.mount(name)),
    ),
    Operation(
        "device unmount",
        "Unmount",
        "End one use; the last one unmounts and deactivates the device.",
        Risk.REVERSIBLE,
        (_NAMES,),
        _each(lambda plans, name, _: plans.unmount(name)),
    ),
    Operation(
        "device remove",
        "Remove",
        "Delete the device and all its data; its snapshots keep theirs.",
        Risk.DESTROYS,
        (_NAMES,),
        _remove,
        confirm="name",
    ),
    Operation(
        "pool create",
        "Create or activate the pool",
        "The pool and its base device: made, or activated over the files that are there.",
        Risk.CREATES,
        (),
        _pool(lambda plans, _: plans.start("the dashboard")),
    ),
    Operation(
        "pool extend",
        "Extend the pool",
        "More data or metadata space, while the pool is used. Sizes in all.",
        Risk.CREATES,
        (
            Field("data", "Data", Kind.SIZE, "the data size wanted, in all"),
            Field("metadata", "Metadata", Kind.SIZE, "the metadata size wanted, in all, at most 16 GiB"),
        ),
        _pool(lambda plans, values: plans.extend(_size(values, "data"), _size(values, "metadata"))),
    ),
    Operation(
        "pool trim",
        "Trim",
        "Give back what mounted file systems have free; of a pool at rest, what its host gave it in vain.",
        Risk.REVERSIBLE,
        (),
        _pool(lambda plans, _: plans.trim()),
    ),
    Operation(
        "pool check",
        "Check the metadata",
        "thin_check, of a pool in use through a metadata snapshot.",
        Risk.REVERSIBLE,
        (Field("clear", "Clear", Kind.FLAG, "needs_check where they are sound; the pool must be down"),),
        _check,
    ),
    Operation(
        "pool reap",
        "Reap",
        "Try the deletions of devices that were busy when they were removed.",
        Risk.DESTROYS,
        (),
        _reap,
    ),
    Operation(
        "pool remove",
        "Take the pool down",
        "Unmount and deactivate everything, then remove the pool's node; files and data stay.",
        Risk.REVERSIBLE,
        (Field("force", "Force", Kind.FLAG, "go as far as possible while others hold devices open"),),
        _pool(lambda plans, values: plans.remove_pool(force=_flag(values, "force"))),
    ),
)
_BY_ID = {operation.id: operation for operation in OPERATIONS}


def operation(identity: str) -> Operation:
    """The operation of that word; a wrong one is a `KeyError`."""
    return _BY_ID[identity]
