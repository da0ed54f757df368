"""The screen of the machine: asked in the background, told in words, with a way to get what is missing."""

import threading

import pytest

from dmtui.deviceset.options import parse_options
from dmtui.machine.emulated import EmulatedMachine
from dmtui.monitor.machinefacts import LoopFact, MachineFacts, ProgramFact, ask_machine
from dmtui.thinpool.errors import DmtuiError
from dmtui.tui.lines import text_of
from dmtui.tui.screens.machine import MachineScreen
from dmtui.tui.widgets.panel import Panel
from tests.tui import samples
from tests.tui.pictures import SIZES, looks_right

__all__ = ["looks_right"]

THIN = ("thin-provisioning-tools", "device-mapper-persistent-data")
GRAPH = "/var/lib/docker/devicemapper"
FACTS = MachineFacts(
    asked_at=samples.NOW,
    kind="kernel",
    description="Linux 6.1.0 on node7",
    why="kernel machine: the kernel's device-mapper answers",
    dmtui_version="1.0.0",
    textual_version="8.2.8",
    python_version="3.11.2",
    driver_version="4.47.0",
    library_version="1.02.185 (2022-05-18)",
    thin_pool_version="1.22.0",
    udev_sync=True,
    deferred_removal=True,
    programs=(
        ProgramFact("mkfs.xfs", "makes xfs on the base device", True, "xfsprogs", "xfsprogs"),
        ProgramFact("mkfs.ext4", "makes ext4 on the base device", True, "e2fsprogs", "e2fsprogs"),
        ProgramFact("thin_check", "checks a pool's metadata", False, *THIN),
        ProgramFact("lvm", "makes a pool on a disk (direct-lvm)", False, "lvm2", "lvm2"),
    ),
    loops=(
        LoopFact("/dev/loop0", "7:0", f"{GRAPH}/devicemapper/data", False, 107374182400, False, True, ("docker-pool",)),
        LoopFact("/dev/loop7", "7:7", "/root/old.img", True, 1048576, True, False),
    ),
    graph_directory=GRAPH,
    graph_state="its pool docker-8:1-4718594-pool is active",
)


def text(app, panel: str) -> str:
    return text_of(app.screen.query_one(f"#machine-{panel}", Panel).lines)


async def opened(app, pilot):
    app.feed(samples.sample(samples.docker_pool()))
    await pilot.press("6")
    for _ in range(50):
        await pilot.pause(0.02)
        if app._inquiry.asking_since is None:
            break
    assert isinstance(app.screen, MachineScreen)


async def test_it_tells_versions_programs_and_loop_devices(dashboard):
    app = dashboard(ask_facts=lambda: FACTS)
    async with app.run_test(size=(160, 45)) as pilot:
        await opened(app, pilot)
        versions = text(app, "versions")
        for word in ("4.47.0", "1.02.185", "1.22.0", "Textual 8.2.8", "Python 3.11.2", GRAPH, "the kernel's"):
            assert word in versions
        assert "▲ thin_check" in text(app, "programs")
        assert "apt install thin-provisioning-tools" in text(app, "programs")
        assert "dnf install device-mapper-persistent-data" in text(app, "programs")
        assert text(app, "programs").count("lvm2") == 1
        assert "carries docker-pool" in text(app, "loops")
        assert "✖ DELETED" in text(app, "loops")
        assert str(app.screen.query_one("#machine-programs").border_title) == "Programs, 2 missing"


async def test_a_machine_that_does_not_answer_blocks_nothing_and_is_asked_once(dashboard, clock):
    go_on, asked = threading.Event(), []

    def hang():
        asked.append(1)
        go_on.wait(10)
        return FACTS

    app = dashboard(ask_facts=hang)
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.press("6")
        await pilot.pause()
        clock.now += 7
        app.show_newest()
        await pilot.press("R", "R")
        await pilot.pause()
        assert "no answer for 7 s" in text(app, "versions")
        assert asked == [1]
        go_on.set()
        for _ in range(50):
            await pilot.pause(0.02)
            if "4.47.0" in text(app, "versions"):
                break
        assert "4.47.0" in text(app, "versions")


async def test_an_error_is_told_and_asking_again_mends_it(dashboard):
    answers = [DmtuiError("device-mapper", "does not answer", "look at dmesg"), FACTS]

    def ask():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    app = dashboard(ask_facts=ask)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot)
        assert "does not answer" in text(app, "versions")
        await pilot.press("R")
        for _ in range(50):
            await pilot.pause(0.02)
            if "4.47.0" in text(app, "versions"):
                break
        assert "4.47.0" in text(app, "versions")


async def test_a_recording_has_no_machine_to_ask(dashboard):
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot)
        assert "this is a recording" in text(app, "versions")
        assert not app.screen.query_one("#machine-programs").display


def test_facts_round_trip_through_json():
    assert MachineFacts.from_json(FACTS.to_json()) == FACTS


@pytest.mark.parametrize("line", ["[]", '{"format":1}', '{"format":9}', '{"format":1,"programs":[{"x":1}]}'])
def test_what_are_no_facts_is_refused(line):
    with pytest.raises(ValueError, match="not the facts"):
        MachineFacts.from_json(line)


def test_an_emulated_machine_tells_what_it_is_made_of(tmp_path):
    from dmtui.lab.starter import populate

    machine = EmulatedMachine.open(tmp_path / "machine")
    graph = str(tmp_path / "machine" / "devicemapper")
    populate(machine, graph)
    facts = ask_machine(machine, graph, parse_options([]), "because", samples.NOW)
    assert (facts.kind, facts.why, facts.problems) == ("emulated", "because", ())
    assert facts.driver_version
    assert [program.name for program in facts.missing] == [
        "mkfs.btrfs", "thin_dump", "thin_repair", "lvm", "dmsetup", "fstrim",
    ]  # fmt: skip
    assert [len(loop.holders) for loop in facts.loops] == [1, 1]
    assert "is active" in facts.graph_state
    assert MachineFacts.from_json(facts.to_json()) == facts
    machine.close()


def test_what_cannot_be_told_leaves_the_rest_alone(tmp_path):
    machine = EmulatedMachine.open(tmp_path / "machine")
    facts = ask_machine(machine, str(tmp_path / "nothing"), parse_options([]), "", samples.NOW)
    assert facts.graph_state == "cannot be read"
    assert len(facts.problems) == 1
    assert facts.udev_sync is not None
    machine.close()


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_what_is_missing(looks_right, size):
    looks_right(samples.sample(samples.docker_pool()), size=size, press=["6"], ask_facts=lambda: FACTS)
