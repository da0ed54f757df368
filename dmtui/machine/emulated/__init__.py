"""The emulated machine: a faithful dm-thin in user space, one machine in one directory.

The floors of this package, from the ground up: `node`, `btree`, `btree_remove`, `spacemap`, `metadata` and `mapping`
are the pure model (nothing but blocks); `pool`, `messages` and `tables` are the kernel's rules over it; `store`,
`stored`, `host`, `loop`, `devices`, `loading` and `livepools` keep it all in one SQLite file; `mapper`, `faults` and
`machine` are what callers see.

Simplified on purpose, where the kernel has time or content:
    - each operation is one transaction and ends with its commit, where the kernel commits within a second; only blocks
      dropped by a discard with passdown wait for the next commit, as they do on an idle kernel. So figures without a
      flush are those of the last commit, and near a full pool a long run of shared overwrites may stop some blocks
      earlier than a kernel whose tick falls into it;
    - a node with one reference stays in its block, the kernel moves it at each commit: counts are the same, the number
      shown for a held metadata snapshot is not;
    - a write that the kernel would queue raises `NoSpaceError` saying so, and is not retried; a wait ends when
      `Faults.expire_no_space_wait` says so; I/O on a suspended device raises `TimedOutError`;
    - a write past the end writes nothing; a write that finds the host full takes no data block;
    - no content is stored, so external origins, zeroing and copies cost nothing; what is on a data device is not known.
"""

from dmtui.machine.emulated.machine import EmulatedMachine

__all__ = ["EmulatedMachine"]
