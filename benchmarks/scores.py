"""Shares, paired differences and their intervals, as the table of sample efficiency."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from ssbayes.doe.backtest import until, until_ratio
from strategies import TITLES

WITHIN = 0.02  # of campaigns that do not say, all of them on mills
LEVEL = 0.90
SHARES = (0.5, 0.9)
"""Shares of laboratories of which it is asked after how many experiments they have found it."""
BOOTSTRAP = 4000
JUDGED = {
    "": "recommended (tried)",
    "foreseen_": "best expected anywhere",
    "measured_": "best measured",
}


def share_interval(hits: int, n: int) -> tuple[float, float]:
    """Equal-tailed 90 % interval of a share, Jeffreys prior."""
    tail = (1.0 - LEVEL) / 2.0
    low, high = stats.beta.ppf([tail, 1.0 - tail], hits + 0.5, n - hits + 0.5)
    return (0.0 if hits == 0 else float(low), 1.0 if hits == n else float(high))


def difference_interval(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """Paired difference of two shares and its equal-tailed 90 % interval.

    Wins, losses and ties of the pairs under Jeffreys' prior (Dirichlet with halves), so that
    a table without a single win or loss does not pretend to be certain.
    """
    wins, losses = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    counts = np.array([wins, losses, len(ours) - wins - losses]) + 0.5
    draws = np.random.default_rng(0).dirichlet(counts, 40_000)
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.quantile(draws[:, 0] - draws[:, 1], [tail, 1.0 - tail])
    return (wins - losses) / len(ours), float(low), float(high)


def summary(done: pd.DataFrame, at: tuple[int, ...], peer: str = "skopt_gp") -> pd.DataFrame:
    """One row a law, strategy and number of experiments.

    Columns ``share``, ``low``, ``high`` judge the recommended setting, ``foreseen_*`` the best
    expected anywhere, ``measured_*`` the best measured, ``diff*`` the recommended one against the
    peer's on the same laboratories.
    """
    table = []
    groups: Any = done.groupby(["law_version", "strategy"], sort=False)
    for (law, strategy), group in groups:
        group = group.set_index("seed")
        other = done[(done["law_version"] == law) & (done["strategy"] == peer)].set_index("seed")
        for k in at:
            good = _good(group, "recommended_ratio", k)
            first = _good(group, "measured_ratio", k)
            row = {"law": law, "strategy": strategy, "k": k, "mills": len(good)}
            row |= {"within": float(_within(group)[0]), "word": _word(group)}
            row |= _share(good, "") | _share(first, "measured_")
            row |= _share(_good(group, "foreseen_ratio", k), "foreseen_")
            shared = group.index.intersection(other.index)
            if strategy != peer and len(shared):
                pair = _good(other.loc[shared], "recommended_ratio", k)
                ours = _good(group.loc[shared], "recommended_ratio", k)
                row |= dict(
                    zip(
                        ("diff", "diff_low", "diff_high"),
                        difference_interval(ours, pair),
                        strict=True,
                    )
                )
                row["pairs"] = len(shared)
            table.append(row)
    return pd.DataFrame(table)


def until_table(
    done: pd.DataFrame, peers: tuple[str, ...] = ("skopt_gp", "botorch")
) -> pd.DataFrame:
    """Experiments until a share of the laboratories has found it, against peers.

    One row a law, strategy, peer and share of ``SHARES``: ``ours`` and ``theirs`` in experiments
    (``made`` + 1 where the share is never reached), ``ratio`` of ours to theirs with the 95 %
    interval of a bootstrap over laboratories, pairs kept together. Where there are several laws,
    all laboratories follow as one family.
    """
    rng = np.random.default_rng(0)
    table = []
    families: list[tuple[Any, pd.DataFrame]] = list(done.groupby("law_version", sort=False))
    if len(families) > 1:
        one = done["law_version"].astype(str) + " " + done["seed"].astype(str)
        families.append(("all together", done.assign(seed=one)))
    for law, part in families:
        groups = {str(s): g.set_index("seed") for s, g in part.groupby("strategy", sort=False)}
        for strategy, group in groups.items():
            for peer in [p for p in peers if p in groups and p != strategy]:
                shared = group.index.intersection(groups[peer].index)
                steps = _steps(group)
                if not len(shared) or len(steps) < 2 or steps != _steps(groups[peer]):
                    continue
                x = np.array(steps)
                mine, other = (_curves(g.loc[shared], steps) for g in (group, groups[peer]))
                draws = rng.integers(len(shared), size=(BOOTSTRAP, len(shared)))
                for share in SHARES:
                    ratio = 1.0 / until_ratio(mine[draws].mean(1), other[draws].mean(1), x, share)
                    low, high = np.quantile(ratio, [0.025, 0.975])
                    ours, theirs = (
                        float(until(c.mean(0)[None], x, share)[0]) for c in (mine, other)
                    )
                    table.append(
                        {"law": law, "strategy": strategy, "peer": peer, "share": share,
                         "pairs": len(shared), "ours": ours, "theirs": theirs,
                         "ratio": ours / theirs, "low": low, "high": high, "made": steps[-1]}
                    )  # fmt: skip
    return pd.DataFrame(table)


def _steps(group: pd.DataFrame) -> list[int]:
    """Numbers of experiments after which every campaign of a group was judged."""
    return sorted(set.intersection(*(set(map(int, cell)) for cell in group["recommended_ratio"])))


def _curves(group: pd.DataFrame, steps: list[int]) -> np.ndarray:
    """Which campaigns have found it after each number of experiments, ``(campaigns, steps)``."""
    return np.stack([_good(group, "recommended_ratio", k) for k in steps], axis=1)


def until_markdown(table: pd.DataFrame) -> str:
    """The table of `until_table` as it stands in benchmarks/README.md."""

    def number(k: float, made: int) -> str:
        return f"{k:.0f}" if k <= made else f"over {made}"

    lines = [
        "| law (simulated) | strategy | peer | share | pairs | experiments | the peer's | ratio |",
        "| --- |" + " --- |" * 7,
    ]
    rows: Any = table.itertuples()
    for row in rows:
        open_ended = " (neither)" if min(row.ours, row.theirs) > row.made else ""
        names = [TITLES.get(name, name) for name in (row.strategy, row.peer)]
        lines.append(
            f"| {row.law} | {names[0]} | {names[1]} | {row.share:.0%} | {row.pairs} "
            f"| {number(row.ours, row.made)} | {number(row.theirs, row.made)} "
            f"| {row.ratio:.2f} ({row.low:.2f}-{row.high:.2f}){open_ended} |"
        )
    return "\n".join(lines)


def _good(group: pd.DataFrame, column: str, k: int) -> np.ndarray:
    """Which campaigns lie near the optimum after k experiments (JSON keys are text)."""
    values = [cell.get(str(k), cell.get(k, np.nan)) for cell in group[column]]
    return np.array(values, dtype=float) >= 1.0 - _within(group)


def _within(group: pd.DataFrame) -> np.ndarray:
    """How near counts as found, for each campaign."""
    given = group["within"] if "within" in group else pd.Series(np.nan, index=group.index)
    return given.fillna(WITHIN).to_numpy(dtype=float)


def _word(group: pd.DataFrame) -> str:
    """What its laboratories are called."""
    words = group["word"].dropna() if "word" in group else pd.Series(dtype=object)
    return str(words.iloc[0]) if len(words) else "mill"


def _share(good: np.ndarray, prefix: str) -> dict[str, float]:
    low, high = share_interval(int(good.sum()), len(good))
    return {f"{prefix}share": good.mean(), f"{prefix}low": low, f"{prefix}high": high}


def markdown(table: pd.DataFrame, at: tuple[int, ...]) -> str:
    """The table as it stands in benchmarks/README.md; shares and differences in percent."""
    lines = []
    laws: Any = table.groupby("law", sort=False)
    for law, by_law in laws:
        first = by_law.iloc[0]
        count, near = int(by_law["mills"].max()), f"found is within {first['within']:.0%}"
        lines += [f"**{law}** (simulated), {count} {first['word']}{'s' * (count != 1)}; {near}", ""]
        head = " | ".join(f"after {k}" for k in at)
        lines += [f"| strategy | judged | {head} |", "| --- | --- |" + " --- |" * len(at)]
        for strategy, rows in by_law.groupby("strategy", sort=False):
            rows, title = rows.set_index("k"), TITLES.get(str(strategy), str(strategy))
            for prefix, judged in JUDGED.items():
                cells = [
                    f"{rows.at[k, prefix + 'share']:.0%} "
                    f"({rows.at[k, prefix + 'low']:.0%}-{rows.at[k, prefix + 'high']:.0%})"
                    for k in at
                ]
                lines.append(f"| {title} | {judged} | " + " | ".join(cells) + " |")
            if "diff" in rows and rows["diff"].notna().all():
                cells = [
                    f"{100 * rows.at[k, 'diff']:+.0f} ({100 * rows.at[k, 'diff_low']:+.0f} to "
                    f"{100 * rows.at[k, 'diff_high']:+.0f})"
                    for k in at
                ]
                lines.append(
                    f"| {title} | minus {TITLES['skopt_gp']} | " + " | ".join(cells) + " |"
                )
        lines.append("")
    return "\n".join(lines)


def report(done: pd.DataFrame, at: tuple[int, ...], protocol: str) -> str:
    """Table, how to read it, and the stamps of what was measured."""
    seeds = sorted(int(seed) for seed in done["seed"].unique())
    stamps = done.groupby("strategy", sort=False)["version"].unique().map(list).to_dict()
    slowest = done.groupby("strategy", sort=False)["slowest_ask_s"].median().round(2).to_dict()
    return "\n".join(
        [
            "Share of virtual laboratories (simulated) whose setting truly lies near the optimum; "
            f"{protocol}.",
            "In brackets: 90 % equal-tailed interval (Jeffreys), of paired differences in points "
            "(Jeffreys on wins, losses, ties).",
            "",
            markdown(summary(done, at), at),
            "Experiments until half and until 90 % of the laboratories have found it, by the tried "
            "setting that is recommended; ratio of ours to the peer's with the 95 % interval of a "
            "bootstrap over laboratories. Who never gets there counts with one experiment more "
            "than were made.",
            "",
            until_markdown(until_table(done)),
            "",
            f"Seeds {seeds[0]} to {seeds[-1]} ({len(seeds)} of them). Versions: {stamps}. "
            f"Slowest ask of a campaign, median in s: {slowest}.",
        ]
    )
