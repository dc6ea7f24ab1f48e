from __future__ import annotations

import msgspec
import pytest

from zonesim.workloads import make_world
from zonesim.workloads.base import ZoneSpec


def test_an_unknown_workload_is_refused_with_the_known_ones():
    spec = ZoneSpec(zone=1, seed=1, period_s=0.4, workload="meadow", graph="")
    with pytest.raises(ValueError, match="one of chains, field; got 'meadow'"):
        make_world(spec)


def test_a_spec_travels_as_msgspec():
    spec = ZoneSpec(zone=1, seed=1, period_s=0.4, workload="chains", graph="", late="carry")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(spec), type=ZoneSpec) == spec
