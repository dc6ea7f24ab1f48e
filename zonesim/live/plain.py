"""A run as lines of a log, where there is no terminal. Knows no colours and no widths."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zonesim.live.progress import Progress
from zonesim.results.step_table import count_zones, figure

PLAIN_INTERVAL_S = 10.0

Say = Callable[[str], None]  # prints one line


class PlainLines:
    """A line at both ends of a step, and each 10 s."""

    def __init__(self, say: Say, clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._present: Progress | None = None
        self._printed_at = clock()

    def update(self, progress: Progress, note: str) -> None:
        """Take a newer state of the run, and a word about it."""
        before = self._present
        if before is None or before.step != progress.step:
            self.close()
            self.print(f"{_step(progress)}: {progress.phase}")
        else:
            said = f"{_step(progress)}: {fleet_text(progress)}"
            self.print_now_and_then(f"{said}, {note}" if note else said)
        self._present = progress

    def close(self) -> None:
        """Say how the present step ended, if there is one."""
        if self._present:
            self.print(f"{_step(self._present)}: ended after {fleet_text(self._present)}")
            self._present = None

    def forget(self) -> None:
        """Have nothing to say at the end."""
        self._present = None

    def print_now_and_then(self, line: str) -> None:
        """Print it unless something has been printed in the last seconds."""
        if self._clock() - self._printed_at >= PLAIN_INTERVAL_S:
            self.print(line)

    def print(self, line: str) -> None:
        """Print it now."""
        self._printed_at = self._clock()
        self._say(line)


class PlainSheet:
    """Lines one after the other; there are no frames."""

    def begin(self) -> str:
        """Nothing to begin with."""
        return ""

    def draw(self, lines: Sequence[str], frame: object) -> str:
        """The lines."""
        return "".join(f"{line}\n" for line in lines)

    def end(self) -> str:
        """All of it stays."""
        return ""


def fleet_text(progress: Progress) -> str:
    """How the zones and workers stand, in one line."""
    states = [f"{count} {state}" for state, count in progress.zones_by_state.items()]
    parts = [
        f"{progress.elapsed_s:.1f} s",
        *states,
        f"{progress.ticks} ticks, {progress.late} late, {progress.missed} missed",
        *(_load_texts(progress) if progress.ticks else ()),
        f"workers {_mean_use(progress)}, {progress.batches_queued} batches queued, "
        f"{progress.worker_restarts} restarts",
    ]
    return ", ".join(parts)


def _load_texts(progress: Progress) -> list[str]:
    tps = (progress.tps_lowest, progress.tps_median, progress.tps_highest)
    responses_ms = (progress.response_p50_ms, progress.response_p95_ms, progress.response_p99_ms)
    return [
        "TPS lowest {} median {} highest {}".format(*map(figure, tps)),
        f"utilisation mean {progress.utilisation_mean:.0%} "
        f"highest {progress.utilisation_highest:.0%}",
        f"headroom {progress.headroom:.0%}",
        "response p50 {} p95 {} p99 {} ms".format(*map(figure, responses_ms)),
    ]


def _mean_use(progress: Progress) -> str:
    shares = [worker.utilisation for worker in progress.workers]
    return f"{sum(shares) / len(shares):.0%}" if shares else "inline"


def _step(progress: Progress) -> str:
    return f"step {progress.step} of {progress.steps}, {count_zones(progress.zones)}"
