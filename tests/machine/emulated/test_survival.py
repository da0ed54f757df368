"""Two processes at once, both killed at random moments: the machine is whole, and nothing that was answered is lost."""

import os

from tests.machine.emulated.survival import make, play

ROUNDS = int(os.environ.get("DMTUI_KILL_ROUNDS", "2"))


def test_kills_at_random_moments_leave_it_whole(tmp_path):
    make(tmp_path)
    operations = sum(play(tmp_path, seed) for seed in range(ROUNDS))
    print(f"{ROUNDS} rounds, {operations} messages answered")
    assert operations > ROUNDS
