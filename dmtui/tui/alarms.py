"""What the operator is told of a change in the alerts: a toast, a bell, and the title of the window."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from textual.app import App

from dmtui.monitor.alerts import Alert, AlertState, Change, ChangeKind
from dmtui.monitor.sample import Pool
from dmtui.monitor.severity import Severity
from dmtui.monitor.thresholds import Thresholds
from dmtui.thinpool.text import printable
from dmtui.tui.figures import Level, pool_level
from dmtui.tui.glyphs import Glyphs

MOST_TOASTS = 3
"""Of more changes at once the worst are told, and how many there are."""
_SAVE_TITLE, _RESTORE_TITLE = "\x1b[22;2t", "\x1b[23;2t"


class Toast(NamedTuple):
    """A note that goes by itself."""

    title: str
    text: str
    severity: Literal["information", "warning", "error"]


class Notice(NamedTuple):
    """The alert that the line at the top tells, and how many more are not acknowledged."""

    alert: Alert
    others: int
    selected: bool = True
    """Whether it is of the selected pool, whose alerts a key acknowledges."""


def notice_of(alerts: Iterable[Alert], selected: str | None) -> Notice | None:
    """The worst alert that nobody has acknowledged, of alerts that come worst first."""
    unseen = [alert for alert in alerts if not alert.acknowledged]
    return Notice(unseen[0], len(unseen) - 1, unseen[0].pool == selected) if unseen else None


class PoolRow(NamedTuple):
    """A pool of a list, with the worst that its figures and its alerts say of it."""

    pool: Pool
    level: Level


def worst_first(pools: Iterable[Pool], alerts: AlertState, thresholds: Thresholds) -> list[PoolRow]:
    """The pools, worst first, those that are as bad by name."""
    worst: dict[str, int] = {}
    for alert in alerts.alerts:
        worst.setdefault(alert.pool, int(alert.severity))
    rows = [PoolRow(pool, max(pool_level(pool, thresholds), Level(worst.get(pool.name, 0)))) for pool in pools]
    return sorted(rows, key=lambda row: (-row.level, row.pool.display_name))


def toasts(changes: Iterable[Change], glyphs: Glyphs) -> list[Toast]:
    """A toast for each alert that became WARN or CRIT and for each that is no longer so bad, worst first."""
    loud = [change for change in changes if _is_rise(change) or _is_relief(change)]
    loud.sort(key=lambda change: (_is_relief(change), -change.alert.severity))
    told = [_toast(change, glyphs) for change in loud[:MOST_TOASTS]]
    if len(loud) > MOST_TOASTS:
        told.append(Toast("Alerts", f"and {len(loud) - MOST_TOASTS} more: see the events", "warning"))
    return told


def rings(changes: Iterable[Change]) -> bool:
    """Whether something became CRIT: once each time, however long it lasts."""
    return any(_is_rise(change) and change.alert.severity is Severity.CRIT for change in changes)


def _is_rise(change: Change) -> bool:
    return change.kind in (ChangeKind.BEGAN, ChangeKind.WORSE) and change.alert.severity >= Severity.WARN


def _is_relief(change: Change) -> bool:
    if change.kind is ChangeKind.ENDED:
        return change.alert.severity >= Severity.WARN
    return change.kind is ChangeKind.BETTER and change.alert.severity < Severity.WARN


def _toast(change: Change, glyphs: Glyphs) -> Toast:
    alert = change.alert
    if _is_relief(change):
        text = f"{alert.rule.value}: {'over' if change.kind is ChangeKind.ENDED else printable(alert.text)}"
        return Toast(f"{glyphs.ok} ok  {printable(alert.pool)}", text, "information")
    level = Level(int(alert.severity))
    title = f"{level.sign(glyphs)} {level.word}  {printable(alert.pool)}"
    return Toast(title, printable(alert.text), "error" if level is Level.CRIT else "warning")


class Alarms:
    """Tells the changes of the alerts as they come.

    Attributes:
        bell: whether something that becomes CRIT rings.
        elsewhere: the worst of what is not on the screen, for the title of the window.
    """

    def __init__(self, bell: bool, title: WindowTitle | None = None) -> None:
        self.bell = bell
        self.elsewhere: Callable[[], Severity] = lambda: Severity.INFO
        self._title = title or WindowTitle()

    def tell(
        self, app: App[None], changes: tuple[Change, ...], worst: Severity, glyphs: Glyphs, host: str = ""
    ) -> None:
        """Tell what has changed; on another host than the one that is shown, where."""
        for title, text, severity in toasts(changes, glyphs):
            app.notify(text, title=f"{title}  on {host}" if host else title, severity=severity, markup=False)
        if self.bell and rings(changes):
            app.bell()
        if not app.is_headless:
            self._title.show(max(worst, self.elsewhere()))
        if changes:
            app.refresh_bindings()

    def switch_bell(self, app: App[None]) -> None:
        """Silence the bell, or let it ring again."""
        self.bell = not self.bell
        app.notify("a new CRIT rings the bell" if self.bell else "the bell is silent", title="Bell")

    def close(self) -> None:
        """Give the window its title back."""
        self._title.close()


class WindowTitle:
    """The title of the terminal's window or tab: a list of windows shows what is wrong in one that is not seen.

    Args:
        write: takes control sequences; by default the terminal on standard error, if it is one.
    """

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self._write = write or _to_terminal
        self._shown = ""

    def show(self, worst: Severity) -> None:
        """Tell the worst severity; writes nothing when it is the same as before."""
        mark = f"[{worst.word}] " if worst >= Severity.WARN else ""
        title = f"{mark}dmtui"
        if title != self._shown:
            begin = "" if self._shown else _SAVE_TITLE
            self._shown = title
            self._write(f"{begin}\x1b]2;{title}\x07")

    def close(self) -> None:
        """Give the window its former title back."""
        if self._shown:
            self._shown = ""
            self._write(_RESTORE_TITLE)


def _to_terminal(text: str) -> None:
    terminal = sys.__stderr__
    if terminal is not None and terminal.isatty():
        terminal.write(text)
        terminal.flush()
