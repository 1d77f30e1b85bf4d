//! Figures for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::experiment::Outcome;
use super::measure::{AtRate, Figures, Share};

/// One experiment as text.
pub(crate) fn text(outcome: &Outcome) -> String {
    if outcome.is_shuffle() {
        // The means over all deals follow; a table for each would bury them.
        return format!("\n{}, {}: done\n", outcome.set, outcome.order.text());
    }
    let mut text = format!("\n== {}, {}\n", outcome.set, outcome.order.text());
    for (what, number) in &outcome.sizes {
        line(&mut text, format_args!("   {what}: {number}"));
    }
    line(&mut text, format_args!("{:<38} {:>20}  {}", "", "AUC (95 %)", heads()));
    for figures in &outcome.methods {
        let (low, high) = figures.auc_interval;
        let method = figures.scores.method;
        line(
            &mut text,
            format_args!(
                "{method:<38} {:.3} ({low:.3}–{high:.3})  {}",
                figures.auc,
                rates(figures)
            ),
        );
    }
    if 1 < outcome.kinds.len() {
        line(&mut text, format_args!("detected by kind at a nominal 0.1 / 1 / 5 %:"));
        for (kind, shares) in &outcome.kinds {
            let shares: Vec<String> =
                shares.iter().map(|share| format!("{}/{}", share.hits, share.all)).collect();
            line(&mut text, format_args!("   {kind:<20} {}", shares.join("  ")));
        }
    }
    text
}

fn heads() -> String {
    ["0.1", "1", "5"]
        .map(|rate| format!("{:<38}", format!("at {rate} %: found, false alarms")))
        .concat()
}

fn rates(figures: &Figures) -> String {
    figures.at.iter().map(|at| format!("{:<38}", rate(at))).collect()
}

fn rate(at: &AtRate) -> String {
    if at.threshold.is_none() {
        return "calibration too short".to_owned();
    }
    let interval = |share: Share| {
        let (low, high) = share.interval();
        format!("{:.1} ({low:.1}–{high:.1})", share.percent())
    };
    format!("{}, {}", interval(at.detected), interval(at.false_alarms))
}

/// The mean over shuffles of one set and method.
#[derive(Default)]
pub(crate) struct Pooled {
    n_shuffles: usize,
    auc: f64,
    /// By nominal rate: detected and falsely alarmed, in percent. Not a number where calibration is too short.
    at: Vec<(f64, f64)>,
}

/// Means over the shuffles, by set and method.
pub(crate) fn pooled(outcomes: &[Outcome]) -> BTreeMap<(&'static str, &'static str), Pooled> {
    let mut all: BTreeMap<_, Pooled> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.is_shuffle()) {
        for figures in &outcome.methods {
            let pooled = all.entry((outcome.set, figures.scores.method)).or_default();
            pooled.n_shuffles += 1;
            pooled.auc += figures.auc;
            pooled.at.resize(figures.at.len(), (0.0, 0.0));
            for (sum, at) in pooled.at.iter_mut().zip(&figures.at) {
                let too_short = if at.threshold.is_none() { f64::NAN } else { 0.0 };
                sum.0 += at.detected.percent() + too_short;
                sum.1 += at.false_alarms.percent() + too_short;
            }
        }
    }
    for pooled in all.values_mut() {
        let n_shuffles = pooled.n_shuffles as f64;
        pooled.auc /= n_shuffles;
        for (detected, false_alarms) in &mut pooled.at {
            *detected /= n_shuffles;
            *false_alarms /= n_shuffles;
        }
    }
    all
}

pub(crate) fn pooled_text(pooled: &BTreeMap<(&'static str, &'static str), Pooled>) -> String {
    let mut text =
        String::from("\n== means over shuffles: AUC; found and false alarms in % at 0.1, 1, 5 %\n");
    for ((set, method), means) in pooled {
        let at: Vec<String> = means
            .at
            .iter()
            .map(|(detected, false_alarms)| {
                if detected.is_nan() {
                    return "calibration too short".to_owned();
                }
                format!("{detected:.1}, {false_alarms:.2}")
            })
            .collect();
        line(&mut text, format_args!("{set}: {method:<38} {:.3}  {}", means.auc, at.join("   ")));
    }
    text
}

/// All of it as JSON; the layout is described in docs/sequences.md.
pub(crate) fn json(
    outcomes: &[Outcome],
    pooled: &BTreeMap<(&'static str, &'static str), Pooled>,
    seed: u64,
) -> String {
    let experiments: Vec<Value> = outcomes.iter().map(experiment).collect();
    let shuffles: Vec<Value> = pooled
        .iter()
        .map(|((set, method), means)| {
            let at: Vec<Value> = means
                .at
                .iter()
                .map(|(detected, false_alarms)| {
                    json!({"detected_percent": detected, "false_alarm_percent": false_alarms})
                })
                .collect();
            json!({"set": set, "method": method, "shuffles": means.n_shuffles, "auc": means.auc, "at": at})
        })
        .collect();
    let all = json!({"seed": seed, "experiments": experiments, "means_over_shuffles": shuffles});
    format!("{all:#}\n")
}

fn experiment(outcome: &Outcome) -> Value {
    let methods: Vec<Value> = outcome.methods.iter().map(method).collect();
    let sizes: BTreeMap<&str, usize> = outcome.sizes.iter().copied().collect();
    let kinds: BTreeMap<&String, Vec<Value>> = outcome
        .kinds
        .iter()
        .map(|(kind, shares)| (kind, shares.iter().map(|found| share(*found)).collect()))
        .collect();
    json!({
        "set": outcome.set,
        "order": outcome.order.text(),
        "sizes": sizes,
        "methods": methods,
        "detected_by_kind": kinds,
    })
}

fn method(figures: &Figures) -> Value {
    let at: Vec<Value> = figures
        .at
        .iter()
        .map(|at| {
            json!({
                "nominal_per_mille": at.nominal,
                "threshold": at.threshold,
                "detected": share(at.detected),
                "false_alarms": share(at.false_alarms),
            })
        })
        .collect();
    let (low, high) = figures.auc_interval;
    json!({"method": figures.scores.method, "auc": figures.auc, "auc_95": [low, high], "at": at})
}

fn share(share: Share) -> Value {
    let (low, high) = share.interval();
    json!({"hits": share.hits, "all": share.all, "percent": share.percent(), "percent_95": [low, high]})
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a String takes all");
    text.truncate(text.trim_end().len());
    text.push('\n');
}
