"""Device numbers: major and minor, as the kernel, device-mapper and stat spell them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dmtui.thinpool.errors import MalformedError

_TEXT = re.compile(r"(\d{1,4}):(\d{1,7})")


@dataclass(frozen=True, slots=True, order=True)
class DeviceNumber:
    """A block device's number, printed ``MAJ:MIN``."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}:{self.minor}"

    @classmethod
    def parse(cls, text: str) -> DeviceNumber:
        """Read ``MAJ:MIN`` in decimal.

        Raises:
            MalformedError: the text is anything else.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise MalformedError(f"device number {text!r}", "is not MAJ:MIN in decimal")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def unpack(cls, packed: int) -> DeviceNumber:
        """Split a packed number (stat's ``st_dev``, dm's ``dev``, loop's ``lo_device``).

        The packing is Linux's: 12 bits of major from bit 8, the minor's low 8 bits below and the rest from bit 20.
        """
        return cls((packed >> 8) & 0xFFF, (packed & 0xFF) | ((packed >> 12) & ~0xFF))

    def pack(self) -> int:
        """The packed form that `unpack` reads."""
        return (self.major << 8) | (self.minor & 0xFF) | ((self.minor & ~0xFF) << 12)
