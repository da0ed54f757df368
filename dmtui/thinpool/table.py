"""Table lines of the ``thin-pool`` and ``thin`` targets, parsed and printed as the kernel prints them.

Source: the kernel's thin-provisioning document and the lab's runs (metadata device first, feature count always
printed, features in a fixed order, a pool's line ends with a blank).
"""

from __future__ import annotations

from dmtui.thinpool.errors import MalformedError
from dmtui.thinpool.units import sectors_to_bytes
from dmtui.thinpool.values import frozen

THIN_POOL = "thin-pool"
THIN = "thin"
_FEATURES = ("skip_block_zeroing", "ignore_discard", "no_discard_passdown", "read_only", "error_if_no_space")


@frozen
class Target:
    """One line of a table or of a status: where it lies, its type, and its words.

    Attributes:
        start_sectors: first sector on the mapped device.
        length_sectors: sectors covered.
        type: target type, such as ``thin-pool``.
        params: the words behind, exactly as the kernel gave them (a trailing blank included).
    """

    start_sectors: int
    length_sectors: int
    type: str
    params: str

    def __str__(self) -> str:
        return f"{self.start_sectors} {self.length_sectors} {self.type} {self.params}"

    @classmethod
    def parse(cls, line: str) -> Target:
        """Read ``START LENGTH TYPE PARAMS``.

        Raises:
            MalformedError: fewer than three words, or numbers that are none.
        """
        words = line.split(" ", 3)
        if len(words) < 3 or not (words[0].isdigit() and words[1].isdigit()):
            raise MalformedError(f"target line {line!r}", "does not start with start, length and type")
        return cls(int(words[0]), int(words[1]), words[2], words[3] if len(words) == 4 else "")


@frozen
class PoolTable:
    """Parameters of a thin-pool target. Devices are ``MAJ:MIN`` when read back, paths or numbers when loaded.

    Attributes:
        metadata_device: device holding the metadata.
        data_device: device holding the data blocks.
        block_sectors: size of a data block, in sectors.
        low_water_mark_blocks: free data blocks at which the kernel sends its event.
        features: requested feature words, in the kernel's order.
    """

    metadata_device: str
    data_device: str
    block_sectors: int
    low_water_mark_blocks: int
    features: tuple[str, ...] = ()

    @property
    def block_bytes(self) -> int:
        """Size of a data block, in bytes."""
        return sectors_to_bytes(self.block_sectors)

    def params(self) -> str:
        """The words behind ``thin-pool``, as the kernel prints them back."""
        features = sorted(set(self.features), key=_FEATURES.index)
        words = [self.metadata_device, self.data_device, self.block_sectors, self.low_water_mark_blocks, len(features)]
        return " ".join([*map(str, words), *features]) + " "

    def target(self, length_sectors: int) -> Target:
        """The whole line of a pool that spans so many sectors."""
        return Target(0, length_sectors, THIN_POOL, self.params())

    @classmethod
    def parse(cls, params: str) -> PoolTable:
        """Read the words behind ``thin-pool``.

        Raises:
            MalformedError: a word is missing, not a number, or an unknown feature.
        """
        words = params.split()
        numbers = words[2:5]
        if len(words) < 4 or not all(word.isdigit() for word in numbers):
            raise MalformedError(f"thin-pool table {params!r}", "is not metadata, data, block size, low water mark")
        count = int(words[4]) if len(words) > 4 else 0
        features = tuple(word.lower() for word in words[5 : 5 + count])
        unknown = [word for word in features if word not in _FEATURES]
        if unknown or len(features) != count:
            raise MalformedError(f"thin-pool table {params!r}", f"counts {count} features but names {list(features)}")
        ordered = tuple(sorted(set(features), key=_FEATURES.index))
        return cls(words[0], words[1], int(words[2]), int(words[3]), ordered)


@frozen
class ThinTable:
    """Parameters of a thin target: its pool, its id in there, and an external origin where it has one."""

    pool_device: str
    thin_id: int
    external_origin: str | None = None

    def params(self) -> str:
        """The words behind ``thin``, as the kernel prints them back (no trailing blank)."""
        words = f"{self.pool_device} {self.thin_id}"
        return f"{words} {self.external_origin}" if self.external_origin else words

    def target(self, length_sectors: int) -> Target:
        """The whole line of a thin device of so many sectors."""
        return Target(0, length_sectors, THIN, self.params())

    @classmethod
    def parse(cls, params: str) -> ThinTable:
        """Read the words behind ``thin``.

        Raises:
            MalformedError: not two or three words, or an id that is no number.
        """
        words = params.split()
        if len(words) not in (2, 3) or not words[1].isdigit():
            raise MalformedError(f"thin table {params!r}", "is not pool device, thin id and perhaps an origin")
        return cls(words[0], int(words[1]), words[2] if len(words) == 3 else None)
