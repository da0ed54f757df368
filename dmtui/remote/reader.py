"""Turns what comes from another machine into samples: it may be anybody's, and is taken apart with that in mind."""

from __future__ import annotations

import json
import re
from typing import cast

from dmtui import __version__
from dmtui.monitor.sample import Sample
from dmtui.remote.errors import RemoteError, cut
from dmtui.remote.ourtime import OurTime
from dmtui.remote.reach import Reach
from dmtui.thinpool.text import printable

LONGEST_LINE_BYTES = 32 << 20
"""A sample of 10,000 devices with their records is 5 MB."""
MOST_CHATTER_LINES = 100
"""What the shell there may print before our program speaks."""
_BEGINNING = b'{"format":'
_PLAIN = re.compile(rb"[ -\[\]-~]*")
"""A line without a character that is not printable, and without an escape that could stand for one."""
_END_OF_TIME = 253_402_300_800.0
"""The year 10000: later moments have no date."""


class LineSplitter:
    """Cuts bytes, as they come, into lines."""

    def __init__(self, host: str, longest_bytes: int = LONGEST_LINE_BYTES) -> None:
        self._host, self._longest_bytes = host, longest_bytes
        self._rest = bytearray()

    def lines_of(self, content: bytes) -> list[bytes]:
        """The lines that are whole now.

        Raises:
            RemoteError: a line is longer than any that is taken.
        """
        *lines, rest = content.split(b"\n")
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        self._rest += rest
        if max(map(len, (*lines, self._rest))) > self._longest_bytes:
            raise RemoteError(
                self._host,
                f"sends a line of more than {self._longest_bytes:,} bytes",
                "see what `dmtui watch --format json` prints there",
                lasting=True,
            )
        return lines


class SampleReader:
    """Reads the lines of one connection.

    Attributes:
        chatter: the first line that was no sample; empty while there is none.
    """

    def __init__(self, reach: Reach, our_time: OurTime) -> None:
        self._reach, self._our_time = reach, our_time
        self._passed_over = 0
        self._begun = False
        self.chatter = ""

    def take(self, line: bytes, arrived_at: float) -> Sample | None:
        """The sample of a line; None for what the shell there says before the first one.

        Raises:
            RemoteError: it is no sample, or one of a dmtui whose samples this one cannot read.
        """
        if not line.startswith(_BEGINNING):
            self._pass_over(line)
            return None
        try:
            sample = Sample.from_json(_spelled_out(line))
        except ValueError as error:
            raise RemoteError(
                self._reach.host,
                f"sends samples that dmtui {__version__} cannot read ({cut(str(error))})",
                f"install the same version on both: `{self._reach.typed('--version')}` tells which it has",
                lasting=True,
            ) from None
        if not 0 <= sample.taken_at < _END_OF_TIME:
            raise RemoteError(self._reach.host, "sends a sample of no moment that can be", "look at its clock")
        self._begun = True
        return self._our_time.restated(sample, arrived_at)

    def _pass_over(self, line: bytes) -> None:
        self._passed_over += 1
        self.chatter = self.chatter or cut(line[:1000].decode("utf-8", "replace").strip())
        if self._begun or self._passed_over > MOST_CHATTER_LINES:
            raise RemoteError(
                self._reach.host,
                f"sends what is no sample: {cut(line[:1000].decode('utf-8', 'replace').strip())!r}",
                f"see what `{self._reach.typed('watch', '--format', 'json', '--count', '1')}` prints",
            )


def _spelled_out(line: bytes) -> str:
    """The line with every control character in its texts spelled out, wherever they are shown or written later.

    Raises:
        ValueError: it is no JSON.
    """
    if _PLAIN.fullmatch(line):  # nearly always
        return line.decode()
    try:
        return json.dumps(_printable(json.loads(line)))
    except RecursionError:
        raise ValueError("it has no end") from None


def _printable(value: object) -> object:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_printable(each) for each in cast("list[object]", value)]
    if isinstance(value, dict):
        return {printable(key): _printable(each) for key, each in cast("dict[str, object]", value).items()}
    return value
