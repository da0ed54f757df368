"""Sizes as people write and read them.

Two decimal styles come from the original: four significant digits with the unit after a space (README and
releases before 17.04) or attached (since 17.04). The binary style is ours. Source of the rule: the reference's
vectors for go-units' HumanSize, C's ``%.4g`` with no carry to the next unit.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum

from dmtui.thinpool.errors import BadUsageError

_DECIMAL_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
MAX_SIZE_BYTES = 2**63 - 1
"""The largest size that the kernel, a file or a record can hold."""


class SizeStyle(Enum):
    """How a size is printed."""

    SPACED = "65.54 kB"
    ATTACHED = "65.54kB"
    BINARY = "64 KiB"


def format_size(size_bytes: int, style: SizeStyle = SizeStyle.SPACED) -> str:
    """Print a size given in bytes, e.g. ``65.54 kB``, ``65.54kB`` or ``64 KiB``."""
    base, units = (1024.0, _BINARY_UNITS) if style is SizeStyle.BINARY else (1000.0, _DECIMAL_UNITS)
    value, index = float(size_bytes), 0
    while value >= base and index < len(units) - 1:
        value /= base
        index += 1
    gap = "" if style is SizeStyle.ATTACHED else " "
    return f"{value:.4g}{gap}{units[index]}"


def parse_size(text: str) -> int:
    """Read a size in the original's option syntax into bytes: ``10G`` is 10 x 1024^3, ``64k``, ``1.5 GiB``, ``300``.

    Raises:
        BadUsageError: the text is not a size, or one that nothing can have.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise BadUsageError(f"size {text!r}", "is not a size", "write a number with K, M, G, T or P, such as 10G")
    power = " kmgtp".index(match[2].lower() or " ")
    whole = match[1]
    size = Decimal(whole) * 1024**power
    if size > MAX_SIZE_BYTES:
        raise BadUsageError(f"size {text!r}", "is more than anything can have", "give less than 8192P")
    return int(whole) * 1024**power if whole.isdigit() else int(size)


def format_share(fraction: float | None) -> str:
    """A share as ``71.4 %``, ``?`` when it is unknown; cut, not rounded: only what is full is said to be at 100 %."""
    return "?" if fraction is None else f"{int(fraction * 1000) / 10:.1f} %"
