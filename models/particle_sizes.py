"""Particle-size distributions that say what they count: numbers, surfaces or volumes.

A powder has one distribution of sizes and many ways to write it. Counted from images it is by
number; a sieve or a laser weighs by volume; a Sauter diameter weighs by surface. Of particles of
like shape the distribution weighted with the r-th power of the size has the density

    q_r(x) = x^(r-s) q_s(x) / M,     number r = 0, surface r = 2, volume r = 3.

A gamma distribution of shape a and scale b keeps its form: weighted with x^k it has shape a + k
and the same scale. By number its means are

    D[1,0] = b a,     Sauter D[3,2] = b (a + 2),     De Brouckere D[4,3] = b (a + 3).

Programs disagree on the second number: a scale (um) in some, a rate (1/um) in others. It must be
said, and a reading that puts the mean below one bin of the histogram is refused: no fit to a
histogram can tell such a size.

Limits: sizes of images (Feret diameters) are taken as diameters of spheres, which for long
particles is too much by volume.

Sources: equation and numbers checked on Schneider et al., Adv. Energy Mater. (2023) 2203873, doi
10.1002/aenm.202203873 (line 177); notation of ISO 9276.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

POWERS = {"number": 0, "surface": 2, "volume": 3}
"""What is counted, and the power of the size that it weighs with."""
SECOND = ("scale", "rate")


def gamma_mean(shape: Any, scale: Any, p: int = 1, q: int = 0) -> Any:
    """Mean diameter D[p, q] of a gamma distribution by number, in the unit of ``scale``.

    D[p, q]^(p-q) is the p-th moment over the q-th: D[1,0] the number mean, D[3,2] Sauter's,
    D[4,3] the mean by volume.

    Parameters
    ----------
    shape, scale
        a and b of the distribution by number.
    p, q
        Whole powers, 0 <= q < p.
    """
    if not 0 <= q < p:
        raise ValueError(f"D[p, q] needs 0 <= q < p, not p={p}, q={q}")
    product: Any = 1.0
    for k in range(q, p):
        product = product * (shape + k)
    return scale * product ** (1.0 / (p - q))


@dataclass(frozen=True)
class GammaSizes:
    """A gamma distribution of particle sizes.

    Attributes
    ----------
    shape
        Shape of the distribution weighted as ``weighting`` says.
    scale_um
        Scale (um).
    weighting
        ``"number"``, ``"surface"`` or ``"volume"``.
    """

    shape: float
    scale_um: float
    weighting: str = "number"

    def __post_init__(self) -> None:
        _known(self.weighting)
        if not (self.shape > 0 and self.scale_um > 0):
            raise ValueError(f"a gamma distribution needs a shape and a scale above 0, not "
                             f"{self.shape:g} and {self.scale_um:g} um")

    def weighted(self, weighting: str) -> GammaSizes:
        """The same powder with other weights.

        Raises
        ------
        ValueError
            If the powder has no such distribution: too many small particles by volume to count.
        """
        shape = self.shape + POWERS[_known(weighting)] - POWERS[self.weighting]
        if shape <= 0:
            raise ValueError(f"a gamma distribution of shape {self.shape:g} by {self.weighting} "
                             f"has no distribution by {weighting}: its particles are countless")
        return replace(self, shape=shape, weighting=weighting)

    @property
    def mean_um(self) -> float:
        """Mean size of what is counted (um)."""
        return self.scale_um * self.shape

    @property
    def sd_um(self) -> float:
        """Standard deviation of what is counted (um)."""
        return self.scale_um * self.shape**0.5

    @property
    def mode_um(self) -> float:
        """Most frequent size of what is counted (um)."""
        return self.scale_um * max(self.shape - 1.0, 0.0)

    @property
    def sauter_um(self) -> float:
        """Sauter diameter D[3,2] (um): six volumes over the surface."""
        return float(gamma_mean(self.weighted("number").shape, self.scale_um, 3, 2))

    @property
    def volume_mean_um(self) -> float:
        """Mean diameter by volume D[4,3] (um)."""
        return float(gamma_mean(self.weighted("number").shape, self.scale_um, 4, 3))

    def quantile(self, share: Any) -> Any:
        """Size below which this share lies (um): ``quantile(0.5)`` by volume is the D50."""
        from scipy.special import gammaincinv

        return self.scale_um * gammaincinv(self.shape, share)

    def below(self, size_um: Any) -> Any:
        """Share below a size."""
        from scipy.special import gammainc

        return gammainc(self.shape, np.asarray(size_um) / self.scale_um)

    def mean_particle_volume(self, below_um: float = np.inf) -> float:
        """Mean volume of a sphere (um3) among those below a size."""
        number, volume = self.weighted("number"), self.weighted("volume")
        cubed = gamma_mean(number.shape, self.scale_um, 3, 0) ** 3
        share = volume.below(below_um) / number.below(below_um) if below_um < np.inf else 1.0
        return float(np.pi / 6.0 * cubed * share)

    def packing_fraction(
        self, particles: int, box_um: Sequence[float], below_um: float = np.inf
    ) -> float:
        """Volume of so many spheres over that of a box.

        Tells whether a distribution was read in the right convention: spheres poured into a box
        fill about 0.5 to 0.64 of it.

        Parameters
        ----------
        particles
            Number of spheres.
        box_um
            Edges of the box (um), ``(3,)``.
        below_um
            Largest sphere (um), where a sieve has cut the distribution.
        """
        return particles * self.mean_particle_volume(below_um) / float(np.prod(box_um))


def read_gamma(
    a: float, b: float, *, second: str, weighting: str = "number", bin_um: float | None = None
) -> GammaSizes:
    """A gamma distribution from two printed numbers whose convention is stated.

    Parameters
    ----------
    a, b
        The numbers as printed.
    second
        What ``b`` is: ``"scale"`` (um; MATLAB, SciPy) or ``"rate"`` (1/um; PyMC, Stan).
    weighting
        What was counted.
    bin_um
        Bin of the histogram behind the fit (um), if known.

    Raises
    ------
    ValueError
        If the convention is none of the two, or puts the mean below one bin of the histogram;
        the message says which reading would do.
    """
    if second not in SECOND:
        raise ValueError(f"second={second!r} is neither 'scale' (um) nor 'rate' (1/um): say what "
                         "the second number of the gamma distribution is")
    sizes = GammaSizes(a, b if second == "scale" else 1.0 / b, weighting)
    if bin_um is not None and sizes.mean_um < bin_um:
        other = SECOND[1 - SECOND.index(second)]
        mean = a * b if other == "scale" else a / b
        hint = (f" Read as a {other} the mean is {mean:.4g} um." if mean >= bin_um
                else " Neither reading suits: look at the unit.")
        raise ValueError(f"b = {b:g} as a {second} gives a mean of {sizes.mean_um:.3g} um, below "
                         f"the histogram's bin of {bin_um:g} um.{hint}")
    return sizes


def moment_mean(
    edges_um: Any, shares: Any, p: int, q: int, weighting: str = "number"
) -> float:
    """Mean diameter D[p, q] of a histogram (um).

    Parameters
    ----------
    edges_um
        Edges of the classes (um), increasing, ``(classes + 1,)``.
    shares
        Count or share of each class, ``(classes,)``.
    p, q
        Powers, p > q.
    weighting
        What the shares count.
    """
    middle, weight = _classes(edges_um, shares)
    r = POWERS[_known(weighting)]
    return float((np.sum(weight * middle ** (p - r)) / np.sum(weight * middle ** (q - r)))
                 ** (1.0 / (p - q)))


def histogram(
    edges_um: Any, shares: Any, *, given: str, wanted: str
) -> pd.DataFrame:
    """Shares of a histogram with other weights, for example volumes from counted particles.

    Parameters
    ----------
    edges_um, shares
        As in ``moment_mean``.
    given, wanted
        What the shares count, and what they shall: ``"number"``, ``"surface"``, ``"volume"``.

    Returns
    -------
    DataFrame
        ``low_um``, ``high_um``, the share of each class and the cumulative one; the weighting
        stands in the column names.

    Raises
    ------
    ValueError
        If the weighting is unknown, the edges do not increase, or a share is negative.
    """
    middle, weight = _classes(edges_um, shares)
    weight = weight * middle ** (POWERS[_known(wanted)] - POWERS[_known(given)])
    weight = weight / weight.sum()
    return pd.DataFrame({
        "low_um": np.asarray(edges_um, float)[:-1], "high_um": np.asarray(edges_um, float)[1:],
        f"share by {wanted}": weight, f"cumulative share by {wanted}": np.cumsum(weight)})


def _classes(edges_um: Any, shares: Any) -> tuple[np.ndarray, np.ndarray]:
    edges, weight = np.asarray(edges_um, dtype=float), np.asarray(shares, dtype=float)
    if len(edges) != len(weight) + 1:
        raise ValueError(f"{len(weight)} classes need {len(weight) + 1} edges, not {len(edges)}")
    if np.any(np.diff(edges) <= 0) or edges[0] < 0:
        at = int(np.argmax(np.diff(edges) <= 0))
        raise ValueError(f"edges must increase from 0 or more; look at edge {at + 1}, "
                         f"{edges[at + 1]:g} um")
    if np.any(weight < 0) or not weight.sum() > 0:
        raise ValueError(f"shares must be 0 or more and not all 0; look at class "
                         f"{int(np.argmin(weight))}")
    return 0.5 * (edges[:-1] + edges[1:]), weight


def _known(weighting: str) -> str:
    if weighting not in POWERS:
        raise ValueError(f"{weighting!r} is no weighting of particle sizes: "
                         f"{', '.join(POWERS)}")
    return weighting
