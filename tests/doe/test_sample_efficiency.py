"""A small run of the sample-efficiency benchmark, and its intervals (all data simulated)."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def scripts():
    """The benchmarks' folder on the path: its scripts are no part of the package."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield importlib.import_module
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def benchmark(scripts):
    return scripts("sample_efficiency")


@pytest.fixture(scope="module")
def scores(scripts):
    return scripts("scores")


def test_share_intervals_are_jeffreys(scores):
    low, high = scores.share_interval(31, 100)
    assert low < 0.31 < high
    assert (low, high) == pytest.approx((0.2388, 0.3898), abs=2e-3)
    assert scores.share_interval(0, 20)[0] == 0.0
    assert scores.share_interval(20, 20)[1] == 1.0


def test_paired_differences_use_the_pairs(scores):
    theirs = np.arange(100) < 40
    ours = np.arange(100) < 50
    difference, low, high = scores.difference_interval(ours, theirs)
    assert difference == pytest.approx(0.10)
    assert 0.04 < low < 0.10 < high < 0.17
    # The same shares without pairing: discordant both ways, so a wider interval.
    shuffled = np.random.default_rng(0).permutation(theirs)
    _, wide_low, wide_high = scores.difference_interval(ours, shuffled)
    assert wide_high - wide_low > 1.3 * (high - low)


def test_every_strategy_meets_the_same_starts_and_a_run_resumes(benchmark, tmp_path):
    out, arguments = tmp_path / "runs.jsonl", ["--laws", "breakage", "gp", "--mills", "2"]
    arguments += [
        "--first",
        "0",
        "--strategies",
        "random",
        "--at",
        "6",
        "--jobs",
        "1",
        "--out",
        str(out),
    ]
    benchmark.main(arguments)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 4
    assert {line["kind"] for line in lines} == {"simulated"}
    by_seed = {(line["law_version"], line["seed"]): line["settings"][:4] for line in lines}
    assert by_seed["breakage-1", 0] == by_seed["gp-1", 0]
    assert by_seed["breakage-1", 0] != by_seed["breakage-1", 1]
    for line in lines:
        assert line["recommended_ratio"]["6"] in line["ratio"]
        assert max(line["ratio"]) <= 1.0
    out.write_text(out.read_text() + '{"law_version": "breakage-1", "seed"')
    benchmark.main(arguments)
    assert len(benchmark.load(out)) == 4


def test_stale_campaigns_are_played_again(benchmark, tmp_path):
    out = tmp_path / "runs.jsonl"
    record = benchmark.play("breakage", 0, "random", (6,))
    stale = record | {"version": "random-of-last-week"}
    out.write_text(json.dumps(stale) + "\n" + json.dumps(record | {"seed": 1}) + "\n")
    fresh = benchmark.current(benchmark.load(out), ["breakage"], ["random"], (6,))
    assert fresh["seed"].tolist() == [1]
    assert benchmark.current(benchmark.load(out), ["breakage"], ["random"], (6, 8)).empty


def test_the_table_shows_each_law_and_says_simulated(benchmark, scores):
    done = pd.DataFrame(
        [
            benchmark.play(law, seed, "random", (6,)) | {"strategy": strategy}
            for law in ("breakage", "regime")
            for seed in range(2)
            for strategy in ("skopt_gp", "random")
        ]
    )
    text = scores.report(done, (6,), benchmark.PROTOCOL)
    assert "**breakage-1** (simulated), 2 mills" in text
    assert "**regime-1** (simulated), 2 mills" in text
    assert "| random search | minus scikit-optimize GP | +0 (" in text
    assert "90 % equal-tailed" in text


def test_a_small_run_of_the_table_has_our_line_beside_the_peers(benchmark, scores):
    """Two mills, six experiments; physics plays in the long run only, for its sampler compiles."""
    strategies = ["random", "skopt_gp", "none"]
    done = pd.DataFrame([benchmark.play("gp", k, s, (6,)) for k in (0, 1) for s in strategies])
    starts = done.groupby("seed")["settings"].agg(lambda made: len({str(m[:4]) for m in made}))
    assert starts.tolist() == [1, 1] and set(done["kind"]) == {"simulated"}
    judged = [r[6] for r in done["recommended_ratio"]]
    assert len(judged) == 6 and all(0.0 < r <= 1.0 for r in judged)
    text = scores.report(done, (6,), benchmark.PROTOCOL)
    for line in ("scikit-optimize GP | recommended", "no physics | minus scikit-optimize GP"):
        assert line in text


def made_up(strategy, found_after, most=8):
    """Campaigns that have found it from the given numbers of experiments on."""
    return pd.DataFrame([
        {"law_version": "made-up", "seed": seed, "strategy": strategy, "within": 0.02,
         "word": "mill", "recommended_ratio": {
             str(k): 1.0 if k >= after else 0.5 for k in range(4, most + 1)}}
        for seed, after in enumerate(found_after)
    ])


def test_experiments_until_a_share_has_found_it_are_a_ratio_with_its_interval(scores):
    ours, peer = [4, 5, 5, 8] * 10, [8, 8, 99, 99] * 10
    done = pd.concat([made_up("physics", ours), made_up("skopt_gp", peer)])
    table = scores.until_table(done, peers=("skopt_gp",)).set_index("share")
    assert table.at[0.5, "ours"] == 5 and table.at[0.5, "theirs"] == 8
    assert table.at[0.5, "ratio"] == pytest.approx(5 / 8)
    # the peer never gets to 90 %: counted with one experiment more than were made
    assert table.at[0.9, "ours"] == 8 and table.at[0.9, "theirs"] == 9
    assert (table["low"] <= table["ratio"]).all() and (table["ratio"] <= table["high"]).all()
    assert table.at[0.5, "high"] < 1.0
    text = scores.until_markdown(scores.until_table(done, peers=("skopt_gp",)))
    assert "over 8" in text and "scikit-optimize GP" in text
    other = pd.concat([made_up("physics", [8, 8]), made_up("skopt_gp", [8, 8])])
    both = scores.until_table(pd.concat([done, other.assign(law_version="another")]))
    pairs = both.drop_duplicates("law").set_index("law")["pairs"]
    assert pairs.to_dict() == {"made-up": 40, "another": 2, "all together": 42}


def test_the_reliability_of_a_ranking_is_inside_its_band_where_it_is_right(scripts):
    ranking = scripts("ranking")
    rng = np.random.default_rng(0)
    right, bold = [], []
    for seed in range(600):
        p = rng.dirichlet(np.full(5, 0.5))
        best = int(rng.choice(5, p=p))
        right.append({"seed": seed, "p": p.tolist(), "best": best})
        sharp = p**2 / (p**2).sum()
        bold.append({"seed": seed, "p": sharp.tolist(), "best": best})
    honest, too_sure = ranking.reliability(right, draws=400), ranking.reliability(bold, draws=400)
    assert honest["inside"] and honest["error"] < honest["error_high"] * 1.5
    assert not too_sure["inside"] and too_sure["error"] > 2.0 * too_sure["error_high"]
