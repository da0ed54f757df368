"""Reads recordings: any sample by its number or its time, in little memory however long the recording is.

Opening reads the file once and keeps 28 bytes a sample (a week by the second: 17 MB). A compressed file is unpacked
into a temporary one without a name first, of at most `MOST_UNPACKED_BYTES`. The file may be anybody's: what is no
sample is told and passed over.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from typing import IO, cast

from dmtui.monitor.recorder import KIND, VERSION, Header, RecordingError
from dmtui.monitor.sample import Sample
from dmtui.thinpool.errors import NotPermittedError

MOST_UNPACKED_BYTES = 8 << 30
"""A compressed recording that is larger unpacked must be unpacked by whoever has the room: ``gunzip``."""
_MOST_LINE_BYTES = 256 << 20
_PIECE_BYTES = 4096
"""Where a compressed file is damaged, so much before the damage is lost as well."""
_MOST_AT_ONCE_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_BEGINNING = re.compile(rb'\{"format":\d+,"taken_at":(-?[0-9][0-9.eE+-]*),')
_END_OF_TIME = 253_402_300_800.0
"""The year 10000: later moments have no date."""


class Recording:
    """An open recording. Use `open`, and `close` in the end; reading is safe from several threads.

    Attributes:
        path: the file.
        header: its first line.
        findings: what is not as it should be, a line each.
    """

    def __init__(self, path: str, file: IO[bytes], findings: list[str]) -> None:
        self.path = path
        self._file = file
        self._starts = array("q")
        self._lengths = array("I")
        self._times = array("d")
        self._order = array("d")
        first = file.readline(_MOST_LINE_BYTES)
        self.header = _header(path, first)
        findings += self._index(len(first))
        self.findings = tuple(findings)

    @classmethod
    def open(cls, path: str) -> Recording:
        """Open a recording, compressed or not.

        Raises:
            RecordingError: it is none, one of a later release, or cannot be read.
            NotPermittedError: we may not read it.
        """
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a pipe would never open
                raise RecordingError(path, "is no regular file", "name a recording of dmtui")
            file = open(path, "rb")  # noqa: SIM115 - closed by `close`
            try:
                findings: list[str] = []
                if file.read(2) == _GZIP_MAGIC:
                    file, findings = _unpacked(path, file)
                file.seek(0)
                return cls(path, file, findings)
            except BaseException:
                file.close()
                raise
        except PermissionError:
            raise NotPermittedError(path, "is not permitted", "name a file that you may read") from None
        except OSError as error:
            raise RecordingError(path, f"cannot be read: {error.strerror}", "name a recording of dmtui") from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __len__(self) -> int:
        return len(self._starts)

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def time(self, index: int) -> float:
        """When a sample was taken, seconds since the epoch.

        Raises:
            IndexError: there is no such sample.
        """
        return self._times[index]

    def at(self, index: int) -> Sample:
        """A sample by its number, from 0.

        Raises:
            IndexError: there is no such sample.
            RecordingError: the line is no sample after all.
        """
        line = os.pread(self._file.fileno(), self._lengths[index], self._starts[index])
        try:
            return Sample.from_json(line.decode())
        except ValueError as error:
            raise RecordingError(self.path, f"sample {index} is broken: {error}", "the others can be read") from None

    def index_at(self, moment: float) -> int:
        """The number of the newest sample that is not later than a moment; 0 before the first.

        Where the clock of the machine was set back, samples that repeat a time are found by number only.
        """
        return max(0, bisect_right(self._order, moment) - 1)

    def between(self, since: float, until: float) -> Iterator[Sample]:
        """The samples of [since, until] in the order of the recording; broken ones are left out."""
        for index in range(self.index_at(since), len(self)):
            if self._order[index] > until:
                return
            if self._times[index] >= since:
                try:
                    yield self.at(index)
                except RecordingError:
                    continue

    def _index(self, start: int) -> list[str]:
        """Note where the samples are; returns findings."""
        broken, torn, back = 0, False, 0
        newest = float("-inf")
        while line := self._file.readline(_MOST_LINE_BYTES):
            taken_at = _taken_at(line)
            if taken_at is None:
                torn = not line.endswith(b"\n")
                broken += 0 if torn or not line.strip() else 1
            else:
                back += taken_at < newest
                newest = max(newest, taken_at)
                self._starts.append(start)
                self._lengths.append(len(line))
                self._times.append(taken_at)
                self._order.append(newest)
            start += len(line)
        told = (
            (broken, f"{broken} lines are no samples and are passed over"),
            (torn, "the last line is cut off, as by a killed recorder; it is passed over"),
            (back, f"the clock was set back: {back} samples are older than one before them"),
        )
        return [text for holds, text in told if holds]


def _taken_at(line: bytes) -> float | None:
    """When the sample of a line was taken; None when it is none. Only an unusual line is read as a whole for that."""
    match = _BEGINNING.match(line)
    try:
        if match is not None and line.endswith(b"}\n"):
            taken_at = float(match[1])
        else:
            taken_at = Sample.from_json(line.decode()).taken_at
    except ValueError:
        return None
    return taken_at if 0 <= taken_at < _END_OF_TIME else None


def _header(path: str, line: bytes) -> Header:
    no_recording = RecordingError(path, "is no recording of dmtui", "make one with `dmtui record FILE`")
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise no_recording from None
    if not isinstance(fields, dict):
        raise no_recording
    given = cast("dict[str, object]", fields)
    version = given.get("version")
    if given.get("kind") != KIND or type(version) is not int:
        raise no_recording
    if version > VERSION:
        written_by = given.get("dmtui")
        raise RecordingError(path, f"was written by a later dmtui ({written_by})", "read it with that one")
    try:
        began_at = datetime.fromisoformat(str(given["began"])).timestamp()
        interval_seconds = float(cast("float", given["interval_seconds"]))
        dmtui, machine, description = (str(given[key]) for key in ("dmtui", "machine", "machine_description"))
        facts = json.dumps(given["facts"]) if isinstance(given.get("facts"), dict) else ""
        return Header(dmtui, machine, description, began_at, interval_seconds, facts)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise RecordingError(path, "has a header that is not whole", "make another recording") from None


def _unpacked(path: str, packed: IO[bytes]) -> tuple[IO[bytes], list[str]]:
    """The content of a gzip file in a temporary file without a name, and what was wrong with it."""
    unpacker, size, findings = zlib.decompressobj(wbits=31), 0, list[str]()
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the recording
    with packed:
        packed.seek(0)
        while not unpacker.eof:
            piece = unpacker.unconsumed_tail or packed.read(_PIECE_BYTES)
            try:
                content = unpacker.decompress(piece, _MOST_AT_ONCE_BYTES)
            except zlib.error as error:
                findings.append(f"the compressed file is damaged ({error}); what comes before can be read")
                break
            if not piece and not content:
                findings.append("the compressed file has no end, as by a killed recorder; what is there can be read")
                break
            size += file.write(content)
            if size > MOST_UNPACKED_BYTES:
                file.close()
                raise RecordingError(path, f"is larger than {MOST_UNPACKED_BYTES >> 30} GiB unpacked", "gunzip it")
    return file, findings
