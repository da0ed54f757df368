"""A stage's machine as it was, its clock too: copied before a step, and put back when the watcher goes back."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from dmtui.machine.emulated import clock
from dmtui.machine.emulated.store import FILE_NAME

_RECORDS = "metadata"
_STATE = "dmtui"
_LOG = "audit.jsonl"
"""The audit log is no part of it: what was done stays done, also when it is taken back."""


class Checkpoints:
    """The copies of one machine, in a directory of their own inside the machine's."""

    def __init__(self, directory: Path) -> None:
        self._machine = directory
        self._copies = directory / "checkpoints"

    def keep(self, number: int) -> None:
        """Copy the machine as it is; an older copy of that number goes."""
        copy = self._copies / str(number)
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir(parents=True, mode=0o700)
        _copy_store(self._machine / FILE_NAME, copy / FILE_NAME)
        with closing(sqlite3.connect(copy / FILE_NAME)) as connection, connection:
            clock.keep(connection)
        _copy_files(self._machine / "devicemapper", copy / "devicemapper")

    def put_back(self, number: int) -> None:
        """Let the machine be what it was; whoever has it open sees that as one change."""
        copy = self._copies / str(number)
        _remove_files(self._machine / "devicemapper")
        _copy_files(copy / "devicemapper", self._machine / "devicemapper")
        with closing(sqlite3.connect(copy / FILE_NAME)) as connection, connection:
            clock.put_back(connection)
        _copy_store(copy / FILE_NAME, self._machine / FILE_NAME)


def _copy_store(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target, timeout=60)) as writing:
        reading.backup(writing)


def _copy_files(source: Path, target: Path) -> None:
    def kept_out(directory: str, names: list[str]) -> set[str]:
        return {_LOG} & set(names) if Path(directory).name == _STATE else set()

    shutil.copytree(source, target, ignore=kept_out, dirs_exist_ok=True)


def _remove_files(directory: Path) -> None:
    """Remove every file below, but for the log; directories and what is locked keep their identity."""
    for path in sorted(directory.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.name != _LOG:
            path.unlink()
