"""The benchmarks run to their end in the lab; what they measure is printed, not judged."""

import subprocess
import sys

import pytest

from tests.kernel.docker import ENVIRONMENT, OUT, SCRATCH
from tests.kernel.test_owners import devmapper_containerd, loop_disk, run

pytestmark = pytest.mark.kernel
__all__ = ["loop_disk"]


def test_the_cost_of_a_snapshot_is_told_against_the_bare_ioctls_and_containerd(loop_disk):
    with devmapper_containerd(loop_disk) as ctr:
        run(*ctr, "prepare", "for-base", "")
        run(*ctr, "commit", "base", "for-base")
        code = "import sys; from tests.kernel.bench.create import main; main(sys.argv[1], 8, sys.argv[2:])"
        words = [sys.executable, "-c", code, str(SCRATCH / "bench-graph"), *ctr]
        done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=500)
        run(*ctr, "rm", "base")
    print(done.stdout)
    (OUT / "bench-create.txt").write_text(done.stdout)
    assert done.returncode == 0, done.stderr
    assert "ratio to ctr snapshots prepare" in done.stdout
