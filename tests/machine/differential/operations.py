"""A course: one pool's shape and a random sequence of operations on it, drawn from a seed before anything is played.

An operation is a tuple of a verb and plain values, so that a course can be written to a file, cut and played again.
Most operations are sensible, by a rough idea of what is active; some must fail. What really comes of them is the
machines' business.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass

Operation = tuple
FEATURES = ("skip_block_zeroing", "ignore_discard", "no_discard_passdown", "read_only", "error_if_no_space")
LEANS = ("roomy", "tight", "states", "wide", "scarce", "deep", "broken", "queueing")
CUTS = "cuts"
"""A lean of its own: now and then the power is cut, or a disk breaks, with something that nobody has flushed."""
STACKED = ("broken", CUTS)
"""Leans of pools on devices that can be broken."""
ONE_BLOCK_AT_ONCE = ("tight", "scarce", "broken", "queueing")
SLOTS = 5
"""Thin devices, by name ``t0`` to ``t4``."""


@dataclass(frozen=True)
class Shape:
    """What a course starts with, and how it is drawn."""

    block_sectors: int
    data_blocks: int
    metadata_blocks: int
    low_water_blocks: int
    features: tuple[str, ...]
    ids: int
    thin_sectors: int
    lean: str

    def plain(self) -> dict:
        return asdict(self)

    @classmethod
    def read(cls, plain: dict) -> Shape:
        return cls(**{**plain, "features": tuple(plain["features"])})


def shape(seed: int, lean: str | None = None) -> Shape:
    """The shape of a seed: the leans take turns, so that a few seeds meet all of them, unless one is named."""
    chance = random.Random(f"shape {seed}")
    lean = lean or LEANS[seed % len(LEANS)]
    block_sectors = chance.choice([128, 128, 128, 384, 1024]) if lean != "deep" else 128
    data_blocks = {"roomy": 8192, "wide": 8192, "deep": 20000, CUTS: 8192}.get(lean) or chance.choice(
        [8, 24, 40, 100, 160]
    )
    metadata_blocks = chance.choice([12, 16, 32, 48, 64, 100]) if lean == "scarce" else 1024
    if lean == "wide":
        metadata_blocks = chance.choice([1024, 256, 160, 512])
    if lean == "deep":
        metadata_blocks = chance.choice([1024, 2048, 4096])
    return Shape(
        block_sectors,
        data_blocks,
        metadata_blocks,
        chance.choice([0, 0, 3, 10, data_blocks // 2]),
        tuple(each for each in features(chance, queueing=lean == "queueing") if (lean, each) != (CUTS, "read_only")),
        {"wide": 400, "deep": 6}.get(lean) or chance.choice([3, 8, 20]),
        {"deep": 6000 * 128}.get(lean) or block_sectors * chance.choice([30, 100, 750]) + chance.choice([0, 0, 1, 40]),
        lean,
    )


def features(chance: random.Random, *, queueing: bool = False) -> tuple[str, ...]:
    """Up to four features in the kernel's order; a pool lets writers wait for space only where that is wanted."""
    chosen: set[str] = set()
    if not queueing or chance.random() < 0.25:
        chosen.add("error_if_no_space")
    if chance.random() < 0.8:
        chosen.add("skip_block_zeroing")
    for feature, probability in (("ignore_discard", 0.1), ("no_discard_passdown", 0.3), ("read_only", 0.03)):
        if chance.random() < probability and len(chosen) < 4:
            chosen.add(feature)
    return tuple(feature for feature in FEATURES if feature in chosen)


