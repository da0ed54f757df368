"""What is told of a machine that cannot be asked: by a recording of any age, and by the samples of a host."""

import dataclasses
import json

import pytest

from dmtui.monitor.machinefacts import LoopFact, MachineFacts, ProgramFact
from dmtui.monitor.recorder import Header, Recorder
from dmtui.monitor.recording import Recording
from dmtui.monitor.secondhand import facts_of_host, facts_of_recording
from tests.tui import samples

FACTS = MachineFacts(
    asked_at=samples.NOW,
    kind="kernel",
    description="Linux 6.1.0 on node7",
    dmtui_version="1.0.0",
    thin_pool_version="1.22.0",
    programs=(ProgramFact("lvm", "makes a pool", False, "lvm2", "lvm2"),),
    loops=(LoopFact("/dev/loop0", "7:0", "/data", False, 4096, False, True, ("docker-pool",)),),
)


def recorded(path, facts=""):
    header = Header("1.2.3", "kernel", "Linux 6.1.0 on node7", samples.NOW, 2.0, facts)
    recorder = Recorder(str(path), header, force=True)
    for number in range(31):
        recorder.write(samples.sample(samples.docker_pool(), at=samples.NOW + 2 * number))
    recorder.close()
    return path


def told(path) -> MachineFacts:
    with Recording.open(str(path)) as recording:
        return facts_of_recording(recording)


def test_a_recording_tells_what_was_asked_when_it_began_and_of_itself(tmp_path):
    facts = told(recorded(tmp_path / "r", FACTS.to_json()))
    assert dataclasses.replace(facts, notes=()) == FACTS
    notes = dict(facts.notes)
    assert notes["recording"] == str(tmp_path / "r")
    assert notes["recorded"].endswith("by dmtui 1.2.3")
    assert notes["holds"] == "31 samples over 1 min, one every 2 s"


def test_an_older_recording_tells_what_its_header_and_its_first_sample_have(tmp_path):
    facts = told(recorded(tmp_path / "r"))
    assert (facts.kind, facts.description, facts.driver_version) == ("kernel", "Linux 6.1.0 on node7", None)
    assert [loop.device for loop in facts.loops] == ["/dev/loop0", "/dev/loop1"]
    assert dict(facts.notes)["holds"] == "31 samples over 1 min, one every 2 s"
    assert "versions and programs were not recorded" in facts.problems[0]


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99}, {"description": 5}, {"programs": 7}, {"loops": [{"device": "x"}]}, {"unheard_of": True},
        {"problems": [[1]]}, {"udev_sync": "yes"}, {"notes": "ab"}, {"graph_directory": None},
    ],
)  # fmt: skip
def test_facts_that_cannot_be_read_cost_only_themselves(tmp_path, change):
    path = recorded(tmp_path / "r", json.dumps(json.loads(FACTS.to_json()) | change))
    assert "not recorded" in told(path).problems[0]


@pytest.mark.parametrize("facts", ["5", "[]", '"text"', "null"])
def test_a_header_with_something_else_in_their_place_is_one_without_them(tmp_path, facts):
    path = recorded(tmp_path / "r", facts)
    assert "not recorded" in told(path).problems[0]


def test_a_host_tells_what_its_samples_have():
    facts = facts_of_host("web1", "ssh web1 dmtui watch", "ssh -t web1 dmtui", samples.sample(samples.docker_pool()))
    assert facts.description == "Linux 6.1.0 on node7"
    notes = dict(facts.notes)
    assert notes["host"] == "web1"
    assert notes["pools"] == "1, with 12 active thin devices"
    assert notes["a poll there"] == "takes 4 ms"
    assert facts.loops[0].holders == (samples.docker_pool().name,)
    assert facts.problems[-1].endswith("`ssh -t web1 dmtui` shows the rest")
