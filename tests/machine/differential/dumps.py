"""All that the metadata of a pool hold, as lines: both machines' are made by the same hands."""

from __future__ import annotations


class Dump:
    """Thins and mappings in order; neighbouring mappings become one line."""

    def __init__(self, transaction: int, time: int) -> None:
        self._lines = [f"transaction {transaction} time {time}"]
        self._run: tuple[int, int, int, int] | None = None

    def thin(self, thin_id: int, mapped: int, transaction: int, created: int, snapshotted: int) -> None:
        self._end_run()
        self._lines.append(f"thin {thin_id}: {mapped} mapped, transaction {transaction}, time {created} {snapshotted}")

    def mapping(self, block: int, data_block: int, time: int, length: int) -> None:
        if self._run:
            begin, data_begin, run_time, count = self._run
            if (begin + count, data_begin + count, run_time) == (block, data_block, time):
                self._run = (begin, data_begin, time, count + length)
                return
        self._end_run()
        self._run = (block, data_block, time, length)

    def lines(self) -> list[str]:
        self._end_run()
        return self._lines

    def _end_run(self) -> None:
        if self._run:
            begin, data_begin, time, count = self._run
            self._lines.append(f"{begin} at {data_begin} time {time} x {count}")
        self._run = None
