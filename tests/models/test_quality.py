"""Grades and porosities: what slurries, images and raters can tell. All readings are simulated."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, models
from ssbayes.models import quality
from ssbayes.models.engine.response import at_rows

SLURRIES = {"a": 8.0, "b": 32.0, "c": 64.0, "d": 32.0, "e": 64.0}
CUTS = np.array([-1.8, -0.4, 1.0])
TRUE = {"contact_SE_SE": {"a": -1.5, "b": 1.2, "c": 0.2, "d": 1.0, "e": 0.0},
        "homogeneity_SE": {"a": -0.8, "b": 1.6, "c": -1.4, "d": 1.2, "e": -1.0}}
GAIN = 1.6
SHORT = {"draws": 700, "chains": 2, "rhat": 1.05}
POROUS = {"a": 0.48, "b": 0.34, "c": 0.42, "d": 0.35, "e": 0.41}


def simulated(seed=3, images=4, punches=2, grade=lambda rank: rank):
    """Four ranks by three raters, the third grading what the first did; porosities of punches."""
    rng = np.random.default_rng(seed)
    severe = {"r1": 0.0, "r2": 0.7, "r3": -0.5}
    rows = []
    for run, minutes in SLURRIES.items():
        slurry = {"run": run, "batch": f"{run}1", "milling_min": minutes, "kind": "simulated"}
        for criterion, level in TRUE.items():
            for pressed in (0.0, 1.0):
                gain = GAIN * pressed * criterion.startswith("contact")
                for image in range(images):
                    place = level[run] + gain + rng.normal(0, 0.4)
                    double = image == 0 and run in "bc" and criterion == "contact_SE_SE"
                    for rater in (("r1", "r3") if double else (("r1", "r2")[image % 2],)):
                        rank = 1 + int((place - severe[rater] + rng.logistic() > CUTS).sum())
                        rows.append({**slurry, "criterion": criterion, "compacted": pressed,
                                     "image": f"{image} {pressed:g}", "rater": rater,
                                     "grade": float(grade(rank))})
        for punch in range(punches):
            dry = POROUS[run] + rng.normal(0, 0.01)
            odds = dry / (1 - dry) * np.exp(-0.6)
            rows.append({**slurry, "cell": f"{run}1{punch}", "dry_porosity": dry,
                         "calendered_porosity": odds / (1 + odds) + rng.normal(0, 0.01)})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def model():
    return models.get("quality")


@pytest.fixture(scope="module")
def fit(model):
    return model.fit(simulated(), seed=1, **SHORT)


def draws(fit, name):
    return fit.posterior[f"quality.{name}"].to_numpy().ravel()


def more_porous_at_64(fit):
    """P(the curve is higher at 64 than at 32 min), before and after pressing."""
    logit = {t: quality.bent(quality.doublings(t), draws(fit, "porosity_level"),
                             draws(fit, "porosity_trend"), draws(fit, "porosity_bend"))
             for t in (32.0, 64.0)}
    press = draws(fit, "pressing")
    return [float((logit[64.0] - fall > logit[32.0] - fall).mean()) for fall in (0.0, press)]


# --- physics


def test_thirty_two_and_sixty_four_minutes_lie_at_equal_distance():
    assert quality.doublings(64.0) == pytest.approx(0.5)
    assert quality.doublings(32.0) == pytest.approx(-0.5)
    assert quality.doublings(2.0) == pytest.approx(-4.5)


def test_the_extremum_is_where_the_slope_is_zero():
    at = quality.best_minutes(0.3, 0.1)
    near = quality.bent(quality.doublings(at * np.array([0.98, 1.0, 1.02])), -1.0, 0.3, 0.1)
    assert near.argmin() == 1
    assert quality.best_minutes(0.0, 0.1) == pytest.approx(quality.MIDDLE_MIN)


# --- priors


def test_the_priors_say_what_is_published_and_no_more(model):
    priors = model.priors
    assert priors.loc["quality.contact_gain", "prior"].startswith("HalfNormal")
    shift = priors.loc["quality.homogeneity_shift", "prior"]
    assert shift == "Normal(mu=0, sd=0.2)"
    assert "median=0.5" in priors.loc["quality.image_sd", "prior"]
    assert "median=1.5" in priors.loc["quality.image_sd_unclear", "prior"]
    assert "Informed by: nothing published" in model.what
    assert "Informed by: nothing published" in str(quality.__doc__)


@pytest.mark.parametrize(("priors", "chance"), [({}, 0.5), (quality.MONOTONE, 0.0)])
def test_before_data_either_of_two_times_may_be_the_more_porous_unless_time_can_only_help(
        priors, chance):
    """Whatever pressing adds is the same at both times, so one number serves before and after."""
    model = models.get("quality", **priors)
    declared = model.graph({}).registry.priors
    rng = np.random.default_rng(1)
    level, trend, bend = (
        model.prior(f"quality.{name}", declared[f"quality.{name}"]).draw(rng, 4000)
        for name in ("porosity_level", "porosity_trend", "porosity_bend"))
    at_64, at_32 = (quality.bent(quality.doublings(t), level, trend, bend) for t in (64.0, 32.0))
    assert (at_64 > at_32).mean() == pytest.approx(chance, abs=0.03 if chance else 0.0)


# --- posterior


def test_it_converges(fit):
    assert fit.convergence.worst_rhat < SHORT["rhat"]
    assert fit.convergence.divergences < 0.02 * fit.n_draws


def test_latent_contacts_and_distributions_are_found_in_their_order(fit):
    found = quality.latent(fit)
    table: Any = found.table.set_index(["criterion", "slurry", "compacted"])
    assert len(table) == 2 * 5 * 2
    assert (table["grades"] >= 4).all() and (table["sheets"] == 1).all()
    for criterion, level in TRUE.items():
        median = table["median"].xs(criterion).xs(0.0, level="compacted")
        assert np.corrcoef(median, [level[run] for run in median.index])[0, 1] > 0.85
        better = found.better(criterion, compacted=0.0)
        best, worst = max(level, key=level.__getitem__), min(level, key=level.__getitem__)
        assert better.loc[best, worst] > 0.95
        assert better.loc[best, worst] + better.loc[worst, best] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="not graded"):
        found.better("contact_CC_CC")


def test_pressing_improves_contacts_and_leaves_distributions_alone(fit):
    gain, shift = draws(fit, "contact_gain"), draws(fit, "homogeneity_shift")
    assert gain.min() > 0
    low, high = np.quantile(gain, [0.005, 0.995])
    assert low < GAIN < high and gain.mean() > 0.9  # the prior's mean is 0.8
    assert abs(shift.mean()) < 2 * shift.std() and shift.std() < 0.25


def test_relabelled_grades_leave_the_posterior_as_it_was(model, fit):
    """The sampler is handed the same data and priors, so its posterior is the same."""
    other = {1: -7, 2: 3, 3: 4, 4: 90}
    relabelled = simulated(grade=other.__getitem__)
    again = models.Fit.from_draws(model, relabelled, fit.parameters())
    assert again.encoded.categories["grade"] == [-7, 3, 4, 90]
    assert again.graph is fit.graph and again.encoded.levels == fit.encoded.levels
    assert set(again.encoded.columns) == set(fit.encoded.columns)
    for name, values in fit.encoded.columns.items():
        np.testing.assert_array_equal(again.encoded.columns[name], values, err_msg=name)
    settings = pd.DataFrame({"criterion": ["homogeneity_SE"], "milling_min": [32.0]})
    told = quality.grade_distribution(again, settings)
    assert list(told.columns) == [-7, 3, 4, 90]
    np.testing.assert_allclose(told, quality.grade_distribution(fit, settings), atol=1e-12)


def test_grades_of_a_new_slurry_are_predicted_as_a_distribution(fit):
    settings = pd.DataFrame({"criterion": ["contact_SE_SE"] * 2 + ["homogeneity_SE"] * 2,
                             "milling_min": [32.0] * 4, "compacted": [0.0, 1.0, 0.0, 1.0]})
    told = quality.grade_distribution(fit, settings)
    assert list(told.columns) == [1, 2, 3, 4]
    np.testing.assert_allclose(told.sum(axis=1), 1.0)
    expected: Any = told.to_numpy() @ told.columns.to_numpy()
    assert expected[1] > expected[0] + 0.15
    assert expected[3] == pytest.approx(expected[2], abs=0.1)
    assert (told.to_numpy() > 0.01).all()  # one image of another slurry may be anything
    mean = fit.predict(settings, outcome="grade").mean("draw").to_numpy()
    np.testing.assert_allclose(mean, expected, atol=0.12)
    with pytest.raises(ValueError, match="'contact_CC_CC' was not graded"):
        quality.grade_distribution(fit, settings.assign(criterion="contact_CC_CC"))


def test_likelihood_of_a_grade_is_the_probability_of_its_rank(fit):
    names = ("location:grade", "scale:grade", *(f"cut{k}:grade" for k in range(1, 4)))
    values = at_rows(fit.graph, fit.encoded.columns, names, fit.variables([0, 100]))
    report = fit.check()
    assert any("of 5 slurries at 3 mixing times: 5 whole units" in s for s in report.sentences)
    assert (report.loo["outcome"] == "grade").sum() == fit.table["grade"].notna().sum()
    row = int(fit.encoded.columns["grade__row"][5])
    rank = int(fit.encoded.columns["grade__value"][5])
    cuts = np.array([-np.inf, *(values[n][1, row] for n in names[2:]), np.inf])
    below = 1 / (1 + np.exp(-(cuts - values[names[0]][1, row]) / values[names[1]][1, row]))
    from ssbayes.models.engine.checks import log_likelihood

    pointwise, where = log_likelihood(fit, fit.variables([0, 100]))
    at = where.index(("grade", row))
    assert pointwise[1, at] == pytest.approx(np.log(below[rank] - below[rank - 1]), rel=1e-9)


def test_porosity_may_be_higher_at_the_longer_time_before_and_after_pressing(fit):
    assert min(more_porous_at_64(fit)) > 0.7  # before data 0.5
    new = pd.DataFrame({"milling_min": [32.0, 64.0]})
    for name in quality.POROSITIES:
        told = fit.predict(new, outcome=name).to_numpy()
        assert (told[:, 1] > told[:, 0]).mean() > 0.7
    falls = fit.predict(new, outcome="dry_porosity") - fit.predict(
        new, outcome="calendered_porosity")
    assert float(falls.min()) > 0


def test_a_curve_that_can_only_fall_fails(model, fit):
    falling = models.get("quality", **quality.MONOTONE).fit(simulated(), seed=1, **SHORT)
    assert more_porous_at_64(falling) == [0.0, 0.0]
    # What the curve cannot say is called scatter between slurries.
    assert draws(falling, "porosity_slurry_sd").mean() > 1.15 * draws(
        fit, "porosity_slurry_sd").mean()


def test_eight_punches_are_no_eight_slurries(model, fit):
    many = model.fit(simulated(punches=8), seed=1, **SHORT)
    few, more = (draws(f, "porosity_trend").std() for f in (fit, many))
    assert more > 0.75 * few  # four times the punches would halve it if they were slurries
    assert draws(many, "porosity_noise").std() < draws(fit, "porosity_noise").std()


def test_a_fit_is_kept_with_its_categories(fit, tmp_path):
    opened = models.Fit.open(fit.save(tmp_path / "fit.nc"))
    assert opened.encoded.categories == fit.encoded.categories
    settings = pd.DataFrame({"criterion": ["homogeneity_SE"], "milling_min": [16.0]})
    np.testing.assert_allclose(quality.grade_distribution(opened, settings),
                               quality.grade_distribution(fit, settings), atol=1e-12)


@pytest.mark.slow
def test_statements_alone_move_the_order_of_porosity_and_nothing_else(model):
    published = data.load("prein2022_mixing")
    assert model.graph({}, frozenset({"statements"})) is not None
    fit = model.fit(published, seed=1, statements=True)
    assert 0.6 < min(more_porous_at_64(fit)) < 0.99
    informed = fit.summary().query("informed_by == 'statements'").index
    assert set(informed) <= {"quality.porosity_trend"}


# --- units


def published_size():
    """Three mixing times, eight punches of one sheet each; the first slurry failed."""
    rows = [{"run": "2", "milling_min": 2.0, "status": "failed", "reason": "agglomerates"}]
    rows += [{"run": f"{t:g}", "batch": f"{t:g} A", "cell": f"{t:g} A {k}", "milling_min": t,
              "dry_porosity": 0.4 + 0.001 * k, "kind": "simulated"}
             for t in (32.0, 64.0) for k in range(8)]
    return pd.DataFrame(rows)


def test_three_times_of_eight_samples_are_three_units_and_two_levels():
    found = quality.units(published_size())
    assert found.whole_units == 3 and found.usable_levels == 2
    assert found.table["slurries"].tolist() == [1, 1, 1]
    assert found.table["punches"].tolist() == [0, 8, 8]
    assert found.table["sheets"].tolist() == [0, 1, 1]
    assert "16 readings of 3 slurries" in found.sentence
    assert "3 whole units, 2 mixing times with a usable porosity" in found.sentence
    assert "no number of punches or images replaces a second slurry" in found.sentence


def test_two_punches_of_one_sheet_are_one_sheet_and_a_slurry_without_a_name_is_one():
    table = published_size().query("milling_min == 32").head(2).drop(columns="run")
    found = quality.units(table)
    assert found.whole_units == 1
    assert found.table.loc[32.0, ["sheets", "punches"]].tolist() == [1, 2]


def test_the_published_experiment_has_three_units_and_no_usable_level():
    found = quality.units(data.load("prein2022_mixing"))
    assert found.whole_units == 3 and found.usable_levels == 0


# --- bad input


def grades(**changes: Any) -> tuple[Any, Any]:
    table: Any = simulated(images=1, punches=1)
    at = table.index[table["grade"].notna()][2]
    for name, value in changes.items():
        table.loc[at, name] = value
    return table, at


@pytest.mark.parametrize(("changes", "message"), [
    ({"rater": None}, "column 'rater': found 'nothing', expected who graded the image"),
    ({"image": None}, "column 'image'"),
    ({"criterion": None}, "column 'criterion': found 'nothing', expected the criterion"),
    ({"grade": 5, "scale_from": 1, "scale_to": 4}, "a grade of its scale, 1 to 4"),
    ({"criterion": "porosity"}, "porosity is measured"),
    ({"dry_porosity": 0.4}, "a row of its own"),
])
def test_a_grade_that_cannot_be_read_is_refused_with_its_place(model, changes, message):
    table, at = grades(**changes)
    with pytest.raises(data.TableError, match=rf"row {at}, .*{message}"):
        model.fit(table)


def test_grades_that_are_no_whole_numbers_or_unknown_criteria_are_refused(model):
    table, at = grades(grade=2.5)
    with pytest.raises(data.TableError, match=rf"row {at}, column 'grade'.*whole number"):
        model.fit(table)
    table, at = grades(criterion="contact_SE_SEE")
    with pytest.raises(data.TableError, match="did you mean 'contact_SE_SE'"):
        model.fit(table)
    table: Any = simulated().astype({"grade": object})
    at = table.index[table["grade"].notna()][0]
    table.loc[at, "grade"] = "Ţ"
    with pytest.raises(data.TableError, match=rf"row {at}, column 'grade': found 'Ţ'"):
        model.fit(table)


def test_unlike_scales_are_not_pooled(model):
    table = simulated(images=2)
    table["scale_from"], table["scale_to"] = 1.0, np.where(table["rater"].eq("r2"), 10.0, 4.0)
    with pytest.raises(ValueError, match="grade of unlike scale_to would be pooled"):
        model.fit(table)


@pytest.mark.parametrize("minutes", [2.0, 1.0])
def test_no_porosity_is_accepted_where_the_slurry_fails(model, minutes):
    assert quality.fails(minutes) and not quality.fails(32.0)
    table = published_size()
    table.loc[3, "milling_min"] = minutes
    table.loc[3, "run"] = table.loc[3, "batch"] = table.loc[3, "cell"] = "short"
    with pytest.raises(data.TableError, match=r"row 3, column 'dry_porosity'.*no porosity"):
        model.fit(table)


def test_a_slurry_that_failed_has_no_porosity_at_any_time(model):
    table = published_size()
    table.loc[len(table)] = table.loc[3]
    table.loc[17, ["status", "reason", "dry_porosity"]] = ["failed", "lumps", np.nan]
    with pytest.raises(data.TableError, match="this slurry failed"):
        model.fit(table)
