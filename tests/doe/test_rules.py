"""The rule language: agrees with Python, refuses the rest, and executes nothing."""

import contextlib
import itertools
import random
import string
from fractions import Fraction

import numpy as np
import pytest
from ssbayes import doe
from ssbayes.doe import pointwise, rules

KINDS = {"rpm": "number", "milling_min": "number", "method": "text"}


def random_number(r: random.Random, depth: int) -> str:
    if depth == 0 or r.random() < 0.3:
        return r.choice(["rpm", "milling_min", f"{r.uniform(-3, 3):.2f}", "2"])
    a, b = random_number(r, depth - 1), random_number(r, depth - 1)
    return r.choice(
        [f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"(-{a})", f"abs({a})",
         f"minimum({a}, {b})", f"maximum({a}, {b})", f"exp(-abs({a}))"]
    )  # fmt: skip


def random_rule(r: random.Random, depth: int) -> str:
    if depth == 0 or r.random() < 0.3:
        a, b = random_number(r, 2), random_number(r, 2)
        op = r.choice(["<", "<=", ">", ">=", "==", "!="])
        if r.random() < 0.2:
            return f"{a} {op} {b} <= {random_number(r, 1)}"
        return r.choice([f"{a} {op} {b}", "method == 'hand'", "method != 'mill'"])
    a, b = random_rule(r, depth - 1), random_rule(r, depth - 1)
    return r.choice([f"({a} and {b})", f"({a} or {b})", f"not ({a})"])


def test_agrees_with_python_itself(rng):
    """500 generated rules at 20 points: the same truth as Python, and violation 0 exactly there."""
    r = random.Random(7)
    values = {
        "rpm": rng.normal(size=20),
        "milling_min": rng.integers(-2, 3, 20).astype(float),
        "method": np.array(["hand", "mill"], dtype=object)[rng.integers(0, 2, 20)],
    }
    functions = {"abs": abs, "exp": np.exp, "minimum": min, "maximum": max}
    for _ in range(500):
        text = random_rule(r, 3)
        negated = r.random() < 0.3
        rule = rules.parse(f"{text} or rpm > 1e9", KINDS, negated=negated)
        expected = [
            bool(eval(text, functions, {n: v[i] for n, v in values.items()})) != negated
            for i in range(20)
        ]
        one_by_one = pointwise.predicate(rule)
        assert [one_by_one({n: v[i] for n, v in values.items()}) for i in range(20)] == expected
        holds = np.broadcast_to(rule.satisfied(values), 20)
        assert holds.tolist() == expected, text
        assert (np.broadcast_to(rule.violation(values), 20) == 0).tolist() == expected, text


@pytest.mark.parametrize("op", ["<", "<=", ">", ">=", "==", "!="])
@pytest.mark.parametrize("negated", [False, True])
def test_sums_and_products_of_decimals_are_compared_as_decimals(op, negated):
    """All pairs of hundredths and of tenths against the same comparison of fractions."""
    tenths, hundredths = range(0, 30), range(15, 81)
    for text, steps, unit in (
        (f"rpm + milling_min {op} 0.95", hundredths, 100),
        (f"rpm * milling_min {op} 0.6", tenths, 10),
        (f"0.3 - rpm {op} milling_min - 2.1", tenths, 10),
    ):
        pairs = list(itertools.product(steps, steps))
        exact = {"rpm": [Fraction(a, unit) for a, _ in pairs],
                 "milling_min": [Fraction(b, unit) for _, b in pairs]}  # fmt: skip
        decimals = text.replace("0.95", "F(95, 100)").replace("0.6", "F(6, 10)")
        decimals = decimals.replace("0.3", "F(3, 10)").replace("2.1", "F(21, 10)")
        wanted = [
            eval(decimals, {"F": Fraction}, {"rpm": a, "milling_min": b}) != negated
            for a, b in zip(*exact.values(), strict=True)
        ]
        rule = rules.parse(text, KINDS, negated=negated)
        typed = {n: np.array([float(v) for v in column]) for n, column in exact.items()}
        one_by_one = pointwise.predicate(rule)
        assert rule.satisfied(typed).tolist() == wanted, text
        assert (rule.violation(typed) == 0).tolist() == wanted, text
        rows = zip(*typed.values(), strict=True)
        assert [one_by_one(dict(zip(typed, row, strict=True))) for row in rows] == wanted, text


