"""When the automatic run of a morning looks for deliveries, and by when a day is published; on the shop's clock."""

from datetime import time

from funnelscope.settings import Settings

FIRST_LOOK_HOUR = 6
LOOK_MINUTES = 10
FRESHNESS_MINUTES = 30  # after the last look, by when a day is published or somebody should look
_DAY_MINUTES = 24 * 60


def find_last_look(settings: Settings) -> time:
    """The first look that is not before `latest`; of one close to midnight the last of the day."""
    minutes = settings.latest.hour * 60 + settings.latest.minute
    return time(*divmod(min(-(-minutes // LOOK_MINUTES) * LOOK_MINUTES, _DAY_MINUTES - LOOK_MINUTES), 60))


def find_publication_deadline(settings: Settings) -> time:
    """By when yesterday is published: half an hour after the last look, by midnight."""
    last = find_last_look(settings)
    return time(*divmod(min(last.hour * 60 + last.minute + FRESHNESS_MINUTES, _DAY_MINUTES - 1), 60))


def build_cron(settings: Settings) -> str:
    """Every ten minutes from six o'clock to the hour of the last look; from earlier on if that is earlier."""
    last = find_last_look(settings)
    return f"*/{LOOK_MINUTES} {min(FIRST_LOOK_HOUR, last.hour)}-{last.hour} * * *"


def build_freshness_cron(settings: Settings) -> str:
    """When yesterday's partition must be published."""
    deadline = find_publication_deadline(settings)
    return f"{deadline.minute} {deadline.hour} * * *"
