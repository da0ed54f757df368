"""Status lines of the ``thin-pool`` and ``thin`` targets, of every kernel since 3.2, parsed and printed back.

Fields were added over the versions: 3.2 has the transaction id, the two usages and the held root; the mode and
the discard policy came next, then the no-space policy, ``needs_check`` (4.3) and the metadata low water mark (4.19).
A field that the kernel did not print is None here, never a guess.
"""

from __future__ import annotations

import re
from enum import Enum

from dmtui.thinpool.errors import MalformedError
from dmtui.thinpool.units import METADATA_BLOCK_BYTES, metadata_reserve_blocks, sectors_to_bytes
from dmtui.thinpool.values import frozen


class PoolMode(Enum):
    """How a pool serves, in the kernel's words."""

    READ_WRITE = "rw"
    OUT_OF_DATA_SPACE = "out_of_data_space"
    READ_ONLY = "ro"
    FAIL = "Fail"
    ERROR = "Error"


class DiscardPolicy(Enum):
    """What a pool does with discards, in the kernel's words."""

    IGNORE = "ignore_discard"
    NO_PASSDOWN = "no_discard_passdown"
    PASSDOWN = "discard_passdown"


class NoSpacePolicy(Enum):
    """What a pool without a free data block does with a write that needs one: wait, or fail at once."""

    QUEUE = "queue_if_no_space"
    ERROR = "error_if_no_space"


@frozen
class Usage:
    """Blocks in use out of all blocks."""

    used_blocks: int
    total_blocks: int

    def __str__(self) -> str:
        return f"{self.used_blocks}/{self.total_blocks}"

    @property
    def free_blocks(self) -> int:
        """Blocks not in use."""
        return self.total_blocks - self.used_blocks


@frozen
class PoolFigures:
    """What a pool says of itself while it can.

    Attributes:
        transaction_id: the number that the pool's owner moves.
        metadata: metadata blocks (4 KiB each) used and total; used contains the kernel's hidden reserve.
        data: data blocks used and total.
        held_root_block: metadata block of the held metadata snapshot; None when none is held.
    """

    transaction_id: int
    metadata: Usage
    data: Usage
    held_root_block: int | None

    @property
    def metadata_used_bytes(self) -> int:
        """Metadata in use, bytes, as the kernel counts it (with its reserve)."""
        return self.metadata.used_blocks * METADATA_BLOCK_BYTES

    @property
    def metadata_total_bytes(self) -> int:
        """All metadata, bytes."""
        return self.metadata.total_blocks * METADATA_BLOCK_BYTES

    @property
    def metadata_live_blocks(self) -> int:
        """Metadata blocks in use without the kernel's hidden reserve."""
        return max(0, self.metadata.used_blocks - metadata_reserve_blocks(self.metadata.total_blocks))


@frozen
class PoolStatus:
    """A pool's status line.

    Attributes:
        mode: None on kernels that do not print it.
        figures: None exactly when the mode is ``Fail`` or ``Error``.
        discard: None on kernels that do not print it.
        no_space: the policy in force (the kernel turns queue into error when its wait is over).
        needs_check: None on kernels that do not print it.
        metadata_low_water_mark_blocks: the kernel's own threshold for metadata, since 4.19.
    """

    mode: PoolMode | None
    figures: PoolFigures | None
    discard: DiscardPolicy | None = None
    no_space: NoSpacePolicy | None = None
    needs_check: bool | None = None
    metadata_low_water_mark_blocks: int | None = None

    def __str__(self) -> str:
        if self.figures is None:
            return "" if self.mode is None else self.mode.value
        held = "-" if self.figures.held_root_block is None else self.figures.held_root_block
        words = [self.figures.transaction_id, self.figures.metadata, self.figures.data, held]
        optional = (
            self.mode and self.mode.value,
            self.discard and self.discard.value,
            self.no_space and self.no_space.value,
            None if self.needs_check is None else "needs_check" if self.needs_check else "-",
            self.metadata_low_water_mark_blocks,
        )
        words.extend(word for word in optional if word is not None)
        return " ".join(map(str, words)) + " "

    @classmethod
    def parse(cls, params: str) -> PoolStatus:
        """Read the words behind ``thin-pool`` in a status line.

        Raises:
            MalformedError: the words are none that a kernel prints.
        """
        words = params.split()
        if words in (["Fail"], ["Error"]):
            return cls(PoolMode(words[0]), None)
        match = _FIGURES.fullmatch(" ".join(words[:4]))
        if match is None:
            raise MalformedError(f"thin-pool status {params!r}", "does not start with the pool's figures")
        txid, used_md, total_md, used, total, held = match.groups()
        figures = PoolFigures(
            int(txid), Usage(int(used_md), int(total_md)), Usage(int(used), int(total)), _number_or_none(held)
        )
        try:
            return cls._with_flags(figures, words[4:])
        except (ValueError, IndexError) as error:
            raise MalformedError(
                f"thin-pool status {params!r}", f"has a word that no kernel prints ({error})"
            ) from None

    @classmethod
    def _with_flags(cls, figures: PoolFigures, words: list[str]) -> PoolStatus:
        mode = PoolMode(words.pop(0)) if words else None
        if mode in (PoolMode.FAIL, PoolMode.ERROR):
            raise ValueError(f"{mode.value} beside figures")
        discard = DiscardPolicy(words.pop(0)) if words else None
        no_space = NoSpacePolicy(words.pop(0)) if words else None
        needs_check = {"needs_check": True, "-": False}.get(words[0]) if words else None
        if words:
            if needs_check is None:
                raise ValueError(repr(words[0]))
            words.pop(0)
        low_water = int(words.pop(0)) if words else None
        # Words behind are those of a kernel newer than us: left alone, as libdevmapper does.
        return cls(mode, figures, discard, no_space, needs_check, low_water)


@frozen
class ThinStatus:
    """A thin device's status line.

    Attributes:
        mapped_sectors: sectors with a block behind them; None when the device failed.
        highest_mapped_sector: None when nothing is mapped or the device failed.
        failed_word: ``Fail``, ``Error`` or ``-`` (not open in its pool) when the kernel printed just that.
    """

    mapped_sectors: int | None
    highest_mapped_sector: int | None
    failed_word: str | None = None

    def __str__(self) -> str:
        if self.failed_word is not None:
            return self.failed_word
        return f"{self.mapped_sectors} {'-' if self.highest_mapped_sector is None else self.highest_mapped_sector}"

    @property
    def mapped_bytes(self) -> int | None:
        """Bytes with a block behind them; None when the device failed."""
        return None if self.mapped_sectors is None else sectors_to_bytes(self.mapped_sectors)

    @classmethod
    def parse(cls, params: str) -> ThinStatus:
        """Read the words behind ``thin`` in a status line.

        Raises:
            MalformedError: the words are none that a kernel prints.
        """
        words = params.split()
        if words in (["Fail"], ["Error"], ["-"]):
            return cls(None, None, words[0])
        if len(words) != 2 or not words[0].isdigit() or not (words[1] == "-" or words[1].isdigit()):
            raise MalformedError(f"thin status {params!r}", "is not mapped sectors and highest mapped sector")
        return cls(int(words[0]), _number_or_none(words[1]))


_FIGURES = re.compile(r"(\d+) (\d+)/(\d+) (\d+)/(\d+) (\d+|-)")


def _number_or_none(word: str) -> int | None:
    return None if word == "-" else int(word)
