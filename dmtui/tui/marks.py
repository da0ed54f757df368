"""The devices that the operator has marked, so that one operation is done to all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from dmtui.monitor.sample import Sample


@dataclass(slots=True)
class Marks:
    """Of each pool the names of its marked devices; filters and sorting leave them alone, they go with their device."""

    _names: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    def of(self, pool: str) -> frozenset[str]:
        """The marked devices of a pool, by their device-mapper names."""
        return self._names.get(pool, frozenset())

    def turn(self, pool: str, name: str) -> None:
        """Mark a device, or unmark it."""
        self._names[pool] = self.of(pool) ^ {name}

    def mark(self, pool: str, names: Iterable[str]) -> None:
        """Mark these devices too."""
        self._names[pool] = self.of(pool) | frozenset(names)

    def unmark(self, pool: str, names: Iterable[str]) -> None:
        """Unmark these devices."""
        self._names[pool] = self.of(pool) - frozenset(names)

    def take_in(self, sample: Sample) -> None:
        """Forget the marks of devices that are gone."""
        for pool, marked in self._names.items():
            if not marked:
                continue
            found = sample.pool(pool)
            known = {device.name for device in found.devices} if found else set[str]()
            known.update(record.name for record in (found.recorded if found else None) or ())
            self._names[pool] = marked & known
