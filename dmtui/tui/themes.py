"""The dashboard's own themes: dark, light, high contrast, and two for eyes that lack a cone.

`tests/tui/test_themes.py` holds each to WCAG's contrast ratios.
"""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.color import Color
from textual.theme import Theme

from dmtui.thinpool.values import frozen


@frozen
class Palette:
    """The colours of a theme.

    Attributes:
        panel: background of the lines at the top and at the bottom.
        cursor: background of a table's row under the cursor.
        rule: frames, and the background of a badge.
        muted: labels; `faint`: what may be overlooked; `track`: the empty part of a gauge.
        ok, warn, crit: the levels.
        data, meta: fillings of the gauges.
        area: how much of a filling's colour the space below a history line has.
    """

    foreground: str
    background: str
    panel: str
    cursor: str
    rule: str
    muted: str
    faint: str
    track: str
    accent: str
    ok: str
    warn: str
    crit: str
    data: str
    meta: str
    emulated: str
    dark: bool = True
    area: float = 0.6

    def theme(self, name: str) -> Theme:
        """The palette as Textual takes it."""
        return Theme(
            name=name,
            primary=self.accent,
            secondary=self.muted,
            accent=self.accent,
            foreground=self.foreground,
            background=self.background,
            surface=self.background,
            panel=self.panel,
            success=self.ok,
            warning=self.warn,
            error=self.crit,
            dark=self.dark,
            variables={
                "muted": self.muted,
                "faint": self.faint,
                "track": self.track,
                "data": self.data,
                "meta": self.meta,
                "rule": self.rule,
                "cursor": self.cursor,
                "emulated": self.emulated,
                "data-area": self._below(self.data),
                "meta-area": self._below(self.meta),
                "warn-area": self._below(self.warn),
                "crit-area": self._below(self.crit),
                "footer-key-foreground": self.accent,
                "footer-background": self.panel,
                "footer-description-foreground": self.muted,
            },
        )

    def _below(self, surface: str) -> str:
        return Color.parse(self.background).blend(Color.parse(surface), self.area).hex


_DARK = Palette(
    foreground="#d5dbe5", background="#10151d", panel="#1a212c", cursor="#22314a", rule="#303b4a",
    muted="#9ba8ba", faint="#808c9f", track="#5f6b7e", accent="#7cc7e8", ok="#7bc98f", warn="#e3b341", crit="#ff8791",
    data="#5aa9f0", meta="#4cc2b0", emulated="#b48ead",
)  # fmt: skip
_LIGHT = Palette(
    foreground="#1b2330", background="#f8f9fb", panel="#e8ecf1", cursor="#d3e3f5", rule="#b4bec9",
    muted="#4b5663", faint="#5d6874", track="#858f9b", accent="#0b5394", ok="#17612d", warn="#7a4b00", crit="#a80f24",
    data="#1f63b0", meta="#0b6b5e", emulated="#7a3e75", dark=False, area=0.7,
)  # fmt: skip
_HIGH_CONTRAST = Palette(
    foreground="#ffffff", background="#000000", panel="#000000", cursor="#2b2b2b", rule="#4a4a4a",
    muted="#dcdcdc", faint="#c4c4c4", track="#8c8c8c", accent="#7fdcff", ok="#7dff9a", warn="#ffd75f", crit="#ffb0b0",
    data="#8fd0ff", meta="#66e8d6", emulated="#f0b8ff", area=0.75,
)  # fmt: skip
_NO_RED_GREEN = Palette(
    foreground="#dfe4ec", background="#10151d", panel="#1a212c", cursor="#22314a", rule="#303b4a",
    muted="#9ba8ba", faint="#808c9f", track="#5f6b7e", accent="#9ccbff", ok="#6db3ff", warn="#fff0a0", crit="#ff7f33",
    data="#6db3ff", meta="#d4dbe8", emulated="#c8b6ff",
)  # fmt: skip
_NO_BLUE_YELLOW = Palette(
    foreground="#dfe4ec", background="#10151d", panel="#1a212c", cursor="#22314a", rule="#303b4a",
    muted="#9ba8ba", faint="#808c9f", track="#5f6b7e", accent="#8fd8e8", ok="#4fc9d9", warn="#ffd3b0", crit="#ff6fae",
    data="#4fc9d9", meta="#b9c6d8", emulated="#d8b4ff",
)  # fmt: skip

PALETTES: dict[str, Palette] = {
    "dmtui": _DARK,
    "dmtui-light": _LIGHT,
    "dmtui-high-contrast": _HIGH_CONTRAST,
    "dmtui-no-red-green": _NO_RED_GREEN,
    "dmtui-no-blue-yellow": _NO_BLUE_YELLOW,
}
"""By name, in the order in which a key goes through them."""
TITLES: dict[str, str] = {
    "dmtui": "dark",
    "dmtui-light": "light",
    "dmtui-high-contrast": "high contrast",
    "dmtui-no-red-green": "without red and green (deuteranopia, protanopia)",
    "dmtui-no-blue-yellow": "without blue and yellow (tritanopia)",
}
"""What they are, in words."""
THEMES: tuple[Theme, ...] = tuple(palette.theme(name) for name, palette in PALETTES.items())
"""The same as Textual takes them."""


def next_theme(name: str) -> str:
    """The name of our theme after that one; our first after a theme that is not ours."""
    names = list(PALETTES)
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]


def begin_with_theme(app: App[Any], name: str) -> None:
    """Take a theme as if it had always been the app's: changing to it would read every stylesheet a second time."""
    if app.get_theme(name) is None or name == app.theme or name.startswith("ansi"):
        app.theme = name
        return
    app.set_reactive(App.theme, name)  # pyright: ignore[reportUnknownMemberType]
    app.stylesheet.set_variables(app.get_css_variables())
    dark = app.current_theme.dark
    app.update_classes({f"-theme-{name}": True, "-dark-mode": dark, "-light-mode": not dark}, update=False)