_WEIGHTS = {
    "roomy": "write 40 discard 14 create 8 remove 5 thin 5 snap 8 delete 5 transaction 2 hold 2 let_go 2 flush 2"
    " misuse 3 reload 1 thin_table 2 suspend 2 resume 4 open 2 close 2 restart 1 read 4 origin 3",
    "tight": "write 40 discard 14 create 8 remove 5 thin 4 snap 6 delete 7 hold 1 let_go 2 flush 3"
    " reload 3 suspend 1 resume 4 restart 1 grow_data 1 read 3 origin 1",
    "states": "write 15 discard 6 create 12 remove 10 thin 6 snap 5 delete 5 transaction 4 hold 2 let_go 2 flush 3"
    " misuse 8 reload 8 thin_table 10 suspend 8 resume 16 open 8 close 8 restart 2 grow_data 2 grow_metadata 1"
    " read 5 origin 6",
    "wide": "thin 40 snap 30 delete 25 create 4 remove 3 write 20 discard 3 hold 1 let_go 1",
    "scarce": "write 25 discard 8 create 8 remove 5 thin 10 snap 10 delete 6 hold 1 let_go 1 flush 2"
    " reload 2 suspend 1 resume 3 restart 1 grow_metadata 1 read 2",
    "broken": "write 30 discard 10 create 8 remove 5 thin 5 snap 6 delete 4 transaction 2 hold 1 let_go 1 flush 6"
    " reload 3 suspend 1 resume 3 restart 3 read 8 origin 1 grow_data 1 break 2 mend 6",
    "queueing": "write 40 discard 14 create 8 remove 5 thin 4 snap 6 delete 5 flush 3 read 3"
    " reload 6 suspend 4 resume 10 restart 1 grow_data 3",
    CUTS: "cut 12 abort 8 write 20 scatter 4 discard 8 create 10 remove 3 thin 5 snap 8 delete 4"
    " transaction 1 hold 1 let_go 1 flush 2 reload 1 restart 1 grow_data 1",
    "deep": "scatter 30 write 8 discard 20 create 8 remove 4 thin 3 snap 8 delete 3 hold 1 let_go 2",
}


