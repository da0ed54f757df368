"""What a pool is: its owner, mode and policies, and what is wrong with it."""

from __future__ import annotations

from dmtui.monitor.sample import Pool
from dmtui.thinpool.text import printable
from dmtui.tui.figures import Density, Level, Look, mode_level
from dmtui.tui.lines import Line, Span, crop, fit_middle, line, width_of

_KEY_WIDTH = 14
_MOST_FINDINGS = {Density.COMPACT: 2, Density.NORMAL: 4, Density.ROOMY: 4}
_MODE_MEANING = {
    "rw": "reads and writes",
    "ro": "read-only: metadata cannot be changed",
    "out_of_data_space": "no free data block",
    "Fail": "metadata unusable, all I/O fails",
    "Error": "no status from the kernel",
}


def mode_words(pool: Pool, look: Look) -> Line:
    """The kernel's word for the mode with its symbol, and what comes on top of it."""
    level = mode_level(pool.mode)
    sign, role = (look.glyphs.unknown, "warn") if level is None else (level.sign(look.glyphs), level.role)
    spans = [Span(f"{sign} {printable(pool.mode) if pool.mode else '?'}", role)]
    if pool.suspended:
        spans.append(Span(" suspended", "warn"))
    return tuple(spans)


def facts_lines(pool: Pool, look: Look, width: int) -> list[Line]:
    """The panel's lines: two dense ones in a compact screen, a line a fact in all others."""
    if look.density is Density.COMPACT:
        return _compact(pool, look, width)
    room = max(4, width - _KEY_WIDTH)
    meaning = f"  {_MODE_MEANING.get(pool.mode or '', 'not told by this kernel')}"
    rows: list[tuple[str, Line]] = [
        ("name", line(Span(fit_middle(printable(pool.display_name), room, look.glyphs.ellipsis).rstrip(), "strong"))),
        ("owner", line(pool.owner)),
        ("mode", (*mode_words(pool, look), Span(meaning, "muted"))),
        ("needs check", _needs_check(pool, look)),
        ("block size", line(look.size(pool.block_size_bytes))),
        ("transaction", line(_number(pool.transaction_id))),
        ("low water", _low_water(pool, look)),
        ("when full", line(printable(pool.no_space_policy or "?"))),
        ("discards", line(printable(pool.discard_policy or "?"))),
    ]
    if look.density is Density.ROOMY:
        rows += [
            ("device", line(pool.dev, Span(f"   open {pool.open_count}", "muted"))),
            ("uuid", line(printable(pool.uuid) or "none")),
        ]
    return [crop((Span(f"{key:<{_KEY_WIDTH}}", "muted"), *value), width, look.glyphs.ellipsis) for key, value in rows]


def findings_lines(findings: tuple[str, ...], look: Look, width: int) -> list[Line]:
    """What is wrong or odd, a line each; the count in the title tells how many there are."""
    most = _MOST_FINDINGS[look.density]
    shown = findings if len(findings) <= most else findings[: most - 1]
    sign = Span(f"{look.glyphs.warn} ", "warn")
    lines = [crop((sign, Span(printable(finding))), width, look.glyphs.ellipsis) for finding in shown]
    if len(shown) < len(findings):
        lines.append((Span(f"  and {len(findings) - len(shown)} more", "muted"),))
    return lines


def _compact(pool: Pool, look: Look, width: int) -> list[Line]:
    gap = Span("   ")
    check = (Span("needs check ", "muted"), *_needs_check(pool, look, "yes"))
    facts: list[Line] = [
        (Span("owner ", "muted"), Span(pool.owner)),
        (Span("block ", "muted"), Span(look.size(pool.block_size_bytes))),
        (Span("transaction ", "muted"), Span(_number(pool.transaction_id))),
    ]
    facts = [*facts, check] if pool.needs_check is False else [check, *facts]
    first: list[Span] = [*mode_words(pool, look)]
    for fact in facts:  # the last ones go where a long mode leaves no room
        if width_of(first) + width_of((gap, *fact)) <= width:
            first += [gap, *fact]
    second: list[Span] = [Span("low water ", "muted"), *_low_water(pool, look, short=True), gap]
    second += [Span(printable(pool.no_space_policy or "?")), gap, Span(printable(pool.discard_policy or "?"))]
    return [crop(first, width, look.glyphs.ellipsis), crop(second, width, look.glyphs.ellipsis)]


def _needs_check(pool: Pool, look: Look, word: str = "needs_check") -> Line:
    if pool.needs_check is None:
        return (Span("?", "warn"),)
    if not pool.needs_check:
        return (Span("no"),)
    return (Span(f"{Level.CRIT.sign(look.glyphs)} {word}", "crit"),)


def _low_water(pool: Pool, look: Look, short: bool = False) -> Line:
    size = look.size(pool.low_water_mark_blocks * pool.block_size_bytes)
    return (Span(size), Span(" free" if short else f" free, {pool.low_water_mark_blocks} blocks", "muted"))


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)
