"""What stages share that look at the signal hop by hop, and tell of what they find."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core.parts import Stage
from ..core.stream import Chunk, Event


class Reporting(Stage):
    """Events that are told while a chunk is in work go out with it. For those that `walk`: hops of `size` samples stand on
    the stream's own index; behind each that was seen from its beginning, `turn` is called."""

    size: int  # samples in a hop; set in `setup`
    _seen: int  # samples of this hop; begun there with 0

    def turn(self, index: int) -> None:
        """A hop is full, its last sample has this index."""
        raise NotImplementedError(f"{type(self).__name__} has no turn()")

    def step(self, c: Chunk) -> Chunk:
        self.told: list[Event] = []
        out = super().step(c)
        return out.but(events=(*out.events, *self.told)) if self.told else out

    def tell(self, index: int, name: str, value: Any) -> None:
        self.told.append(Event(index, name, value))

    def walk(self, n: int) -> Iterator[tuple[slice, slice]]:
        """The n rows in work, parted where hops end: (which of these rows, which of their hop)."""
        row = 0
        while row < n:
            at = (self.at + row) % self.size
            more = min(self.size - at, n - row)
            self._seen = self._seen + more if at else more
            yield slice(row, row + more), slice(at, at + more)
            row += more
            if at + more == self.size and self._seen == self.size:
                self.turn(self.at + row - 1)
