"""What an orchestration waits for: single operations and events, and groups of them."""

from __future__ import annotations

from collections.abc import Sequence


class Awaited:
    """Something waited for: a leaf that an event completes, or a group of others."""

    __slots__ = ("done", "parent", "succeeded")

    def __init__(self) -> None:
        self.done = False
        self.succeeded = True
        self.parent: Awaited | None = None

    def finish(self, succeeded: bool = True) -> None:
        """It is over, and so perhaps the group it is in. Only the first time counts."""
        if self.done:
            return
        self.done = True
        self.succeeded = succeeded
        if self.parent is not None:
            self.parent.child_finished(self)

    def child_finished(self, child: Awaited) -> None:
        """One of the group is over."""
        raise NotImplementedError


class Leaf(Awaited):
    """A scheduled operation, or an external event.

    `action` is the index of the action it belongs to; `event_id` numbers an operation.
    """

    __slots__ = ("action", "event_id")

    def __init__(self, action: int, event_id: int | None = None) -> None:
        super().__init__()
        self.action = action
        self.event_id = event_id


class AllOf(Awaited):
    """Done when every child is, also after a failure, as .NET's Task.WhenAll."""

    __slots__ = ("_open",)

    def __init__(self, children: Sequence[Awaited]) -> None:
        super().__init__()
        pending = [child for child in children if not child.done]
        self.succeeded = all(child.succeeded for child in children)
        self._open = len(pending)
        for child in pending:
            child.parent = self
        if not pending:
            self.finish(self.succeeded)

    def child_finished(self, child: Awaited) -> None:
        self._open -= 1
        self.succeeded = self.succeeded and child.succeeded
        if self._open == 0:
            self.finish(self.succeeded)


class AnyOf(Awaited):
    """Done when one child is."""

    __slots__ = ()

    def __init__(self, children: Sequence[Awaited]) -> None:
        super().__init__()
        if not children or any(child.done for child in children):
            self.finish()
            return
        for child in children:
            child.parent = self

    def child_finished(self, child: Awaited) -> None:  # noqa: ARG002 - whichever it is
        self.finish()
