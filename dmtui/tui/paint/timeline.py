"""The line that tells where in a recording the figures on the screen are."""

from __future__ import annotations

from dmtui.tui.figures import Look, age, moment
from dmtui.tui.freshness import Freshness
from dmtui.tui.lines import Line, Span, crop, width_of

_LEAST_TRACK = 10


def timeline_lines(fresh: Freshness, look: Look, width: int) -> list[Line]:
    """Begin, a track with the position on it, end, and the keys that move it."""
    place = fresh.position
    if place is None:
        return [()]
    glyphs = look.glyphs
    head = (Span(f" {moment(place.began_at)} ", "muted"),)
    keys = "space plays" if fresh.held else "space pauses"
    length = age(place.ended_at - place.began_at)
    tail = [Span(f" {moment(place.ended_at)} ", "muted"), Span(f" {length} ", "muted")]
    hints = Span(f" {glyphs.dot} {keys}  , . step  {{ }} leap  ( ) ends ", "faint")
    if width - width_of(head) - width_of(tail) - width_of([hints]) >= 3 * _LEAST_TRACK:
        tail.append(hints)
    room = width - width_of(head) - width_of(tail)
    if room < _LEAST_TRACK:
        return [crop((*head, *tail), width, glyphs.ellipsis)]
    at = round((room - 1) * place.index / max(1, place.count - 1))
    track = (
        Span(glyphs.thin_full * at, "accent"),
        Span(glyphs.cursor, "strong"),
        Span(glyphs.thin_free * (room - 1 - at), "track"),
    )
    return [(*head, *track, *tail)]
