"""How long a record of 100,000 rows and a folder of 200 exports take. All data are simulated.

    python benchmarks/exports.py

Prints one table: for each file format the seconds to read a long record, to find its rests, and
to differentiate one half cycle; then the seconds for the folder. Best of three.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from ssbayes import data

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "data"))
sim: Any = importlib.import_module("simulated_exports")


def best(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """Seconds of the fastest of several runs, and what it gave."""
    spent, made = [], None
    for _ in range(times):
        began = time.perf_counter()
        made = work()
        spent.append(time.perf_counter() - began)
    return min(spent), made


def main() -> None:
    table, _ = sim.record(sim.Cell("long", points=6230, rates=[0.1] * 8))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in sim.KINDS:
            path = sim.write(table, Path(folder) / "long", kind)
            read, record = best(lambda path=path: data.read_cycler(path, vs="InLi"))
            rests, found = best(lambda record=record: data.rests(record))
            slope, _ = best(lambda record=record: data.dq_dv(record, 2))
            rows.append({"what": f"{len(table):,} rows, {kind}",
                         "MB": path.stat().st_size / 1e6, "read_s": read, "rests_s": rests,
                         "dq_dv_s": slope, "found": f"{len(found)} rests"})
        week = sim.folder(Path(folder) / "week", 200)
        spent, made = best(lambda: data.cells(week.path, week.sheet, vs="InLi"))
        rows.append({"what": "200 exports and their sheet", "read_s": spent,
                     "found": f"{len(made.faults)} faults of {len(week.faults)}"})
    print(pd.DataFrame(rows).to_string(index=False, na_rep="", float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
