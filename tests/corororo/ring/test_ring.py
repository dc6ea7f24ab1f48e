"""The ring against a simple model: a list of extents that are still claimed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corororo._exceptions import RingFull
from corororo._ring import Ring
from corororo._ring._ring import ALIGNMENT

SIZE = 16 * ALIGNMENT
LENGTHS = st.integers(1, SIZE + ALIGNMENT)
ACTIONS = st.lists(st.one_of(LENGTHS, st.tuples(st.integers(0, 99))), max_size=80)


class Model:
    """Extents in the order of their claims; the oldest ones leave when they are freed."""

    def __init__(self) -> None:
        self.extents: list[tuple[int, int, bool]] = []  # offset, end, freed

    def live(self) -> list[tuple[int, int]]:
        return [(offset, end) for offset, end, freed in self.extents if not freed]

    def claim(self, offset: int, length: int) -> None:
        self.extents.append((offset, offset + length, False))

    def free(self, offset: int) -> None:
        self.extents = [(o, e, f or (o == offset and not f)) for o, e, f in self.extents]
        while self.extents and self.extents[0][2]:
            self.extents.pop(0)

    def has_room(self, length: int) -> bool:
        """Whether a record fits behind the newest one, or at the start before the oldest."""
        if not self.extents:
            return length <= SIZE
        tail, head = self.extents[0][0], self.extents[-1][1]
        if self.extents[-1][0] >= tail:
            return head + length <= SIZE or length <= tail
        return head + length <= tail


@given(ACTIONS)
def test_claims_and_frees_in_any_order_agree_with_the_model(
    actions: list[int | tuple[int]],
) -> None:
    ring, model = Ring(SIZE), Model()
    for action in actions:
        if isinstance(action, tuple):
            if live := model.live():
                offset = live[action[0] % len(live)][0]
                ring.free(offset)
                model.free(offset)
            continue
        length = -(-action // ALIGNMENT) * ALIGNMENT
        if not model.has_room(length):
            with pytest.raises(RingFull):
                ring.claim(action)
            continue
        offset = ring.claim(action)
        assert offset % ALIGNMENT == 0
        assert 0 <= offset <= offset + length <= SIZE
        # Not even a freed record may be overwritten while an older one stands: it is in order.
        assert all(end <= offset or offset + length <= o for o, end, _ in model.extents)
        model.claim(offset, length)
        assert ring.statistics().used_bytes == sum(e - o for o, e, _ in model.extents)
        assert ring.statistics().records == len(model.live())
    for offset, _ in model.live():
        ring.free(offset)
    assert ring.statistics().used_bytes == ring.statistics().records == 0
    assert ring.claim(SIZE) == 0


def test_a_compact_ring_goes_back_to_its_start_as_soon_as_it_can() -> None:
    ring = Ring(SIZE, start=SIZE, compact=True)
    claimed = [ring.claim(ALIGNMENT) for _ in range(3)]
    for _ in range(20):
        ring.free(claimed.pop(0))
        claimed.append(ring.claim(ALIGNMENT))
        assert SIZE <= claimed[-1] < SIZE + 4 * ALIGNMENT
