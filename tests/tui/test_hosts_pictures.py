"""How the hosts look: the list of them, and the line at the top of what is shown of one."""

import pytest

from tests.tui import samples
from tests.tui.farhosts import SIX, Hosts, let_come
from tests.tui.pictures import EVERY_SIZE, SIZES


@pytest.fixture
def looks_right(clock, snap_compare):
    """Lets things come from six hosts, presses keys, and compares the picture with the one that was approved."""

    def compare(*press, size=SIZES["120x40"], plain=False, lost=()):
        hosts = Hosts(*SIX, clock=clock, ascii=plain)
        hosts.app.NOTIFICATION_TIMEOUT = 0

        async def prepare(pilot):
            await let_come(hosts, pilot)
            for host in lost:
                hosts.of[host].loses("client_loop: send disconnect: Broken pipe", samples.NOW + 2)
            clock.now = samples.NOW + 2 + 5 * bool(lost)
            await pilot.pause()
            await pilot.press(*press)
            await pilot.pause()
            hosts.app.show_newest()
            await pilot.pause()

        assert snap_compare(hosts.app, terminal_size=size, run_before=prepare)

    return compare


@EVERY_SIZE
def test_list_of_the_hosts(looks_right, size):
    looks_right("7", "down", "down", size=size)


@EVERY_SIZE
def test_what_is_shown_of_a_host(looks_right, size):
    looks_right(size=size)


@EVERY_SIZE
def test_a_host_that_is_lost(looks_right, size):
    looks_right(size=size, lost=["web1"])


def test_a_host_from_which_nothing_came(looks_right):
    looks_right("L", "L", size=SIZES["80x24"])


@pytest.mark.parametrize("size", [SIZES["80x24"], SIZES["120x40"]], ids=["80x24", "120x40"])
def test_list_in_ascii(looks_right, size):
    looks_right("7", size=size, plain=True)


def test_list_in_the_light_theme(looks_right):
    looks_right("c", "7")


def test_list_without_colours(looks_right, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    looks_right("7")
