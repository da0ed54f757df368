"""Ages go on by the second while no outcome comes, and nobody wakes while outcomes come."""

from __future__ import annotations

import asyncio

import pytest

from dmtui.tui import ageing
from dmtui.tui.ageing import Ageing

PATIENCE, PACE = 0.1, 0.05


@pytest.fixture
def grown(monkeypatch):
    monkeypatch.setattr(ageing, "_PATIENCE_SECONDS", PATIENCE)
    monkeypatch.setattr(ageing, "_PACE_SECONDS", PACE)
    return []


async def test_without_an_outcome_it_goes_on(grown):
    old = Ageing(lambda: grown.append(1))
    old.begin()
    await asyncio.sleep(PATIENCE + 4.5 * PACE)
    old.stop()
    assert len(grown) >= 2


async def test_outcomes_keep_it_at_rest(grown):
    old = Ageing(lambda: grown.append(1))
    old.begin()
    for _ in range(100):  # far more than its patience, at a pace that a busy machine keeps
        await asyncio.sleep(0.005)
        old.outcome_came()
    old.stop()
    assert not grown


async def test_before_it_begins_and_after_it_stopped_there_is_none(grown):
    old = Ageing(lambda: grown.append(1))
    old.outcome_came()
    await asyncio.sleep(2 * PATIENCE)
    old.begin()
    old.stop()
    old.outcome_came()
    await asyncio.sleep(2 * PATIENCE)
    assert not grown
