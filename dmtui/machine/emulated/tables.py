"""Reading the tables of targets as strictly, and as leniently, as the kernel reads them."""

from __future__ import annotations

import errno
import re

from dmtui.thinpool.units import MAX_BLOCK_SECTORS, MAX_THIN_ID, MIN_BLOCK_SECTORS
from dmtui.thinpool.values import frozen

_FEATURES = ("skip_block_zeroing", "ignore_discard", "no_discard_passdown", "read_only", "error_if_no_space")
_NUMBER = re.compile(r"\+?[0-9]+")
_U64 = (1 << 64) - 1


class RefusedError(Exception):
    """The kernel refuses it: an errno, what its log says, and the target of the table that it says it of, if any."""

    def __init__(self, number: int, reason: str, target: str = "") -> None:
        self.number = number
        self.reason = reason
        self.target = target
        super().__init__(number, reason)


def kernel_number(word: str) -> int | None:
    """A decimal number below 2^64 as the kernel reads it: a plus sign and leading zeros are fine."""
    if not _NUMBER.fullmatch(word):
        return None
    number = int(word)
    return number if number <= _U64 else None


@frozen
class PoolWords:
    """A thin-pool line, read: numbers checked, devices still as written."""

    metadata: str
    data: str
    block_sectors: int
    low_water_blocks: int
    features: tuple[str, ...]


def read_features(words: list[str]) -> tuple[str, ...]:
    """The features behind the first four words of a pool's line, in the order the kernel prints them.

    Raises:
        RefusedError: the count or a word is wrong.
    """
    if not words:
        return ()
    count = kernel_number(words[0])
    if count is None or count > 4 or count > len(words) - 1:
        raise RefusedError(errno.EINVAL, "Invalid number of pool feature arguments")
    named = {word.lower() for word in words[1 : 1 + count]}
    if not named <= set(_FEATURES):
        raise RefusedError(errno.EINVAL, "Unrecognised pool feature requested")
    return tuple(feature for feature in _FEATURES if feature in named)


def read_pool_words(params: str) -> PoolWords:
    """Read a thin-pool line up to its numbers; `check_pool_numbers` comes after the devices were opened.

    Raises:
        RefusedError: a word is wrong; block size and low water mark are -1 where they are no numbers.
    """
    words = params.split()
    if len(words) < 4:
        raise RefusedError(errno.EINVAL, "Invalid argument count")
    if words[0] == words[1]:
        raise RefusedError(errno.EINVAL, "Error setting metadata or data device")
    features = read_features(words[4:])
    numbers = [kernel_number(word) for word in words[2:4]]
    block_sectors, low_water = (-1 if number is None else number for number in numbers)
    return PoolWords(words[0], words[1], block_sectors, low_water, features)


def check_pool_numbers(words: PoolWords) -> None:
    """Check block size and low water mark.

    Raises:
        RefusedError: one is out of its range.
    """
    size = words.block_sectors
    if not MIN_BLOCK_SECTORS <= size <= MAX_BLOCK_SECTORS or size % MIN_BLOCK_SECTORS:
        raise RefusedError(errno.EINVAL, "Invalid block size")
    if words.low_water_blocks < 0:
        raise RefusedError(errno.EINVAL, "Invalid low water mark")


def read_thin_id(word: str) -> int:
    """A thin id.

    Raises:
        RefusedError: no decimal number of 24 bits.
    """
    number = kernel_number(word)
    if number is None or number > MAX_THIN_ID:
        raise RefusedError(errno.EINVAL, f"Invalid device id: {word}")
    return number


def split_message(text: str) -> list[str]:
    """The words of a message: parted by blanks; a backslash makes the next character, if any, an ordinary one."""
    words: list[str] = []
    word: list[str] = []
    characters = iter(text)
    inside = False
    for character in characters:
        if character == "\\":
            word.append(next(characters, "\\"))
            inside = True
        elif character.isspace():
            if inside:
                words.append("".join(word))
            word, inside = [], False
        else:
            word.append(character)
            inside = True
    if inside:
        words.append("".join(word))
    return words
