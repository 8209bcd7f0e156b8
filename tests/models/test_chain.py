"""Chains: one fit and one response over several process steps, and what crossing materials costs.

The small chain of these tests (porosity of a milled composite, then its conductivity) is linear in
its parameters, so that its posterior is known exactly. All data here are simulated.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe, models
from ssbayes.models import chains, closing, crossing
from ssbayes.models.engine import Factor, Group, LabModel, Outcome
from ssbayes.models.engine.encode import encode
from ssbayes.models.engine.fit import Fit, priors_of
from ssbayes.models.engine.fitting import wanted_parts
from ssbayes.models.engine.graph import compilations

pytestmark = pytest.mark.filterwarnings("ignore:.*not used.*")

SLOPE, READ_POROSITY, READ_LN = -5.0, 0.01, 0.05
PRIOR = {"porous.level": (0.2, 0.05), "porous.slope": (0.0, 0.03), "carries.level": (-1.2, 0.5)}
STUDY_SD = 0.40


def porous_build(x):
    """Porosity, linear in the milling time."""
    level = x.prior("level", "Normal", *PRIOR["porous.level"])
    slope = x.prior("slope", "Normal", *PRIOR["porous.slope"])
    x.observe("porosity", "Normal", mu=level + slope * (x["milling_min"] - 10.0) / 10.0,
              sigma=READ_POROSITY)


def carries_build(x):
    """Conductivity, ln of it linear in the porosity."""
    import pytensor.tensor as pt

    level = x.prior("level", "Normal", *PRIOR["carries.level"])
    x.observe("ionic_mS_cm", "LogNormal", sigma=READ_LN,
              mu=pt.exp(level + SLOPE * (x["porosity"] - 0.2) + 0.0 * x.log("thickness_um")))


POROUS = LabModel("porous", porous_build, (Factor("milling_min"),), (Group("batch"),),
                  (Outcome("porosity"),), source="paper A", material="electrolyte: Li6PS5Cl")
CARRIES = LabModel("carries", carries_build, (Factor("porosity"), Factor("thickness_um")), (),
                   (Outcome("ionic_mS_cm", "LogNormal"),), source="paper B",
                   material="electrolyte: t-Li7SiPS8 (glass-ceramic)")
SURE: dict[str, Any] = {"chain__ionic_mS_cm_study_sd": (STUDY_SD, 1e-3)}


def small(cross: bool = True) -> chains.Chain:
    """The small chain, across two materials or on one."""
    if not cross:
        return models.chain(POROUS, replace(CARRIES, material=POROUS.material))
    return models.chain(POROUS, CARRIES, **SURE)


def simulated(own: int = 0) -> pd.DataFrame:
    """Readings of both steps in a study "other", and of ``own`` batches without a study."""
    rng = np.random.default_rng(3)
    rows = []
    for k, minutes in enumerate([5.0, 10.0, 20.0, 30.0] + [10.0] * own):
        porosity = 0.22 - 0.02 * (minutes - 10.0) / 10.0
        ln = -1.0 + SLOPE * (porosity - 0.2) + (0.5 if k >= 4 else 0.0)
        rows.append({"kind": "simulated", "study": "other" if k < 4 else None, "batch": str(k),
                     "milling_min": minutes, "thickness_um": 700.0,
                     "porosity": porosity + READ_POROSITY * rng.normal() if k != 3 else np.nan,
                     "ionic_mS_cm": np.exp(ln + READ_LN * rng.normal()) if k != 0 else np.nan})
    return pd.DataFrame(rows)


def exact(table: pd.DataFrame, minutes: float, cross: bool = True) -> tuple[Any, Any, Any]:
    """Exact posterior: mean and covariance of the parameters, and the row that gives ln of the
    conductivity at a milling time in a study of its own (the last effect)."""
    studies = [*dict.fromkeys(table["study"].fillna("")), "new"] if cross else []
    mean = np.array([m for m, _ in PRIOR.values()] + [0.0] * len(studies))
    sd = np.array([s for _, s in PRIOR.values()] + [STUDY_SD] * len(studies))
    rows, values, noise = [], [], []

    def ln(t: float, study: str) -> np.ndarray:
        effects = [float(s == study) for s in studies]
        return np.array([SLOPE, SLOPE * (t - 10.0) / 10.0, 1.0, *effects])

    for r in table.to_dict("records"):
        t, study = r["milling_min"], r["study"] or ""
        if np.isfinite(r["porosity"]):
            rows.append(np.array([1.0, (t - 10.0) / 10.0, 0.0] + [0.0] * len(studies)))
            values.append(r["porosity"])
            noise.append(READ_POROSITY)
        if np.isfinite(r["ionic_mS_cm"]):
            rows.append(ln(t, study))
            values.append(np.log(r["ionic_mS_cm"]) + SLOPE * 0.2)
            noise.append(READ_LN)
    matrix, weight = np.array(rows), np.array(noise) ** -2.0
    covariance = np.linalg.inv(np.diag(sd**-2.0) + matrix.T * weight @ matrix)
    centre = covariance @ (mean / sd**2 + matrix.T * weight @ np.array(values))
    return centre, covariance, ln(minutes, "new")


def prior_fit(model: LabModel, table: pd.DataFrame, draws: int = 1500, seed: int = 0) -> Fit:
    """A fit whose draws are those of the prior: nothing is sampled."""
    rng = np.random.default_rng(seed)
    graph = model.graph(model.slots({g.name: [] for g in model.groups}))
    found = {}
    encoded = encode(data.validate(table, open=True), model)
    graph = model.graph(model.slots(encoded.levels))
    for name, shape in graph.shapes.items():
        if name in graph.registry.effects:
            found[name] = rng.normal(size=(draws, *shape))
        else:
            prior = priors_of(model, graph)[name]
            found[name] = prior.draw(rng, (draws, *shape))
    return Fit.from_draws(model, table, found)


AT: Any = pd.DataFrame({"milling_min": [10.0], "thickness_um": [700.0]})
SETTINGS: Any = pd.DataFrame({"rpm": [200.0, 600.0, 400.0], "milling_min": [5.0, 10.0, 30.0]})
CHAIN = models.chain("milling", "capacity", "cell")


@pytest.fixture(scope="module")
def crossed() -> Fit:
    """The small chain across materials, fitted to the other study."""
    return small().fit(simulated(), seed=1)


class TestOneModel:
    def test_its_parts_are_those_of_its_steps(self):
        names = {f.name for f in CHAIN.factors}
        assert {"rpm", "milling_min", "areal_loading_mg_cm2", "separator_um"} <= names
        assert "capacity_mAh_g" not in names
        outcomes = [o.name for o in CHAIN.outcomes]
        assert outcomes[0] == "cell_energy_Wh_kg"
        assert {"capacity_mAh_g", "utilization", "specific_energy_J_g"} < set(outcomes)
        assert [g.name for g in CHAIN.groups] == ["mill", "run", "batch", "cell", "study"]
        table: Any = CHAIN.columns.set_index("name")
        assert table.loc["capacity_mAh_g", "role"] == "outcome"
        assert list(table.index[table["needed"]]) == ["rpm", "milling_min"]

    def test_parameters_keep_the_names_of_their_steps(self):
        own, chained = set(models.get("capacity").priors.index), set(CHAIN.priors.index)
        added = {name.partition(".")[0] for name in chained - own}
        assert own < chained
        assert added == {"cell", "chain"}
        theirs = models.get("cell").priors.loc["cell.potential"]
        assert CHAIN.priors.loc["cell.potential"].equals(theirs)

    def test_a_model_inside_a_later_one_is_built_once(self, monkeypatch: pytest.MonkeyPatch):
        from ssbayes.models import capacity, milling

        calls = []

        def counted(*args):
            calls.append(args)
            return power_law(*args)

        power_law = milling.power_law
        monkeypatch.setattr(milling, "power_law", counted)
        # other builders than the cached ones, of the same physics
        for model in (replace(capacity.MODEL, name="capacity "),
                      replace(models.chain("milling", "capacity"), name="twice?")):
            calls.clear()
            model.graph({})
            assert len(calls) == 4  # stress energy and frequency; a graph is built in two passes

    def test_a_chain_of_one_included_model_is_that_model(self):
        two, one = models.chain("milling", "capacity"), models.get("capacity")
        assert list(two.priors.index) == list(one.priors.index)
        assert {f.name for f in two.factors} == {f.name for f in one.factors}
        table = data.load("frankenberg2025_milling")
        theirs, ours = (prior_fit(m, table, 50).predict(
            SETTINGS, outcome="capacity_mAh_g").to_numpy() for m in (one, two))
        np.testing.assert_allclose(ours, theirs)

    def test_a_name_finds_it_again(self):
        for chain in (CHAIN, models.chain("capacity", "cell", material="electrolyte: Li3InCl6")):
            again = models.get(chain.name)
            assert again.links().equals(chain.links())  # type: ignore[attr-defined]
            assert again.build == chain.build
        loud = models.get("milling+capacity+cell", milling__run_sd=(0.3,))
        assert str(loud.priors.loc["milling.run_sd", "prior"]) == "HalfNormal(sd=0.3)"

    def test_every_model_says_what_it_was_learned_on(self):
        for name in models.NAMES:
            material = models.get(name).material
            assert crossing.parts(material) or name in {
                "impedance", "transmission_line", "quality"}, name


class TestLinks:
    def test_each_names_columns_material_and_study(self):
        table = CHAIN.links().set_index("step")
        assert list(table.columns) == ["gives", "takes", "material", "study", "crossing",
                                       "study_effect"]
        assert table.loc["capacity", "takes"] == "all of milling"
        assert table.loc["capacity", "gives"] == table.loc["cell", "takes"] == "capacity_mAh_g"
        assert "NCM83" in table.loc["milling", "material"]
        assert "10.1002/smll.202507279" in table.loc["milling", "study"]
        assert "NCM82" in table.loc["cell", "crossing"]
        assert table.loc["capacity", "crossing"] == "none"

    @pytest.mark.parametrize(("steps", "says"), [
        (("milling", "cell"),
         r"'cell' takes nothing that 'milling' gives: no step before it gives capacity_mAh_g. "
         r"'capacity' would: models.chain\('milling', 'capacity', 'cell'\)"),
        (("milling", "annealing"), "no model of the catalog stands between"),
        (("capacity", "milling"), "'capacity' builds on 'milling'; name that one first"),
        (("cell", "capacity"), "'cell' computes from capacity_mAh_g.*put 'capacity' first"),
        (("mixing", "capacity"), "both give capacity_mAh_g"),
        (("capacity",), "two steps or more"),
        (("capacity", "capacity"), "stands twice"),
        (("capacity", "cel"), "'cel' is no model; did you mean 'cell'"),
    ])
    def test_what_makes_no_chain_is_named(self, steps, says):
        with pytest.raises(ValueError, match=says):
            models.chain(*steps)

    def test_a_step_whose_result_nobody_takes_is_named(self):
        lone = replace(POROUS, name="lone", outcomes=(Outcome("utilization"),))
        with pytest.raises(ValueError, match=r"nothing behind 'lone' takes .*utilization"):
            chains._check_links([lone, POROUS, CARRIES], [(), ("x",), ("porosity",)])

    @pytest.mark.parametrize("material", ["NCM90", "active:", "active: A; active: B"])
    def test_a_material_without_roles_is_refused(self, material):
        with pytest.raises(ValueError, match="material"):
            models.chain("capacity", "cell", material=material)


class TestPosterior:
    def test_one_fit_of_both_steps_is_exact(self, crossed: Fit):
        centre, covariance, _ = exact(simulated(), 10.0)
        sd = np.sqrt(np.diag(covariance))
        assert crossed.convergence.worst_rhat < 1.03
        effective = crossed.convergence.table["ess_bulk"].to_numpy().min()
        for k, name in enumerate(PRIOR):
            draws = crossed.posterior[name].to_numpy()
            assert abs(draws.mean() - centre[k]) < 5 * sd[k] / np.sqrt(effective)
            assert draws.std() == pytest.approx(sd[k], rel=5 / np.sqrt(effective))

    def test_an_intermediate_that_was_measured_is_an_observation(self, crossed: Fit):
        """Readings of the porosity move the conductivity, and are not used in its place."""
        table = simulated()
        assert len(crossed.encoded.columns["porosity__row"]) == 3
        assert not crossed.encoded.columns["porosity given"].any()
        blind = table.assign(porosity=np.nan)
        with_it, without = (np.sqrt(row @ cov @ row) for _, cov, row in (
            exact(table, 30.0), exact(blind, 30.0)))
        assert with_it < without
        before = compilations["nutpie"]
        again = small().fit(blind, seed=2)
        assert compilations["nutpie"] == before
        centre, covariance, row = exact(blind, 30.0)
        draws = np.log(again.predict(AT.assign(milling_min=30.0), outcome="ionic_mS_cm"))
        assert float(draws.mean()) == pytest.approx(row @ centre + 1.0, abs=0.1)
        assert float(draws.std()) == pytest.approx(np.sqrt(row @ covariance @ row), rel=0.12)

    def test_a_later_step_without_readings_stays_out_of_the_sampler(self):
        table = simulated().assign(ionic_mS_cm=np.nan)
        encoded = encode(data.validate(table, open=True), small())
        wanted = wanted_parts(small(), encoded, False)
        assert wanted == {"porosity"}
        graph = small().graph({}, wanted)
        assert wanted_parts(small(), encode(data.validate(
            simulated().assign(porosity=np.nan), open=True), small()), False) == {
                "porosity", "ionic_mS_cm"}
        assert set(graph.registry.priors) == {"porous.level", "porous.slope"}
        both = wanted_parts(small(), encode(data.validate(simulated(), open=True), small()), False)
        assert set(small().graph({}, both).registry.priors) == {
            *PRIOR, "chain.ionic_mS_cm_study_sd"}

    def test_only_what_a_reading_comes_from_is_asked_of_its_row(self):
        table = simulated().assign(thickness_um=[np.nan, np.nan, 700.0, 700.0])
        encoded = encode(data.validate(table, open=True), small())
        assert encoded.left_out == [(1, "no thickness_um")]  # row 0 has a porosity alone
        assert len(encoded.columns["porosity__row"]) == 2
        assert np.isfinite(encoded.columns["thickness_um"]).all()

    def test_a_row_without_early_settings_starts_at_what_it_gives(self):
        table = simulated().assign(milling_min=[5.0, np.nan, 20.0, np.nan])
        encoded = encode(data.validate(table, open=True), small())
        assert encoded.left_out == [(3, "no milling_min")]  # neither settings nor porosity
        given = encoded.columns["porosity given"]
        assert list(given > 0) == [False, True, False]
        assert given[1] == table["porosity"][1]
        assert list(encoded.columns["porosity__row"]) == [0, 2]
        fit = prior_fit(small(cross=False), table, 300)
        bare = pd.DataFrame({"porosity": [0.1, 0.3], "thickness_um": 700.0})
        found = np.log(fit.predict(bare, outcome="ionic_mS_cm"))
        level = fit.posterior["carries.level"].to_numpy().ravel()
        np.testing.assert_allclose(found[:, 0], level + SLOPE * (0.1 - 0.2))
        np.testing.assert_allclose(found[:, 1], level + SLOPE * (0.3 - 0.2))

    def test_settings_are_asked_for_the_outcome_they_are_for(self):
        fit = prior_fit(small(), simulated(), 20)
        assert fit.predict(AT[["milling_min"]], outcome="porosity").shape == (20, 1)
        with pytest.raises(ValueError, match="needs 'thickness_um' to predict"):
            fit.predict(AT[["milling_min"]], outcome="ionic_mS_cm")


class TestCrossing:
    def test_spread_of_conductivities_is_the_round_robins(self):
        assert crossing.sd_of_ln(0.35) == pytest.approx(0.340, abs=5e-4)
        assert crossing.sd_of_ln(0.50) == pytest.approx(0.472, abs=5e-4)
        prior = crossing.CONDUCTIVITY.prior("conductivity_mS_cm")
        draws = prior.draw(np.random.default_rng(0), 20_000)
        np.testing.assert_allclose(np.quantile(draws, [0.05, 0.95]), [0.340, 0.472], atol=0.005)
        assert all("assumed" in s.source or "round robin" in s.source or s.sd == 0
                   for s in (*crossing.SPREADS.values(), crossing.ANY))

    @pytest.mark.parametrize(("learned_on", "used_for", "differ"), [
        ("electrolyte: Li6PS5Cl (d50 17 um)", "electrolyte: Li6PS5Cl", False),
        ("electrolyte: Li6PS5Cl", "electrolyte: Li3InCl6", True),
        ("active: NCM82; electrolyte: Li6PS5Cl", "active: NCM85", True),
        ("active: NCM82", "electrolyte: Li3InCl6", False),
        ("powder: 70:30", "powder: 80:20", False),
        ("", "active: NCM82", False),
    ])
    def test_materials_differ_where_both_name_a_role(self, learned_on, used_for, differ):
        assert bool(crossing.differs(learned_on, crossing.parts(used_for))) is differ

    def test_the_interval_opens_by_the_spread_between_studies(self, crossed: Fit):
        """Without readings by exactly the spread; with readings of another study by more, since
        that one deviates too."""
        apart, alike = (prior_fit(small(c), simulated().iloc[:0], 6000) if False else
                        prior_fit(small(c), simulated().assign(
                            porosity=np.nan, ionic_mS_cm=np.nan, milling_min=10.0), 6000)
                        for c in (True, False))
        variance = [float(np.log(f.predict(AT, outcome="ionic_mS_cm")).var())
                    for f in (apart, alike)]
        assert variance[0] - variance[1] == pytest.approx(STUDY_SD**2, abs=0.04)

        _, within, row = exact(simulated(), 10.0, cross=False)
        narrow = np.sqrt(row @ within @ row)
        _, across, row = exact(simulated(), 10.0)
        wide = np.sqrt(row @ across @ row)
        found = float(np.log(crossed.predict(AT, outcome="ionic_mS_cm")).std())
        assert found == pytest.approx(wide, rel=0.08)
        assert wide**2 - narrow**2 > STUDY_SD**2
        # the study behind the readings is itself predicted as closely as without the crossing
        named = crossed.predict(AT.assign(study="other"), outcome="ionic_mS_cm")
        assert float(np.log(named).std()) == pytest.approx(narrow, rel=0.15)

    def test_it_closes_with_cells_of_the_own_material(self, crossed: Fit):
        before = compilations["nutpie"]
        table = simulated(own=2)
        own = small().fit(table, seed=1)
        assert compilations["nutpie"] == before
        open_, closed = (float(np.log(f.predict(AT, outcome="ionic_mS_cm")).std())
                         for f in (crossed, own))
        assert closed < 0.15 * open_
        middle = float(np.log(own.predict(AT, outcome="ionic_mS_cm")).mean())
        assert middle == pytest.approx(-1.0 + SLOPE * 0.02 + 0.5, abs=0.1)

    def test_a_new_study_is_one_for_all_settings(self, crossed: Fit):
        two = pd.concat([AT, AT.assign(milling_min=11.0)], ignore_index=True)
        ln = np.log(crossed.predict(two, outcome="ionic_mS_cm").to_numpy())
        assert np.corrcoef(ln.T)[0, 1] > 0.99
        with pytest.raises(ValueError, match="'othr' is no study of this fit; did you mean"):
            crossed.predict(AT.assign(study="othr"), outcome="ionic_mS_cm")

    def test_a_kept_fit_opens_as_wide(self, crossed: Fit, tmp_path, monkeypatch):
        path = crossed.save(tmp_path / "fit.nc")
        monkeypatch.setattr(models, "get", lambda name: small())
        again = Fit.open(path)
        theirs, ours = (f.predict(AT, outcome="ionic_mS_cm").to_numpy() for f in (crossed, again))
        np.testing.assert_allclose(ours, theirs)

    def test_each_quantity_crosses_by_its_own_spread(self):
        far = models.chain("milling", "capacity", "cell", material="electrolyte: Li3InCl6")
        effects = {outcome: prior for link in chains._build_of(far).links
                   for outcome, prior in link.effects}
        assert set(effects) == {"capacity_mAh_g", "cell_energy_Wh_kg"}  # none on a mill's energy
        assert effects["capacity_mAh_g"].numbers == (0.15, 0.3)
        table = data.load("frankenberg2025_milling")
        fit = prior_fit(far, table, 4000)
        known = fit.parameters()
        alike = {k: 0.0 * v if "study__z" in k else v for k, v in known.items()}
        twin = Fit.from_draws(far, table, alike)
        opened, close = (np.log(f.predict(SETTINGS.iloc[[1]], outcome="cell_energy_Wh_kg"))
                         for f in (fit, twin))
        # mean of the square of a log-normal sd: sd^2 exp(2 sd_ln^2)
        expected = (0.15**2 + 0.03**2) * np.exp(2 * 0.3**2)
        assert float((opened - close).var()) == pytest.approx(expected, rel=0.12)

    def test_a_model_with_an_effect_of_the_laboratory_keeps_its_own(self):
        own = replace(CARRIES, groups=(Group("study", varies=False, reference="typical"),))
        chain: Any = models.chain(POROUS, own)
        assert not chains._build_of(chain).links[1].effects
        assert [(g.reference, g.fresh) for g in chain.groups if g.name == "study"] == [
            ("typical", True)]
        assert chain.links()["study_effect"][1] == "carries's own effect of the laboratory"


@pytest.fixture(scope="module")
def fit() -> Fit:
    """Draws of the prior of the chain from mill to cell."""
    return prior_fit(CHAIN, data.load("frankenberg2025_milling"), 64)


class TestResponse:
    def test_gradients_through_the_whole_chain_equal_finite_differences(self, fit: Fit):
        import jax
        import jax.numpy as jnp
        from ssbayes.models.engine.inputs import LN
        from ssbayes.models.engine.response import setting_columns

        graph = fit.graph
        base = {k: jnp.asarray(v) for k, v in setting_columns(fit, SETTINGS).items()}
        draw = {k: jnp.asarray(v[0]) for k, v in fit.variables().items()}
        codes = jnp.stack([base[g] for g in graph.codes])
        compute = graph.jax("mean:cell_energy_Wh_kg")
        names = ("rpm", "milling_min", "areal_loading_mg_cm2")

        def energy(at):
            known = base | {name: base[name] * 0 + v for name, v in zip(names, at, strict=True)}
            numbers = jnp.stack([
                known[n] if n in known else jnp.log(known[n.removeprefix(LN)])
                if n.startswith(LN) else jnp.zeros(len(SETTINGS)) for n in graph.numbers])
            return compute(draw, {"columns": numbers, "codes": codes})[
                "mean:cell_energy_Wh_kg"].sum()

        at = jnp.array([500.0, 12.0, 25.0])
        found = jax.grad(energy)(at)
        for k in range(3):
            step = 1e-4 * at[k]
            nearby = (energy(at.at[k].add(step)) - energy(at.at[k].add(-step))) / (2 * step)
            assert float(found[k]) == pytest.approx(float(nearby), rel=2e-5)
        assert float(found[2]) > 0  # a thicker cathode in the same cell

    def test_it_compiles_once(self, fit: Fit):
        fit.predict(SETTINGS, outcome="cell_energy_Wh_kg")
        before = dict(compilations)
        more = fit.predict(SETTINGS.assign(separator_um=30.0, rpm=300.0), of="mean",
                           outcome="cell_energy_Wh_kg")
        other = prior_fit(CHAIN, data.load("frankenberg2025_milling"), 64, seed=5)
        other.predict(SETTINGS, outcome="cell_energy_Wh_kg")
        assert compilations == before
        assert more.attrs["unit"] == "Wh/kg"

    def test_energy_is_that_of_the_chained_capacity(self, fit: Fit):
        capacity = fit.predict(SETTINGS, outcome="capacity_mAh_g").to_numpy()
        charge = fit.predict(SETTINGS, outcome="areal_capacity_mAh_cm2").to_numpy()
        error = fit.posterior["cell.loading_error"].to_numpy().reshape(-1, 1)
        np.testing.assert_allclose(
            charge, capacity * 0.7 * 19.1 * (1 + error) / 1000.0, rtol=1e-6)
        thin, press = (fit.predict(table, outcome="cell_energy_Wh_kg").to_numpy().mean()
                       for table in (SETTINGS.assign(separator_um=30.0), SETTINGS))
        assert thin > 1.5 * press

    def test_quantities_of_each_step_can_be_asked_for(self, fit: Fit):
        assert fit.quantity("specific_energy", SETTINGS).shape == (64, 3)
        assert fit.quantity("cell_mass_mg_cm2", SETTINGS).shape == (64, 3)

    def test_a_batch_with_a_single_energy_keeps_its_effect(self):
        """The effect of a batch with one capacity is part of that reading's noise; one with a
        single cell energy has no such noise to be part of."""
        rows = pd.DataFrame({"rpm": 500.0, "milling_min": 10.0, "batch": ["a", "b"],
                             "capacity_mAh_g": [160.0, np.nan],
                             "cell_energy_Wh_kg": [np.nan, 40.0]})
        encoded = encode(data.validate(rows), CHAIN)
        assert encoded.levels["batch"] == ["b / b"]  # run and batch
        assert list(encoded.columns["batch alone"]) == [1.0, 0.0]


class TestPressing:
    """Compaction, then conduction: the density is handed on, and is an observation where read."""

    chain = models.chain("compaction", "conduction", material="electrolyte: Li6PS5Cl")
    press = pd.DataFrame({"pelletizing_MPa": [100.0, 375.0], "stack_MPa": 50.0, "sieve": "fine",
                          "temperature_degC": 25.0})

    def table(self) -> pd.DataFrame:
        """Densities out of the die and conductivities of two pellets (simulated)."""
        rows = []
        for cell in "ab":
            for pressure, density in ((100.0, 0.70), (375.0, 0.85)):
                rows.append({"kind": "simulated", "lot": "1", "sieve": "fine", "cell": cell,
                             "pelletizing_MPa": pressure, "density_state": "out of die",
                             "relative_density": density})
                rows.append({"kind": "simulated", "lot": "1", "sieve": "fine", "cell": cell,
                             "pelletizing_MPa": pressure, "stack_MPa": 50.0,
                             "temperature_degC": 25.0, "conductivity_mS_cm": 1.0})
        return pd.DataFrame(rows)

    def test_rows_are_prepared_by_the_steps_they_reach(self):
        encoded = encode(data.validate(self.table(), open=True), self.chain)
        assert not encoded.left_out  # a density needs neither temperature nor stack pressure
        assert len(encoded.columns["relative_density__row"]) == 4
        assert len(encoded.columns["conductivity_mS_cm__row"]) == 4
        with pytest.raises(ValueError, match="above 0"):
            encode(data.validate(self.table().assign(stack_MPa=0.0), open=True), self.chain)

    def test_conductivity_follows_the_density_of_the_chain(self):
        fit = prior_fit(self.chain, self.table(), 200)
        density = fit.predict(self.press, outcome="relative_density").to_numpy()
        conductivity = fit.predict(self.press, outcome="conductivity_mS_cm").to_numpy()
        assert (density[:, 1] > density[:, 0]).mean() > 0.99
        assert (conductivity[:, 1] > conductivity[:, 0]).mean() > 0.95

    def test_another_laboratory_is_as_far_off_as_the_round_robin_says(self):
        fit = prior_fit(self.chain, self.table(), 3000)
        same = [np.log(fit.predict(self.press.assign(**label), outcome="conductivity_mS_cm"))
                for label in ({"study": "typical laboratory"}, {"study": None})]
        assert not np.allclose(*same)
        alike = {k: 0.0 * v if k == "chain.relative_density_study__z" else v
                 for k, v in fit.parameters().items()}
        kept = Fit.from_draws(self.chain, self.table(), alike)
        typical, other = (np.log(kept.predict(
            self.press.assign(**label), outcome="conductivity_mS_cm").to_numpy()[:, 1])
            for label in ({"study": "typical laboratory"}, {}))
        # contacts in series are not the laboratory's: a little less than 0.40 is left
        assert 0.25 < np.std(other - typical) < 0.47
        effects: Any = self.chain.links()["study_effect"]
        assert "assumed" in effects[0] and "conduction's own" in effects[1]


class TestDecisions:
    def test_what_closes_an_interval_most_is_ranked_as_the_exact_answer_ranks(self, crossed: Fit):
        target = {"milling_min": 10.0, "thickness_um": 700.0}
        candidates = pd.DataFrame({"measure": ["porosity", "ionic_mS_cm", "ionic_mS_cm"],
                                   "study": [None, None, "other"]})
        found: Any = closing.what_closes(crossed, target, candidates)
        assert list(found["measure"][:1]) == ["ionic_mS_cm"]
        assert pd.isna(found["study"][0])
        _, covariance, row = exact(simulated(), 10.0)
        now = row @ covariance @ row
        left = 1.0 / (1.0 / now + 1.0 / READ_LN**2)  # one reading of the target itself
        assert found["closes"][0] == pytest.approx(1.0 - np.sqrt(left / now), abs=0.03)
        assert (found["closes"][1:] < 0.15).all()
        assert (found["width_after"] <= found["width_now"]).all()

    @pytest.mark.parametrize("batches", [0.0, -1.0, 1.5])
    def test_a_candidate_needs_a_whole_number_of_batches(self, batches):
        draws = np.linspace(0.0, 1.0, 8)[:, None]
        fit: Any = SimpleNamespace(
            model=SimpleNamespace(outcomes=[SimpleNamespace(name="porosity")], name="stub"),
            predict=lambda *_, **__: SimpleNamespace(to_numpy=lambda: draws))
        with pytest.raises(ValueError, match="whole number from 1 on"):
            closing.what_closes(fit, {"milling_min": 10.0}, pd.DataFrame(
                {"measure": ["porosity"], "batches": [batches]}))

    def test_a_reading_that_nothing_explains_is_named(self, crossed: Fit):
        with pytest.raises(ValueError, match="measures 'strain_pct', which 'porous"):
            closing.what_closes(crossed, {"milling_min": 10.0, "thickness_um": 700.0},
                                pd.DataFrame({"measure": ["strain_pct"]}))

    def test_a_campaign_suggests_and_records_with_a_chain(self, crossed: Fit, tmp_path):
        path = tmp_path / "chain.db"
        space = doe.Space([doe.Real("milling_min", 5, 60)])
        told: Any = {"maximize": "ionic_mS_cm", "fixed": {"thickness_um": 700.0}, "initial": 0}
        campaign = doe.Campaign(space, model=small(), store=path, **told)
        campaign.record(simulated(own=1).drop(columns="kind").assign(kind="simulated"))
        asked: Any = campaign.suggest(2)
        assert asked["predicted_mean"].notna().all()
        assert asked["milling_min"].max() > 30.0  # less porous
        campaign.record({"suggestion": asked["suggestion"][0], "ionic_mS_cm": 0.8,
                         "porosity": 0.1})
        assert len(campaign.suggest(1)) == 1
        with pytest.raises(doe.CampaignError, match="needs thickness_um"):
            doe.Campaign(space, model=small(), maximize="ionic_mS_cm")
        assert doe.Campaign(space, model=small(), maximize="porosity")

    def test_a_campaign_for_cell_energy_is_found_again_by_its_name(self, tmp_path):
        space = doe.Space([doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 60, log=True)])
        doe.Campaign(space, maximize="cell_energy_Wh_kg", model=CHAIN.name,
                     fixed={"separator_um": 50.0}, store=tmp_path / "cell.db")
        again = doe.Campaign.open(tmp_path / "cell.db")
        model: Any = again.declaration.model
        assert model.build == CHAIN.build
        assert len(again.suggest(3)) == 3  # the start design
