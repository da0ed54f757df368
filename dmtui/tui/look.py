"""Where the stylesheets are, and our colours for themes that are not ours."""

from __future__ import annotations

from pathlib import Path

from textual.theme import Theme

import dmtui
from dmtui.tui.themes import PALETTES

_ANSI = {
    "muted": "ansi_default",
    "faint": "ansi_bright_black",
    "data": "ansi_blue",
    "meta": "ansi_cyan",
    "track": "ansi_bright_black",
    "rule": "ansi_bright_black",
    "cursor": "ansi_bright_black",
    "emulated": "ansi_default",
    "data-area": "ansi_blue",
    "meta-area": "ansi_cyan",
    "warn-area": "ansi_yellow",
    "crit-area": "ansi_red",
}


def variable_defaults(theme: Theme) -> dict[str, str]:
    """Our own variables for a theme that does not have them."""
    if theme.ansi:
        return dict(_ANSI)
    return dict(PALETTES["dmtui" if theme.dark else "dmtui-light"].theme(theme.name).variables)


def stylesheet(name: str) -> Path:
    """A stylesheet: within the installed package, else at the top of the source tree."""
    package = Path(dmtui.__file__).parent
    for directory in (package / "styles", package.parent / "styles"):
        if (directory / name).is_file():
            return directory / name
    raise FileNotFoundError(f"stylesheet {name} is missing from {package / 'styles'}: install dmtui again")
