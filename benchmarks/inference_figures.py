"""How good a classifier is that says how sure it is: what it confuses, and whether its word holds.

Every answer is judged twice. Strictly, one type is right; leniently, so is any that its label
accepts as well, as a picture with an alpha of 255 throughout may be called rgb.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Upper ends of the bins of confidence. Most answers are sure, so the bins are narrow there.
BINS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class Answer:
    """What was said of one raster.

    Attributes:
        path: the raster, below the folder of the data.
        expected: the type that its label names.
        accepted: types that its label accepts as well.
        said: the type inferred; None where the raster was refused.
        confidence: the probability that was given to it; 0 where the raster was refused.
        likelihood: the probability that was given to the expected type.
        seconds: what finding out took, with the child process that it runs in.
        refusal: why the raster was refused; else empty.
    """

    path: str
    expected: str
    accepted: frozenset[str]
    said: str | None
    confidence: float = 0.0
    likelihood: float = 0.0
    seconds: float = 0.0
    refusal: str = ""

    @property
    def right(self) -> bool:
        """Whether it is the expected type."""
        return self.said == self.expected

    @property
    def acceptable(self) -> bool:
        """Whether it is the expected type, or one that the label accepts as well."""
        return self.right or self.said in self.accepted


@dataclass(frozen=True)
class Bin:
    """Answers that were about as sure: confidence above `low`, up to `high`.

    Attributes:
        count: how many there are.
        confidence: their mean confidence.
        right: the share that is right.
        acceptable: the share that is acceptable.
    """

    low: float
    high: float
    count: int
    confidence: float
    right: float
    acceptable: float


def shares(answers: Sequence[Answer]) -> tuple[float, float]:
    """The shares that are right, and that are acceptable. Raises ValueError for no answers."""
    if not answers:
        raise ValueError("there are no answers")
    count = len(answers)
    return (
        sum(answer.right for answer in answers) / count,
        sum(answer.acceptable for answer in answers) / count,
    )


def confusion(answers: Sequence[Answer]) -> Counter[tuple[str, str | None]]:
    """How often which type was expected and which was said."""
    return Counter((answer.expected, answer.said) for answer in answers)


def reliability(answers: Sequence[Answer]) -> list[Bin]:
    """The answers by their confidence, in bins that are not empty. Refusals are in none."""
    bins = []
    for low, high in zip((0.0, *BINS), BINS, strict=False):
        inside = [each for each in answers if each.said and low < each.confidence <= high]
        if inside:
            right, acceptable = shares(inside)
            mean = sum(each.confidence for each in inside) / len(inside)
            bins.append(Bin(low, high, len(inside), mean, right, acceptable))
    return bins


def calibration_error(bins: Sequence[Bin], share: Callable[[Bin], float]) -> float:
    """The expected calibration error: by how much confidence and share differ, in the mean of
    all answers. 0 is a word that holds. (Naeini et al., AAAI 2015.)"""
    count = sum(each.count for each in bins)
    return sum(each.count * abs(each.confidence - share(each)) for each in bins) / count


def brier(answers: Sequence[Answer], judge: Callable[[Answer], bool]) -> float:
    """The mean square by which confidence misses being right, 0 to 1; less is better.
    (Brier, Monthly Weather Review 78, 1950, of the one answer that was given.)"""
    given = [each for each in answers if each.said]
    return sum((each.confidence - judge(each)) ** 2 for each in given) / len(given)


def text(answers: Sequence[Answer], *, with_errors: bool = True) -> str:
    """All figures, for people. `with_errors` lists every answer that is not right."""
    right, acceptable = shares(answers)
    bins = reliability(answers)
    seconds = sorted(answer.seconds for answer in answers)
    parts = [
        f"{len(answers)} rasters: {right:.1%} right (strictly), {acceptable:.1%} acceptable; "
        f"{sum(answer.said is None for answer in answers)} refused",
        f"{seconds[len(seconds) // 2]:.2f} s for one in the median, {seconds[-1]:.2f} s at most",
        _confusion_text(answers),
        _reliability_text(answers, bins),
    ]
    if with_errors:
        parts.append(_errors_text(answers))
    return "\n\n".join(parts)


def _confusion_text(answers: Sequence[Answer]) -> str:
    counts = confusion(answers)
    types = sorted({kind for pair in counts for kind in pair if kind})
    columns: list[str | None] = [*types]
    if any(said is None for _, said in counts):
        columns.append(None)
    widths = [max(len(kind or "refused"), 4) for kind in columns]
    first = max(map(len, types))

    def line(name: str, cells: Sequence[str]) -> str:
        padded = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        return "  ".join((name.ljust(first), *padded)).rstrip()

    rows = [line("expected", [kind or "refused" for kind in columns])]
    for kind in types:
        if any(expected == kind for expected, _ in counts):
            cells = [str(counts[kind, said] or ".") for said in columns]
            rows.append(line(kind, cells))
    return "\n".join(rows)


def _reliability_text(answers: Sequence[Answer], bins: Sequence[Bin]) -> str:
    if not bins:
        return "Nothing was said of any raster."
    rows = ["confidence     count  mean   right  acceptable"]
    for each in bins:
        rows.append(
            f"{each.low:.2f} to {each.high:.2f}  {each.count:>6}  {each.confidence:.3f}  "
            f"{each.right:>5.1%}  {each.acceptable:>5.1%}"
        )
    for name, share, judge in (
        ("strictly", lambda each: each.right, lambda each: each.right),
        ("leniently", lambda each: each.acceptable, lambda each: each.acceptable),
    ):
        rows.append(
            f"{name}: expected calibration error {calibration_error(bins, share):.3f}, "
            f"Brier score {brier(answers, judge):.3f}"
        )
    return "\n".join(rows)


def _errors_text(answers: Sequence[Answer]) -> str:
    wrong = [answer for answer in answers if not answer.right]
    rows = [f"Not right: {len(wrong)}"]
    for answer in sorted(wrong, key=lambda each: (each.acceptable, -each.confidence)):
        if answer.said is None:
            rows.append(f"  refused  {answer.path}: {answer.refusal}")
            continue
        verdict = "accepted" if answer.acceptable else "wrong"
        rows.append(
            f"  {verdict:<8} {answer.path}: {answer.said} ({answer.confidence:.2f}), "
            f"not {answer.expected} ({answer.likelihood:.2f})"
        )
    return "\n".join(rows)