class _Draw:
    """Draws the operations of one course; knows roughly what is active, suspended and open."""

    def __init__(self, shape: Shape, chance: random.Random) -> None:
        self.shape, self.chance = shape, chance
        self.ids: set[int] = set()
        self.active: dict[int, int] = {}
        self.sizes: dict[int, int] = {}
        self.suspended: set[str] = set()
        self.pool_gone = False
        self.transaction = 0
        self.data_blocks, self.metadata_blocks = shape.data_blocks, shape.metadata_blocks
        self.features = shape.features

    def operation(self, verb: str) -> Operation:
        return getattr(self, f"_{verb}")()

    def _id(self, *, known: bool) -> int:
        if self.ids and known and self.chance.random() < 0.95:
            return self.chance.choice(sorted(self.ids))
        return self.chance.randrange(self.shape.ids)

    def _slot(self, *, active: bool = True) -> int:
        free = [slot for slot in range(SLOTS) if slot not in self.active]
        wanted = sorted(self.active) if active else free
        return self.chance.choice(wanted) if wanted and self.chance.random() < 0.97 else self.chance.randrange(SLOTS)

    def _name(self) -> str:
        return self.chance.choice(["pool", *(f"t{slot}" for slot in range(SLOTS))])

    def _sectors(self) -> int:
        size = self.shape.block_sectors
        return self.chance.choice([self.shape.thin_sectors] * 12 + [size * 20, size * 20 + 7, size // 2, size * 5000])

    def _thin(self) -> Operation:
        thin_id = self._id(known=False)
        if self.shape.lean == "wide" and self.chance.random() < 0.8:
            thin_id = self.chance.choice([i for i in range(self.shape.ids) if i not in self.ids] or [0])
        self.ids.add(thin_id)
        return ("message", "pool", f"create_thin {thin_id}")

    def _snap(self) -> Operation:
        origin, thin_id = self._id(known=True), self._id(known=False)
        self.ids.add(thin_id)
        return ("message", "pool", f"create_snap {thin_id} {origin}")

    def _delete(self) -> Operation:
        thin_id = self._id(known=True)
        if thin_id not in self.active.values():
            self.ids.discard(thin_id)
        return ("message", "pool", f"delete {thin_id}")

    def _transaction(self) -> Operation:
        old = self.transaction + (self.chance.random() < 0.2)
        new = self.chance.choice([old + 1, old + 1, old, 7, 2**64 - 1, 2**64])
        if old == self.transaction and new < 2**64:
            self.transaction = new
        return ("message", "pool", f"set_transaction_id {old} {new}")

    def _hold(self) -> Operation:
        return ("message", "pool", "reserve_metadata_snap")

    def _let_go(self) -> Operation:
        return ("message", "pool", "release_metadata_snap")

    def _misuse(self) -> Operation:
        thin_id = self._id(known=True)
        text = self.chance.choice(
            [
                "create_thin",
                "create_thin 1 2",
                "create_thin x",
                "create_thin 16777216",
                f"CREATE_THIN +{thin_id}",
                f"create_snap {thin_id} {thin_id}",
                f"create_snap {thin_id}",
                f"create_snap 0x1 {thin_id}",
                f"create_snap -1 {thin_id}",
                "delete",
                "delete 1.5",
                "delete 16777215",
                f"  delete   0{thin_id + 900} ",
                "set_transaction_id 1",
                "set_transaction_id a 1",
                f"set_transaction_id {self.transaction} b",
                "reserve_metadata_snap now",
                "release_metadata_snap 1",
                "bogus",
                "bogus 1 2 3",
                "",
                "   ",
                "@cancel_deferred_remove",
                "@bogus",
                "delete \\1\\",
            ]
        )
        return ("message", self._name() if self.chance.random() < 0.3 else "pool", text)

    def _create(self) -> Operation:
        if len(self.active) == SLOTS and self.chance.random() < 0.8:
            return self._remove()
        slot, thin_id, sectors = self._slot(active=False), self._id(known=True), self._sectors()
        if slot not in self.active and thin_id in self.ids and "pool" not in self.suspended:
            self.active[slot], self.sizes[slot] = thin_id, sectors
        return ("create", f"t{slot}", thin_id, sectors, self.chance.random() < 0.03)

    def _origin(self) -> Operation:
        """Activate a thin over another device, which gives what is not mapped."""
        created = self._create()
        if created[0] != "create":
            return created
        _, name, thin_id, sectors, _ = created
        origin = f"t{self._slot()}" if self.chance.random() < 0.9 else self._name()
        return ("create_over", name, thin_id, sectors, origin)

    def _remove(self) -> Operation:
        name = f"t{self._slot()}" if self.chance.random() < 0.97 else "pool"
        self.pool_gone = self.pool_gone or name == "pool"
        if name != "pool" and "pool" not in self.suspended:
            self.active.pop(int(name[1:]), None)
            self.suspended.discard(name)
        return ("remove", name, self.chance.random() < 0.25)

    def _thin_table(self) -> Operation:
        kind = self.chance.choice(["thin"] * 8 + ["error", "zero", "words", "number", "empty", "huge", "twice"])
        return ("load", f"t{self._slot()}", kind, self._id(known=True), self._sectors())

    def _reload(self) -> Operation:
        kind = self.chance.choice(
            ["same"] * 8 + ["block", "other", "short", "long", "readonly", "linear", "thin", "count"]
        )
        if self.chance.random() < 0.4:
            self.features = features(self.chance, queueing=self.shape.lean == "queueing")
        low_water = self.chance.choice([self.shape.low_water_blocks, 0, 5, 2**64 - 1])
        return ("load_pool", kind, low_water, list(self.features), self.chance.random() < 0.7)

    def _suspend(self) -> Operation:
        name = self._name()
        self.suspended.add(name)
        return ("suspend", name, self.chance.random() < 0.7, self.chance.random() < 0.7)

    def _resume(self) -> Operation:
        name = (
            self.chance.choice(sorted(self.suspended))
            if self.suspended and self.chance.random() < 0.7
            else self._name()
        )
        self.suspended.discard(name)
        return ("resume", name)

    def _open(self) -> Operation:
        return ("open", self._name())

    def _close(self) -> Operation:
        return ("close", self._name())

    def _place(self, slot: int, most_blocks: int) -> tuple[int, int]:
        size = self.shape.block_sectors
        blocks = self.chance.choice([1, 1, 1, 2, 5, most_blocks])
        last = max(1, self.sizes.get(slot, 0) // size - (blocks if self.chance.random() < 0.95 else -2))
        begin, length = self.chance.randrange(last) * size, blocks * size
        if self.chance.random() < 0.25:
            begin += self.chance.randrange(size)
            length = max(1, length - self.chance.randrange(size))
        if most_blocks == 1:
            # Near a full pool it matters whether the kernel's clock commits in the middle, and on broken disks which
            # piece of a write ends last: one block, no middle.
            length = min(length, size - begin % size)
        return begin, length

    def _write(self) -> Operation:
        slot = self._slot()
        return (
            "write",
            f"t{slot}",
            *self._place(slot, 1 if self.shape.lean in ("tight", "scarce", "broken", "queueing") else 16),
        )

    def _read(self) -> Operation:
        slot = self._slot()
        return ("read", f"t{slot}", *self._place(slot, 16))

    def _scatter(self) -> Operation:
        return ("scatter", f"t{self._slot()}", self.chance.randrange(2**30), self.chance.choice([1, 10, 40]))

    def _discard(self) -> Operation:
        slot = self._slot()
        return ("discard", f"t{slot}", *self._place(slot, 400 if self.shape.lean == "deep" else 16))

    def _flush(self) -> Operation:
        return ("flush", f"t{self._slot()}")

    def _grow_data(self) -> Operation:
        self.data_blocks += self.chance.choice([1, 8, 8, 30])
        return ("resize_data", self.data_blocks)

    def _grow_metadata(self) -> Operation:
        self.metadata_blocks += self.chance.choice([1, 20, 60])
        return ("resize_metadata", self.metadata_blocks)

    def _break(self) -> Operation:
        return ("break", self.chance.choice(["data", "data", "metadata"]))

    def _mend(self) -> Operation:
        return ("mend", self.chance.choice(["data", "metadata"]))

    def _cut(self) -> Operation:
        return ("cut", self._burst()) if self.active else self._create()

    def _abort(self) -> Operation:
        disk = self.chance.choice(["data", "metadata"])
        seen = self.chance.random() < 0.6
        return ("abort", disk, self._burst(), seen) if self.active else self._create()

    def _burst(self) -> list[Operation]:
        """Some operations after which all is activated anew."""
        verbs, weights = ("write", "scatter", "discard", "flush", "thin", "snap", "delete"), (40, 8, 20, 6, 3, 4, 2)
        burst = [self.operation(verb) for verb in self.chance.choices(verbs, weights, k=self.chance.randint(1, 5))]
        self._restart()
        return burst

    def _restart(self) -> Operation:
        self.active.clear()
        self.suspended.clear()
        self.pool_gone = False
        return ("restart",)


def operations(seed: int, count: int, lean: str | None = None) -> Iterator[Operation]:
    """The operations of a seed, as many as asked for; a longer course begins like a shorter one."""
    chance = random.Random(f"operations {seed}")
    drawn = shape(seed, lean)
    draw = _Draw(drawn, chance)
    words = _WEIGHTS[drawn.lean].split()
    verbs, weights = words[::2], list(map(int, words[1::2]))
    for step in range(count):
        verb = ("thin", "create")[step % 2] if step < 6 else chance.choices(verbs, weights)[0]
        if verb not in ("resume", "misuse") and "pool" in draw.suspended and chance.random() < 0.3:
            verb = "resume"
        if draw.pool_gone and chance.random() < 0.15:
            verb = "restart"
        yield draw.operation(verb)
