"""The cheapest order of runs: exact for few, nearest neighbour and 2-opt for many.

Among orders of equal price one is drawn at random: where change-overs cost nothing, the order of
runs is a random permutation.

References
----------
Held and Karp, J. Soc. Ind. Appl. Math. 10 (1962) 196. Croes, Oper. Res. 6 (1958) 791 (2-opt).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

EXACT = 9
"""Runs up to which the order is the cheapest there is."""
_JITTER = 1e-9


def order(price: np.ndarray, first: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Order of runs of the least total price.

    Parameters
    ----------
    price : ndarray, shape (n, n)
        Of the change-over from run i to run j; need not be symmetric.
    first : ndarray, shape (n,)
        Of beginning with run j.
    rng : numpy.random.Generator
        Decides between orders of equal price.

    Returns
    -------
    list of int
    """
    n = len(first)
    if n < 2:
        return list(range(n))
    unit = _JITTER * (1.0 + float(price.max(initial=0.0)))
    full = np.zeros((n + 2, n + 2))  # two more: where it begins, and the end, which is free
    full[:n, :n] = price + unit * rng.random((n, n))
    full[n, :n] = first + unit * rng.random(n)
    return _exact(full, n) if n <= EXACT else _improved(full, _nearest(full, n))


def total(price: np.ndarray, first: np.ndarray, path: list[int]) -> float:
    """Price of an order."""
    return float(first[path[0]] + sum(price[a, b] for a, b in pairwise(path)))


def _exact(full: np.ndarray, n: int) -> list[int]:
    """Dynamic programming over the set of runs done and the last of them."""
    best = np.full((1 << n, n), np.inf)
    came = np.zeros((1 << n, n), dtype=int)
    best[1 << np.arange(n), np.arange(n)] = full[n, :n]
    for done in range(1, 1 << n):
        for k in range(n):
            if done >> k & 1 and done != 1 << k:
                way = best[done ^ (1 << k)] + full[:n, k]
                came[done, k] = way.argmin()
                best[done, k] = way[came[done, k]]
    done, k = (1 << n) - 1, int(best[-1].argmin())
    path = [k]
    while done != 1 << k:
        done, k = done ^ (1 << k), int(came[done, k])
        path.append(k)
    return path[::-1]


def _nearest(full: np.ndarray, n: int) -> list[int]:
    """Of the paths that always go to the nearest run, one from each beginning, the cheapest."""
    found, least = list(range(n)), np.inf
    for start in range(n):
        path, left = [start], np.ones(n, dtype=bool)
        left[start], cost = False, full[n, start]
        while left.any():
            way = np.where(left, full[path[-1], :n], np.inf)
            k = int(way.argmin())
            cost += way[k]
            path.append(k)
            left[k] = False
        if cost < least:
            found, least = path, cost
    return found


def _improved(full: np.ndarray, path: list[int]) -> list[int]:
    """2-opt: turn round the stretch that saves most, until none does."""
    n = len(path)
    at = np.array([n, *path, n + 1])
    first, last = np.triu_indices(n, 1)
    first, last = first + 1, last + 1
    for _ in range(10 * n):
        forth = np.concatenate([[0.0], np.cumsum(full[at[:-1], at[1:]])])
        back = np.concatenate([[0.0], np.cumsum(full[at[1:], at[:-1]])])
        before = full[at[first - 1], at[first]] + full[at[last], at[last + 1]]
        after = full[at[first - 1], at[last]] + full[at[first], at[last + 1]]
        saved = before + forth[last] - forth[first] - after - back[last] + back[first]
        k = int(saved.argmax())
        if saved[k] <= 1e-12:
            break
        i, j = first[k], last[k]
        at[i : j + 1] = at[i : j + 1][::-1].copy()
    return at[1:-1].tolist()
