"""The demo shop: its first day and the two faults planted in its last week."""

from datetime import date, timedelta

from pipelines.simulate import Fault

FIRST_DATE = date(2026, 5, 1)


def faults_until(last_date: date) -> list[Fault]:
    """A coupon that breaks six days before the end, and a page that gets slow on Android two days later."""
    return [
        Fault(kind="broken_coupon", slice={"coupon": "WELCOME10"}, from_date=last_date - timedelta(days=5)),
        Fault(
            kind="slow_first_screen",
            slice={"landing_page": "item_0001", "device": "android"},
            from_date=last_date - timedelta(days=3),
        ),
    ]
