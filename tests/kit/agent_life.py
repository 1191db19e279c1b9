"""A brain and a clock turned by hand."""

from __future__ import annotations

from typing import TypeVar

from vmagent import orders, stimuli
from vmagent.brain import Brain
from vmagent.plan import Rules
from vmagent.wire import messages

T = TypeVar("T")
M = "a" * 64
OTHER = "b" * 64


def taken(task: int = 1, manifest: str = M, last: int = 100) -> stimuli.Taken:
    """A lease."""
    return stimuli.Taken(task, 1, manifest, 0, last)


def state(word: str = "leased", task: int = 1, last: int = 100) -> messages.TaskState:
    """A task as the server has it."""
    return messages.TaskState(task, word, 0, last, [], 1e9)


def of(kind: type[T], told: list[orders.Order]) -> list[T]:
    """The orders of one kind."""
    return [order for order in told if isinstance(order, kind)]


class Life:
    """What an agent goes through, told one thing at a time."""

    def __init__(self, slots: int = 1, **rules: float) -> None:
        self.brain = Brain(Rules(slots=slots, **rules))
        self.now = 1000.0
        self.said: list[orders.Order] = []

    def tell(self, event: stimuli.Stimulus, after: float = 0.0) -> list[orders.Order]:
        """Something happens, ``after`` seconds later."""
        self.now += after
        told = self.brain.handle(event, self.now)
        self.said.extend(told)
        return told

    def running(self, *tasks: stimuli.Taken) -> Life:
        """Started, asked, and running these tasks."""
        self.tell(stimuli.Started())
        self.tell(stimuli.AskAnswered(tasks or (taken(),)))
        for one in tasks or (taken(),):
            self.tell(stimuli.Prepared(one.task))
        return self
