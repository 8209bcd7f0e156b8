"""A campaign: what to run next, what came out, which setting is best, and how sure that is.

Everything that it knows is in its file of events (`store`): a campaign that is declared again
with the same words goes on where it stopped, in this process or another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from . import asking, completion, failures, intake, posterior, recommend, withdrawal
from . import state as states
from .declaration import Declaration, declare
from .errors import CampaignError, unknown
from .failures import Record
from .log import Log
from .noted import noted
from .posterior import Views
from .ranking import LEVEL, Comparison, Ranking
from .space import Space
from .state import PREDICTED, State
from .store import Event, Store, event

if TYPE_CHECKING:
    from ..models.desirability import Goal
    from ..models.engine.lab_model import LabModel
    from .cards import Card
    from .control import Chart
    from .planning import Plan
    from .prices import Prices
    from .stopping import Progress


class Campaign:
    """A search for the setting with the best expected outcome, or for knowledge.

    Parameters
    ----------
    space : Space
    maximize, minimize : str or list of str
        Outcome columns. Several are traded: suggestions go for the front between them.
    fixed : mapping, optional
        Columns that stay the same (``{"c_rate": 0.1, "filling": 0.5}``): what the model needs and
        the space lacks, and the conditions that suggestions are for.
    model : str or LabModel, optional
        The physics; None for a campaign without.
    store : path, optional
        The campaign file; in memory without one. A file of the same declaration is resumed.
    seed : int
    strategy : {"bayes", "random", "skopt"}
    initial : int, optional
        Settings to try, spread over the space, before the strategy chooses. Without it: four for
        a campaign without a model or before anything is recorded, none otherwise, nor where the
        model tells of all that rules of `Space.probable` are about: it then chooses from the first.
    unit : str, optional
        Unit of an outcome that the column registry does not know.
    options : mapping, optional
        For the strategy: ``{"statements": True}`` lets the model use published statements,
        ``{"estimator": "RF"}`` is for skopt.
    target : mapping of outcome to value, optional
        Outcomes that are to come as near to a value as can be.
    goals : list of Goal, optional
        In place of the three above: desirabilities with limits and weights.
    require : list of rules, or mapping of rule to probability, optional
        Limits on outcomes (``"retention >= 0.9"``) that a recommended setting's true mean keeps
        with that probability, 0.8 where none is given.
    robust : float
        Standard deviations of the next cell that are taken off the mean: reproducible rather
        than best.
    cost : str, optional
        Formula of what an experiment costs, such as ``"30 + milling_min"``: suggestions go for
        gain per cost.
    prices : Prices, optional
        Of change-overs between hard-to-change factors, runs, cells and readings, in the unit of
        `cost`, which then is what a setting costs on top of them: suggestions go for the gain per
        price of a whole run. The dearer a change-over, the fuller are runs and the longer the
        equipment stays where it stands; where neither change-over nor run has a price, runs are as
        full as the space says. It looks one batch ahead and likes what is cheap: where change-overs
        cost little, campaigns without it found better settings. `plan` uses prices and `cost` too.
    learn : list of parameters or "models", optional
        Suggestions tell most about these parameters of the model, or about whether its physics
        or data alone is right, through readings of the outcome.
    decide : str, optional
        A factor with few values: suggestions tell most about which of them is best.

    Raises
    ------
    CampaignError
        If the declaration is incomplete, or differs from the file's: the message names how.
    StoreError
        If the file is no campaign, or of a newer version. It is left as it was.
    """

    def __init__(
        self,
        space: Space,
        *,
        maximize: str | Sequence[str] | None = None,
        minimize: str | Sequence[str] | None = None,
        fixed: Mapping[str, Any] | None = None,
        model: str | LabModel | None = None,
        store: str | Path | None = None,
        seed: int = 1,
        strategy: str = "bayes",
        initial: int | None = None,
        unit: str | None = None,
        options: Mapping[str, Any] | None = None,
        target: Mapping[str, float] | None = None,
        goals: Sequence[Goal] | None = None,
        require: Sequence[str] | Mapping[str, float] | None = None,
        robust: float = 0.0,
        cost: str | None = None,
        learn: str | Sequence[str] | None = None,
        decide: str | None = None,
        prices: Prices | None = None,
    ) -> None:
        made = declare(
            space,
            maximize=maximize,
            minimize=minimize,
            fixed=fixed,
            model=model,
            seed=seed,
            strategy=strategy,
            initial=initial,
            unit=unit,
            options=options,
            target=target,
            wanted=goals,
            require=require,
            robust=robust,
            cost=cost,
            learn=learn,
            decide=decide,
            prices=prices,
        )
        self._log = Log.begin(Store(store), made)

    @classmethod
    def open(cls, path: str | Path, model: LabModel | None = None) -> Campaign:
        """The campaign in a file, as it was declared.

        Parameters
        ----------
        path : path
        model : LabModel, optional
            Only for a campaign that was declared with a model of the user's own.
        """
        campaign = cls.__new__(cls)
        campaign._log = Log.open(path, model)
        return campaign

    @property
    def space(self) -> Space:
        return self._log.declaration.space

    @property
    def objective(self) -> str:
        """The outcome column that is gone for, the first where there are several."""
        return self._log.declaration.objective

    @property
    def declaration(self) -> Declaration:
        return self._log.declaration

    def suggest(self, n: int = 1, by: str | None = None) -> pd.DataFrame:
        """The open suggestions, topped up to `n`. Asked again, the same ones come back.

        Parameters
        ----------
        n : int
            From 1 to 96.
        by : str, optional
            Name of a bench or worker that wants suggestions of its own: those open under other
            names are then not handed out, but counted as running.

        Returns
        -------
        DataFrame
            ``suggestion`` (its id), the factors, ``predicted_mean`` with its 90 % equal-tailed
            interval ``predicted_low`` to ``predicted_high`` for the mean of the setting,
            ``predicted_batch_sd`` (sd of the mean of the next batch; NaN where batches cannot be
            told from cells), ``predicted_cell_sd`` (sd of one reading of the next cell),
            ``order`` (in which to run them, 1 first: drawn, but runs that share hard-to-change
            factors stay together, and times at which samples of a run are taken rise; what is
            topped up later comes after what is open; `sequence.order`), ``reason``; with several
            outcomes the same of each (``predicted_mean_porosity``), with requirements
            ``predicted_p_meets``. Remarks stand below it and in ``attrs["notes"]``.
        """
        from . import sequence

        asking.check_number(n)

        def decide(state: State) -> tuple[list[Event], None]:
            need = int(n) - len(state.open(by))
            if need <= 0:
                return [], None
            body, draws = asking.new_suggestions(self._log.declaration, state, need, by)
            return [event("suggest", body), *posterior.keep(state, draws)], None

        self._log.write(decide)
        state = self._log.state()
        told = [c for c in state.suggestions if c.startswith("predicted_")]
        names = [*self.space.names, *PREDICTED, *(c for c in told if c not in PREDICTED), "reason"]
        table = state.open(by)[names]
        if completion.has_order(self.declaration):
            drawn = sequence.order(self.declaration, state, by)
            table.insert(len(names) - 1, completion.ORDER, drawn)
        table = table.reset_index()
        last = [e.body for e in state.events if e.kind == "suggest"][-1:]
        table.attrs["interval"] = f"{LEVEL:.0%} equal-tailed, mean of the setting"
        notes = list(last[0]["notes"]) if last else []
        old = states.outlived(state)
        if stale := [s for s in table["suggestion"] if s in old]:
            notes.append(f"{', '.join(stale)}: {states.OUTLIVED}")
        return noted(table, notes)

    def record(self, results: Any, id: str | None = None) -> pd.DataFrame:
        """Record results: all rows, or none if anything is wrong with any of them.

        Parameters
        ----------
        results : DataFrame, mapping, list of mappings or file name
            One row a cell and condition: a ``suggestion`` id, or the settings, and whatever was
            measured. Settings beside an id are what was really run; so are masses that were weighed
            (``weighed_active_g``), from which a composition is computed. ``status`` = failed with a
            ``reason`` closes a suggestion. ``predicted_*`` and ``order`` are ignored, and so are
            suggestions without a reading, unless they were weighed: these are running. An empty
            ``batch`` is the one recorded of the suggestion. Rows from the literature need no id.
        id : str, optional
            Name of this call: repeated with the same id, it does no harm (nor does it bring back
            rows that were taken back, which a note says).

        Returns
        -------
        DataFrame
            The rows as recorded; what is unusual about them stands below and in
            ``attrs["notes"]``.

        Raises
        ------
        TableError
            With every bad cell.
        CampaignError
            If there is nothing to record.
        """
        d = self._log.declaration
        raw, where = intake.read_results(results, d)

        def decide(state: State) -> tuple[list[Event], tuple[list[dict[str, Any]], list[str]]]:
            old = next((e for e in state.events if id is not None and e.id == id), None)
            before = state  # a repeated call is read as it was read then
            if old is not None:
                before = states.read([e for e in state.events if e.seq < old.seq], d)
            rows, notes = intake.check_results(raw, where, d, before, again=old is not None)
            if old is None:
                return [event("record", {"rows": rows, "notes": notes}, id)], (rows, notes)
            if old.kind != "record" or not intake.alike(old.body["rows"], rows):
                raise CampaignError(f"id={id!r} names another record; choose a new id")
            return [], (rows, [*old.body["notes"], *intake.taken_back(old, state)])

        rows, notes = self._log.write(decide)
        return noted(states.rows_table(rows, d), notes)

    def drop(self, ids: str | Iterable[str], reason: str = "") -> None:
        """Give up open suggestions; the reason is kept and their settings are kept away from."""
        names = list(ids) if isinstance(ids, Iterable) and not isinstance(ids, str) else [ids]

        def decide(state: State) -> tuple[list[Event], None]:
            told: Any = state.suggestions["state"]
            for name in names:
                if name not in told.index:
                    raise CampaignError(unknown(name, told.index, "suggestion of this campaign"))
                if told[name] in ("done", "failed"):
                    raise CampaignError(f"{name} has been recorded already; it cannot be dropped")
            new = [n for n in dict.fromkeys(names) if told[n] != "abandoned"]
            body = {"suggestions": new, "reason": reason}
            return ([event("abandon", body)] if new else []), None

        self._log.write(decide)

    def withdraw(self, rows: int | str | Iterable[int | str], reason: str = "") -> pd.DataFrame:
        """Take back rows that were recorded by mistake; the file keeps them, nothing uses them.

        Parameters
        ----------
        rows : int, str, or several
            Numbers of rows as `results` shows them, or suggestions, all of whose rows are meant.
        reason : str

        Returns
        -------
        DataFrame
            The rows. A suggestion without a result left is open again: record the right one.

        Raises
        ------
        CampaignError
            If a row is not there.
        """

        def decide(state: State) -> tuple[list[Event], pd.DataFrame]:
            found = withdrawal.numbers(rows, state)
            body = {"rows": found, "reason": reason}
            gone: Any = state.rows[np.isin(state.numbers, found)]
            return [event("withdraw", body)], gone.reset_index(drop=True)

        return self._log.write(decide)

    def results(self) -> pd.DataFrame:
        """Every recorded row: suggestion, factors, constants, readings, labels.

        The index is the number of a row, which stays its own when others are taken back.
        """
        state = self._log.state()
        return state.rows.set_axis(pd.Index(state.numbers), axis=0)

    def suggestions(self) -> pd.DataFrame:
        """Every suggestion ever made, with its ``state``."""
        return self._log.state().suggestions.reset_index()

    def history(self) -> pd.DataFrame:
        """Every event: ``seq``, ``at`` (UTC), ``kind``, ``what`` (a sentence), ``id``."""
        return states.history(self._log.state().events)

    def rank(self, level: float = LEVEL) -> Ranking:
        """Rank the settings tried by the posterior of their true mean.

        Returns
        -------
        Ranking
            Its table has the factors, ``suggestion``, ``readings``, ``predicted_mean`` with its
            interval, ``allowed`` (within the space and its rules), ``p_works`` (chance that the
            process does not fail, where one has failed), and what `doe.rank` gives; best first.
            Its notes say what was assumed of the data. On unchanged data the kept draws answer,
            without a fit.
        """
        settings, seen, went = self._tried()
        return recommend.ranking(settings, seen, self._log.declaration, level, went)

    def best(self, over: Literal["tried", "space"] = "tried", level: float = LEVEL) -> pd.Series:
        """The recommended setting: the best expected mean, not the luckiest reading.

        Parameters
        ----------
        over : {"tried", "space"}
            Among the settings tried (default: a recommendation that somebody has run), or over
            the whole space. Either keeps every rule; over the space, settings at which the process
            is more likely to fail than to work are left out.

        Returns
        -------
        Series
            Factors, ``predicted_mean``, ``predicted_low``, ``predicted_high`` (equal-tailed at
            `level`, mean of the setting), ``p_best`` (over "tried": to be the best of them; over
            "space": to be at least as good as all that were tried), ``p_works`` as in `rank`,
            ``over``. A sentence is in ``attrs["sentence"]``, and notes as of `rank` in
            ``attrs["notes"]``.
        """
        d = self._log.declaration
        if over == "tried":
            settings, seen, went = self._tried()
            return recommend.best_tried(settings, seen, d, level, went)
        if over != "space":
            raise CampaignError(unknown(over, ("tried", "space"), "value of over"))

        def decide(state: State) -> tuple[list[Event], tuple[pd.DataFrame, Views, Record | None]]:
            if d.model_body is None and states.tried(state.rows, d).empty:
                raise posterior.nothing_measured(d)
            settings, seen, events = posterior.best_in_space(d, state)
            return events, (settings, seen, failures.record(d.space, state.rows, settings))

        settings, seen, went = self._log.write(decide)
        return recommend.best_in_space(settings, seen, d, level, went)

    def compare(self, a: Any, b: Any, equal_within: float = 0.0) -> Comparison:
        """Compare two settings: ids of suggestions, or settings as mappings.

        Parameters
        ----------
        a, b : str or mapping
        equal_within : float
            Differences of the mean up to this are practically equal: of how close means are to a
            target, of means less ``robust`` sd of the next cell; with several outcomes a share
            (of the desirability, or of the extent of the front).
        """
        d = self._log.declaration

        def decide(state: State) -> tuple[list[Event], tuple[Views, list[str]]]:
            seen, names, events = posterior.pair(d, state, (a, b))
            return events, (seen, names)

        seen, names = self._log.write(decide)
        return recommend.comparison(seen, names, equal_within, d)

    def card(self, suggestion: str) -> Card:
        """One suggestion on a page for the bench; print it, or show it in a notebook."""
        from .cards import card

        return card(self._log.declaration, self._log.state(), suggestion)

    def progress(self, within: float, n: int = 4, price: float | None = None) -> Progress:
        """Is it worth going on? Nothing is written.

        Parameters
        ----------
        within : float
            Difference of the outcome that is practically none; with several outcomes a share (of
            the desirability, or of the extent of the front).
        n : int
            Size of the next batch: the open suggestions, topped up.
        price : float, optional
            What that batch costs, in the unit of the outcome: the least gain worth having it.

        Returns
        -------
        Progress
            Expected gain of the next batch, probability that the recommended setting is within
            `within` of the optimum, settings practically equal to it, and how many more readings
            would settle which of those tried is best, or which level of what it is to decide;
            ``stop`` where there is a price.
        """
        from .standing import standing

        return standing(self._log.declaration, self._log.state(), within, n, price)

    def plan(self, prices: Prices | None = None, **options: Any) -> Plan:
        """The open suggestions as a sequence of runs; nothing is written.

        Parameters
        ----------
        prices : Prices, optional
            Those of the declaration where none are given.
        **options
            Of `doe.plan`: budget, days, hours, gain, blocks, rises, start, cells. What a setting
            costs is as declared, unless cost= gives another formula, or None. The control recipe
            is the campaign's, the seed comes from its own. Where a budget or days are given, runs
            of the most expected gain for their price come first; gain= may name another column of
            `suggestions`.

        Returns
        -------
        Plan
        """
        from .sequence import planned

        return planned(self._log.declaration, self._log.state(), prices, options)

    def control(self, settings: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Declare the control recipe, or without settings say which it is."""
        from . import sequence

        if settings is not None:
            self._log.write(lambda s: (sequence.declared(self._log.declaration, s, settings), None))
        return sequence.recipe_of(self._log.state())

    def chart(self, outcome: str | None = None, **options: Any) -> Chart:
        """Control chart of the recorded control cells; options of `doe.control_chart`."""
        from .sequence import charted

        return charted(self._log.declaration, self._log.state(), outcome, options)

    def close(self) -> None:
        """Forget a campaign in memory; a file needs no closing."""
        self._log.close()

    def __repr__(self) -> str:
        body = self._log.declaration.model_body
        return (
            f"Campaign({self._log.declaration.goals}, model={body['name'] if body else None}, "
            f"{self._log.name})"
        )

    def _tried(self) -> tuple[pd.DataFrame, Views, Record | None]:
        """Settings tried, with draws of their true means, and how their process went."""
        d = self._log.declaration

        def decide(state: State) -> tuple[list[Event], tuple[pd.DataFrame, Views, Record | None]]:
            settings, found, events = posterior.tried(d, state)
            return events, (settings, found, failures.record(d.space, state.rows, settings))

        return self._log.write(decide)
