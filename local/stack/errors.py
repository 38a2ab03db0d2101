"""What can go wrong with the stack, said in one line."""

from __future__ import annotations


class StackError(Exception):
    """The stack cannot do what was asked. The message is for a person and names the cure."""


class NotHealthy(Exception):
    """A part does not answer as it should, for the reason in the message."""
