"""How the words of the thin-provisioning-tools are taken, with programs that say what the real ones were seen to."""

import os

import pytest

from dmtui.machine.errors import FileMissingError, MachineError, TimedOutError
from dmtui.machine.kernel.programs import KernelPrograms
from dmtui.machine.kernel.thin_tools import KernelThinTools
from dmtui.machine.tools import ThinEntry


@pytest.fixture
def tools(tmp_path):
    """Makes tools of shell scripts; every one writes its arguments to the file `asked` first."""

    def make(text, name):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\n{text}\n')
        (tmp_path / name).chmod(0o755)
        return KernelThinTools(KernelPrograms(f"{tmp_path}:/usr/bin:/bin"), 5.0)

    return make


@pytest.fixture
def metadata(tmp_path):
    (tmp_path / "metadata").touch()
    return str(tmp_path / "metadata")


def asked(metadata) -> str:
    with open(os.path.join(os.path.dirname(metadata), "asked")) as file:
        return file.read().strip()


def test_lines_are_read_with_the_spaces_around_their_numbers(tools, metadata):
    found = tools(r"printf '10 16 0 0 1 \n 9  0 7 1 1 \n\n'", "thin_ls").list_thins(metadata, snapshot=False)
    assert found == (ThinEntry(9, 0, 7, 1, 1), ThinEntry(10, 16, 0, 0, 1))


def test_no_lines_are_no_thin_devices(tools, metadata):
    assert tools("", "thin_ls").list_thins(metadata, snapshot=False) == ()


@pytest.mark.parametrize("snapshot", [True, False])
def test_the_snapshot_is_asked_for_where_it_is_meant(tools, metadata, snapshot):
    tools("", "thin_ls").list_thins(metadata, snapshot=snapshot)
    assert asked(metadata).startswith("-m ") == snapshot
    assert asked(metadata).endswith(f"--no-headers -o DEV,MAPPED_BLOCKS,TRANSACTION,CREATE_TIME,SNAP_TIME {metadata}")


@pytest.mark.parametrize("line", ["1 2 3", "DEV MAPPED A B C", "1 2 3 4 5 6", "1 -2 3 4 5"])
def test_a_line_that_is_none_is_an_error(tools, metadata, line):
    with pytest.raises(MachineError, match="look at its version"):
        tools(f"echo '{line}'", "thin_ls").list_thins(metadata, snapshot=False)


def test_a_listing_that_fails_is_an_error_with_its_words(tools, metadata):
    with pytest.raises(MachineError, match="no current metadata snap"):
        tools("echo no current metadata snap >&2; exit 1", "thin_ls").list_thins(metadata, snapshot=True)


def test_sound_metadata_have_the_tool_s_words(tools, metadata):
    found = tools("echo TRANSACTION_ID=2; echo examining superblock >&2", "thin_check").check(metadata, snapshot=False)
    assert found.sound
    assert found.output == "TRANSACTION_ID=2\nexamining superblock"


@pytest.mark.parametrize(
    "words",
    ["bad checksum in btree node (block 2)", "  missing devices: [0, -]", "superblock is corrupt", ""],
)
def test_a_fault_is_no_error(tools, metadata, words):
    found = tools(f"echo '{words}' >&2; exit 1", "thin_check").check(metadata, snapshot=False)
    assert not found.sound
    assert found.output == words.strip()


@pytest.mark.parametrize(
    "words",
    ["No metadata snapshot found.", "no current metadata snap", "Couldn't stat path", "bad path", "Resource busy"],
)
def test_a_check_that_was_not_made_is_an_error(tools, metadata, words):
    with pytest.raises(MachineError, match="thin_check -m"):
        tools(f'echo "{words}" >&2; exit 1', "thin_check").check(metadata, snapshot=True)


def test_a_check_that_was_killed_is_an_error(tools, metadata):
    with pytest.raises(MachineError, match="killed by signal 11"):
        tools("kill -11 $$", "thin_check").check(metadata, snapshot=False)


def test_a_check_that_hangs_is_given_up(tools, metadata):
    hanging = tools("exec sleep 20", "thin_check")
    hanging.deadline_seconds = 0.3
    with pytest.raises(TimedOutError):
        hanging.check(metadata, snapshot=False)


def test_a_missing_tool_is_told_with_its_package(metadata):
    with pytest.raises(FileMissingError, match="install thin-provisioning-tools"):
        KernelThinTools(KernelPrograms("/nowhere")).check(metadata, snapshot=False)


def test_a_directory_is_no_metadata(tools, tmp_path):
    with pytest.raises(MachineError, match="neither a block device nor a file"):
        tools("", "thin_check").check(str(tmp_path), snapshot=False)


def test_a_data_device_that_is_a_file_is_not_trimmed(tools, metadata, tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(MachineError, match="ENOTTY"):
        tools("", "thin_check").trim(metadata, str(tmp_path / "data"))
    assert not (tmp_path / "asked").exists()


def test_a_path_from_here_is_the_same_file_to_the_tool(tools, metadata, monkeypatch):
    monkeypatch.chdir(os.path.dirname(metadata))
    with open("-m", "w"):
        tools("", "thin_check").check("-m", snapshot=False)
    assert asked(metadata) == os.path.join(os.path.dirname(metadata), "-m")
