from __future__ import annotations

from array import array

import pytest

from zonesim.world.entities import Entities


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


@pytest.mark.parametrize("players", [0, 1, 9])
def test_a_state_of_another_number_of_players_is_loaded_with_its_players(players):
    entities = Entities(3, players)
    entities.load(filled().save())
    assert entities.save() == filled().save()
    assert (len(entities), entities.players) == (5, 2)
    assert len(entities.home) == len(entities.aggressive) == 5


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
