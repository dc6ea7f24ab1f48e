"""A worker is killed under its calls: what each peer makes of it, in a process of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .apart import run_apart
from .figures import Row, alone
from .launches import goes_on
from .peer_pools.kinds import serving
from .peer_pools.ours import OURS
from .struck import CALLS, Struck, strike
from .suite import BenchError, Measuring, Setting

GROUP = "killed"
TIMEOUT_S = 3.0  # what has not come by then never comes
QUICK_TIMEOUT_S = 1.0
PATIENCE_S = 30.0  # with one peer
NAMES = (
    f"SIGKILL of a worker in one of {CALLS} calls",
    f"one of {CALLS} calls kills every worker it meets",
)


def measure_killed(setting: Setting) -> Measuring:
    """For each peer the time until every call was known of, and what became of the calls."""
    timeout_s = QUICK_TIMEOUT_S if setting.quick else TIMEOUT_S
    yield (
        f"killed: what is not back within {timeout_s:g} s never comes, and counts as so long; "
        "garbage is collected whenever a process comes to it"
    )
    peers = [kind.name for kind in (OURS, *serving(setting.workers))]
    launches: dict[str, list[list[Struck]]] = {}
    for launch in range(setting.amount.launches):
        if not (yield from goes_on(launch)):
            break
        for peer in list(peers):
            try:
                parts = run_apart(strike, Struck, PATIENCE_S, peer, setting.workers, timeout_s)
            except BenchError as error:  # the others have their rows
                yield f"{GROUP}: {peer}: {error}"
                peers.remove(peer)
            else:
                launches.setdefault(peer, []).append(parts)
    for place, name in enumerate(NAMES):
        for peer, found in launches.items():
            yield from _told(name, peer, [parts[place] for parts in found if len(parts) > place])


def _told(name: str, peer: str, found: list[Struck]) -> Iterator[Row | str]:
    if not found:
        yield f"{name}: {peer} gave no answer at all in {PATIENCE_S:.0f} s, and was ended"
        return
    counted = Counter(one.told() for one in found).most_common()
    note = counted[0][0]
    if len(counted) > 1:
        note += f" (in {counted[0][1]} of {len(found)} launches)"
    yield alone(
        GROUP, f"{name}, {peer}", "ms", [[one.known_after_s * 1_000] for one in found], note=note
    )
