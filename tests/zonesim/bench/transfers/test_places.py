from __future__ import annotations

import pytest

import corororo as cr
from zonesim.bench.empty_work import number, path
from zonesim.bench.transfers.answers import codec_of
from zonesim.bench.transfers.places import Numbers, Places

CODEC = codec_of(number)


def test_a_place_is_used_again_under_another_handle() -> None:
    places = Places(2)
    first = places.occupy(CODEC, "ticket", 3, 1)
    handle = first.handle
    assert list(places.occupied()) == [first]
    assert places.vacate(handle) is first
    again = places.occupy(CODEC, "another", 4, 1)
    assert again is first
    assert (again.ticket, again.start, again.index) == ("another", 4, first.index)
    assert again.handle != handle


def test_an_answer_that_comes_twice_is_refused() -> None:
    places = Places(1)
    handle = places.occupy(CODEC, "ticket", 0, 1).handle
    places.vacate(handle)
    places.occupy(CODEC, "another", 0, 1)
    with pytest.raises(cr.StaleHandle):
        places.vacate(handle)


def test_a_function_is_named_until_the_worker_has_learned_its_number() -> None:
    numbers = Numbers()
    codec, given, name = numbers.encode(number, [(7,)], 4)
    assert (given, name.decode()) == (0, number.name)
    assert numbers.buffer[4:] == name + codec.encode_request([(7,)])
    numbers.learned(number, codec, given)
    assert numbers.encode(number, [(7,)], 4) == (codec, 0, b"")
    assert numbers.buffer[4:] == codec.encode_request([(7,)])
    assert numbers.encode(path, [(7,)], 0)[1:] == (1, path.name.encode())
