"""Virtual coating laboratories, simulated from a seed. Nothing here was measured.

``mixer(seed)`` is a laboratory that coats by mechanofusion and reads the capacity per gram of
composite at 1C; ``furnace(seed)`` one that anneals a coated powder and reads the growth of the
cathode's resistance. They answer, scatter and tell the truth as the virtual mills do
(`virtual`, `laboratory`); the laws are in `virtual_coating_laws`.

Batches of one recipe differ by 8 to 15 %, as carbon is dispersed differently each time; two thirds
of that variance is common to the samples of one run. Growth rates differ by 6 to 10 % between
batches and by 5 to 8 % between cells.
"""

from __future__ import annotations

from . import spaces
from .errors import DoeError, unknown
from .laboratory import Kind, VirtualLaboratory
from .virtual_coating_laws import LAW_VERSIONS, LAWS

__all__ = ["KINDS", "LAW_VERSIONS", "furnace", "laboratory", "mixer"]

SOURCE = "ssbayes.doe.virtual_coating"

KINDS = {
    "mechanofusion": Kind(
        word="mixer",
        space=spaces.mechanofusion,
        objective="composite_capacity_mAh_g",
        maximize=True,
        batch_sd=(0.08, 0.15),
        cell_sd=(0.015, 0.03),
        source=SOURCE,
        usual={"electrolyte_parts": 20.0, **spaces.PUBLISHED_PREMIX},
        zero=("cb_parts", "premix_rpm", "premix_min"),
        fixed={"c_rate": 1.0},
        relative=True,
        run_share=2.0 / 3.0,
        beside={"utilization": 0.02, "coverage": 0.03},
        within=0.05,
    ),
    "annealing": Kind(
        word="furnace",
        space=spaces.annealing,
        objective="growth_ohm_cm2_sqrth",
        maximize=False,
        batch_sd=(0.06, 0.10),
        cell_sd=(0.05, 0.08),
        source=SOURCE,
        usual={"anneal_h": 1.0, "o2_fraction": 0.21, "precursor_wt_pct": 1.0},
        fixed={},
        relative=True,
        beside={"coverage": 0.03, "sulfur_oxidation": 0.03},
        within=0.05,
    ),
}


def laboratory(seed: int, law: str) -> VirtualLaboratory:
    """The virtual laboratory of a seed: ``mechanofusion`` or ``annealing``.

    Raises
    ------
    DoeError
        For an unknown law, or a seed that is no whole number.
    """
    if law not in KINDS:
        raise DoeError(f"law: {unknown(law, KINDS, 'law of the virtual coating laboratories')}")
    return VirtualLaboratory(seed, LAWS[law], KINDS[law])


def mixer(seed: int) -> VirtualLaboratory:
    """A virtual mechanofusion laboratory; larger ``composite_capacity_mAh_g`` is better."""
    return laboratory(seed, "mechanofusion")


def furnace(seed: int) -> VirtualLaboratory:
    """A virtual annealing laboratory; smaller ``growth_ohm_cm2_sqrth`` is better."""
    return laboratory(seed, "annealing")
