"""What the operator is told of a change in the alerts: a toast, a bell, and the title of the window."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from textual.app import App
from textual.notifications import Notify

from dmtui.monitor.alerts import POOL_IS_GONE, Alert, AlertState, Change, ChangeKind
from dmtui.monitor.sample import Pool
from dmtui.monitor.severity import Severity
from dmtui.monitor.thresholds import Thresholds
from dmtui.thinpool.text import printable
from dmtui.tui.figures import Level, pool_level
from dmtui.tui.glyphs import Glyphs
from dmtui.tui.toasts import AlertNote

_QUIET_SECONDS = 10.0
"""What rings so soon after the bell has rung does not ring again: it has called already."""
_SAVE_TITLE, _RESTORE_TITLE = "\x1b[22;2t", "\x1b[23;2t"


class Toast(NamedTuple):
    """A note that goes by itself."""

    title: str
    text: str
    severity: Literal["information", "warning", "error"]


class News(NamedTuple):
    """A change, and the host whose it is; empty where that is the one that is shown."""

    change: Change
    host: str = ""


class Notice(NamedTuple):
    """The alert that the line at the top tells, and how many more are not acknowledged."""

    alert: Alert
    others: int
    selected: bool = True
    """Whether it is of the selected pool, or of one that is down: their alerts a key acknowledges."""
    texts: tuple[str, ...] = ()
    """What the line says instead of the alert's text, longest first; empty where it says that."""


def notice_of(alerts: Iterable[Alert], selected: str | None) -> Notice | None:
    """The worst alert that nobody has acknowledged, of alerts that come worst first."""
    unseen = [alert for alert in alerts if not alert.acknowledged]
    if not unseen:
        return None
    return Notice(unseen[0], len(unseen) - 1, unseen[0].pool == selected or unseen[0].is_left_behind)


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


def toast_of(news: Iterable[News], glyphs: Glyphs) -> Toast | None:
    """One toast for all alerts that became WARN or CRIT or are no longer so bad: the worst, and how many more.

    What was so at the first look is no news: the lines at the top tell it. What is over is not counted among the alerts
    that came.
    """
    news = tuple(news)
    rises = [each for each in news if _is_rise(each.change) and not each.change.found]
    reliefs = [each for each in news if _is_relief(each.change)]
    loud = sorted(rises or reliefs, key=lambda each: each.change.alert.order)  # as the line at the top has them
    if not loud:
        return None
    worst, more = loud[0], len(loud) - 1
    ended = f" {glyphs.dot} {len(reliefs)} over" if rises and reliefs else ""
    title, text, severity = _toast(worst.change, glyphs)
    hosts = sorted({each.host for each in loud if each.host})
    where = f"  on {hosts[0]}" if len(hosts) == 1 else f"  on {len(hosts)} hosts" if hosts else ""
    if not more:
        return Toast(f"{title}  {printable(worst.change.alert.pool)}{where}", f"{text}{ended}", severity)
    over = " over" if _is_relief(worst.change) else ""
    first = (
        f"{printable(worst.change.alert.pool)}{f' on {worst.host}' if len(hosts) > 1 and worst.host else ''}: {text}"
    )
    return Toast(f"{title}  {len(loud)} alerts{over}{where}", f"{first} {glyphs.dot} and {more} more{ended}", severity)


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
    """How bad, and what."""
    alert = change.alert
    if _is_relief(change) and alert.text == POOL_IS_GONE:
        return Toast(f"{glyphs.off} gone", f"{alert.rule.value}: {POOL_IS_GONE}", "warning")
    if _is_relief(change):
        text = f"{alert.rule.value}: {'over' if change.kind is ChangeKind.ENDED else printable(alert.text)}"
        return Toast(f"{glyphs.ok} ok", text, "information")
    level = Level(int(alert.severity))
    return Toast(
        f"{level.sign(glyphs)} {level.word}", printable(alert.text), "error" if level is Level.CRIT else "warning"
    )


class Alarms:
    """Tells the changes of the alerts as they come.

    Args:
        bell: whether something that becomes CRIT rings.
        clock: seconds, for what comes soon after another.
        title: of the window.

    Attributes:
        bell: whether something that becomes CRIT rings.
        pops_up: whether a change is told by a toast.
        elsewhere: the worst of what is not on the screen, for the title of the window.
    """

    def __init__(
        self, bell: bool, clock: Callable[[], float] = time.monotonic, title: WindowTitle | None = None
    ) -> None:
        self.bell, self.pops_up = bell, True
        self.elsewhere: Callable[[], Severity] = lambda: Severity.INFO
        self._clock, self._title = clock, title or WindowTitle()
        self._rang_at = self._told_at = -math.inf
        self._told: tuple[News, ...] = ()

    def tell(
        self, app: App[None], changes: tuple[Change, ...], worst: Severity, glyphs: Glyphs, host: str = ""
    ) -> None:
        """Tell what has changed; on another host than the one that is shown, where."""
        if self.pops_up:
            self._pop_up(app, tuple(News(change, host) for change in changes), glyphs)
        now = self._clock()
        if self.bell and rings(changes) and now - self._rang_at >= _QUIET_SECONDS:
            self._rang_at = now
            app.bell()
        if not app.is_headless:
            self._title.show(max(worst, self.elsewhere()))
        if changes:
            app.refresh_bindings()

    def _pop_up(self, app: App[None], news: tuple[News, ...], glyphs: Glyphs) -> None:
        """Tell it together with what is still in sight, of each alert the newest."""
        if toast_of(news, glyphs) is None:
            return
        now, seconds = self._clock(), app.NOTIFICATION_TIMEOUT
        newest = {(each.host, each.change.alert.key) for each in news}
        still = self._told if now - self._told_at < seconds else ()
        self._told_at = now
        self._told = (*news, *(each for each in still if (each.host, each.change.alert.key) not in newest))
        toast = toast_of(self._told, glyphs)
        if toast is not None:
            app.post_message(Notify(AlertNote(toast.text, toast.title, toast.severity, seconds)))

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
