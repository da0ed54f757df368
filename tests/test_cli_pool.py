"""``dmtui pool``: what each verb prints, changes and returns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dmtui.cli import main

SMALL = ("dm.loopdatasize=1G", "dm.loopmetadatasize=16M", "dm.basesize=64M", "dm.fs=ext4")


class Command:
    """The command over one emulated machine with a graph directory of its own."""

    def __init__(self, directory: Path, capsys):
        self.directory, self._capsys = directory, capsys
        self._options = ["--machine", "emulated", "--emulated-dir", str(directory)]
        self._options += [word for option in SMALL for word in ("--storage-opt", option)]

    def __call__(self, *words: str) -> tuple[int, str, str]:
        status = main([*self._options, *words])
        out, err = self._capsys.readouterr()
        return status, out, err

    def done(self, *words: str) -> str:
        status, out, err = self(*words)
        assert (status, err) == (0, ""), (out, err)
        return out

    def info(self) -> dict:
        return json.loads(self("info", "--format", "json")[1])

    def devices(self) -> dict[str, dict]:
        return {view["name"]: view for view in json.loads(self.done("device", "list", "--format", "json"))}


@pytest.fixture
def dmtui(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Command(tmp_path / "machine", capsys)


@pytest.fixture
def started(dmtui):
    """With a pool, a base device and the device `web`."""
    dmtui.done("pool", "create")
    dmtui.done("device", "create", "web")
    return dmtui


def test_a_dry_run_of_the_creation_names_every_step_and_makes_not_even_a_directory(dmtui):
    out = dmtui.done("pool", "create", "--dry-run")
    for word in ("truncate", "losetup", "dmsetup create", "create_thin 1", "mkfs.ext4", "set_transaction_id 0 1"):
        assert word in out
    assert sorted(path.name for path in dmtui.directory.iterdir() if not path.name.startswith("machine.")) == []


def test_a_creation_that_is_refused_leaves_not_even_a_directory(dmtui):
    status, out, err = dmtui("pool", "create", "--storage-opt", "dm.datadev=/dev/nothing")
    assert (status, out) == (2, "")
    assert "dm.datadev" in err
    assert not (dmtui.directory / "devicemapper").exists()


def test_a_created_pool_is_in_the_status_block_and_created_again_it_is_verified(dmtui):
    dmtui.done("pool", "create")
    info = dmtui.info()
    assert (info["base_device_size"], info["backing_filesystem"], info["transaction_id"]) == (64 << 20, "ext4", 1)
    out = dmtui.done("pool", "create")
    assert "is active already" in out
    assert "compare the base device's uuid" in out
    assert dmtui.info()["transaction_id"] == 1


def test_after_a_reboot_the_creation_brings_everything_back(started):
    started.done("emulator", "reboot")
    status, _, err = started("device", "activate", "web")
    assert (status, "is not active; `dmtui pool create` activates it" in err) == (3, True)
    started.done("pool", "create")
    started.done("device", "mount", "web")
    assert started.devices()["web"]["mounted_at"].endswith("/mnt/web")


def test_a_mounted_device_is_counted_and_unmounted_with_its_last_user(started):
    started.done("device", "mount", "web")
    started.done("device", "mount", "web")
    status, _, err = started("device", "remove", "web")
    assert (status, "is mounted at" in err) == (1, True)
    started.done("device", "unmount", "web")
    assert started.devices()["web"]["mounted_at"] is not None
    started.done("device", "unmount", "web")
    view = started.devices()["web"]
    assert (view["mounted_at"], view["active"], view["open_count"]) == (None, False, None)


def test_a_larger_device_has_its_file_system_grown(started):
    out = started.done("device", "create", "large", "--size", "128M")
    assert "grow its file system to 134.2 MB" in out
    assert started.devices()["large"]["size"] == 128 << 20


def test_an_extension_moves_the_totals_and_says_how(started):
    out = started.done("pool", "extend", "--data", "2G", "--metadata", "32M")
    assert "dmsetup suspend" in out
    info = started.info()
    assert (info["data_space"]["total"], info["metadata_space"]["total"]) == (2 << 30, 32 << 20)


@pytest.mark.parametrize("words", [[], ["--data", "1M"], ["--metadata", "nonsense"]])
def test_an_extension_that_cannot_be_is_refused(started, words):
    status, out, err = started("pool", "extend", *words)
    assert (status, out, err.count("\n")) == (2, "", 1)


def test_a_check_of_sound_metadata_has_status_0_and_the_tool_s_own_words(started):
    out = started.done("pool", "check")
    assert "reserve_metadata_snap" in out
    assert out.endswith("the metadata are sound\n")


def test_a_removed_pool_is_gone_and_its_files_and_records_stay(started):
    started.done("device", "mount", "web")
    started.done("pool", "remove")
    assert started.info()["pool_origin"] == "absent"
    assert set(started.devices()) == {"base", "web"}
    assert "loop:" not in started.done("emulator", "status")
    started.done("pool", "create")
    assert started.info()["transaction_id"] == 2


def test_a_pool_with_a_leaked_mount_is_removed_only_by_force_as_far_as_it_goes_and_found_again(started):
    started.done("device", "mount", "web")
    pid = started.done("emulator", "leak", "web").strip()
    status, _, err = started("pool", "remove")
    assert (status, "web" in err) == (1, True)
    assert started.devices()["web"]["mounted_at"] is not None
    status, _, err = started("--busy-timeout", "0.3", "pool", "remove", "--force")
    assert (status, "the next start finds it again" in err) == (1, True)
    info = started.info()
    assert info["pool_origin"] == "existing"
    assert info["data_loop_file"].endswith("devicemapper/data")
    started.done("emulator", "unleak", pid)
    started.done("pool", "remove")


def test_a_busy_device_is_deleted_by_reap_once_it_is_let_go(started):
    started.done("device", "activate", "web")
    pid = started.done("emulator", "leak", "web").strip()
    assert "its deletion is put off" in started.done("device", "remove", "web")
    assert started.info()["deferred_deleted_device_count"] == 1
    assert "web: still waits: it is open once" in started.done("pool", "reap")
    started.done("emulator", "unleak", pid)
    assert "web: deleted" in started.done("pool", "reap")
    assert "no device waits" in started.done("pool", "reap")


def test_reconciling_shows_five_buckets_and_changes_nothing_until_it_is_told_to(started):
    record = started.directory / "devicemapper" / "metadata" / "web"
    ghost = record.with_name("ghost")
    ghost.write_text(record.read_text().replace('"device_id":2', '"device_id":7'))
    record.unlink()
    out = started.done("pool", "reconcile")
    assert "1 whole, 1 record only, 1 pool only, 0 node only, 0 id clash" in out
    assert "nothing was changed: --apply does it" in out
    assert ghost.exists()
    started.done("pool", "reconcile", "--apply", "--delete-orphans")
    found = json.loads(started.done("pool", "reconcile", "--format", "json"))
    assert {bucket: len(found[bucket]) for bucket in ("whole", "record_only", "pool_only")} == {
        "whole": 1,
        "record_only": 0,
        "pool_only": 0,
    }
    assert (started.directory / "devicemapper" / "dmtui" / "quarantine" / "ghost").exists()


def test_a_trim_names_the_mounted_file_systems(started):
    assert "nothing to do" in started.done("pool", "trim")
    started.done("device", "mount", "web")
    assert "fstrim" in started.done("pool", "trim")


@pytest.mark.parametrize("verb", ["create", "extend", "trim", "check", "reconcile", "reap", "remove"])
def test_read_only_refuses_every_verb_and_a_dry_run_changes_nothing(started, verb):
    def state():
        files = {
            str(path): path.read_bytes() for path in (started.directory / "devicemapper").rglob("*") if path.is_file()
        }
        return files, started.done("emulator", "status")

    before = state()
    more = ["--data", "2G"] if verb == "extend" else []
    status, out, err = started("--read-only", "pool", verb, *more)
    assert (status, out, err.count("\n")) == (2, "", 1)
    started.done("pool", verb, "--dry-run", *more)
    assert state() == before


def test_every_change_is_in_the_audit_log_with_who_what_and_result(started):
    lines = (started.directory / "devicemapper" / "dmtui" / "audit.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [(entry["operation"], entry["result"]) for entry in entries] == [("create pool", "done"), ("create", "done")]
    assert all(entry["who"] and entry["when"] and entry["seconds"] >= 0 for entry in entries)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("dm.loopdatasize=0",), "less than one block of 65.54 kB"),
        (("dm.loopdatasize=1M", "dm.blocksize=2M"), "less than one block of 2.097 MB"),
        (("dm.loopmetadatasize=16K",), "so much data takes 40960"),
        (("dm.loopdatasize=100000T",), "give more with dm.loopmetadatasize"),
        (("dm.basesize=0",), "one at least"),
    ],
)
def test_sizes_that_no_pool_can_have_are_refused_before_anything_is_made(dmtui, options, words):
    status, out, err = dmtui("pool", "create", *(word for option in options for word in ("--storage-opt", option)))
    assert (status, out) == (2, "")
    assert words in err
    assert not (dmtui.directory / "devicemapper").exists()


def test_storage_options_before_and_behind_the_command_are_taken_together(dmtui):
    """What was given before the command, dm.fs=ext4 among it, must not be forgotten for one more behind it."""
    out = dmtui.done("pool", "create", "--dry-run", "--storage-opt", "dm.blocksize=128K")
    assert "mkfs.ext4" in out
    assert " 256 32768 " in out


def test_in_a_read_only_pool_nothing_is_half_removed_or_half_made(started):
    """It takes a discard and refuses the deletion: a removal begun there could be neither finished nor undone."""
    started.done("emulator", "fault", "fail-metadata-write")
    for words in (("remove", "web"), ("create", "more")):
        status, _, err = started("device", *words)
        assert (status, err.count("\n")) == (1, 1)
        assert "is read-only, so it makes and deletes no devices; `dmtui info` tells why" in err
    assert not list((started.directory / "devicemapper" / "dmtui" / "work").iterdir())
    assert started.devices()["web"]["deleted"] is False


def test_a_failed_pool_is_not_started_and_the_way_out_is_named(started):
    started.done("emulator", "fault", "fail-pool")
    for words in (("pool", "create"), ("device", "create", "more"), ("device", "remove", "web")):
        status, out, err = started(*words)
        assert (status, out) == (1, "")
        assert err.endswith("answers Fail; `dmtui pool remove`, then `dmtui pool check`\n")
    assert started("pool", "remove")[0] == 0
    assert started("pool", "check")[0] == 0


def test_a_device_that_is_not_mounted_is_shown_as_mounted_nowhere_and_not_as_unknown(started):
    assert "mounted_at: nowhere" in started.done("device", "show", "web")
    started.done("device", "mount", "web")
    assert f"mounted_at: {started.directory}/devicemapper/mnt/web" in started.done("device", "show", "web")
