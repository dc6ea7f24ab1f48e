from __future__ import annotations

from array import array

import msgspec
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


@pytest.mark.parametrize("mobs", [0, 2, 5])
def test_a_state_of_another_number_of_mobs_is_refused(mobs):
    with pytest.raises(ValueError, match=f"a snapshot of 3 mobs is needed, got one of {mobs};"):
        filled().load(Entities(mobs, 5 - mobs).save())


@pytest.mark.parametrize("players", [0, 1, 9])
def test_a_state_of_another_number_of_players_is_loaded_with_its_players(players):
    entities = Entities(3, players)
    entities.load(filled().save())
    assert entities.save() == filled().save()
    assert (len(entities), entities.players) == (5, 2)
    assert len(entities.home) == len(entities.aggressive) == 5


def test_a_state_whose_parts_do_not_fit_together_is_refused_and_changes_nothing():
    saved = filled().save()
    for broken in (
        msgspec.structs.replace(saved, paths=saved.paths[:4]),
        msgspec.structs.replace(saved, arrays=saved.arrays[:-1]),
        msgspec.structs.replace(Entities(3, 0).save(), paths=[b""]),
    ):
        entities = filled()
        with pytest.raises(ValueError, match="a snapshot with 10 properties of each entity"):
            entities.load(broken)
        assert entities.save() == saved


def test_players_come_at_the_end_as_zeros_and_go_from_the_end():
    entities = filled()
    x = entities.x
    entities.set_players(4)
    assert [len(values) for values in entities.changing()] == [7] * 10
    assert list(entities.x) == [0.0, 10.0, 20.0, 30.0, 40.0, 0.0, 0.0]
    assert entities.paths[5:] == [None, None]
    entities.set_players(0)
    assert entities.x is x
    assert list(x) == [0.0, 10.0, 20.0]
    assert len(entities) == len(entities.paths) == len(entities.home) == 3


def test_every_state_can_be_entered_and_left():
    entered = set().union(*TRANSITIONS.values())
    assert entered == set(TRANSITIONS)
    assert all(TRANSITIONS.values())