def test_infinity_is_near_to_no_number():
    for number in (-np.inf, 0.0, 1e308):
        rule = rules.parse("rpm < milling_min", KINDS)
        values = {"rpm": number, "milling_min": np.inf}
        assert rule.satisfied(values)
        assert pointwise.predicate(rule)(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rmp <= 3", "did you mean 'rpm'"),
        ("rpm = 3", "write '==' to compare"),
        ("rpm => 3", "write '>=' for '=>'"),
        ("rpm \u2265 3", "write '>=' for '\u2265'"),
        ("rpm < 3 && milling_min < 2", "write 'and' for '&&'"),
        ("rpm > 900,5", "write decimals with a point"),
        ("rpm > 8 rpm", "comparisons joined by"),
        ("rpm", "is a number, not a comparison"),
        ("1 < 2", "names no column"),
        ("rpm < 3 & milling_min < 2", "write 'and' for '&'"),
        ("rpm and milling_min", "needs a truth, this is a number"),
        ("method <= 'hand'", "text can only be compared by == and !="),
        ("method == 3", "a text is compared with a number"),
        ("rpm in (1, 2)", "a == 'x' or a == 'y' for 'in'"),
        ("min(rpm, 3) < 4", "did you mean 'minimum'"),
        ("log(rpm, 2) < 4", "log takes one argument"),
        ("minimum(rpm) < 4", "two or more"),
        ("rpm < True", "Constant is not allowed"),
        ("rpm % 2 == 0", "Mod is not allowed"),
        ("rpm < 3 if rpm else rpm > 1", "IfExp is not allowed"),
        ("(rpm := 3) < 4", "write '==' to compare"),
        ("rpm.real < 3", "Attribute is not allowed"),
        ("rpm[0] < 3", "Subscript is not allowed"),
        ("__import__('os').system('true') == 0", "no function"),
        ("(lambda: rpm)() < 3", "no function"),
        ("[x for x in (1,)] == 1", "ListComp is not allowed"),
        ("f'{rpm}' == 'x'", "JoinedStr is not allowed"),
        ("rpm < 3; rpm > 2", "cannot be read"),
        ("rpm <", "cannot be read"),
        ("", "cannot be read"),
        ("rpm < 1" + " and rpm < 1" * 80, "500 are allowed"),
        ("rpm <" + "-" * 200 + "1", "more than 200 parts"),
        ("rpm\x00 < 1", "cannot be read"),
    ],
)
def test_refuses_with_the_place_and_the_mend(text, message):
    with pytest.raises(doe.RuleError) as caught:
        rules.parse(text, KINDS)
    assert message in str(caught.value)


def test_only_rule_errors_come_out_of_nonsense():
    r = random.Random(3)
    tokens = ["rpm", "(", ")", "and", "not", "<", "1", "'a'", "**", "lambda", ":", "log", "[", "\n"]
    for _ in range(3000):
        text = " ".join(r.choices(tokens, k=r.randint(1, 12)))
        if r.random() < 0.3:
            text = "".join(r.choices(string.printable, k=20))
        with contextlib.suppress(doe.RuleError):
            rules.parse(text, KINDS)


def test_huge_numbers_end_at_once_as_infinity():
    assert rules.parse("rpm < 9**9**9**9", KINDS).satisfied({"rpm": [1.0]}).all()
    assert rules.parse(f"rpm < {'9' * 400}", KINDS).satisfied({"rpm": [1.0]}).all()


@pytest.mark.parametrize("missing", [np.nan, None])
def test_a_missing_value_is_an_error_even_where_python_would_say_true(missing):
    rule = rules.parse("not (rpm >= 800)", KINDS)
    with pytest.raises(doe.RuleError, match="'rpm', which is missing in row 1"):
        rule.satisfied({"rpm": np.array([1.0, missing], dtype=object)})
    with pytest.raises(doe.RuleError, match="'method', which is missing in row 0"):
        rules.parse("method != 'hand'", KINDS).satisfied({"method": [missing]})
    with pytest.raises(doe.RuleError, match="not given"):
        rule.satisfied({})


def test_an_undefined_number_holds_neither_plainly_nor_negated():
    values = {"rpm": np.array([-1.0])}
    for text in ("log(rpm) < 3", "log(rpm) >= 3", "log(rpm) != 3", "not (log(rpm) < 3)"):
        rule = rules.parse(text, KINDS)
        assert not rule.satisfied(values).any()
        assert not pointwise.predicate(rule)({"rpm": -1.0})
        assert rule.violation(values)[0] > 0


def test_violation_grows_with_the_distance_and_adds_and_takes_the_smallest():
    values = {"rpm": np.array([100.0, 130.0, 160.0])}
    assert rules.parse("rpm <= 100", KINDS).violation(values).tolist() == [0, 30, 60]
    assert rules.parse("rpm <= 100 and rpm <= 90", KINDS).violation(values)[1] == 70
    assert rules.parse("rpm <= 100 or rpm >= 150", KINDS).violation(values).tolist() == [0, 20, 0]
    assert rules.parse("not (rpm > 100 or rpm < 0)", KINDS).violation(values)[2] == 60


def test_draws_by_rows_give_a_probability(rng):
    rule = rules.parse("rpm + milling_min <= 1", KINDS)
    draws = rng.normal(size=(4000, 1))
    holds = rule.satisfied({"rpm": draws, "milling_min": np.array([0.0, 1.0])})
    assert holds.shape == (4000, 2)
    assert holds.mean(axis=0) == pytest.approx([0.841, 0.5], abs=0.03)


def test_formula_is_a_number():
    formula = rules.parse_formula("rpm * milling_min", KINDS)
    assert formula({"rpm": [2.0, 3.0], "milling_min": 5.0}).tolist() == [10, 15]
    with pytest.raises(doe.RuleError, match="should give a number"):
        rules.parse_formula("rpm < 3", KINDS)
