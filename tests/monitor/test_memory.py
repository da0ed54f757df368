"""All that is concluded from a stream of samples, together."""

import dataclasses

from dmtui.monitor.alertrules import Rule
from dmtui.monitor.alerts import ChangeKind
from dmtui.monitor.events import Event, Source
from dmtui.monitor.memory import Memory
from dmtui.monitor.quantities import Quantity
from dmtui.monitor.severity import Severity
from tests.monitor import made
from tests.monitor.made import NOW


def filling(seconds):
    """A pool that fills up by the second and is out of space in the end."""
    for number in range(seconds):
        full = number == seconds - 1
        data = 1.0 if full else 0.3 + 0.7 * number / seconds
        changes = {"mode": "out_of_data_space", "event_nr": 5} if full else {}
        yield made.sample(made.pool(data, **changes), at=NOW + number)


def remembered(samples):
    memory = Memory()
    for sample in samples:
        memory.take_in(sample)
    return memory


def test_the_story_of_a_pool_that_fills_up_is_told_in_order():
    memory = remembered(filling(900))
    told = [(event.source, event.severity, event.text.split(":")[0]) for event in reversed(memory.timeline.newest())]
    assert [text for source, _, text in told if source is Source.ALERT] == [
        "time until the data space is full", "data space", "data space", "data space", "mode",
    ]  # fmt: skip
    assert told[-3][2].startswith("event 3 -> 5 of pool p (0 data blocks free")
    assert told[-2][2] == "mode rw -> out_of_data_space"
    assert memory.alerts.worst is Severity.CRIT
    assert memory.waits.by_pool["p"].most_seconds(NOW + 899) == 60
    assert memory.forecasts["p"].data.free_bytes == 0
    assert len(memory.history.points("p", Quantity.DATA_USED, 900)) == 900


def test_the_same_samples_come_to_the_same():
    first, second = remembered(filling(400)), remembered(filling(400))
    assert first.timeline.newest() == second.timeline.newest()
    assert first.alerts == second.alerts
    assert first.forecasts == second.forecasts


def test_stepping_back_leaves_nothing_of_the_future():
    memory = remembered(filling(400))
    moment = made.sample(made.pool(0.31), at=NOW + 10)
    memory.take_in(moment)
    assert memory.newest == moment
    assert memory.history.newest_at == NOW + 10
    assert memory.alerts.alerts == ()
    assert memory.waits.by_pool == {}
    assert all(event.at < NOW + 10 for event in memory.timeline.newest())
    assert memory.forecasts["p"].data.worst is None


def test_changes_of_alerts_are_handed_back_and_acknowledging_is_an_event():
    memory = Memory()
    (change,) = memory.take_in(made.sample(made.pool(needs_check=True)))
    assert (change.kind, change.alert.rule) == (ChangeKind.BEGAN, Rule.NEEDS_CHECK)
    memory.acknowledge(change.alert.key, NOW + 1)
    assert memory.alerts.alerts[0].acknowledged
    assert memory.timeline.newest(1)[0].text == "needs_check: acknowledged"


def test_our_own_operations_take_their_place():
    memory = remembered([made.sample(made.pool())])
    memory.take_in(made.sample(made.pool(event_nr=4), at=NOW + 10))
    memory.note([Event(NOW + 5, Source.OPERATION, Severity.INFO, "p", "create web")])
    assert [event.text for event in memory.timeline.newest()] == ["event 3 -> 4 of pool p", "create web"]


def test_thresholds_of_its_own():
    memory = Memory()
    memory.thresholds = dataclasses.replace(memory.thresholds, data_percent=(10, 20, 30), polls=1)
    assert memory.take_in(made.sample(made.pool(0.25)))[0].alert.severity is Severity.WARN
