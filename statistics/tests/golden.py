"""Reference values for the parity tests: python golden.py > golden.json, with scipy 1.17.1, numpy 2.4.6, mpmath 1.3.0.

Calls only. Random inputs come from a linear congruential generator that Rust rebuilds. Where scipy itself has lost its
digits (far tails, counts of 10^9), the value is computed with mpmath or with whole numbers, and the case says so.
"""

import json
import math
import sys
from fractions import Fraction

import mpmath
import numpy as np
import scipy
from scipy import stats
from scipy.spatial.distance import jensenshannon

CASES = []
mpmath.mp.dps = 40


def case(name, given, out):
    CASES.append({"name": name, "in": given, "out": out})


def lcg(seed, n):
    """x = (6364136223846793005 x + 1442695040888963407) mod 2^64, u = (x >> 11) / 2^53"""
    x, values = seed, []
    for _ in range(n):
        x = (6364136223846793005 * x + 1442695040888963407) % (1 << 64)
        values.append((x >> 11) / (1 << 53))
    return values


def samples(given, a, b):
    exact, asymptotic = stats.ks_2samp(a, b, method="exact"), stats.ks_2samp(a, b, method="asymp")
    out = {"D": exact.statistic, "p_exact": exact.pvalue, "p_asymp_kstwo": asymptotic.pvalue}
    case("ks_2samp", given, out | {"loc": float(exact.statistic_location), "sign": int(exact.statistic_sign)})
    w1, energy = stats.wasserstein_distance(a, b), stats.energy_distance(a, b)
    case("wasserstein_1", given, {"w1": w1, "energy": energy})
    cvm = stats.cramervonmises_2samp(a, b, method="asymptotic")
    case("cvm_2samp", given, {"T": cvm.statistic, "p_asymp": cvm.pvalue})
    rank = stats.mannwhitneyu(a, b, method="asymptotic")
    case("mannwhitneyu", given, {"U": rank.statistic, "p": rank.pvalue, "auc": rank.statistic / (len(a) * len(b))})


def two_samples():
    sizes = [(7, 9, 0.0), (20, 30, 0.1), (100, 100, 0.1), (1000, 200, 0.05), (5000, 5000, 0.02)]
    for n, m, shift in sizes + [(300, 10, 0.3), (2000, 900, 0.4), (2, 2, 0.0), (2, 40, 0.2)]:
        a, b = np.array(lcg(1, n)), np.array(lcg(2, m)) + shift
        samples({"gen": "lcg", "seed": [1, 2], "n": n, "m": m, "shift_b": shift}, a, b)
    # rounded down to few values: ties in every test
    for n, m, shift, levels in [(50, 60, 0.1, 5), (400, 300, 0.05, 20)]:
        a, b = np.floor(np.array(lcg(1, n)) * levels), np.floor((np.array(lcg(2, m)) + shift) * levels)
        samples({"gen": "lcg", "seed": [1, 2], "n": n, "m": m, "shift_b": shift, "levels": levels}, a, b)
    a, b = [0, 0, 1, 1, 1, 2, 2, 5], [0, 1, 1, 2, 2, 2, 2, 5, 5]
    asymptotic = stats.ks_2samp(a, b, method="asymp")
    out = {"D": asymptotic.statistic, "p_asymp": asymptotic.pvalue, "p_permutation": permutation(a, b)}
    case("ks_2samp_ties", {"a": a, "b": b}, out)


def permutation(a, b):
    """The exact p of the distance over all relabellings, ties kept: a count of paths in whole numbers."""
    n, m, values = len(a), len(b), sorted(set(a + b))
    counts = [a.count(v) + b.count(v) for v in values]
    observed = max(abs(sum(x <= v for x in a) * m - sum(x <= v for x in b) * n) for v in values)
    ways, below = {0: 1}, 0  # how many of a lie below -> in how many ways without having reached the distance
    for count in counts:
        following = {}
        for i, number in ways.items():
            for k in range(count + 1):
                if abs((i + k) * m - (below + count - i - k) * n) < observed:
                    following[i + k] = following.get(i + k, 0) + number * math.comb(count, k)
        ways, below = following, below + count
    return float(1 - Fraction(ways.get(n, 0), math.comb(n + m, n)))


