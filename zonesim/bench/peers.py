"""`zonesim bench peers`: our calls beside those that somebody else would make.

`ours` and `theirs` are medians; the figure is ours / theirs unless its unit names something else.
Our tick runs 1,980 coroutines, while peers make its 396 calls alone. What has no goal is there for
comparison, or as a floor.
"""

from __future__ import annotations

from . import fleet_group, goals, killed_group
from .call_groups import measure_alone, measure_map
from .launches import Amount
from .peer_pools.kinds import companies_there, missing, packages
from .suite import Group, Suite
from .tick_groups import measure_added, measure_b2b, measure_paced, measure_submit
from .zones_group import measure_zones

COMPANIES = companies_there()

SUITE = Suite(
    "peers",
    {
        "b2b": Group(measure_b2b, Amount(4, 10), Amount(1, 2), COMPANIES),
        "paced": Group(measure_paced, Amount(3, 6), Amount(1, 1), COMPANIES),
        "submit": Group(measure_submit, Amount(3, 3), Amount(1, 1), COMPANIES),
        "added": Group(measure_added, Amount(4, 10), Amount(1, 4)),
        "alone": Group(measure_alone, Amount(4, 10), Amount(1, 3), COMPANIES),
        "map": Group(measure_map, Amount(3, 5), Amount(1, 2), COMPANIES),
        "zones": Group(measure_zones, Amount(4, 5), Amount(1, 2)),
        killed_group.GROUP: Group(killed_group.measure_killed, Amount(2, 1), Amount(1, 1)),
        fleet_group.GROUP: Group(
            fleet_group.measure_fleet, Amount(1, 6), Amount(1, 6), fleet_group.PARTS
        ),
    },
    conclude=goals.conclude,
    remarks=lambda options: missing(options.workers),
    packages=packages(),
)
