"""How much of the past a chart shows: a span that was chosen, or by itself one that the figures so far can fill."""

from __future__ import annotations

SPANS_SECONDS = (60, 300, 900, 3600, 6 * 3600, 86400, 7 * 86400)
"""What can be chosen, shortest first."""
GROWING = 0
"""Chosen instead of a span: the shortest that holds all that is known, so that a chart is not empty at the start."""
LONGEST_GROWN_SECONDS = 900
"""Where that ends: from then on a chart moves on and does not become coarser by itself."""


def span_of(chosen_seconds: int, known_seconds: float) -> int:
    """The span that is shown of figures that reach so far back."""
    if chosen_seconds != GROWING:
        return chosen_seconds
    return next(span for span in SPANS_SECONDS if span >= min(known_seconds, LONGEST_GROWN_SECONDS))


def shorter(shown_seconds: int) -> int:
    """What is chosen next below the span that is shown; below the shortest it grows by itself."""
    place = SPANS_SECONDS.index(shown_seconds)
    return SPANS_SECONDS[place - 1] if place else GROWING


def longer(shown_seconds: int) -> int:
    """What is chosen next above the span that is shown; the longest stays."""
    place = SPANS_SECONDS.index(shown_seconds)
    return SPANS_SECONDS[min(len(SPANS_SECONDS) - 1, place + 1)]


def grows(chosen_seconds: int, shown_seconds: int) -> bool:
    """Whether a longer span will be shown by itself."""
    return chosen_seconds == GROWING and shown_seconds < LONGEST_GROWN_SECONDS