def tables():
    wide = [[400, 300, 200, 100], [380, 310, 190, 120]]
    result = stats.chi2_contingency(wide, correction=False)
    case("chi2_contingency", {"table": wide}, {"stat": result.statistic, "p": result.pvalue, "df": result.dof})
    narrow = [[950, 50], [900, 100]]
    result = stats.chi2_contingency(narrow, correction=False)
    case("chi2_contingency_2x2", {"table": narrow}, {"stat": result.statistic, "p": result.pvalue, "df": result.dof})
    for table in (narrow, [[3, 7], [9, 1]], [[10, 10], [10, 10]], [[12000, 345], [11000, 600]], [[5, 0], [1, 6]]):
        result = stats.fisher_exact(table)
        case("fisher_exact", {"table": table}, {"odds": result.statistic if math.isfinite(result.statistic) else "inf", "p": result.pvalue})
    far = [[1000000, 2000, 30000], [900000, 9000, 40000]]
    for table in (wide, far):
        result = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
        case("g_test", {"table": table}, {"stat": result.statistic, "p": result.pvalue, "df": result.dof})
    statistic = stats.chi2_contingency(wide, correction=False).statistic
    noncentrality = 1000 * 1000 / 2000 * 0.01
    out = {"stat": statistic, "lambda": noncentrality, "p": float(stats.ncx2.sf(statistic, 3, noncentrality))}
    case("min_effect_ncx2", {"table": wide, "w0": 0.01}, out)


def divergences():
    p, q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.38, 0.31, 0.19, 0.12])
    hellinger = lambda p, q: float(np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2))
    out = {"psi": float(((p - q) * np.log(p / q)).sum())}
    out |= {"js_distance_nats": float(jensenshannon(p, q)), "js_distance_bits": float(jensenshannon(p, q, 2))}
    out |= {"hellinger": hellinger(p, q), "tv": float(abs(p - q).sum() / 2), "linf": float(abs(p - q).max())}
    case("divergences", {"p": p.tolist(), "q": q.tolist()}, out)
    p, q = np.array([0.5, 0.3, 0.2, 0]), np.array([0.4, 0.3, 0.2, 0.1])
    out = {"js_distance_nats": float(jensenshannon(p, q)), "js_distance_bits": float(jensenshannon(p, q, 2))}
    out |= {"hellinger": hellinger(p, q)}
    case("divergences_zero_bin", {"p": p.tolist(), "q": q.tolist()}, out)
    for n, m, bins in [(100000, 5000, 10), (1000, 1000, 20)]:
        case("psi_null", {"N": n, "M": m, "B": bins}, {"mean": (bins - 1) * (1 / n + 1 / m)})


def laws():
    points = [(0.05, 500), (0.1, 100), (0.02, 10000), (0.3, 5), (0.12, 30), (0.9, 12), (0.004, 141), (0.06, 141), (0.03, 1000)]
    points += [(0.3, 900), (0.005, 50000), (0.02, 50000), (0.004, 400000), (0.01, 1000000), (0.45, 1500), (0.6, 40), (0.01, 2500)]
    for distance, n in points:
        out = {"sf": float(stats.kstwo.sf(distance, n)), "kolmogorov_sf": float(stats.kstwobign.sf(distance * math.sqrt(n)))}
        case("kstwo_sf", {"D": distance, "n": n}, out)
    for x, df in [(0.5, 1), (30, 1), (1400.5, 3), (149, 149), (350, 149), (1000.0, 1023), (100500, 99999), (102500, 99999)]:
        case("chi2_sf", {"x": x, "df": df}, {"sf": float(ncx2_sf(x, df, 0))})
    points = [(5, 3, 2), (2, 3, 10), (60, 3, 5), (300, 9, 20), (900, 9, 40), (160, 149, 25), (60, 149, 25), (1200, 9, 100)]
    for x, df, noncentrality in points + [(12000, 3, 10000), (9500, 149, 10000), (1010000, 9, 1000000), (0.1, 2, 0.001)]:
        case("ncx2_sf", {"x": x, "df": df, "lambda": noncentrality}, {"sf": float(ncx2_sf(x, df, noncentrality))})
    for z in (-3, 0, 0.1, 1.96, 5, 12, 37):
        case("normal_sf", {"z": z}, {"sf": float(mpmath.erfc(z / mpmath.sqrt(2)) / 2)})
    for p in (0.9, 0.5, 0.05, 1e-3, 1e-10, 1e-100, 1e-300):
        case("normal_isf", {"p": p}, {"z": float(stats.norm.isf(p))})
    for x in (0.02, 0.05, 0.1, 0.2, 0.46136, 0.74346, 1.5, 4, 12, 60):
        case("cvm_limit_sf", {"x": x}, {"sf": float(cvm_limit_sf(mpmath.mpf(x)))})


