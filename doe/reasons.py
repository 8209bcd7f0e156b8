"""Why a setting was suggested, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..data import columns
from .acquisition import NEW, Pick
from .errors import listing
from .goals import LITTLE, MODELS

if TYPE_CHECKING:
    from .belief import Belief
    from .pool import Pool


def told(
    picks: list[Pick], pool: Pool, units: Mapping[str, str] | None = None
) -> list[str]:
    """Why each pick was made, in one sentence; ``units`` are those of outcomes of one's own."""
    units = {name: _unit(name, units or {}) for name in pool.goals.outcomes}
    if pool.teaches:
        return [_taught(pick, pool) for pick in picks]
    tried = np.flatnonzero(pool.known)
    if not len(tried):
        told = "no reading at this condition yet: from the physics, its priors and other rows"
        return [told] * len(picks)
    said = [_gained(pick, pool, tried, units) for pick in picks]
    if pool.success is not None:
        likely = [pool.success(pool.settings.iloc[[p.index]])[0] for p in picks]
        said = [
            s + (f"; P(the process does not fail) {p:.2f}" if p < 0.9 else "")
            for s, p in zip(said, likely, strict=True)
        ]
    return said


def _gained(pick: Pick, pool: Pool, tried: np.ndarray, units: Mapping[str, str]) -> str:
    """What a pick is expected to gain over those tried."""
    means = pool.values.mean(axis=0)
    best = pool.values[:, tried[np.argmax(means[tried])]]
    top = pool.values[:, tried].max(axis=1)
    value = pool.values[:, pick.index]
    gain, better = (value - best).mean(), (value > best).mean()
    if not pool.goals.single:
        return _traded(pick, pool, value, top, units)
    aim = pool.goals.aims[0]
    unit, sd = units[aim.outcome], pool.raw[aim.outcome][:, pick.index].std()
    if pick.repeat:
        return (
            f"repeats a setting: its mean is known to +/- {sd:.2g}{unit} (sd), and it is the "
            f"best tried with probability {(value >= top).mean():.2f}"
        ) + _whose(value > best, pool.found.first)
    if gain < 0.0:
        said = f"explores: not sure here (sd {sd:.2g}{unit}), P(better) {better:.2f}"
    else:
        said = f"expected {gain:.2g}{unit} better than the best tried, P(better) {better:.2f}"
        highest = means[(pool.state == NEW) & pool.legal].max(initial=-np.inf)
        if means[pick.index] >= highest - 0.1 * sd:
            said = f"{_most(pool)}: {said}"
    return said + _whose(value > best, pool.found.first)


def _most(pool: Pool) -> str:
    aim, told = pool.goals.aims[0], "highest"
    if aim.target is not None:
        said = f"closest expected {aim.outcome} to {aim.target:g}"
    else:
        told = "highest" if aim.kind == "largest" else "lowest"
        said = f"{told} expected {aim.outcome}"
    if pool.goals.robust:
        said += f" less {pool.goals.robust:g} sd of the next cell"
    return said + (", requirements kept" if pool.goals.require else "")


def _traded(
    pick: Pick, pool: Pool, value: np.ndarray, top: np.ndarray, units: Mapping[str, str]
) -> str:
    """The same where several outcomes are traded."""
    expected = ", ".join(
        f"{aim.outcome} {pool.raw[aim.outcome][:, pick.index].mean():.3g}{units[aim.outcome]}"
        for aim in pool.goals.aims
    )
    begun = "repeats a setting" if pick.repeat else "expected"
    if pool.goals.desirable:
        return (
            f"{begun}: {expected}; desirability {value.mean():.2f} against {top.mean():.2f} of "
            f"the best tried, P(better) {(value > top).mean():.2f}"
        )
    beyond = (value > top).mean()
    return f"{begun}: {expected}; beyond the front of those tried in {beyond:.0%} of directions"


def _taught(pick: Pick, pool: Pool) -> str:
    goals = pool.goals
    if goals.learn == (MODELS,):
        what = "whether the physics or data alone is right"
    elif goals.learn:
        what = listing(goals.learn)
    else:
        what = f"which {goals.decide} is best"
    again = "; repeats a setting" if pick.repeat else ""
    if goals.decide and pick.gain <= LITTLE:
        return f"all but known {what}: confirms it against the next best{again}"
    return f"tells most of {what}: {pick.gain:.2g} nat expected from one reading{again}"


def _unit(outcome: str, given: Mapping[str, str]) -> str:
    known = columns.COLUMNS.get(outcome)
    unit = known.unit if known is not None else given.get(outcome, "")
    return f" {unit}" if unit not in ("", "1") else ""


def _whose(better: np.ndarray, found: Belief) -> str:
    """Which hypothesis expects more of a setting, where they differ."""
    count = found.physical
    if not 0 < count < len(better):
        return ""
    physical, alone = better[:count].mean(), better[count:].mean()
    if abs(physical - alone) < 0.25:
        return ""
    leads = "the physics" if physical > alone else "the model-free fit"
    return f" ({leads} leads: {physical:.2f} by the physics, {alone:.2f} without)"
