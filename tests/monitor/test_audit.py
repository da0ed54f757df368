"""The audit log as entries and events: as it grows, whatever stands in it."""

import json
import os

import pytest

from dmtui.monitor.audit import MOST_BYTES, AuditLog, parse_entries
from dmtui.monitor.events import Source
from dmtui.monitor.severity import Severity

FIELDS = {
    "when": "2026-11-26T02:08:39.371+00:00",
    "who": "alice",
    "pid": 42,
    "operation": "create",
    "object": "web",
    "steps": ["dmsetup message p 0 'create_snap 2 1'", "record web"],
    "result": "done",
    "error": "",
    "undone": [],
    "unfinished": False,
    "seconds": 0.040194,
}
BEGAN = 1795658919.371


def line(**changes) -> str:
    return json.dumps(FIELDS | changes)


def entry(**changes):
    ((found,), broken) = parse_entries([line(**changes)])
    assert broken == 0
    return found


def test_an_entry_is_read_as_it_was_written():
    found = entry()
    assert (found.began_at, found.who, found.pid) == (pytest.approx(BEGAN), "alice", 42)
    assert (found.operation, found.subject, found.steps) == ("create", "web", tuple(FIELDS["steps"]))
    assert (found.failed, found.unfinished, found.seconds) == (False, False, 0.040194)


def test_it_is_an_event_at_its_end():
    event = entry().event("p")
    assert (event.at, event.source, event.severity) == (pytest.approx(BEGAN + 0.04), Source.OPERATION, Severity.INFO)
    assert (event.pool, event.text) == ("p", "create web in 0.04 s by alice")


def test_a_failure_says_why_and_what_became_of_it():
    failed = {"result": "failed", "error": "pool p: is full"}
    assert entry(**failed).event("p").text == "create web failed: pool p: is full (undone) in 0.04 s by alice"
    assert "(left for the next start)" in entry(**failed, unfinished=True).event("p").text
    assert entry(**failed).event("p").severity is Severity.WARN


def test_a_recovery_has_no_result_and_is_worth_a_warning():
    (found,), _ = parse_entries([json.dumps({k: FIELDS[k] for k in ("when", "who", "pid")} | {
        "operation": "recover", "object": "p", "steps": ["transaction 3 was rolled back"]})])  # fmt: skip
    assert (found.seconds, found.event("p").severity) == (None, Severity.WARN)


@pytest.mark.parametrize(
    "broken",
    [
        "{", "7", "null", "[]", "{}", '"x"', "\x00\xff", "[" * 100_000,
        line(when="yesterday"), line(when=7), line(operation=None), line(steps="all"), line(steps=[1]), line(error={}),
    ],
)  # fmt: skip
def test_a_broken_line_is_counted_and_passed_over(broken):
    entries, count = parse_entries([line(), "", broken, line(object="db")])
    assert ([each.subject for each in entries], count) == (["web", "db"], 1)


class TestLog:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "audit.jsonl"

    def test_there_is_none_yet(self, path):
        log = AuditLog(str(path))
        assert (log.read_new(), log.problem) == ((), "")

    def test_only_what_is_new_is_read_and_half_a_line_waits_for_its_end(self, path):
        log = AuditLog(str(path))
        path.write_text(line() + "\n" + line(object="db")[:30])
        assert [each.subject for each in log.read_new()] == ["web"]
        assert log.read_new() == ()
        with path.open("a") as file:
            file.write(line(object="db")[30:] + "\n")
        assert [each.subject for each in log.read_new()] == ["db"]
        assert log.broken == 0

    def test_half_a_line_that_a_kill_left_may_go_again(self, path):
        log = AuditLog(str(path))
        path.write_text(line() + "\n" + line()[:30])
        log.read_new()
        path.write_text(line() + "\n" + line(object="db") + "\n")
        assert [each.subject for each in log.read_new()] == ["db"]

    def test_another_file_of_that_name_is_read_from_its_beginning(self, path):
        log = AuditLog(str(path))
        path.write_text((line() + "\n") * 3)
        assert len(log.read_new()) == 3
        path.rename(path.with_suffix(".old"))
        path.write_text(line(object="db") + "\n")
        assert [each.subject for each in log.read_new()] == ["db"]

    def test_of_a_long_log_only_the_end_is_read(self, path):
        one = line() + "\n"
        path.write_text(one * (2 * MOST_BYTES // len(one)))
        log = AuditLog(str(path))
        assert len(log.read_new()) == MOST_BYTES // len(one)
        assert (log.broken, log.read_new()) == (0, ())

    def test_what_is_no_file_is_a_problem_and_no_wait(self, path):
        os.mkfifo(path)
        log = AuditLog(str(path))
        assert log.read_new() == ()
        assert "no regular file" in log.problem
        path.unlink()
        path.mkdir()
        assert log.read_new() == ()
        assert log.problem


def test_what_the_engine_writes_is_read(tmp_path):
    from dmtui.lab.starter import populate
    from dmtui.machine.emulated import EmulatedMachine

    machine = EmulatedMachine.open(tmp_path / "machine")
    graph = str(tmp_path / "machine" / "devicemapper")
    populate(machine, graph)
    machine.close()
    log = AuditLog(f"{graph}/dmtui/audit.jsonl")
    entries = log.read_new()
    assert log.broken == 0
    assert {"create", "activate", "deactivate"} <= {each.operation for each in entries}
    assert all(each.seconds is not None and not each.failed for each in entries)
