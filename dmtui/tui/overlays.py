"""Screens that lie over another: they come and go in one picture each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from textual.app import App
from textual.screen import Screen

Result = TypeVar("Result")

_COMING_SECONDS = 0.08
"""Mostly enough to mount a dialog. Textual would draw the whole terminal before, between and after."""
_GOING_SECONDS = 0.04


def lay_over(app: App[Any], screen: Screen[Result], closed: Callable[[Result | None], object] | None = None) -> None:
    """Show a screen above the present one.

    Args:
        app: of both.
        screen: not shown yet.
        closed: takes its result when it goes.
    """
    app.delay_update(_COMING_SECONDS)
    app.push_screen(screen, cast("Any", closed))  # pyright: ignore[reportUnknownMemberType]


def take_off(screen: Screen[Result], result: Result | None) -> None:
    """Close a screen that lies over another."""
    app = cast("App[Any]", screen.app)  # pyright: ignore[reportUnknownMemberType]
    app.delay_update(_GOING_SECONDS)
    screen.dismiss(result)
