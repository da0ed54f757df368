"""What the operator chose and finds again at the next start: theme, size unit, bell, span, and how tables are sorted.

It stands in ``$XDG_STATE_HOME/dmtui/state.json``, for its owner only; a broken file is told of and not used.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, field, fields
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

from textual.app import App
from textual.screen import Screen

from dmtui.thinpool.sizes import SizeStyle
from dmtui.thinpool.values import frozen
from dmtui.tui.figures import Look
from dmtui.tui.reaching import GROWING, SPANS_SECONDS
from dmtui.tui.themes import THEMES
from dmtui.tui.widgets.line_table import LineTable

_CLOSING_SECONDS = 0.5
Sorts = dict[str, tuple[str, bool]]


@frozen
class Kept:
    """The choices.

    Attributes:
        theme: its name.
        binary: sizes in binary units.
        bell: whether a new CRIT rings.
        span_seconds: how much of the past charts show, one of `SPANS_SECONDS` or `GROWING`.
        sorts: of each table, by its id, the column and whether it is turned round.
    """

    theme: str = THEMES[0].name
    binary: bool = False
    bell: bool = True
    span_seconds: int = GROWING
    sorts: Sorts = field(default_factory=dict[str, tuple[str, bool]])


def state_path(environment: Mapping[str, str]) -> Path:
    """Where the file of an environment is."""
    base = environment.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "dmtui" / "state.json"


def load(path: Path) -> tuple[Kept, str]:
    """The choices of a file, and why they could not be read (empty where they could, or where there is none yet)."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return _kept(found), ""
    except (FileNotFoundError, NotADirectoryError):
        return Kept(), ""
    except (OSError, ValueError, RecursionError) as error:
        return Kept(), f"{path} is not used: {error}"


def save(path: Path, kept: Kept) -> None:
    """Write the choices: either all of them or none, readable by their owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(kept), file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _kept(found: object) -> Kept:
    if not isinstance(found, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - as any other broken file
    given = cast("dict[str, Any]", found)
    usual = Kept()
    made: dict[str, Any] = {}
    for each in fields(Kept):
        value = given.get(each.name, getattr(usual, each.name))
        if type(value) is not type(getattr(usual, each.name)):
            raise ValueError(f"{each.name} cannot be {value!r}")
        made[each.name] = value
    if made["span_seconds"] not in (GROWING, *SPANS_SECONDS):
        raise ValueError(f"span_seconds cannot be {made['span_seconds']!r}")
    sorts: Sorts = {}
    for name, sort in cast("dict[str, Any]", made["sorts"]).items():
        if not (isinstance(sort, list) and [type(part) for part in cast("list[object]", sort)] == [str, bool]):
            raise ValueError(f"sorts cannot have {sort!r}")
        sorts[name] = (sort[0], sort[1])
    return Kept(made["theme"], made["binary"], made["bell"], made["span_seconds"], sorts)


class Keeper:
    """Loads the choices at the start and saves them whenever they are others, never in the thread that answers keys.

    Attributes:
        kept: the choices.
        note: why those of the file were not used; empty otherwise.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Keep them in that file; without one nothing is loaded or saved."""
        self._path = path
        self.kept, self.note = load(path) if path else (Kept(), "")
        self._tables: WeakKeyDictionary[Screen[Any], list[LineTable[Any]]] = WeakKeyDictionary()
        self._writing: threading.Thread | None = None
        self._lock = threading.Lock()

    def restore(self, screen: Screen[Any]) -> None:
        """Sort the tables of a screen that is shown for the first time as they were."""
        if screen in self._tables:
            return
        self._tables[screen] = list(screen.query(LineTable[Any]))
        for table in self._tables[screen]:
            column, turned = self.kept.sorts.get(table.id or "", ("", False))
            if column:
                table.order(column, turned)

    def sorts_of(self, screen: Screen[Any]) -> Sorts:
        """How tables are sorted, those of the screen as they are now."""
        present = {table.id or "": table.present_order for table in self._tables.get(screen, ())}
        sorts = {**self.kept.sorts, **present}
        return {name: sort for name, sort in sorts.items() if sort[0]}

    @property
    def size_style(self) -> SizeStyle:
        """How sizes are printed."""
        return SizeStyle.BINARY if self.kept.binary else SizeStyle.SPACED

    def theme(self, available: Mapping[str, object]) -> str:
        """The theme that was chosen, if it is still there."""
        return self.kept.theme if self.kept.theme in available else THEMES[0].name

    def keep(self, screen: Screen[Any], theme: str, look: Look, bell: bool, span_seconds: int) -> None:
        """Save the choices if they are others than before; a theme for want of colours was not chosen."""
        app = cast("App[Any]", screen.app)  # pyright: ignore[reportUnknownMemberType]
        chosen = self.kept.theme if app.current_theme.ansi else theme
        binary = look.size_style is SizeStyle.BINARY
        kept = Kept(chosen, binary, bell, span_seconds, self.sorts_of(screen))
        if kept == self.kept:
            return
        self.kept = kept
        if self._path is not None:
            self._writing = threading.Thread(target=self._write, args=(self._path,), name="dmtui-state", daemon=True)
            self._writing.start()

    def close(self) -> None:
        """Give a write under way a moment."""
        if self._writing is not None:
            self._writing.join(_CLOSING_SECONDS)

    def _write(self, path: Path) -> None:
        with self._lock, suppress(OSError):  # a full or read-only home costs the choices, not the dashboard
            save(path, self.kept)
