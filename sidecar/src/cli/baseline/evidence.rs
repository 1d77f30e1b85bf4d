//! What recorded runs amount to as evidence: `picket baseline score --budget`.
//!
//! The engine's detector, with the stored certificate, from nothing on: what an earlier call has seen is not kept. Nothing is
//! contained; it is said what would be.

use picket_engine::{
    Mode,
    baseline::blocks,
    learned::{Budget, Certificate, Detector, Lane, PluginTime, Rung, Severity},
};
use serde_json::json;

use super::{Refusal, Which, exit, print, recorded::Run, standing::State, time, title, words};
use crate::baseline::{Calibration, Entry};

/// What evidence rests on.
pub(super) struct Basis<'a> {
    calibration: &'a Calibration,
    certificate: &'a Certificate,
}

/// The certificate of a baseline.
pub(super) fn basis<'a>(
    entry: &Entry,
    calibration: Option<&'a Calibration>,
) -> Result<Basis<'a>, Refusal> {
    let fresh = calibration.filter(|known| !known.is_stale(&entry.baseline));
    let found = fresh.and_then(|known| Some((known, &known.certified()?.certificate)));
    let state = match State::of(true, &entry.baseline, calibration) {
        State::Stale => "its certificate is stale",
        _ => "it has no certificate",
    };
    let (calibration, certificate) = found.ok_or_else(|| {
        Refusal::Other(format!(
            "{}: {state}, so nothing is evidence: `picket baseline status {}` says what is missing",
            title(&entry.identity),
            entry.identity.short()
        ))
    })?;
    Ok(Basis { calibration, certificate })
}

/// Why a run is no evidence, unless it is.
fn no_evidence(basis: &Basis<'_>, run: &Run) -> Option<&'static str> {
    let began = run.scored.observed.run.began();
    if run.learned {
        Some("it is part of the baseline")
    } else if basis.calibration.has(run.id) {
        Some("it is part of the calibration")
    } else if basis.calibration.last().is_some_and(|last| began < last) {
        Some("it began before the calibration was complete")
    } else {
        None
    }
}

/// Tells the evidence of each block, and whether it would have contained the plugin.
pub(super) fn tell(
    which: &Which,
    basis: &Basis<'_>,
    budget: Budget,
    runs: &[Run],
) -> Result<exit::Exit, Refusal> {
    let claim = budget.claim(basis.certificate.calibrated());
    let about = json!({
        "event": "evidence_basis", "budget_days": budget.time().whole_days(), "claim": claim.to_string(),
        "extrapolated": claim.is_extrapolated(), "frozen": basis.calibration.frozen().to_string(),
        "scale_blocks": basis.certificate.scale().blocks(),
    });
    which.say(&about, &format!("\nevidence, of which nothing is contained: {claim}"))?;
    for run in runs {
        if let Some(why) = no_evidence(basis, run) {
            let began = time(run.scored.observed.run.began());
            let object = json!({ "event": "no_evidence", "trace": run.trace, "why": why });
            which.say(&object, &format!("  {began}  none of {}: {why}", run.trace))?;
        }
    }
    let marks = runs.iter().filter(|run| no_evidence(basis, run).is_none()).map(Run::mark);
    let rung = Rung { severity: Severity::Contain, budget };
    let mut detector = Detector::new(basis.certificate.clone(), &[rung], Mode::Shadow);
    let mut would = false;
    for (began, block) in blocks(marks, basis.calibration.last()) {
        let act = detector.observe(&block);
        would |= act.is_some();
        let evidence = PluginTime::from_millis(detector.evidence_now_millis(0).unwrap_or_default());
        say(which, began, evidence, budget, act.map(|act| act.lane))?;
    }
    if !would && which.is_human() {
        print("  it would not have been contained")?;
    }
    Ok(if would { exit::FINDINGS } else { exit::SUCCESS })
}

fn say(
    which: &Which,
    began: u64,
    evidence: PluginTime,
    budget: Budget,
    contained: Option<Lane>,
) -> Result<(), Refusal> {
    let of = budget.time();
    let object = json!({
        "event": "evidence", "began": time(began), "evidence_ms": evidence.as_millis(),
        "budget_ms": of.as_millis(), "would_contain": contained.is_some(),
        "lane": contained.map(Lane::as_str),
    });
    let mut line = format!(
        "  {}  {} of {} plugin-days, {} % of the budget",
        time(began),
        words::days(evidence),
        of.whole_days(),
        hundredths(evidence.as_millis(), of.as_millis()),
    );
    if let Some(lane) = contained {
        line.push_str(&format!(
            ": would have contained it, by {lane} most of all; the evidence begins anew"
        ));
    }
    which.say(&object, &line)
}

fn hundredths(part: u64, whole: u64) -> u128 {
    (u128::from(part) * 100).checked_div(u128::from(whole)).unwrap_or_default()
}
