"""The trend of a figure: how fast it moves, between which bounds, and whether it can be said to move at all.

The slope is the median of the slopes between all pairs of points (Theil 1950, Sen 1968), its bounds come from the
ranks of those slopes. Against a step, a jump that does not go on (an image pulled, a device deleted), that median is
no help: half of all pairs lie across a jump in the middle. So jumps are taken out first: a few increments that stand
far out of the others count as steps when they come in at most `MOST_STEPS` places. More than that is how
the figure grows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from itertools import pairwise
from statistics import median

from dmtui.thinpool.values import frozen

FEWEST_POINTS = 10
"""Fewer points than these tell no trend."""
MOST_STEPS = 2
_LONGEST_STEP = 3
"""Increments in a row that may still be one step: it can begin and end within a point."""
_FAR_OUT = 8.0
"""How many spreads of the increments away from their median a step begins."""
_CONFIDENCE = 2.576
"""Bounds that hold in 99 of 100 cases (of a normal distribution)."""
_RISE_OVER_SPREAD = 3.0
"""What the figure has moved in all must be so many times its spread about the line, or it is noise."""
_DEVIATIONS_PER_MAD = 1.4826
"""Standard deviations in a median absolute deviation, of a normal distribution."""
_ROUNDING = 1e-9


class Motion(Enum):
    """What a figure does."""

    RISING = "rising"
    FALLING = "falling"
    FLAT = "no trend: what it moves is within its spread"
    TOO_FEW = "no trend yet: too few points, or of too short a time"


@frozen
class Trend:
    """The trend of a figure in bytes.

    Attributes:
        motion: what it does; the rates are meant to be used only where it rises or falls.
        rate: bytes per second, the likely one.
        low_rate: bytes per second, the lower bound.
        high_rate: bytes per second, the upper bound.
        steps: jumps that were left out.
    """

    motion: Motion
    rate: float = 0.0
    low_rate: float = 0.0
    high_rate: float = 0.0
    steps: int = 0

    @property
    def reversed(self) -> Trend:
        """The trend of the opposite figure: what is used, from what is free."""
        turned = {Motion.RISING: Motion.FALLING, Motion.FALLING: Motion.RISING}
        return Trend(turned.get(self.motion, self.motion), -self.rate, -self.high_rate, -self.low_rate, self.steps)


def fit(points: Sequence[tuple[float, float]]) -> Trend:
    """The trend of points (seconds, bytes), which come in the order of time, no two at one instant."""
    if len(points) < FEWEST_POINTS:
        return Trend(Motion.TOO_FEW)
    level, steps = _without_steps(points)
    times = [at for at, _ in points]
    slopes = sorted(
        (level[later] - level[earlier]) / (times[later] - times[earlier])
        for later in range(1, len(times))
        for earlier in range(later)
    )
    rate, (low, high) = median(slopes), _bounds(slopes, len(points))
    moved = abs(rate) * (times[-1] - times[0])
    offsets = [value - rate * (at - times[0]) for at, value in zip(times, level, strict=True)]
    biggest = max(abs(value) for value in level)
    if low <= 0 <= high or moved <= max(_RISE_OVER_SPREAD * _spread(offsets), _ROUNDING * biggest):
        return Trend(Motion.FLAT, rate, low, high, steps)
    return Trend(Motion.RISING if rate > 0 else Motion.FALLING, rate, low, high, steps)


def _without_steps(points: Sequence[tuple[float, float]]) -> tuple[list[float], int]:
    """The values with steps taken out, counted from 0 at the first, and how many steps there were."""
    increments = list(pairwise(points))
    lengths = [after[0] - before[0] for before, after in increments]
    rates = [(after[1] - before[1]) / length for (before, after), length in zip(increments, lengths, strict=True)]
    usual = median(rates)
    biggest = max(abs(value) for _, value in points)
    limit = max(_FAR_OUT * _spread(rates), _ROUNDING * biggest / min(lengths))
    out = [abs(rate - usual) > limit for rate in rates]
    runs = _runs(out)
    if len(runs) > MOST_STEPS or any(length > _LONGEST_STEP for length in runs):
        out, runs = [False] * len(rates), []
    level = [0.0]
    for rate, length, is_out in zip(rates, lengths, out, strict=True):
        level.append(level[-1] + (usual if is_out else rate) * length)
    return level, len(runs)


def _runs(flags: Sequence[bool]) -> list[int]:
    """Lengths of the uninterrupted runs of True."""
    runs: list[int] = []
    before = False
    for flag in flags:
        if flag and before:
            runs[-1] += 1
        elif flag:
            runs.append(1)
        before = flag
    return runs


def _spread(values: Sequence[float]) -> float:
    """The standard deviation as the median absolute deviation tells it: a few wild values do not move it."""
    middle = median(values)
    return _DEVIATIONS_PER_MAD * median(abs(value - middle) for value in values)


def _bounds(slopes: Sequence[float], points: int) -> tuple[float, float]:
    """Bounds of the slope by the ranks of all slopes (Sen 1968); ties, which would narrow them, are let be."""
    deviation = math.sqrt(points * (points - 1) * (2 * points + 5) / 18)
    below = max(0, math.floor((len(slopes) - _CONFIDENCE * deviation) / 2))
    return slopes[below], slopes[-1 - below]
