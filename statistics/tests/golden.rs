//! Parity with scipy (and mpmath where scipy has lost its digits): every case of `golden.json`, written by `golden.py`.
//!
//! Statistics to 1e-10, p-values to 1e-8 relative, those of far tails to 1e-6.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use statistics::proportion::Proportion;
use statistics::{chi_square, cramer_von_mises, distribution, divergence, hypergeometric, kolmogorov, ks};
use statistics::{mann_whitney, multiple, proportion, psi, wasserstein};

const STATISTIC: f64 = 1e-10;
const P_VALUE: f64 = 1e-8;
const FAR_TAIL: f64 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(rename = "in")]
    given: Value,
    out: Value,
}

impl Case {
    fn given(&self, key: &str) -> f64 {
        number(&self.given[key])
    }

    fn out(&self, key: &str) -> f64 {
        number(&self.out[key])
    }

    /// Equal to the reference value within this share of it.
    fn close(&self, key: &str, ours: f64, relative: f64) {
        let theirs = self.out(key);
        let equal = ours == theirs || (ours - theirs).abs() <= relative * theirs.abs();
        assert!(equal, "{} {}: {key} is {ours:e}, not {theirs:e}", self.name, self.given);
    }

    /// A number that is computed by subtracting larger ones: so close absolutely, or relatively where it is large.
    fn near(&self, key: &str, ours: f64) {
        let theirs = self.out(key);
        let equal = (ours - theirs).abs() <= STATISTIC * theirs.abs().max(1.0);
        assert!(equal, "{} {}: {key} is {ours:e}, not {theirs:e}", self.name, self.given);
    }

    fn p_value(&self, key: &str, ours: f64) {
        self.close(key, ours, if self.out(key) < 1e-6 { FAR_TAIL } else { P_VALUE });
    }

    fn table(&self) -> (Vec<u64>, Vec<u64>) {
        let rows: Vec<Vec<u64>> = serde_json::from_value(self.given["table"].clone()).expect("two rows of counts");
        (rows[0].clone(), rows[1].clone())
    }
}

fn number(value: &Value) -> f64 {
    if value == "inf" { f64::INFINITY } else { value.as_f64().expect("a number") }
}

/// Counts over every value that occurs, and those values.
struct Binned {
    values: Vec<f64>,
    reference: Vec<u64>,
    current: Vec<u64>,
}

fn binned(reference: &[f64], current: &[f64]) -> Binned {
    let mut values: Vec<f64> = reference.iter().chain(current).copied().collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let count = |sample: &[f64]| {
        let mut counts = vec![0; values.len()];
        for value in sample {
            counts[values.binary_search_by(|other| other.total_cmp(value)).expect("one of the values")] += 1;
        }
        counts
    };
    Binned { reference: count(reference), current: count(current), values }
}

/// The generator of `golden.py`.
fn lcg(seed: u64, count: u64) -> Vec<f64> {
    let mut x = seed;
    (0..count)
        .map(|_| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (x >> 11) as f64 / (1u64 << 53) as f64
        })
        .collect()
}

fn samples(case: &Case) -> Binned {
    let (n, m) = (case.given["n"].as_u64().expect("a size"), case.given["m"].as_u64().expect("a size"));
    let shift = case.given("shift_b");
    let levels = case.given["levels"].as_f64();
    let value = |u: f64| levels.map_or(u, |levels| (u * levels).floor());
    let reference: Vec<f64> = lcg(1, n).into_iter().map(value).collect();
    let current: Vec<f64> = lcg(2, m).into_iter().map(|u| value(u + shift)).collect();
    binned(&reference, &current)
}

