"""Where the stylesheets are, the dashboard's own theme, and what a terminal can show."""

from __future__ import annotations

from pathlib import Path

from textual.theme import Theme

import dmtui

THEME = Theme(
    name="dmtui",
    primary="#7cc7e8",
    secondary="#8b9bb4",
    accent="#7cc7e8",
    foreground="#d5dbe5",
    background="#10151d",
    surface="#10151d",
    panel="#1a212c",
    success="#7bc98f",
    warning="#e3b341",
    error="#ff7b86",
    dark=True,
    variables={
        "muted": "#8a97a9",
        "faint": "#4a5668",
        "data": "#5aa9f0",
        "meta": "#4cc2b0",
        "rule": "#303b4a",
        "cursor": "#26364b",
        "footer-key-foreground": "#7cc7e8",
        "footer-background": "#161c26",
        "footer-description-foreground": "#8a97a9",
    },
)
"""Blue, teal, amber and rose on slate: told apart also without red and green, and by words anyway."""

_DARK = {
    "muted": "#8a97a9",
    "faint": "#5a6575",
    "data": "#5aa9f0",
    "meta": "#4cc2b0",
    "rule": "#465264",
    "cursor": "#2b3d54",
}
_LIGHT = {
    "muted": "#5b6672",
    "faint": "#9aa5b1",
    "data": "#1f6fbf",
    "meta": "#0f7d6e",
    "rule": "#b9c2cc",
    "cursor": "#c4d6ea",
}
_ANSI = {
    "muted": "ansi_default",
    "faint": "ansi_bright_black",
    "data": "ansi_blue",
    "meta": "ansi_cyan",
    "rule": "ansi_bright_black",
    "cursor": "ansi_bright_black",
}


def variable_defaults(theme: Theme) -> dict[str, str]:
    """Our own variables for a theme that does not have them."""
    return dict(_ANSI if theme.ansi else _DARK if theme.dark else _LIGHT)


def stylesheet(name: str) -> Path:
    """A stylesheet: within the installed package, else at the top of the source tree."""
    package = Path(dmtui.__file__).parent
    for directory in (package / "styles", package.parent / "styles"):
        if (directory / name).is_file():
            return directory / name
    raise FileNotFoundError(f"stylesheet {name} is missing from {package / 'styles'}: install dmtui again")
