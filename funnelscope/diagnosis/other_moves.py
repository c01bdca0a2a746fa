"""What moved on a day and is no loss: slices and steps that gained, and rates that fell by another mix alone."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from funnelscope.diagnosis.contributions import OTHERS
from funnelscope.diagnosis.finding_selection import WHOLE_ERROR, compute_whole_step_p_value
from funnelscope.diagnosis.records import ContributionRecord, OtherMoveRecord
from funnelscope.diagnosis.step_scan import SMALLEST_EFFECT, StepDay, has_bot_flood, measure_slice
from funnelscope.diagnosis.steps import SEGMENTS, STEPS
from funnelscope.localization.scan import LocalizedSlice

_FALLEN_Z = 3.0
"""Standard deviations of a whole step by which its rate has fallen."""
_UNMOVED_Z = 2.0
"""With today's mix, the step is as usual within so many."""
_LEAST_MIX = 0.7
"""Of the fall of the rate that is mix."""
_MOST_SHARES = 3
_SMALLEST_GROWTH = 0.1


def find_other_moves(
    step_days: Sequence[StepDay], contributions: Sequence[ContributionRecord]
) -> list[OtherMoveRecord]:
    """Gains, each once, and falls by mix, upstream first. Of several views of a segment, that which gained most."""
    moves: list[OtherMoveRecord] = []
    for segment in SEGMENTS:
        views = [each for each in step_days if each.step.segment == segment]
        gains = [(view, _find_gains(view)) for view in views]
        gains.sort(key=lambda pair: -max((each.deviance for each in pair[1]), default=0.0))
        if gains:
            moves += [_record_gain(gains[0][0], found) for found in gains[0][1]]
        for view in views:
            if fallen := _find_fall_by_mix(view, contributions):
                moves += fallen
                break
    return moves


def _find_gains(step_day: StepDay) -> list[LocalizedSlice]:
    """The slices that gained; where none explains it, the whole step if it gained as surely as a finding has lost."""
    if step_day.gained:
        return [each for each in step_day.gained if not has_bot_flood(step_day, each.slice)]
    whole = measure_slice(step_day, {})
    is_sure = whole is not None and compute_whole_step_p_value(whole.z) <= WHOLE_ERROR
    return [whole] if whole and is_sure and whole.effect >= SMALLEST_EFFECT else []


def _record_gain(step_day: StepDay, found: LocalizedSlice) -> OtherMoveRecord:
    counts = step_day.count_slice(found.slice)
    return OtherMoveRecord(
        kind="gain",
        stage=step_day.step.stage,
        cube=step_day.step.cube,
        step=step_day.step.name,
        slice=dict(sorted(found.slice.items())),
        usual_rate=counts.expected / counts.entered if counts.entered else None,
        rate=counts.passed / counts.entered if counts.entered else None,
        effect=found.effect,
        effect_low=found.theta_low - 1,
        effect_high=found.theta_high - 1,
        p_value=min(1.0, found.p_value * len(STEPS)) if found.slice else found.p_value,
    )


def _find_fall_by_mix(step_day: StepDay, contributions: Sequence[ContributionRecord]) -> list[OtherMoveRecord]:
    """One record for each share that grew, where the rate of the whole fell and no slice's rate did."""
    whole = measure_slice(step_day, {})
    entered, usual_entered = (float(step_day.leaves[name].sum()) for name in ("entered", "entered_usual"))
    if whole is None or not entered or not usual_entered or step_day.found:
        return []
    usual_rate = float(step_day.leaves["passed_usual"].sum()) / usual_entered
    rate = whole.observed / entered
    deviation = (whole.theta_high - whole.theta) / 1.645
    fall = rate / usual_rate - 1 if usual_rate else 0.0
    if fall > -max(SMALLEST_EFFECT, _FALLEN_Z * deviation) or abs(whole.theta - 1) > _UNMOVED_Z * deviation:
        return []
    step = step_day.step
    own = [each for each in contributions if (each.cube, each.step, each.part) == (step.cube, step.name, "mix")]
    by_dimension = {
        name: list(parts) for name, parts in groupby(sorted(own, key=attrgetter("dimension")), attrgetter("dimension"))
    }
    name = min(by_dimension, key=lambda each: sum(part.contribution for part in by_dimension[each]), default="")
    if not name or sum(part.contribution for part in by_dimension[name]) > _LEAST_MIX * (rate - usual_rate):
        return []
    grown = sorted(
        (each for each in by_dimension[name] if each.contribution < 0 and _has_grown(each)),
        key=lambda each: each.contribution,
    )
    return [
        OtherMoveRecord(
            kind="mix",
            stage=step.stage,
            cube=step.cube,
            step=step.name,
            slice={name: each.value},
            usual_rate=usual_rate,
            rate=rate,
            effect=fall,
            usual_share=each.usual,
            share=each.today,
        )
        for each in grown[:_MOST_SHARES]
    ]


def _has_grown(part: ContributionRecord) -> bool:
    return part.value != OTHERS and (part.today or 0.0) > (part.usual or 0.0) * (1 + _SMALLEST_GROWTH)
