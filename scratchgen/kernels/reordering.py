"""Each action of Python between two kernels stops all threads, so actions are moved out of the way.

    ahead, among, last = in_order(events)

Kernels that follow each other run together (plans.py). An action runs ahead of all kernels, or
after them, if no event that it would pass reads what it writes, writes what it reads, or writes
what it writes:

    W_a R_b = R_a W_b = W_a W_b = nothing in common, for an action a and all events b it passes  (1)

Nothing passes a fenced action, which may do anything.

A gradient is first cleared and then added to, so its memory is written twice and read once more
than it need be. If the first event that touches a window of the cleared array adds to all of it, it
writes 0 + x there instead, and the window is no longer cleared:                              (2)
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from ..ground.arguments import Array
from .recording import Action, Clear, Event

Span = tuple[int, int]  # bytes of memory: from, to


def in_order(events: Sequence[Event]) -> tuple[list[Event], list[Event], list[Event]]:
    """The events ahead of all kernels, those among them, and those after them."""
    ahead: list[Event] = []
    among: list[tuple[Event, Effects]] = []
    for event in events:  # (1), from the first on
        effects = Effects(event)
        if _may_pass(event, effects, among):
            ahead.append(event)
        else:
            among.append((event, effects))
    last: list[Event] = []
    for i in range(len(among) - 1, -1, -1):  # (1), from the last on
        event, effects = among[i]
        if _may_pass(event, effects, among[i + 1 :]):
            last.insert(0, event)
            del among[i]
    return ahead, [event for event, _ in among], last


def _may_pass(event: Event, effects: "Effects", others: list[tuple[Event, "Effects"]]) -> bool:
    """Whether an action may run before, or after, all of those events; (1)."""
    if not isinstance(event, Action) or event.fenced:
        return False
    return not any(other.is_fenced or effects.meet(other) for _, other in others)


class Effects:
    """What an event reads and writes, as bytes of memory, and what else it changes."""

    def __init__(self, event: Event) -> None:
        self.reads = [span_of(x) for x in event.reads() if x.size]
        self.writes = [span_of(x) for x in event.writes() if x.size]
        self.is_fenced = isinstance(event, Action) and event.fenced
        self.also = {id(x) for x in event.also} if isinstance(event, Action) else set()

    def meet(self, other: "Effects") -> bool:
        """Whether the order of the two matters."""
        return (
            _overlap(self.writes, other.reads)
            or _overlap(self.reads, other.writes)
            or _overlap(self.writes, other.writes)
            or bool(self.also & other.also)
        )

    def touch(self, span: Span) -> bool:
        """Whether any of that memory is read or written."""
        return _overlap(self.reads, [span]) or _overlap(self.writes, [span])


def _overlap(a: list[Span], b: list[Span]) -> bool:
    return any(x[0] < y[1] and y[0] < x[1] for x in a for y in b)


def span_of(x: Array) -> Span:
    """From the first byte of x to the end of its last."""
    low = high = x.__array_interface__["data"][0]
    for size, stride in zip(x.shape, x.strides, strict=True):
        reach = (size - 1) * stride
        low, high = (low, high + reach) if reach > 0 else (low + reach, high)
    return low, high + x.itemsize


def writing_first(events: Sequence[Event]) -> list[Event]:
    """The same events after (2)."""
    done, effects = list(events), [Effects(event) for event in events]
    cleared: dict[int, list[Event]] = {}
    for i, clear in enumerate(events):
        if isinstance(clear, Clear) and clear.array.size and clear.array.flags.c_contiguous:
            left = [span_of(clear.array)]
            for j in range(i + 1, len(events)):
                span = _fills(done[j], left)
                if span and not any(between.touch(span) for between in effects[i + 1 : j]):
                    done[j] = _onto_zero(done[j])
                    left = [piece for whole in left for piece in _without(span, whole)]
            cleared[i] = [Clear(_window(clear.array, span)) for span in left]
    return [after for i, event in enumerate(done) for after in cleared.get(i, [event])]


def _fills(event: Event, left: list[Span]) -> Span | None:
    """The memory that an event adds to, if it has no gaps and all of it is yet to be cleared."""
    if isinstance(event, Clear) or event.onto_zero is None:
        return None
    array = event.writes()[-1]
    if not array.size:
        return None
    span = span_of(array)
    if any(_overlap([span], [span_of(x)]) for x in event.reads() if x is not array and x.size):
        return None
    inside = any(low <= span[0] and span[1] <= high for low, high in left)
    return span if inside and span[1] - span[0] == array.nbytes else None


def _onto_zero(event: Any) -> Event:
    """The event in the form that writes its array instead of adding to it."""
    f, args = event.onto_zero
    if isinstance(event, Action):
        return dataclasses.replace(event, f=f, args=args, onto_zero=None)
    return dataclasses.replace(event, loop=f, args=args, changed=(), onto_zero=None)


def _without(span: Span, whole: Span) -> list[Span]:
    """What is left of `whole` outside `span`."""
    if span[1] <= whole[0] or whole[1] <= span[0]:
        return [whole]
    pieces = [(whole[0], span[0]), (span[1], whole[1])]
    return [(low, high) for low, high in pieces if low < high]


def _window(x: Array, span: Span) -> Array:
    """Those bytes of x, as numbers."""
    base, item = span_of(x)[0], x.itemsize
    return x.reshape(-1)[(span[0] - base) // item : (span[1] - base) // item]
