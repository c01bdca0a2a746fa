"""Regular expressions of the settings: they meet names and records that others write, and must not run without end."""

from collections.abc import Callable
from time import process_time

import regex

SECONDS_FOR_ALL = 30.0  # of the processor, for what one pattern searches in one file
SLOW_SECONDS = 0.01  # an honest search takes less; only others use up what there is


class PatternTooSlowError(RuntimeError):
    """A pattern tries too many ways to match. The text names the pattern."""


class Pattern:
    """A compiled regular expression with a bound on its time."""

    def __init__(self, written: str, ignores_case: bool = False) -> None:
        """Raises ValueError, with the problem and its place, if it is no regular expression."""
        try:
            self._compiled = regex.compile(written, regex.IGNORECASE if ignores_case else 0)
        except regex.error as problem:
            raise ValueError(str(problem)) from None
        self.written = written
        self.groups: int = self._compiled.groups
        self._seconds_left = SECONDS_FOR_ALL

    def search(self, text: str) -> "regex.Match[str] | None":
        """The first match. Raises PatternTooSlowError."""
        return self._find(self._compiled.search, text)

    def match_whole(self, text: str) -> "regex.Match[str] | None":
        """The match of the whole text. Raises PatternTooSlowError."""
        return self._find(self._compiled.fullmatch, text)

    def _find(self, method: Callable[..., "regex.Match[str] | None"], text: str) -> "regex.Match[str] | None":
        begin = process_time()
        try:
            found = method(text, timeout=self._seconds_left)
        except TimeoutError:
            self._seconds_left = SLOW_SECONDS
            raise PatternTooSlowError(self.written) from None
        if (took := process_time() - begin) > SLOW_SECONDS:
            self._seconds_left = max(self._seconds_left - took, SLOW_SECONDS)
        return found
