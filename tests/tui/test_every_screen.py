"""Every screen in both of the usual themes and at every size; every state of a pool; from no device to ten thousand."""

from __future__ import annotations

import dataclasses

import pytest

from dmtui.monitor.sample import Pool
from tests.tui import samples
from tests.tui.pictures import EVERY_SIZE, looks_right, past

__all__ = ["looks_right"]
SCREENS = {"overview": "1", "pool": "2", "devices": "3", "events": "4", "operations": "5", "machine": "6", "help": "?"}
EVERY_SCREEN = pytest.mark.parametrize("key", SCREENS.values(), ids=SCREENS)
EVERY_THEME = pytest.mark.parametrize("cycled", [0, 1], ids=["dark", "light"])


def exhausted_pool() -> Pool:
    """A pool whose metadata is used up to its reserve: what needs new metadata fails."""
    return samples.docker_pool(
        0.71, 1.0, mode="ro", needs_check=True, findings=("the pool's mode is ro", "its metadata space is used up")
    )


def refusing_pool() -> Pool:
    """A full pool whose writers get errors at once."""
    pool = samples.full_pool()
    return dataclasses.replace(pool, no_space_policy="error_if_no_space", findings=("writes that need space fail",))


STATES = {
    "healthy": samples.docker_pool,
    "filling": lambda: samples.docker_pool(0.93, 0.75),
    "full-and-queueing": samples.full_pool,
    "full-and-refusing": refusing_pool,
    "metadata-exhausted": exhausted_pool,
    "needs-check": samples.damaged_pool,
    "failed": samples.failed_pool,
    "file-deleted": samples.deleted_file_pool,
}


@EVERY_SIZE
@EVERY_THEME
@EVERY_SCREEN
def test_every_screen(looks_right, key, cycled, size):
    looks_right(*past(samples.recorded_pool()), press=[*["c"] * cycled, *_pressed(key)], size=size)


@EVERY_SIZE
@EVERY_THEME
def test_the_screen_of_a_device(looks_right, cycled, size):
    pool = samples.recorded_pool()
    looks_right(*past(pool), chosen=pool.devices[0].name, press=["c"] * cycled, size=size)


@pytest.mark.parametrize("key", ["1", "2", "3"], ids=["overview", "pool", "devices"])
@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_pool(looks_right, state, key):
    looks_right(*past(STATES[state]()), press=[key])


@pytest.mark.parametrize("keys", [["1"], ["2"], ["3"], ["3", "t"]], ids=["overview", "pool", "devices", "tree"])
@pytest.mark.parametrize("count", [0, 1, 100, 10_000])
def test_any_number_of_devices(looks_right, count, keys):
    looks_right(samples.sample(samples.recorded_pool(count=count)), press=keys)


def _pressed(key: str) -> list[str]:
    return ["question_mark"] if key == "?" else [key]
