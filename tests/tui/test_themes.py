"""Every theme can be read: WCAG's contrast on every background, and levels that differ however one sees colours."""

from itertools import combinations

import pytest
from textual.color import Color

from dmtui.tui.lines import ROLES
from dmtui.tui.themes import PALETTES, THEMES, TITLES, next_theme

ON_EVERYTHING = ("foreground", "muted", "accent", "ok", "warn", "crit", "data", "meta")
ON_THE_BACKGROUND = ("faint",)
DRAWN = ("track", "data-area", "meta-area", "warn-area", "crit-area")
"""No words: WCAG 1.4.11 asks for 3:1."""
BADGES = (("foreground", "rule"), ("background", "warn"), ("background", "crit"), ("background", "emulated"))
PLACES = ("background", "panel", "cursor")

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
PROTANOPIA = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
DEUTERANOPIA = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
TRITANOPIA = ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900))
EYES = [
    ("dmtui-no-red-green", PROTANOPIA),
    ("dmtui-no-red-green", DEUTERANOPIA),
    ("dmtui-no-blue-yellow", TRITANOPIA),
]


def linear(color: Color) -> tuple[float, ...]:
    parts = (color.r / 255, color.g / 255, color.b / 255)
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)


def luminance(color: Color) -> float:
    red, green, blue = linear(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted(luminance(Color.parse(color)) for color in (first, second))
    return (lighter + 0.05) / (darker + 0.05)


def lab(rgb: tuple[float, ...]) -> tuple[float, float, float]:
    red, green, blue = (min(1.0, max(0.0, part)) for part in rgb)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def seen(color: str, eye) -> tuple[float, float, float]:
    parts = linear(Color.parse(color))
    return lab(tuple(sum(factor * part for factor, part in zip(row, parts, strict=True)) for row in eye))


def colour(name: str, what: str) -> str:
    found = getattr(PALETTES[name], what, None)
    return found if found is not None else PALETTES[name].theme(name).variables[what]


@pytest.mark.parametrize("name", PALETTES)
def test_every_word_can_be_read_wherever_it_stands(name):
    least = 7.0 if "high-contrast" in name else 4.5
    pairs = [(what, place) for what in ON_EVERYTHING for place in PLACES]
    pairs += [(what, place) for what in ON_THE_BACKGROUND for place in PLACES[:2]] + list(BADGES)
    ratios = {pair: round(contrast(colour(name, pair[0]), colour(name, pair[1])), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < least} == {}


@pytest.mark.parametrize("name", PALETTES)
def test_what_is_drawn_can_be_seen(name):
    ratios = {what: round(contrast(colour(name, what), colour(name, "background")), 2) for what in DRAWN}
    assert {what: ratio for what, ratio in ratios.items() if ratio < 3.0} == {}


def test_no_role_is_left_out():
    of_the_stylesheet = {"text", "strong", "reserve", "ok", "warn", "crit"}  # bold, or a colour that another tests
    tested = {*ON_EVERYTHING, *ON_THE_BACKGROUND, *DRAWN, *of_the_stylesheet}
    assert {role for role in ROLES if not role.startswith("badge")} <= tested


@pytest.mark.parametrize(("name", "eye"), EYES, ids=["protanopia", "deuteranopia", "tritanopia"])
def test_levels_differ_for_an_eye_that_lacks_a_cone(name, eye):
    palette = PALETTES[name]
    for first, second in combinations((palette.ok, palette.warn, palette.crit), 2):
        distance = sum((a - b) ** 2 for a, b in zip(seen(first, eye), seen(second, eye), strict=True)) ** 0.5
        assert distance >= 25, (first, second)


def test_a_key_goes_through_all_of_them_and_from_a_strange_one_to_the_first():
    names, name = [], "dmtui"
    for _ in PALETTES:
        names.append(name)
        name = next_theme(name)
    assert (names, name) == (list(PALETTES), "dmtui")
    assert next_theme("nord") == "dmtui"
    assert [theme.name for theme in THEMES] == list(PALETTES) == list(TITLES)
