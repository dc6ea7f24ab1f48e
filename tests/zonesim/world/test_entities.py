from __future__ import annotations

from array import array

import pytest

from zonesim.world.entities import TRANSITIONS, Entities


def filled():
    entities = Entities(3, 2)
    for number, values in enumerate(entities.changing()):
        for i in range(len(entities)):
            values[i] = number + 10 * i
    entities.paths[1] = memoryview(array("I", [7, 8, 9]).tobytes()).cast("I")
    return entities


def test_what_was_saved_is_loaded_again():
    before, after = filled(), Entities(3, 2)
    after.load(before.save())
    assert [list(values) for values in after.changing()] == [
        list(values) for values in before.changing()
    ]
    assert list(after.paths[1]) == [7, 8, 9]
    assert [path is None for path in after.paths] == [True, False, True, True, True]


def test_a_saved_state_does_not_change_with_the_entities():
    entities = filled()
    saved = entities.save()
    entities.x[0] = 99.0
    assert entities.save() != saved


def test_arrays_stay_the_same_objects_when_a_state_is_loaded():
    entities = Entities(3, 2)
    x = entities.x
    entities.load(filled().save())
    assert x is entities.x
    assert x[1] == 10.0


@pytest.mark.parametrize("counts", [(3, 3), (0, 0)])
def test_a_state_of_another_number_of_entities_is_refused(counts):
    with pytest.raises(ValueError, match="a snapshot of 5 entities is needed, got one of"):
        filled().load(Entities(*counts).save())


def test_every_state_can_be_entered_and_left():
    entered = set().union(*TRANSITIONS.values())
    assert entered == set(TRANSITIONS)
    assert all(TRANSITIONS.values())
