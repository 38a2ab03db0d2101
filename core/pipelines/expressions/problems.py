"""What can be wrong with an expression: as it is written, as it is meant, as it comes out."""

from __future__ import annotations


class ExpressionProblem(ValueError):
    """Base of the three. `offset` is the character of the text where it is, from 0."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class ExpressionError(ExpressionProblem):
    """The text is not an expression."""


class TypeProblem(ExpressionProblem):
    """The expression asks for what is not there, or puts together what does not go together."""


class EvaluationError(ExpressionProblem):
    """The expression has no value with what is there."""
