"""From one screen to another: each lies above the overview, which keeps what was chosen in it."""

from __future__ import annotations

from textual.app import App

from dmtui.tui.actions import Scope
from dmtui.tui.screens import maker
from dmtui.tui.screens.base import DashboardScreen


async def go(app: App[None], scope: Scope, classes: str) -> None:
    """Show another screen above the overview; one device's above the table that it was chosen in.

    Args:
        app: whose screens.
        scope: of the screen.
        classes: that the screen has from the start.
    """
    make = maker(scope)
    if make is None or (isinstance(app.screen, DashboardScreen) and scope is app.screen.SCOPE):
        return
    while len(app.screen_stack) > 1 and scope is not Scope.DEVICE:
        await app.pop_screen()
    if scope is not Scope.OVERVIEW:
        screen = make()
        screen.add_class(*classes.split(), update=False)  # it is styled when it is mounted
        await app.push_screen(screen)


def scope_shown(app: App[None]) -> Scope:
    """Of the screen that is shown, or lies below what covers it, the palette say."""
    shown = (screen.SCOPE for screen in reversed(app.screen_stack) if isinstance(screen, DashboardScreen))
    return next(shown, Scope.OVERVIEW)


def covered_screen(app: App[None]) -> DashboardScreen | None:
    """The screen of the dashboard under what lies over it: a help, a dialog, the palette; None where nothing does."""
    shown = [screen for screen in reversed(app.screen_stack) if isinstance(screen, DashboardScreen)]
    return shown[0] if shown and shown[0] is not app.screen else None


async def back(app: App[None]) -> None:
    """Show the screen below."""
    if len(app.screen_stack) > 1:
        await app.pop_screen()
