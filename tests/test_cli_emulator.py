"""The emulator's verbs refuse what makes no sense, and say what it was, what there is, and what to do."""

import pytest


@pytest.fixture
def web(run, tmp_path, monkeypatch):
    """Options for an emulated machine with an active device `web` of 10 GiB."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    options = ["--machine", "emulated", "--emulated-dir", str(tmp_path / "machine")]
    for words in (("pool", "create"), ("device", "create", "web"), ("device", "activate", "web")):
        assert run(*options, *words)[0] == 0
    return options


INACTIVE = "is not active, or there is none of that name; `dmtui emulator status` lists what is active"
REFUSED = {
    "write web --offset 20G --length 1M": (
        1,
        "-web: has 10.74 GB (10737418240 bytes), and the write would end at 21.48",
    ),
    "write web --offset 9G --length 1500M": (1, "; only what lies before its end can be written; let --offset and"),
    "discard web --offset 20G --length 1M": (1, "the discard would end at 21.48 GB (21475885056); nothing was done"),
    "write web --offset 0 --length 0": (2, "option --length: does not take 0; it takes a size"),
    "discard web --offset 0 --length 0": (2, "option --length: does not take 0; it takes a size"),
    "read web --offset 0 --length 0": (2, "option --length: does not take 0; it takes a size"),
    "write web --offset 0 --length=-5": (2, "size '-5': is not a size; write a number with K"),
    "write web --offset many --length 1M": (2, "size 'many': is not a size; write a number with K"),
    "write nope --offset 0 --length 1M": (3, f"device nope: {INACTIVE}"),
    "discard nope --offset 0 --length 1M": (3, f"device nope: {INACTIVE}"),
    "read nope --offset 0 --length 1M": (3, f"device nope: {INACTIVE}"),
    "leak nope": (3, f"device nope: {INACTIVE}"),
    "hold nope": (3, f"device nope: {INACTIVE}"),
    "fault hang nope": (3, f"device nope: {INACTIVE}"),
    "clock step -- -5": (2, "argument SECONDS: does not take -5; time only goes forward"),
    "no-space-timeout -- -5": (2, "argument SECONDS: does not take -5; 0 lets them wait for ever"),
}


@pytest.mark.parametrize("words", REFUSED, ids=REFUSED)
def test_what_makes_no_sense_is_refused_with_the_object_what_happened_and_the_next_step(run, web, words):
    status, words_told = REFUSED[words]
    result = run(*web, "emulator", *words.split())
    assert (result[0], result[1]) == (status, "")
    assert words_told in result[2]
    assert result[2].count("\n") == 1


@pytest.mark.parametrize("verb", ["write", "discard", "read"])
def test_a_pool_is_not_written_to(run, web, verb):
    pool = next(line.split()[1] for line in run(*web, "emulator", "status")[1].splitlines() if "-pool (" in line)
    status, _, err = run(*web, "emulator", verb, pool, "--offset", 0, "--length", "1M")
    assert status == 2
    assert err == f"dmtui: device {pool}: is a pool, which has no content of its own; name a thin device of it\n"
