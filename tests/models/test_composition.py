"""Composition: two networks, two thresholds, and what carbon, sizes and binder do to them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from ssbayes import data, models
from ssbayes.models import composition, networks, transport_bounds
from ssbayes.models import composition_answers as answers
from ssbayes.models import composition_rows as rows_of

FIBRE = {"active_fraction": 70 / 101, "electrolyte_fraction": 30 / 101, "carbon_fraction": 1 / 101,
         "carbon_type": "CNF type 1"}
GOOD = {"active_fraction": 0.7, "electrolyte_fraction": 0.3}
THIN = {"separator_um": 30.0, "anode_um": 20.0, "counter_electrode": "Li"}
RECIPES = [(0.45, 0.0, ""), (0.6, 0.0, ""), (0.7, 0.0, ""), (0.8, 0.0, ""), (0.88, 0.0, ""),
           (0.93, 0.0, ""), (0.6, 0.01, "fibre"), (0.69, 0.01, "fibre"), (0.8, 0.01, "fibre"),
           (0.6, 0.01, "black"), (0.69, 0.02, "black"), (0.55, 0.03, "black")]
TRUTH = {"coordination": 5.5, "size_exponent": 0.45, "sharpness": 4.0, "reference_capacity": 205.0,
         "loss_index": 0.06, "transport_share": 0.4, "ionic_bulk": 2.6, "contact_conductivity": 2.0}
CONTACTS = {"fibre": 1.6, "black": 0.3}


@pytest.fixture(scope="module")
def published():
    return composition.MODEL.fit(answers.literature())


@pytest.fixture(scope="module")
def recovered():
    return composition.MODEL.fit(simulated(4))


def simulated(seed):
    """Twelve recipes at two rates, drawn from the model at known numbers; labelled as simulated."""
    from ssbayes.models.engine import encode, response

    table = pd.DataFrame([
        {"kind": "simulated", "batch": f"{k}-{cell}", "active_fraction": active,
         "carbon_fraction": carbon, "carbon_type": kind, "c_rate": rate, "capacity_mAh_g": 150.0,
         "utilization": 0.8 if rate == 0.1 else np.nan,
         "ionic_mS_cm": 0.1 if rate == 0.1 else np.nan,
         "electronic_mS_cm": 0.1 if rate == 0.1 else np.nan}
        for k, (active, carbon, kind) in enumerate(RECIPES) for cell in range(2)
        for rate in (0.1, 1.0)])
    model = composition.MODEL
    rng = np.random.default_rng(seed)
    encoded = encode.encode(table, model)
    graph = model.graph(model.slots(encoded.levels))
    truth = {name: np.full((1, *shape), np.median(prior.draw(rng, 4000)))
             for name, shape in graph.shapes.items()
             if (prior := graph.registry.priors.get(name)) is not None}
    truth |= {f"composition.{name}": np.array([value]) for name, value in TRUTH.items()}
    kinds = encoded.levels["carbon_type"]
    shape = graph.shapes["composition.carbon_contacts"]
    contacts = np.ones((1, *shape))
    contacts[0, 1 : len(kinds) + 1] = [CONTACTS[kind] for kind in kinds]
    truth["composition.carbon_contacts"] = contacts
    truth |= {name: rng.normal(size=(1, *graph.shapes[name])) for name in graph.registry.effects}
    for outcome in ("capacity_mAh_g", "utilization", "ionic_mS_cm", "electronic_mS_cm"):
        family = graph.registry.readings[outcome].family
        mu, sigma, nu = response.readings_at(graph, encoded.columns, outcome,
                                             graph.variables(truth))
        at = encoded.columns[f"{outcome}__row"]
        table.loc[table.index[at], outcome] = response.draw_family(family, mu, sigma, nu, rng)[0]
    table["capacity_mAh_g"] = table["capacity_mAh_g"].clip(lower=0.0)
    table["utilization"] = table["utilization"].clip(lower=0.0)
    return table


def network_draws(count=2000):
    """Everything that the networks take, over the whole range of practice."""
    rng = np.random.default_rng(0)
    mass: Any = rng.dirichlet([8.0, 4.0, 0.3, 0.2], size=count).T
    return mass, rng.uniform(0.0, 0.5, count), rng


class TestShares:
    def test_volume_shares_and_pores_add_up_to_one_and_lead_back(self):
        mass, pores, _ = network_draws()
        volume = networks.volume_shares(*mass, porosity=pores)
        np.testing.assert_allclose(np.sum(volume, axis=0) + pores, 1.0)
        np.testing.assert_allclose(networks.mass_shares(*volume), mass, rtol=1e-9)

    def test_seventy_to_thirty_by_mass_is_half_and_half_by_volume(self):
        volume = networks.volume_shares(70.0, 30.0, 1.0, 0.0, 0.0)
        np.testing.assert_allclose(volume, [0.471, 0.513, 0.016, 0.0], atol=1e-3)

    def test_shares_of_the_slurry_paper(self):
        """64:30:3:3 has about 41, 49 and 10 % of the solid volume, and 3.06 g/cm3."""
        mass = (0.64, 0.30, 0.03, 0.03)
        active, electrolyte, *rest = networks.volume_shares(*mass, 0.0)
        np.testing.assert_allclose([active, electrolyte, sum(rest)], [0.412, 0.490, 0.098],
                                   atol=2e-3)
        assert networks.solid_density(*mass) == pytest.approx(3.055, abs=0.005)

    def test_a_printed_ratio_is_read(self):
        found = rows_of.ratio_shares("CAM:SE:CNF 70:30:1, CNF type 2")
        assert found is not None
        np.testing.assert_allclose(list(found.values()), [70 / 101, 30 / 101, 1 / 101, 0.0])
        assert rows_of.carbon_kind("CAM:SE:CNF 70:30:1, CNF type 2") == "CNF type 2"
        assert rows_of.carbon_kind("NCM:LIC:CB 80:20:0.5") == "CB"
        assert rows_of.ratio_shares("CNF type 2") is None
        assert rows_of.ratio_shares("CAM:XY 70:30") is None


class TestNetworks:
    def test_percolation_is_that_of_packed_spheres(self):
        for contacts in np.linspace(2.0, 8.0, 25):
            ours = networks.percolating(contacts, 6.0)
            assert ours == pytest.approx(networks.bouvard_lange(contacts), abs=0.04)
        assert networks.percolating(0.0, 6.0) < 1e-12
        assert networks.percolating(1.0, 6.0) < 0.02

    def test_coarse_grains_among_fine_ones_percolate_later(self):
        def threshold(ratio, exponent):
            mass = np.linspace(0.01, 0.99, 981)
            volume = networks.volume_shares(mass, 1.0 - mass, 0.0, 0.0, 0.15)
            share = networks.surface_share(volume[0], volume[1], np.log(ratio), exponent)
            network = networks.percolating(networks.contacts(share, 6.0, 0.15), 6.0)
            return mass[np.argmax(network > 0.5)]

        by_size = [threshold(ratio, 1.0) for ratio in (0.5, 1.0, 2.0, 4.0, 8.0)]
        assert (np.diff(by_size) > 0.03).all()
        assert threshold(0.5, 0.0) == threshold(8.0, 0.0)

    def test_pores_cost_contacts(self):
        found = networks.contacts(0.4, 6.0, np.array([0.05, 0.2, 0.4]))
        assert (np.diff(found) < 0).all()
        assert networks.contacts(0.4, 6.0, 0.38) == pytest.approx(2.4)

    def test_without_electrolyte_there_is_no_ionic_path_and_no_use(self):
        volume = networks.volume_shares(1.0, 0.0, 0.0, 0.0, 0.15)
        share = networks.surface_share(volume[1], volume[0], -1.4, 0.5)
        ionic = networks.percolating(networks.contacts(share, 6.0, 0.15), 5.0)
        assert networks.touching(share, 1.4, 0.5, 6.0, 0.15, ionic) == 0.0
        assert networks.effective_ionic(volume[1], 0.0, ionic, 2.0, 0.9, 0.0) == 0.0

    def test_without_carbon_electrons_move_through_the_active_material_only(self):
        one = networks.effective_electronic(0.4, 0.0, 1.0, 2.0, 3000.0)
        other = networks.effective_electronic(0.4, 0.0, 1.0, 2.0, 1.0)
        assert one == other == pytest.approx(2.0 * 0.4**2)
        assert networks.effective_electronic(0.0, 0.0, 1.0, 2.0, 3000.0) == 0.0

    def test_conductivities_are_never_above_wieners_bound(self):
        mass, pores, rng = network_draws()
        active, electrolyte, carbon, _ = networks.volume_shares(*mass, porosity=pores)
        n = len(pores)
        share = networks.surface_share(electrolyte, active, rng.normal(0.0, 2.0, n),
                                       rng.uniform(0.0, 1.0, n))
        network = networks.percolating(networks.contacts(share, 6.0, pores), 5.0)
        bulk = rng.lognormal(0.7, 1.0, n)
        found = networks.effective_ionic(electrolyte, carbon, network, bulk,
                                         rng.lognormal(-0.1, 0.6, n), rng.uniform(0.0, 0.2, n))
        assert (found <= transport_bounds.wiener(electrolyte, bulk) * (1 + 1e-5)).all()
        electronic = networks.effective_electronic(active, carbon, network, 2.0, 3000.0)
        assert (electronic <= 2.0 * active + 3000.0 * carbon).all()

    def test_transport_counts_one_in_an_ordinary_electrode_and_four_at_twice_the_loading(self):
        assert networks.ohmic_time(0.1, 0.1, 19.1, 0.7, 2.7) == pytest.approx(1.0, rel=1e-4)
        assert networks.ohmic_time(0.1, 0.1, 38.2, 0.7, 2.7) == pytest.approx(4.0, rel=1e-4)
        weak = networks.ohmic_time(0.01, 10.0, 19.1, 0.7, 2.7)
        assert weak == pytest.approx(networks.ohmic_time(10.0, 0.01, 19.1, 0.7, 2.7))
        assert composition.relative_time(1.0, 0.3, 3.3) == pytest.approx(1.0)


class TestRows:
    def test_the_electrolyte_is_the_rest_and_carbon_has_no_kind_where_there_is_none(self):
        found, _ = rows_of.prepare(
            pd.DataFrame([{"active_fraction": 0.75, "binder_fraction": 0.01}]), True)
        assert found["electrolyte_fraction"].iloc[0] == pytest.approx(0.24)
        assert found["carbon_type"].iloc[0] == "none"

    def test_rounded_shares_are_taken_and_made_whole(self):
        found, _ = rows_of.prepare(pd.DataFrame([
            {"active_fraction": 0.693, "electrolyte_fraction": 0.3, "carbon_fraction": 0.01,
             "carbon_type": "fibre"}]), True)
        assert found[list(rows_of.SHARES)].sum(axis=1).iloc[0] == pytest.approx(1.0)

    @pytest.mark.parametrize(("row", "says"), [
        ({"active_fraction": 0.70, "electrolyte_fraction": 0.30, "carbon_fraction": 0.01},
         "add up to 1.01.*division by their sum"),
        ({"active_fraction": 0.70, "electrolyte_fraction": 0.25}, "something is missing"),
        ({"active_fraction": 0.9, "carbon_fraction": 0.1, "binder_fraction": 0.1},
         "1.1 of the mass; a composite has no more than 1"),
        ({"active_fraction": 0.47, "active_volume_fraction": 0.47},
         "look like shares of volume.*0.69"),
        ({"active_fraction": 0.47, "mixed_density_g_mL": 3.23}, "look like shares of volume"),
        ({"active_fraction": 0.7, "mixed_density_g_mL": 2.2}, "check the shares"),
        ({"active_fraction": 0.69, "carbon_fraction": 0.01}, "no kind of carbon is named"),
        ({"active_fraction": 0.7, "porosity": 0.95}, "share of pores"),
        ({"composition": "a secret"}, "row 0: its composition is not known"),
    ])
    def test_impossible_compositions_are_refused_with_the_place_and_the_mend(self, row, says):
        with pytest.raises(ValueError, match=says):
            rows_of.prepare(pd.DataFrame([row]), True)

    def test_per_cent_is_noticed_when_the_table_is_read(self):
        with pytest.raises(data.TableError, match="per cent"):
            data.validate(pd.DataFrame([{"carbon_fraction": 3.0}]), where="runs")

    def test_a_volume_share_that_agrees_is_no_problem(self):
        solid = networks.volume_shares(0.7, 0.3, 0.0, 0.0, 0.0)[0]
        rows_of.prepare(pd.DataFrame([GOOD | {"active_volume_fraction": solid,
                                                   "mixed_density_g_mL": 3.25}]), True)

    def test_what_gross_capacity_and_utilization_tell_is_not_counted_again(self):
        found: Any
        found, notes = rows_of.prepare(pd.DataFrame([GOOD | {
            "capacity_mAh_g": 160.0, "utilization": 0.8, "active_capacity_mAh_g": 200.0}]), True)
        assert found["active_capacity_mAh_g"].isna().all()
        assert "already tell" in notes[0]


class TestLiterature:
    def test_the_rows_are_those_that_have_cells_behind_them(self):
        rows = answers.literature()
        assert rows["utilization"].dropna().tolist() == [0.898, 0.756, 0.764, 1.012]
        assert rows["active_capacity_mAh_g"].dropna().tolist() == [201.4, 184.2, 151.5]
        assert set(rows["carbon_type"]) == {"none", "CNF type 1", "CNF type 2"}

    def test_statements_stand_apart_and_take_no_part(self):
        rows: Any = answers.literature(statements=True)
        said = rows[rows["kind"].eq("statement")]
        assert said["source_line"].notna().all()
        assert said.loc[said["statement"].eq("reduced_by"), "value"].tolist() == [0.4, 0.9]
        assert (said["value_n"].dropna() == 10).all()

    def test_the_intact_fibre_connects_more(self, published):
        drawn = published.parameters()["composition.carbon_contacts"]
        at = {kind: k + 1 for k, kind in enumerate(published.encoded.levels["carbon_type"])}
        better = drawn[:, at["CNF type 1"]] > drawn[:, at["CNF type 2"]]
        assert 0.85 < better.mean() < 0.99

    def test_what_no_published_number_informs_is_named(self, published):
        found = published.summary()
        from_prior = set(found.index[found["informed_by"] == "from the prior"])
        assert {f"composition.{name}" for name in (
            "binder_insulation", "transport_share", "ionic_bulk", "ionic_excess", "ionic_blocking",
            "contact_conductivity", "carbon_conductivity[CNF type 1]", "ionic_sd",
            "electronic_sd")} <= from_prior
        assert found.loc["composition.loss_index", "informed_by"] == "data"

    def test_the_contrast_explains_the_loss_of_utilization_and_not_that_of_rate(self, published):
        found = answers.contrast(published)
        low, high = (c for c in found if "equal-tailed" in c)
        used = found.loc["utilization"]
        assert used[low] < used["printed"] < used[high]
        for rate, printed in (("0.1C", 0.4), ("1C", 0.9)):
            row = found.loc[f"active capacity at {rate}"]
            assert row["printed"] == printed and "worst of ten" in row["meaning"]
            assert row[high] < printed  # the kinetic loss of the bad fibre is in no reading

    def test_more_active_material_makes_the_fibre_matter_less(self, published):
        rows = pd.DataFrame([
            {"active_fraction": share, "electrolyte_fraction": 1 - share - 1 / 101,
             "carbon_fraction": 1 / 101, "carbon_type": kind}
            for share in (70 / 101, 0.8) for kind in ("CNF type 1", "CNF type 2")])
        used = published.quantity("utilization", rows).to_numpy()
        gap = used[:, 0] - used[:, 1], used[:, 2] - used[:, 3]
        assert (gap[1] < gap[0]).mean() > 0.9

    def test_an_unknown_kind_of_carbon_is_refused(self, published):
        with pytest.raises(ValueError, match="CNF type 3"):
            published.predict(pd.DataFrame([FIBRE | {"carbon_type": "CNF type 3"}]))


class TestAnswers:
    def test_there_is_a_threshold_on_either_side(self, published):
        found = answers.window(published, {"active_fraction": [0.7]}, least=0.7)
        low, high = (c for c in found if c in {"low (90 % equal-tailed)",
                                               "high (90 % equal-tailed)"})
        few, many = found.loc["electrons"], found.loc["ions"]
        assert 0.4 < few["active_fraction"] < 0.75 < many["active_fraction"] < 1.0
        assert few[low] < few[high] < many[low] < many[high]

    def test_an_end_of_the_shares_looked_at_is_no_threshold(self):
        def used(name, rows):
            share = rows["active_fraction"].to_numpy()
            return SimpleNamespace(to_numpy=lambda: np.stack(
                [np.where(share < 0.8, 0.9, 0.1), np.where(share > 0.4, 0.9, 0.1),
                 np.where(abs(share - 0.6) < 0.2, 0.9, 0.1), 0.1 * share]))

        outcomes = [SimpleNamespace(name=n) for n in ("capacity_mAh_g", "utilization")]
        made: Any = SimpleNamespace(model=SimpleNamespace(outcomes=outcomes), quantity=used)
        found = answers.window(made, {"active_fraction": [0.7]})
        assert found["p_window"].tolist() == [0.75, 0.75]
        assert found["p_no_threshold"].tolist() == pytest.approx([1 / 3, 1 / 3])
        none = answers.window(made, {"active_fraction": [0.7]}, least=0.95)
        assert none["p_no_threshold"].isna().all()

    def test_carbon_moves_the_electronic_threshold_down(self, published):
        bare = answers.window(published, {"active_fraction": [0.7]})
        fibre = answers.window(published, pd.DataFrame([FIBRE]))
        assert (fibre.loc["electrons", "active_fraction"]
                < bare.loc["electrons", "active_fraction"] - 0.1)

    def test_which_network_limits_changes_with_the_share(self, published):
        found: Any = answers.networks(published, pd.DataFrame(
            {"active_fraction": [0.3, 0.6, 0.97, 1.0]}))
        assert found["limited_by"].tolist() == ["electrons", "electrons", "ions", "ions"]
        assert found["utilization"].iloc[3] < 1e-4
        assert found["ionic_conductivity"].iloc[3] == 0.0
        assert (found["ionic_conductivity"] <= found["wiener_bound"]).all()
        assert found["ionic_conductivity"].is_monotonic_decreasing
        assert found["electronic_conductivity"].is_monotonic_increasing

    def test_levers_are_compared_with_the_text_and_the_conflict_is_flagged(self, published):
        rich = pd.DataFrame([{"active_fraction": 0.8, "electrolyte_fraction": 0.17,
                              "carbon_fraction": 0.03, "carbon_type": "CNF type 1", **THIN}])
        found: Any = answers.levers(published, rich)
        assert found.index[found["conflict"]].tolist() == ["loading"]
        assert found.loc[["CAM_SE_ratio", "loading", "binder_share"], "agrees"].all()
        # with this much carbon more of it blocks: the lever has turned round
        assert found.loc["CC_share", "p_power_rises"] < 0.1

    def test_below_the_electronic_threshold_more_active_material_gives_power_too(self, published):
        bare = {"active_fraction": 0.65, **THIN}
        assert "CC_share" not in answers.levers(published, pd.DataFrame([bare])).index
        found = answers.levers(published, pd.DataFrame([bare | {"carbon_type": "CNF type 1"}]))
        assert found.loc["CC_share", "p_power_rises"] > 0.9
        assert found.loc["CAM_SE_ratio", "p_power_rises"] > 0.9
        assert found.loc["CAM_SE_ratio", "p_energy_rises"] > 0.9

    def test_a_lever_moves_one_share_and_keeps_the_rest_in_proportion(self):
        start = pd.DataFrame([FIBRE])
        found = answers.moved(start, "binder_share", 0.02)
        assert found[list(rows_of.SHARES)].sum(axis=1).iloc[0] == pytest.approx(1.0)
        ratio = found["active_fraction"] / found["electrolyte_fraction"]
        assert ratio.iloc[0] == pytest.approx(70 / 30)
        ratio = answers.moved(start, "CAM_SE_ratio", 0.02)
        assert ratio["carbon_fraction"].iloc[0] == pytest.approx(1 / 101)
        with pytest.raises(ValueError, match="is no lever"):
            answers.moved(start, "colour")
        with pytest.raises(ValueError, match="Name it in carbon_type"):
            answers.moved(pd.DataFrame([GOOD]), "CC_share")
        with pytest.raises(ValueError, match="can give way"):
            answers.moved(start, "CAM_SE_ratio", 0.4)

    def test_a_composition_becomes_a_prior_of_the_capacity_model(self, published):
        handed = answers.capacity_priors(published, pd.DataFrame([FIBRE]))
        capacity = models.get("capacity", **handed)
        centre, width = handed["capacity__utilization_logit"]
        told = np.quantile(published.quantity("utilization", pd.DataFrame([FIBRE])), 0.5)
        assert 1 / (1 + np.exp(-centre)) == pytest.approx(told, abs=0.05)
        assert width > 0.3
        assert "set by the user" in capacity.priors.loc["capacity.utilization_logit", "source"]

    def test_cell_takes_what_composition_gives(self, published):
        energy, power = answers.energy_and_power(
            published, pd.DataFrame([FIBRE | THIN, FIBRE]), draws=200)
        assert (energy[:, 0] > 5 * energy[:, 1]).all()
        assert np.isfinite(power).all() and (power > 0).all()


@pytest.mark.slow
class TestRecovery:
    @pytest.mark.parametrize("name", ["size_exponent", "reference_capacity", "loss_index",
                                      "ionic_bulk", "contact_conductivity"])
    def test_what_was_simulated_is_found(self, recovered, name):
        low, high = recovered.summary(0.98).loc[f"composition.{name}"].iloc[2:4]
        assert low < TRUTH[name] < high

    def test_the_kinds_of_carbon_are_told_apart(self, recovered):
        drawn = recovered.parameters()["composition.carbon_contacts"]
        at = {kind: k + 1 for k, kind in enumerate(recovered.encoded.levels["carbon_type"])}
        assert (drawn[:, at["fibre"]] > drawn[:, at["black"]]).mean() > 0.9

    def test_a_range_of_compositions_informs_what_the_literature_does_not(self, recovered,
                                                                           published):
        ours, theirs = (f.summary()["sd_over_prior_sd"] for f in (recovered, published))
        for name in ("size_exponent", "sharpness", "contact_conductivity", "ionic_excess"):
            assert ours[f"composition.{name}"] < 0.8 * theirs[f"composition.{name}"]


@pytest.mark.slow
def test_intervals_cover_as_often_as_they_say():
    names = ("size_exponent", "loss_index", "contact_conductivity", "reference_capacity")
    inside = []
    for seed in range(30):
        found = composition.MODEL.fit(simulated(500 + seed), seed=seed, draws=250).summary()
        for name in names:
            low, high = found.loc[f"composition.{name}"].iloc[2:4]
            inside.append(low < TRUTH[name] < high)
    # parameters of one data set share its noise: the band is that of 30 and not of 120
    low, high = stats.binom.interval(0.998, 30, 0.9)
    assert low <= np.mean(inside) * 30 <= high


@pytest.mark.slow
def test_composition_and_cell_are_one_chain():
    chain = models.chain("composition", "cell")
    rows = simulated(9).assign(separator_um=100.0)
    fit = chain.fit(rows)
    settings = pd.DataFrame([{"active_fraction": share, "separator_um": 30.0, "c_rate": 0.1}
                             for share in (0.5, 0.8, 0.99)])
    energy = fit.predict(settings, outcome="cell_energy_Wh_kg").to_numpy()
    assert (energy[:, 1] > energy[:, 0]).mean() > 0.95
    assert (energy[:, 1] > energy[:, 2]).mean() > 0.95
