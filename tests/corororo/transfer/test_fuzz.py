"""Descriptors, records, replies and FIFOs changed at random: right results, or none at all.

Each case is made from its number alone, so that one that fails can be run again by itself, with
those before it: ``run_cases(tmp_path, range(4700, 4712))``.
"""

from __future__ import annotations

import contextlib
import os
import random
import zlib
from pathlib import Path
from typing import Any

import pytest
from office import Office, double, doubles, ran, swell

from corororo._exceptions import FifoFull
from corororo._ring import Descriptor, Kind

CASES = 100_000
FIRST_CASES = 5_000  # of them in the usual run
FIELDS = {
    "kind": 16,
    "attempt": 16,
    "ring": 32,
    "offset": 32,
    "length": 32,
    "sequence": 64,
    "checksum": 32,
    "worker": 32,
}


def mutate(chance: random.Random, descriptor: Descriptor) -> Descriptor:
    """Another descriptor that differs in some bits or fields."""
    for field in chance.sample(list(FIELDS), chance.randint(1, 3)):
        bits = FIELDS[field]
        value = getattr(descriptor, field)
        other = chance.choice(
            [value ^ 1 << chance.randrange(bits), chance.getrandbits(bits), 0, (1 << bits) - 1]
        )
        descriptor = descriptor._replace(**{field: other})
    return descriptor


def spoil(chance: random.Random, office: Office, start: int, end: int) -> None:
    """Change up to four bytes of the ring."""
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(start, max(start + 1, end))
        office.memory.write(place, bytes([chance.getrandbits(8)]))


class Vandal:
    """Does one kind of damage at each step of a case."""

    def __init__(self, chance: random.Random, office: Office) -> None:
        self._chance = chance
        self._office = office
        self._seen: list[Descriptor] = [Descriptor(Kind.CALLS)]

    def step(self) -> None:
        """Some damage, or none."""
        self._chance.choice(
            [self.damage_a_call, self.damage_an_answer, self.forge, self.write_junk, self.work]
        )()

    def work(self) -> None:
        """The worker does what it can."""
        if self._office.has_calls():
            self._office.worker.do_work()

    def damage_a_call(self) -> None:
        """A descriptor changes on its way to the worker, or what it speaks of."""
        descriptor = self._office.read_call()
        if descriptor is None or not descriptor.kind:
            return
        self._seen.append(descriptor)
        if self._chance.random() < 0.5:
            descriptor = mutate(self._chance, descriptor)
        elif descriptor.offset < self._office.memory.size_bytes - 200:
            spoil(self._chance, self._office, descriptor.offset, descriptor.offset + 120)
        with contextlib.suppress(FifoFull):
            self._office.give_back(descriptor)
        self.work()

    def damage_an_answer(self) -> None:
        """The same, on its way back."""
        self.work()
        for answer in self._office.zone._replies.read_nowait():
            self._seen.append(answer)
            self._office.replies.write_nowait(self._damaged(answer))

    def _damaged(self, answer: Descriptor) -> Descriptor:
        way = self._chance.randrange(4)
        if way == 0:
            return mutate(self._chance, answer)
        header_fits = answer.offset <= self._office.memory.size_bytes - 256
        if way == 1 and header_fits and answer.kind == Kind.REPLY:
            start = answer.offset + self._office.memory.header(answer.offset).reply_offset
            if start + answer.length < self._office.memory.size_bytes:
                spoil(self._chance, self._office, start, start + answer.length)
                junk = self._office.memory.read(start, answer.length)
                # What stands there is no reply of a worker; unless by chance it is the same.
                if self._chance.random() < 0.5:
                    return answer._replace(checksum=zlib.crc32(junk) ^ 1)
        return answer

    def forge(self) -> None:
        """Something like what was seen before, to anybody."""
        forged = mutate(self._chance, self._chance.choice(self._seen))
        if self._chance.random() < 0.5:
            forged = forged._replace(ring=self._office.number)
        writer = self._chance.choice([self._office.replies, self._office.calls_writer])
        with contextlib.suppress(FifoFull):
            writer.write_nowait(forged)

    def write_junk(self) -> None:
        """Bytes that are no descriptor, and out of step with those that are."""
        writer = self._chance.choice([self._office.replies, self._office.calls_writer])
        os.write(writer.fileno(), self._chance.randbytes(self._chance.randint(1, 70)))


def finish(office: Office, outcomes: dict[Any, Any]) -> None:
    """No more damage: whatever is still out comes back."""
    for _ in range(400):
        office.work()
        office.collect(outcomes)
        if not office.zone.in_flight:
            return
        office.clock.jump(0.5)
    raise AssertionError(f"{office.zone.in_flight} calls never came back")


def run_case(office: Office, case: int) -> None:
    """Damage of all kinds while some calls are out."""
    chance = random.Random(case)
    vandal = Vandal(chance, office)
    outcomes: dict[Any, Any] = {}
    calls = chance.randint(1, 12)
    office.zone.send_nowait(double, case, [(i,) for i in range(calls)])
    if chance.random() < 0.1:
        office.zone.send_nowait(swell, "large", [(chance.choice([10, 9_000]),)])
    for _ in range(chance.randint(1, 6)):
        vandal.step()
        office.collect(outcomes)
        office.clock.jump(chance.choice([0.0, 0.0, 0.2, 1.2]))
    finish(office, outcomes)
    large = outcomes.pop(("large", 0), b"")
    assert not isinstance(large, BaseException), case
    assert set(large) <= {0}, case
    assert outcomes == doubles(case, calls), case  # type: ignore[arg-type]
    assert office.zone.statistics().ring.used_bytes == 0, case
    ran.clear()


def run_cases(base: Path, cases: range) -> None:
    """In one office for many: what one case leaves behind is the next one's trouble."""
    office = Office(base, ring_bytes=1 << 15, max_batch=5)
    try:
        for case in cases:
            run_case(office, case)
            assert list(office.session.directory.glob("*.spill")) == [], case
    finally:
        office.close()


@pytest.mark.parametrize("first", range(0, FIRST_CASES, 1_000))
def test_damage_at_random_is_noticed_and_made_good(tmp_path: Path, first: int) -> None:
    run_cases(tmp_path, range(first, first + 1_000))


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("first", range(FIRST_CASES, CASES, 9_500))
def test_damage_at_random_for_long_is_noticed_and_made_good(tmp_path: Path, first: int) -> None:
    run_cases(tmp_path, range(first, min(CASES, first + 9_500)))