#[test]
fn every_golden_number_is_met() {
    let golden: Golden = serde_json::from_str(include_str!("golden.json")).expect("golden.json");
    let mut checked: BTreeMap<&str, u32> = BTreeMap::new();
    let mut failed = Vec::new();
    for case in &golden.cases {
        // each case on its own, so that one report shows them all
        if std::panic::catch_unwind(|| check(case)).is_err() {
            failed.push(format!("{} {}", case.name, case.given));
        }
        *checked.entry(&case.name).or_default() += 1;
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(checked.values().sum::<u32>(), 134, "{checked:?}");
}

fn check(case: &Case) {
    match case.name.as_str() {
        "ks_2samp" => kolmogorov_smirnov(case),
        "ks_2samp_ties" => ties(case),
        "wasserstein_1" => {
            let Binned { values, reference, current } = samples(case);
            case.close("w1", wasserstein::distance(&values, &reference, &current).expect("a distance"), STATISTIC);
            case.close("energy", wasserstein::energy(&values, &reference, &current).expect("a distance"), STATISTIC);
        }
        "cvm_2samp" => cramer(case),
        "mannwhitneyu" => ranks(case),
        "chi2_contingency" | "chi2_contingency_2x2" | "g_test" | "min_effect_ncx2" => tables(case),
        "fisher_exact" => fisher(case),
        "divergences" | "divergences_zero_bin" => divergences(case),
        "hypergeometric" => splits(case),
        "wilson_ci" => wilson(case),
        "bh" => adjusted(case),
        "two_prop_z" | "psi_null" => others(case),
        _ => laws(case),
    }
}

fn kolmogorov_smirnov(case: &Case) {
    let Binned { values, reference, current } = samples(case);
    let exact = ks::exact(&reference, &current).expect("an outcome");
    case.close("D", exact.statistic, STATISTIC);
    if !case.given["levels"].is_number() {
        case.p_value("p_exact", exact.p_value); // scipy's takes all values for different
    }
    let asymptotic = ks::asymptotic(&reference, &current, 1.0).expect("an outcome");
    case.p_value("p_asymp_kstwo", asymptotic.p_value);
    let distance = ks::distance(&reference, &current).expect("a distance");
    if case.given("n") >= 100.0 && !case.given["levels"].is_number() {
        // smaller or tied samples are equally far apart in several places, of which any is right
        case.near("loc", values[distance.bin]);
        assert_eq!(distance.current_is_lower, case.out("sign") < 0.0);
    }
}

fn ties(case: &Case) {
    let sample = |key: &str| -> Vec<f64> { serde_json::from_value(case.given[key].clone()).expect("values") };
    let Binned { reference, current, .. } = binned(&sample("a"), &sample("b"));
    case.p_value("p_permutation", ks::exact(&reference, &current).expect("an outcome").p_value);
    case.p_value("p_asymp", ks::asymptotic(&reference, &current, 1.0).expect("an outcome").p_value);
}

/// scipy cuts its series at 1e-7, so its p is no better than that; its statistic takes ties for distances.
fn cramer(case: &Case) {
    if case.given["levels"].is_number() {
        return;
    }
    let Binned { reference, current, .. } = samples(case);
    let outcome = cramer_von_mises::asymptotic(&reference, &current, 1.0).expect("an outcome");
    case.near("T", outcome.statistic);
    assert!((outcome.p_value - case.out("p_asymp")).abs() < 1e-7, "{outcome:?} {}", case.out);
}

/// Ours is the U of the current sample, scipy's that of its first.
fn ranks(case: &Case) {
    let Binned { reference, current, .. } = samples(case);
    let outcome = mann_whitney::test(&reference, &current, 1.0).expect("an outcome");
    let pairs = case.given("n") * case.given("m");
    case.close("U", pairs - outcome.statistic, STATISTIC);
    case.near("auc", 1.0 - mann_whitney::auc(&reference, &current).expect("an AUC"));
    case.p_value("p", outcome.p_value);
}

fn tables(case: &Case) {
    let (reference, current) = case.table();
    let outcome = match case.name.as_str() {
        "g_test" => chi_square::g_test(&reference, &current, 1.0),
        "min_effect_ncx2" => chi_square::min_effect(&reference, &current, case.given("w0"), 1.0),
        _ => chi_square::homogeneity(&reference, &current, 1.0),
    };
    let outcome = outcome.expect("an outcome");
    case.close("stat", outcome.statistic, STATISTIC);
    case.p_value("p", outcome.p_value);
    if case.out.get("df").is_some() {
        assert_eq!(outcome.df, Some(case.out("df")));
    }
}

/// scipy's table is [[hits, misses] of the first, of the second]; our odds are those of the current sample.
fn fisher(case: &Case) {
    let (current, reference) = case.table();
    let share = |row: &[u64]| Proportion::new(row[0], row[0] + row[1]).expect("a share");
    let outcome = proportion::fisher(share(&reference), share(&current)).expect("an outcome");
    case.close("odds", outcome.statistic, STATISTIC);
    case.p_value("p", outcome.p_value);
}

fn divergences(case: &Case) {
    // the shares are multiples of a hundredth
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole numbers up to 100")]
    let counts = |key: &str| -> Vec<u64> {
        let shares: Vec<f64> = serde_json::from_value(case.given[key].clone()).expect("shares");
        shares.into_iter().map(|share| (share * 100.0).round() as u64).collect()
    };
    let (p, q) = (counts("p"), counts("q"));
    let raw = psi::index(&p, &q, 1.0).expect("an index").raw;
    for key in case.out.as_object().expect("an object").keys() {
        let ours = match key.as_str() {
            "psi" => Ok(raw.expect("no empty bin")),
            "js_distance_nats" => divergence::js_nats(&p, &q),
            "js_distance_bits" => divergence::js_bits(&p, &q),
            "hellinger" => divergence::hellinger(&p, &q),
            "tv" => divergence::total_variation(&p, &q),
            "linf" => divergence::l_infinity(&p, &q),
            other => panic!("{other} is not checked"),
        };
        case.close(key, ours.expect("a distance"), STATISTIC);
    }
}

fn splits(case: &Case) {
    let pair = |key: &str| -> [u64; 2] { serde_json::from_value(case.given[key].clone()).expect("hits and total") };
    let ([reference_hits, reference], [current_hits, current]) = (pair("reference"), pair("current"));
    let urn = hypergeometric::Urn::new(reference, current).expect("two samples");
    let p_value = urn.two_sided(reference_hits, current_hits).expect("a p-value");
    case.close("p", p_value, P_VALUE);
    assert_eq!(urn.two_sided_below(reference_hits, current_hits, p_value * 0.999), Ok(None));
    assert_eq!(urn.two_sided_below(reference_hits, current_hits, p_value), Ok(Some(p_value)));
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole numbers in the file")]
fn share(case: &Case, hits: &str, total: &str) -> Proportion {
    Proportion::new(case.given(hits) as u64, case.given(total) as u64).expect("a share")
}

fn wilson(case: &Case) {
    let interval = proportion::wilson(share(case, "k", "n"), 0.95, 1.0).expect("an interval");
    case.near("lo", interval.low);
    case.near("hi", interval.high);
}

fn adjusted(case: &Case) {
    let p_values: Vec<f64> = serde_json::from_value(case.given["p"].clone()).expect("p-values");
    let tests = p_values.len();
    let ours = multiple::benjamini_hochberg(&p_values, tests);
    let theirs: Vec<f64> = serde_json::from_value(case.out["bh_adj"].clone()).expect("adjusted p-values");
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        assert!((ours - theirs).abs() <= P_VALUE * theirs, "{ours} {theirs}");
    }
}

fn others(case: &Case) {
    if case.name == "two_prop_z" {
        let outcome = proportion::z_test(share(case, "x1", "n1"), share(case, "x2", "n2"), 1.0).expect("an outcome");
        case.close("z", -outcome.statistic, STATISTIC); // ours is positive where the current share is larger
        case.p_value("p", outcome.p_value);
    } else {
        let (n, m) = (case.given("N"), case.given("M"));
        let bins = usize::try_from(case.given["B"].as_u64().expect("bins")).expect("bins");
        case.close("mean", psi::null_mean(bins, n, m), STATISTIC);
    }
}

fn laws(case: &Case) {
    match case.name.as_str() {
        "kstwo_sf" => {
            let (distance, n) = (case.given("D"), case.given("n"));
            case.p_value("sf", kolmogorov::kstwo_sf(distance, n));
            case.p_value("kolmogorov_sf", kolmogorov::kolmogorov_sf(distance * n.sqrt()));
        }
        "chi2_sf" => case.p_value("sf", distribution::chi_square_sf(case.given("x"), case.given("df"))),
        "ncx2_sf" => {
            let (x, df, lambda) = (case.given("x"), case.given("df"), case.given("lambda"));
            case.p_value("sf", distribution::noncentral_chi_square_sf(x, df, lambda));
        }
        "normal_sf" => case.p_value("sf", distribution::normal_sf(case.given("z"))),
        "normal_isf" => case.near("z", distribution::normal_isf(case.given("p"))),
        "cvm_limit_sf" => case.p_value("sf", distribution::cramer_von_mises_sf(case.given("x"))),
        other => panic!("no test knows {other}"),
    }
}
