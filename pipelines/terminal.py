"""What commands say, in the shop's language."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from funnelscope.messages.wording import load_words

if TYPE_CHECKING:
    from funnelscope.settings import Settings


def tell(settings: "Settings", key: str, /, **values: object) -> str:
    """The sentence `terminal.key`, in the language of the settings."""
    return load_words(settings.language).text("terminal", key, **{name: str(value) for name, value in values.items()})


def list_words(settings: "Settings", words: Sequence[str]) -> str:
    """The words in a row, or that there are none."""
    return load_words(settings.language).text("labels", "separator").join(words) or tell(settings, "none")
