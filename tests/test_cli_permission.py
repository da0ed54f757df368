"""Whoever is not permitted is told the very line that is: as root, with the same words, quoted for a shell."""

import os
import shlex
import sys

import pytest

from dmtui.cli import as_root
from dmtui.machine.errors import MachineNotPermittedError
from dmtui.thinpool.errors import MissingError, NotPermittedError

REFUSED = MachineNotPermittedError("device-mapper", "is for root only", "run as root, or with --machine emulated")
WORDS = ["--graph", "/srv/my graph", "device", "create", "a;b"]


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    monkeypatch.setattr(sys, "argv", ["/opt/dmtui/bin/dmtui"])


def test_the_line_is_whole_and_quoted():
    told = as_root(REFUSED, WORDS)
    typed = told.next_step.split("`")[1]
    assert shlex.split(typed) == ["sudo", "/opt/dmtui/bin/dmtui", *WORDS]
    assert told.next_step.endswith(", or with --machine emulated")
    assert told.exit_status == 4


def test_the_dashboard_has_no_words():
    assert "`sudo /opt/dmtui/bin/dmtui`" in str(as_root(REFUSED, []))


def test_a_module_is_run_as_a_module(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/opt/dmtui/__main__.py"])
    assert f"`sudo {sys.executable} -m dmtui info`" in str(as_root(REFUSED, ["info"]))


def test_root_and_other_errors_are_told_nothing_more(monkeypatch):
    for error in (MissingError("p", "is not there", "run as root"), NotPermittedError("r", "is refused", "ask")):
        assert as_root(error, WORDS) is error
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert as_root(REFUSED, WORDS) is REFUSED
