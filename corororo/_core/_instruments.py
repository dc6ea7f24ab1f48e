"""Instruments: calls every installed one for what it wants to hear. Knows no Tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from corororo.abc import Instrument

if TYPE_CHECKING:
    from ._report import TickReport
    from ._task import Task


class Instruments:
    """What is installed, sorted by what it listens to. Nothing installed costs nothing a step."""

    def __init__(self, installed: Iterable[Instrument]) -> None:
        installed = list(installed)
        self._before_task_step = _hooks(installed, "before_task_step")
        self._after_task_step = _hooks(installed, "after_task_step")
        self._before_tick = _hooks(installed, "before_tick")
        self._after_tick = _hooks(installed, "after_tick")
        self._async_task_sent = _hooks(installed, "async_task_sent")
        self._async_task_done = _hooks(installed, "async_task_done")
        self.steps = bool(self._before_task_step or self._after_task_step)

    def before_task_step(self, task: Task) -> None:
        """A Task is about to be advanced."""
        for hook in self._before_task_step:
            hook(task)

    def after_task_step(self, task: Task) -> None:
        """It has come to wait, or has ended."""
        for hook in self._after_task_step:
            hook(task)

    def before_tick(self) -> None:
        """A pass begins."""
        for hook in self._before_tick:
            hook()

    def after_tick(self, report: TickReport) -> None:
        """It has ended."""
        for hook in self._after_tick:
            hook(report)

    def async_task_sent(self, name: str, calls: int) -> None:
        """Calls of a function were handed over."""
        for hook in self._async_task_sent:
            hook(name, calls)

    def async_task_done(self, calls: int, failures: int) -> None:
        """Calls were answered, so many of them with an exception."""
        for hook in self._async_task_done:
            hook(calls, failures)


def _hooks(installed: Iterable[Instrument], name: str) -> tuple[Callable[..., Any], ...]:
    """The methods of that name that do something: not the empty ones of the base class."""
    return tuple(
        getattr(instrument, name)
        for instrument in installed
        if getattr(type(instrument), name, None) is not getattr(Instrument, name)
    )
