"""What of a report cannot be made is set aside with its reason, and the rest is printed."""

from collections.abc import Callable, Iterator, MutableSequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Made = TypeVar("Made")
SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class PartFailure:
    """A part of a report, a page or a picture, that could not be made, and why."""

    part: str
    problem: str

    def __str__(self) -> str:
        return f"{self.part}: {self.problem}"


class SetAside:
    """Makes the parts of a report, each by itself. `failures` lists those that failed.

    Without one (`aside=None` where it is asked for), the first failure is raised: for tests, and for data that are not
    yet a report.
    """

    def __init__(self, failures: MutableSequence[PartFailure]) -> None:
        self.failures = failures

    def make(self, part: str, build: Callable[[], Made], instead: Callable[[str], Made]) -> Made:
        """The part; if it fails, what stands in its place, made of the reason."""
        try:
            return build()
        except Exception as error:  # of whatever kind: one part never takes the others with it
            failure = PartFailure(part, describe_error(error))
            self.failures.append(failure)
            return instead(failure.problem)

    @contextmanager
    def attempt(self, part: str) -> Iterator[None]:
        """Notes an error of the block."""
        try:
            yield
        except Exception as error:
            self.failures.append(PartFailure(part, describe_error(error)))


def make_part(aside: SetAside | None, part: str, build: Callable[[], Made], instead: Callable[[str], Made]) -> Made:
    """`aside.make`; without an `aside`, the part or its error."""
    return aside.make(part, build, instead) if aside else build()


def describe_error(error: Exception) -> str:
    """The error on one line, for the page that it kept from being printed."""
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first[:SHOWN_CHARACTERS]}" if first else type(error).__name__
