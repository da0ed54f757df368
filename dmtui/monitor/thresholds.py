"""From what on a figure is watched, WARN and CRIT; the table ``[alerts]`` of the configuration file sets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from dmtui.thinpool.errors import BadUsageError
from dmtui.thinpool.values import frozen


@frozen
class Thresholds:
    """When alerts begin and end.

    Attributes:
        data_percent: data used: from where it is watched, WARN, CRIT.
        metadata_percent: the same for metadata above the kernel's reserve.
        host_missing_percent: the same for what a sparse loop file may still ask for and its host does not have
            (0: the host can just give it all).
        hours_to_full: WARN and CRIT under so many hours until data, metadata or host are full; 0 for never.
        hysteresis_points: how far below its threshold a percentage must be before an alert ends or gets milder.
        polls: how many polls in a row a percentage or a time must hold before anything changes.
    """

    data_percent: tuple[float, float, float] = (75.0, 85.0, 92.0)
    metadata_percent: tuple[float, float, float] = (60.0, 70.0, 80.0)
    host_missing_percent: tuple[float, float, float] = (0.0, 50.0, 90.0)
    hours_to_full: tuple[float, float] = (24.0, 1.0)
    hysteresis_points: float = 2.0
    polls: int = 2


def thresholds_of(table: object, place: str) -> Thresholds:
    """Thresholds from a table of a configuration file; what it does not set keeps its default.

    Args:
        table: keys as the attributes of `Thresholds`, lists for tuples.
        place: where the table stands, for errors.

    Raises:
        BadUsageError: a key is unknown, or a value cannot be; names the key and what it takes.
    """
    if not isinstance(table, Mapping):
        raise BadUsageError(place, f"does not take {table!r}", "it takes a table")
    made: dict[str, Any] = {}
    for key, value in cast("Mapping[str, object]", table).items():
        check = _CHECKS.get(key)
        if check is None:
            raise BadUsageError(f"{place}.{key}", "is unknown", f"known are {', '.join(_CHECKS)}")
        accepted, holds = check
        if not holds(value):
            raise BadUsageError(f"{place}.{key}", f"does not take {value!r}", f"it takes {accepted}")
        made[key] = tuple(cast("list[float]", value)) if isinstance(value, list) else value
    return Thresholds(**made)


def _numbers(value: object, count: int) -> list[float] | None:
    if not isinstance(value, list):
        return None
    numbers = cast("list[object]", value)
    right = len(numbers) == count and all(type(number) in (int, float) for number in numbers)
    return cast("list[float]", numbers) if right else None


def _is_rising(value: object) -> bool:
    numbers = _numbers(value, 3)
    return numbers is not None and 0 <= numbers[0] <= numbers[1] <= numbers[2] <= 100


def _is_hours(value: object) -> bool:
    numbers = _numbers(value, 2)
    return numbers is not None and 0 <= numbers[1] <= numbers[0] <= 24 * 365


def _is_points(value: object) -> bool:
    return type(value) in (int, float) and 0 <= cast("float", value) <= 50


def _is_polls(value: object) -> bool:
    return type(value) is int and 1 <= value <= 60


_RISING = "three percentages from 0 to 100, none below the one before: watch, WARN, CRIT"
_CHECKS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "data_percent": (_RISING, _is_rising),
    "metadata_percent": (_RISING, _is_rising),
    "host_missing_percent": (_RISING, _is_rising),
    "hours_to_full": ("two numbers of hours, the second not above the first: WARN, CRIT", _is_hours),
    "hysteresis_points": ("percentage points from 0 to 50", _is_points),
    "polls": ("a whole number from 1 to 60", _is_polls),
}
