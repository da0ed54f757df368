"""What the threads that plan and perform are asked for, and what they deliver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from dmtui.deviceset.engine import Engine
from dmtui.deviceset.operations import Operation
from dmtui.deviceset.plan import Progress
from dmtui.thinpool.values import frozen


class OpenEngine(Protocol):
    """Opens the device set of the session's graph directory."""

    def __call__(self, *, recovering: bool, making: bool) -> Engine:
        """See `dmtui.deviceset.engine.open_engine`."""
        ...


@frozen
class Request:
    """A form as it was filled in."""

    operation: Operation
    values: Mapping[str, str]


@frozen
class Survey:
    """What there is, before a form is filled in.

    Attributes:
        pool: name of the graph directory's pool, whether it is active or not.
        names: the recorded devices.
        error: why it cannot be told; empty where it can.
    """

    operation: Operation
    pool: str = ""
    names: tuple[str, ...] = ()
    error: str = ""


@frozen
class Sheet:
    """A plan to be read.

    Attributes:
        steps: of each its text and the command line that would do the same; that is empty where there is none.
        refusal: why it cannot be done, where it is one of several; empty where it can.
    """

    title: str
    steps: tuple[tuple[str, str], ...]
    notices: tuple[str, ...] = ()
    refusal: str = ""


@frozen
class Preview:
    """What a request would do now.

    Attributes:
        lines: of its plans; empty where there is an error.
        sheets: the same plans, a sheet each.
        error: why it cannot be done, by the engine's own rules; empty where it can, be it for some of several devices.
        asks: what the form has still to say; empty where that is not what the error is.
        signature: the lines without what a directory that is yet to be made gives its devices' names.
    """

    request: Request
    lines: tuple[str, ...] = ()
    error: str = ""
    signature: tuple[str, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    asks: str = ""

    @property
    def able(self) -> int:
        """Of how many devices, or pools, it can be done."""
        return sum(not sheet.refusal for sheet in self.sheets)


@frozen
class Step:
    """How far the operation under way has come.

    Attributes:
        seconds: since its beginning.
        part: which of its plans it is about, from 0.
    """

    request: Request
    progress: Progress
    seconds: float
    part: int = 0


@frozen
class Part:
    """What became of one device of several.

    Attributes:
        error: why it failed or was refused; empty where it was done.
        undone: the steps that were taken back after a failure.
        unfinished: something of it is left to the next command.
    """

    subject: str
    seconds: float = 0.0
    error: str = ""
    undone: tuple[str, ...] = ()
    unfinished: bool = False


@frozen
class Finished:
    """An operation has ended.

    Attributes:
        error: why it failed; empty where it was done.
        undone: the steps that were taken back after a failure.
        unfinished: the next command has work to do.
        result: what it found, a line each.
        changed: it was not begun, because its plan is another than the one that was shown: these lines.
        parts: where it was about several devices, what became of each.
    """

    request: Request
    seconds: float = 0.0
    error: str = ""
    undone: tuple[str, ...] = ()
    unfinished: bool = False
    result: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()


Delivery = Survey | Preview | Step | Finished
