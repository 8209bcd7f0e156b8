"""What one more cell of each coating would change, before it is made.

Given the noise s of one cell, the coatings' values are taken as normal with covariance s^2 R, R as
the evidence has it (1 / n on the diagonal for n cells). A new cell of a new batch reads each value
with sd s. Then the new posterior is normal as well, with

    R' = R - G R,   mean' = mean + G (reading - mean),   G = R (R + D)^-1,

D diagonal with one over the number of new cells, and the scales s that agree better with the
readings weigh more. Possible readings are drawn from the present posterior, and each is answered
with a choice: the coating that is then most probably the best.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from .coating_evidence import BOTH, Evidence, score
from .coating_results import Answer
from .errors import CampaignError, unknown


def one_more_cell(
    evidence: Evidence, by: str = BOTH, *, weights: Mapping[str, float] | None = None,
    plans: Mapping[str, Iterable[str]] | None = None, cells: int = 1, studies: int = 512,
    draws: int = 4096, seed: int = 1,
) -> Answer:
    """Expected certainty about the best coating after more cells.

    Parameters
    ----------
    evidence, by, weights
        As in `coatings.rank`.
    plans
        Name -> coatings that get ``cells`` more cells, each of a batch of its own. If not given:
        all of them, the two most probable ones, and every coating with a chance above 1 % alone.
    cells
        New cells of each coating of a plan.
    studies, draws
        Simulated outcomes of each plan, and points that integrate the posterior after each;
        both are raised to a power of two (Sobol points).
    seed
        Seed of both.

    Returns
    -------
    Answer
        Index plan; ``cells``; ``p_correct``, the expected probability that the coating then
        chosen is truly the best; ``gain`` over no new cell; ``entropy_bits`` of "which is the
        best"; ``p_changed``, that the choice is another one than now. Monte-Carlo errors of
        ``p_correct`` and ``entropy_bits`` in ``p_correct_se`` and ``entropy_se``.

    Raises
    ------
    CampaignError
        For an unknown coating, and for numbers below one.
    """
    for name, value in (("cells", cells), ("studies", studies), ("draws", draws)):
        if value < 1:
            raise CampaignError(f"{name}={value} must be 1 or more")
    what = score(evidence, by, weights)
    names = list(what.draws.columns)
    mean = np.asarray(what.centre[names], dtype=float)
    relative = what.relative.loc[names, names].to_numpy()
    scale, z = _points(what.noise, len(names), draws, seed)
    readings = _points(what.noise, len(names), studies, seed + 1)
    now = _chances(mean[None], relative, scale, np.full((1, len(z)), 1 / len(z)), z)[0]
    if plans is None:
        likely = [names[k] for k in np.argsort(-now, kind="stable")]
        plans = {"one of each": names}
        plans |= {", ".join(likely[:2]): likely[:2]} if len(names) > 1 else {}
        plans |= {name: [name] for k, name in enumerate(names) if now[k] > 0.01}
    rows: dict[str, dict[str, float]] = {"none": {"cells": 0, **_certainty(now[None], now)}}
    for plan, chosen in plans.items():
        new = np.zeros(len(names))
        for name in chosen:
            if name not in names:
                raise CampaignError(unknown(name, names, "coating of this evidence"))
            new[names.index(name)] = cells
        after = _after(mean, relative, scale, new, z, readings)
        rows[plan] = {"cells": int(new.sum()), **_certainty(after, now)}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("plan")
    return Answer(table, _sentence(table, what.name, names[int(now.argmax())], cells)
                  + f" {evidence.basis}")


def _points(
    noise: np.ndarray, width: int, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Noise scales and standard normals, evenly spread over their distribution."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    u = qmc.Sobol(width + 1, rng=seed).random_base2((count - 1).bit_length())
    u = np.clip(u, 1e-9, 1 - 1e-9)
    return np.quantile(noise, u[:, 0]), ndtri(u[:, 1:])


def _after(
    mean: np.ndarray, relative: np.ndarray, scale: np.ndarray, new: np.ndarray, z: np.ndarray,
    readings: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """P(best) of each coating after each simulated study, ``(studies, coatings)``."""
    read = np.flatnonzero(new)
    total = relative[np.ix_(read, read)] + np.diag(1 / new[read])
    gain = relative[:, read] @ np.linalg.inv(total)
    left = relative - gain @ relative[read]
    # what the readings differ from the present means by: coatings' own error and cells' noise
    root = np.linalg.cholesky(total)
    surprise = readings[0][:, None] * (readings[1][:, read] @ root.T)
    shifted = mean + surprise @ gain.T
    distance = (np.linalg.solve(root, surprise.T) ** 2).sum(axis=0)
    log_weight = (-len(read) * np.log(scale)[None]
                  - 0.5 * distance[:, None] / scale[None] ** 2)
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    return _chances(shifted, left, scale, weight / weight.sum(axis=1, keepdims=True), z)


def _chances(
    means: np.ndarray, relative: np.ndarray, scale: np.ndarray, weight: np.ndarray,
    z: np.ndarray,
) -> np.ndarray:
    """P(best) by means, ``(studies, coatings)``, from draws ``mean + s R^(1/2) z``."""
    values, vectors = np.linalg.eigh(relative)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    around = scale[:, None] * (z @ root)
    found = np.zeros_like(means)
    for k, mean in enumerate(means):
        best = (mean + around).argmin(axis=1)
        found[k] = np.bincount(best, weights=weight[k], minlength=means.shape[1])
    return found


def _certainty(chances: np.ndarray, before: np.ndarray) -> dict[str, float]:
    """Numbers of one plan from P(best) after each study, ``(studies, coatings)``, and before.

    On average a coating's P(best) does not change. So what readings are worth is how much the best
    choice after them exceeds the choice of now, after them: never negative in any study.
    """
    now = int(before.argmax())
    gain = chances.max(axis=1) - chances[:, now]
    safe = np.where(chances > 0, chances, 1.0)
    entropy = -(chances * np.log2(safe)).sum(axis=1)
    root = np.sqrt(len(chances))
    return {"p_correct": float(before[now] + gain.mean()), "gain": float(gain.mean()),
            "entropy_bits": float(entropy.mean()),
            "p_changed": float((chances.argmax(axis=1) != now).mean()),
            "p_correct_se": float(gain.std() / root), "entropy_se": float(entropy.std() / root)}


def _sentence(table: pd.DataFrame, name: str, leader: str, cells: int) -> str:
    before = table.iloc[0]
    plan = table.iloc[1:]
    first = plan.iloc[0]
    text = (
        f"By {name}, choosing {leader} now is right with probability {before['p_correct']:.2f}; "
        f"after {first['cells']:.0f} more cells ({plan.index[0]}) a choice is expected to be right "
        f"with {first['p_correct']:.2f}, another one than now with probability "
        f"{first['p_changed']:.2f}, and the entropy of \"which is best\" falls from "
        f"{before['entropy_bits']:.2f} to {first['entropy_bits']:.2f} bits")
    if len(plan) > 1:
        each, error = plan["gain"] / plan["cells"], plan["p_correct_se"] / plan["cells"]
        best = int(np.argmax(each))
        alike = each >= each.iloc[best] - 2 * np.hypot(error, error.iloc[best])
        said = " or ".join(f'"{name}"' for name in plan.index[alike])
        text += f"; a cell gains most in the plan {said}"
    return text + "."
