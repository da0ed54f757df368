"""Notes that pop up and go by themselves: at most one about alerts and one about anything else are in sight.

Textual keeps every note until its time is over: a burst of them would cover half of a small terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textual.app import App
from textual.notifications import Notification, Notify


@dataclass
class AlertNote(Notification):
    """A note about alerts: the line at the top tells them, too."""


class Toasts:
    """What is in sight of one app."""

    def __init__(self) -> None:
        self._in_sight: dict[bool, Notification] = {}
        """By whether they are about alerts; those that are over among them."""

    def admit(self, app: App[Any], note: Notification, *, small: bool) -> bool:
        """Make room for a note; False where it must not be shown.

        Args:
            app: whose note it is.
            note: not shown yet.
            small: the terminal has room for one only: one about alerts, which are told elsewhere, too, gives way.
        """
        alerts = isinstance(note, AlertNote)
        same, other = self._seen(alerts), self._seen(not alerts)
        if small and alerts and other is not None:
            return False
        if same is not None or (small and other is not None):
            self._clear(app)
            if other is not None and not small:
                app.post_message(Notify(_for_what_is_left(other)))
        self._in_sight[alerts] = note
        return True

    def _seen(self, alerts: bool) -> Notification | None:
        note = self._in_sight.get(alerts)
        return None if note is None or note.has_expired else note

    def _clear(self, app: App[Any]) -> None:
        self._in_sight.clear()
        app.clear_notifications()
        if app.screen_stack:  # none is left while the dashboard is being left
            # Of a note that is cleared Textual leaves the box that held it.
            app.screen.query("ToastHolder").remove()


def _for_what_is_left(note: Notification) -> Notification:
    """The same, to be shown anew until it would have gone."""
    return type(note)(note.message, note.title, note.severity, note.time_left, note.markup)
