//! Where a baseline stands in its life, and what its calibration has come to.

use std::fmt;

use picket_engine::{
    baseline::Baseline,
    learned::{Budget, Certificate, Claim, Missing, Standing},
};
use serde_json::{Value, json};

use super::{time, words};
use crate::baseline::{Calibration, KeptEvidence, KeptRuling};

/// Budgets of which it is said what they claim, in plugin-days, besides that which the calibration has tried.
const BUDGETS: [u64; 2] = [30, 300];

/// Where in its life a baseline is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Learning,
    Calibrating,
    Certified,
    Stale,
}

impl State {
    pub(super) fn of(
        learned: bool,
        baseline: &Baseline,
        calibration: Option<&Calibration>,
    ) -> Self {
        match calibration {
            Some(known) if known.is_stale(baseline) => Self::Stale,
            Some(known) if known.certified().is_some() => Self::Certified,
            _ if learned => Self::Calibrating,
            _ => Self::Learning,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Learning => "learning",
            Self::Calibrating => "calibrating",
            Self::Certified => "certified",
            Self::Stale => "stale",
        })
    }
}

/// How far a calibration has come, in lines.
pub(super) fn lines(
    baseline: &Baseline,
    calibration: Option<&Calibration>,
    missing: &[Missing],
) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(known) = calibration.filter(|known| !known.is_stale(baseline)) else {
        if calibration.is_some() {
            lines.push(
                "  STALE    it has learned since: `picket baseline calibrate --anew` begins another calibration"
                    .to_owned(),
            );
        }
        lines.extend(missing.iter().map(|one| format!("  MISSING  {one}")));
        return lines;
    };
    let (all, blocks) = (known.marks().count(), known.blocks(baseline).len());
    let count =
        |number: usize, thing| words::count(u64::try_from(number).unwrap_or(u64::MAX), thing);
    lines.push(format!("  {} calibrate it, as {}", count(all, "run"), count(blocks, "block")));
    lines.extend(missing.iter().map(|one| format!("  MISSING  {one}")));
    if let Some(certified) = known.certified() {
        let certificate = &certified.certificate;
        lines.push(format!(
            "  certified {}, over {}, at a scale of {}; {} of {} bounds are assumed",
            time(certified.at),
            words::count(certificate.calibrated().whole_days(), "plugin-day"),
            certificate.scale(),
            certificate.n_assumed(),
            Certificate::BOUNDS,
        ));
        lines.extend(claims(certificate).map(|claim| format!("  claim  {claim}")));
        lines.push("  note  what a daemon does by it is said by its `baselines.budgets`; `picket baseline score --budget` says what recorded runs amount to".to_owned());
    }
    lines
}

/// What live runs amount to may act or not, and who said so.
pub(super) fn ruled(kept: Option<&KeptEvidence>, rulings: &[KeptRuling]) -> Vec<String> {
    let Some(kept) = kept else { return Vec::new() };
    let standing = match kept.standing {
        Standing::Active => "active: live runs are evidence",
        Standing::Suspended => {
            "SUSPENDED since it contained: say what that was with `picket baseline rule`"
        }
        Standing::Disabled => "disabled: it only alerts until another certificate is made",
    };
    let mut lines = vec!["\nevidence".to_owned(), format!("  {standing}")];
    lines.extend(rulings.iter().map(|one| {
        let heard = if one.number <= kept.ruled { "" } else { "; heard when its next run begins" };
        format!("  {}  ruled {} by {}: {}{heard}", time(one.at), one.ruling, one.by, one.reason)
    }));
    lines
}

/// The same as objects.
pub(super) fn ruled_objects(kept: Option<&KeptEvidence>, rulings: &[KeptRuling]) -> Vec<Value> {
    let Some(kept) = kept else { return Vec::new() };
    let mut lines = vec![json!({ "event": "evidence", "standing": kept.standing.as_str() })];
    lines.extend(rulings.iter().map(|one| {
        json!({ "event": "ruling", "at": time(one.at), "ruling": one.ruling.as_str(), "by": one.by,
            "reason": one.reason, "heard": one.number <= kept.ruled })
    }));
    lines
}

/// What may be claimed at the budget that was tried, and at usual ones.
fn claims(certificate: &Certificate) -> impl Iterator<Item = Claim> {
    let calibrated = certificate.calibrated();
    let tried = calibrated.whole_days();
    let days = BUDGETS.into_iter().filter(move |days| *days != tried);
    std::iter::once(tried)
        .chain(days)
        .filter_map(|days| Budget::one_per_days(days).ok())
        .map(move |budget| budget.claim(calibrated))
}

/// How far a calibration has come, as objects.
pub(super) fn objects(
    baseline: &Baseline,
    calibration: Option<&Calibration>,
    missing: &[Missing],
) -> Vec<Value> {
    let mut lines = Vec::new();
    if let Some(known) = calibration {
        lines.push(json!({
            "event": "calibration", "stale": known.is_stale(baseline), "runs": known.marks().count(),
            "blocks": known.blocks(baseline).len(),
        }));
    }
    let missing = missing.iter();
    lines.extend(
        missing.map(|one| json!({ "event": "calibration_missing", "text": one.to_string() })),
    );
    let fresh = calibration.filter(|known| !known.is_stale(baseline));
    if let Some(certified) = fresh.and_then(Calibration::certified) {
        let certificate = &certified.certificate;
        let claims: Vec<Value> = claims(certificate)
            .map(|claim| {
                json!({
                    "budget_days": claim.budget.whole_days(), "achieved_days": claim.achieved.whole_days(),
                    "extrapolated": claim.is_extrapolated(), "text": claim.to_string(),
                })
            })
            .collect();
        lines.push(json!({
            "event": "certificate", "at": time(certified.at),
            "calibrated_days": certificate.calibrated().whole_days(),
            "scale_blocks": certificate.scale().blocks(), "assumed": certificate.n_assumed(),
            "bounds": Certificate::BOUNDS, "claims": claims,
        }));
    }
    lines
}