def ncx2_sf(x, df, noncentrality):
    """The Poisson mixture in 40 digits, from its largest term outward (noncentrality 0: the central law)."""
    mean, y, total = mpmath.mpf(noncentrality) / 2, mpmath.mpf(x) / 2, mpmath.mpf(0)
    centre = max(float(mean), float(mpmath.sqrt(mean * y)))
    reach = int(14 * math.sqrt(centre + 1) + 60)
    first, last = (max(0, int(centre) - reach), int(centre) + reach) if noncentrality else (0, 0)
    # central tails climb from one half or one, by adding
    a = mpmath.mpf(1) / 2 if df % 2 else mpmath.mpf(1)
    tail = mpmath.erfc(mpmath.sqrt(y)) if df % 2 else mpmath.exp(-y)
    step = mpmath.exp(a * mpmath.log(y) - y - mpmath.loggamma(a + 1))
    while a < mpmath.mpf(df) / 2 + first:
        tail += step
        a += 1
        step *= y / a
    if noncentrality == 0:
        return tail
    weight = mpmath.exp(first * mpmath.log(mean) - mean - mpmath.loggamma(first + 1))
    for j in range(first, last + 1):
        total += weight * tail
        tail += step
        a += 1
        step *= y / a
        weight *= mean / (j + 1)
    return total


def cvm_limit_sf(x):
    """Smirnov's integral; the substitution takes the singular ends out."""
    total, k = mpmath.mpf(0), 1
    while True:
        low = (2 * k - 1) * mpmath.pi

        def integrand(angle):
            u = mpmath.sin(angle) ** 2
            t = low + mpmath.pi * u
            return mpmath.sqrt(t * u * (1 - u) / mpmath.sin(mpmath.pi * u)) * mpmath.exp(-x * t * t / 2) / t

        term = 4 * mpmath.quad(integrand, [mpmath.mpf("1e-30"), 0.02, 0.05, 0.1, 0.2, 0.4, mpmath.pi / 4, mpmath.pi / 2 - mpmath.mpf("1e-18")])
        total += term if k % 2 else -term
        if abs(term) < abs(total) * mpmath.mpf("1e-18"):
            return total
        k += 1


def splits():
    """Fisher's two-sided p for counts that scipy's log-gamma loses digits on, in whole numbers."""
    sizes = (10**9, 10**7)
    for reference_hits, current_hits in [(100, 0), (100, 9), (1000, 30), (20000, 320), (5, 5), (0, 3), (90000, 2000)]:
        ways = lambda k: math.comb(sizes[1], k) * math.comb(sizes[0], hits - k)
        hits = reference_hits + current_hits
        # C(n, k) by its neighbour: math.comb of 10^9 over 10^4 is a number of 10^5 digits, so ratios in 40 digits do
        ratio = lambda k: mpmath.mpf(hits - k) / (k + 1) * (sizes[1] - k) / (sizes[0] - hits + k + 1)
        expected = hits * sizes[1] / sum(sizes)
        lo = max(0, int(expected - 60 * math.sqrt(expected + 1) - current_hits))
        hi = min(hits, int(expected + 60 * math.sqrt(expected + 1) + 2 * current_hits + 50))
        density, value = [], mpmath.mpf(1)
        for k in range(lo, hi + 1):
            density.append(value)
            value *= ratio(k)
        whole = mpmath.fsum(density)
        seen = density[current_hits - lo]
        p = mpmath.fsum(d for d in density if d <= seen * (1 + mpmath.mpf("1e-7"))) / whole
        given = {"reference": [reference_hits, sizes[0]], "current": [current_hits, sizes[1]]}
        case("hypergeometric", given, {"p": float(p)})


def many():
    p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216, 0.222, 0.251, 0.269, 0.275, 0.34, 0.341]
    p += [0.384, 0.569, 0.594, 0.696, 0.762, 0.94, 0.942, 0.975, 0.986]
    case("bh", {"p": p}, {"bh_adj": stats.false_discovery_control(p, method="bh").tolist()})
    for k, n in [(0, 50), (3, 50), (25, 50), (50, 50), (123, 100000)]:
        interval = stats.binomtest(k, n).proportion_ci(0.95, "wilson")
        case("wilson_ci", {"k": k, "n": n}, {"lo": interval.low, "hi": interval.high})
    z = (0.05 - 0.1) / math.sqrt(0.075 * 0.925 * (1 / 1000 + 1 / 1000))
    given = {"x1": 50, "n1": 1000, "x2": 100, "n2": 1000}
    case("two_prop_z", given, {"z": z, "p": float(2 * stats.norm.sf(abs(z)))})


for part in (two_samples, tables, divergences, laws, splits, many):
    part()
json.dump({"scipy": scipy.__version__, "numpy": np.__version__, "mpmath": mpmath.__version__, "cases": CASES}, sys.stdout, indent=0)
