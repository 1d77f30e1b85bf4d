//! `picket baseline status`.

use picket_engine::{
    baseline::{Baseline, Bound, Check, Condition, cadence, gate},
    learned::{Cadence, Missing},
};
use serde_json::{Value, json};

use super::{
    Refusal, Which, exit, print,
    standing::{self, State},
    table, title, whose, with, words,
};
use crate::baseline::{Calibration, Entry, KeptEvidence, KeptRuling};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The baseline: the beginning of its key, as `list` shows it.
    key: String,
    /// The plugin runs all the time: days of watching count, not runs.
    #[arg(long)]
    continuous: bool,
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(arguments: &Arguments) -> Result<exit::Exit, Refusal> {
    let store = arguments.which.open()?;
    let entry = store.find(&arguments.key)?;
    let cadence = if arguments.continuous { Cadence::Continuous } else { cadence(&entry.baseline) };
    let checks = gate(&entry.baseline, cadence);
    let learned = checks.iter().all(Check::is_met);
    let calibration = store.calibration(&entry.identity)?;
    let now = calibration.clone().unwrap_or_else(|| Calibration::new(&entry.baseline));
    let missing = now.missing(entry.identity.subject(), &entry.baseline);
    let kept = store.evidence(&entry.identity)?;
    let rulings = store.rulings(&entry.identity, 0)?;
    let standing = Standing { cadence, checks, calibration, missing, kept, rulings };
    let others: Vec<Entry> = store.list()?.into_iter().filter(|it| is_other(it, &entry)).collect();
    if arguments.which.is_human() {
        human(&entry, &standing, &others)?;
    } else {
        objects(&entry, &standing)?;
    }
    Ok(if learned { exit::SUCCESS } else { exit::FINDINGS })
}

/// How far everything has come.
struct Standing {
    cadence: Cadence,
    checks: Vec<Check>,
    calibration: Option<Calibration>,
    missing: Vec<Missing>,
    kept: Option<KeptEvidence>,
    rulings: Vec<KeptRuling>,
}

impl Standing {
    fn is_learned(&self) -> bool {
        self.checks.iter().all(Check::is_met)
    }

    fn state(&self, baseline: &Baseline) -> State {
        State::of(self.is_learned(), baseline, self.calibration.as_ref())
    }
}

/// The same plugin in the same place, by another build or manifest: shown, and never learned from.
fn is_other(one: &Entry, entry: &Entry) -> bool {
    one.identity.plugin == entry.identity.plugin
        && one.identity.deployment == entry.identity.deployment
        && one.identity != entry.identity
}

fn human(entry: &Entry, standing: &Standing, others: &[Entry]) -> Result<(), Refusal> {
    let cadence = standing.cadence;
    print(&format!("{}: {}", title(&entry.identity), standing.state(&entry.baseline)))?;
    let runs = match cadence {
        Cadence::Continuous => "runs all the time".to_owned(),
        Cadence::Runs { per_day: 0 } => {
            "runs less than once a day (one that runs all the time: --continuous)".to_owned()
        }
        Cadence::Runs { per_day } => {
            format!("runs about {} a day", words::count(per_day.into(), "time"))
        }
    };
    print(&format!("{runs}\n\nlearning"))?;
    rows(standing.checks.iter())?;
    for state in entry.baseline.families().filter(|state| state.full) {
        print(&format!(
            "  note  {}: more kinds than {}, so it has no vote and nothing is asked of it",
            state.family,
            state.family.limit()
        ))?;
    }
    print("\ncalibration: by runs that the daemon watches, and by recorded ones")?;
    if cadence == Cadence::Continuous {
        print("  note  what runs all the time cannot be calibrated yet")?;
    } else {
        let lines =
            standing::lines(&entry.baseline, standing.calibration.as_ref(), &standing.missing);
        lines.iter().try_for_each(|line| print(line))?;
    }
    for line in standing::ruled(standing.kept.as_ref(), &standing.rulings) {
        print(&line)?;
    }
    if !others.is_empty() {
        print("\nother builds or manifests of the plugin here, not learned from")?;
    }
    for other in others {
        let runs = u64::try_from(other.baseline.runs().count()).unwrap_or(u64::MAX);
        print(&format!("  {}: {}", other.identity.short(), words::count(runs, "run")))?;
    }
    Ok(())
}

pub(super) fn rows<'a>(checks: impl Iterator<Item = &'a Check>) -> Result<(), Refusal> {
    let rows: Vec<Vec<String>> = checks.map(row).collect();
    table(&rows).iter().try_for_each(|line| print(line))
}

fn row(check: &Check) -> Vec<String> {
    let mark = if check.is_met() { "ok" } else { "MISSING" };
    let have = match check.condition {
        Condition::NewInNextRun => percent(check.have),
        _ => check.have.to_string(),
    };
    let need = match (check.need, check.condition) {
        (Bound::AtMost(need), Condition::NewInNextRun) => format!("at most {}", percent(need)),
        (Bound::AtMost(need), _) => format!("at most {need}"),
        (Bound::AtLeast(need), _) => format!("at least {need}"),
    };
    let mut what = meaning(check);
    if !check.is_met() {
        what.push_str(way_out(check.condition));
    }
    vec![format!("  {mark}"), have, need, what]
}

fn meaning(check: &Check) -> String {
    let family = check.family.map(|family| family.as_str()).unwrap_or_default();
    match check.condition {
        Condition::Days => "days".to_owned(),
        Condition::Runs => "runs that may be learned from".to_owned(),
        Condition::Starts => "starts seen".to_owned(),
        Condition::Blind => "runs not seen whole in the last days".to_owned(),
        Condition::NewInNextRun => format!("{family}: share of the next run that would be new"),
        Condition::NewInAsManyRuns => {
            format!("{family}: new kinds to expect of as many runs again")
        }
    }
}

const fn way_out(condition: Condition) -> &'static str {
    match condition {
        Condition::Days | Condition::Runs => ": go on recording and learning",
        Condition::Starts => ": restart it once while it is recorded",
        Condition::Blind => ": find out why, and learn as many days again",
        Condition::NewInNextRun | Condition::NewInAsManyRuns => {
            ": go on, or see `picket baseline show` for what keeps changing"
        }
    }
}

fn percent(hundredths: u64) -> String {
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

fn objects(entry: &Entry, standing: &Standing) -> Result<(), Refusal> {
    let per_day = match standing.cadence {
        Cadence::Continuous => None,
        Cadence::Runs { per_day } => Some(per_day),
    };
    let full: Vec<&str> = entry
        .baseline
        .families()
        .filter(|state| state.full)
        .map(|state| state.family.as_str())
        .collect();
    let about = json!({
        "event": "status", "state": standing.state(&entry.baseline).to_string(),
        "learned": standing.is_learned(), "continuous": per_day.is_none(), "runs_per_day": per_day,
        "full": full,
    });
    print(&with(about, whose(&entry.identity)).to_string())?;
    for check in &standing.checks {
        print(&object(check).to_string())?;
    }
    let calibration = standing.calibration.as_ref();
    standing::objects(&entry.baseline, calibration, &standing.missing)
        .iter()
        .chain(&standing::ruled_objects(standing.kept.as_ref(), &standing.rulings))
        .try_for_each(|line| print(&line.to_string()))
}

pub(super) fn object(check: &Check) -> Value {
    let (at_least, at_most) = match check.need {
        Bound::AtLeast(need) => (Some(need), None),
        Bound::AtMost(need) => (None, Some(need)),
    };
    json!({
        "event": "condition", "condition": check.condition.as_str(),
        "family": check.family.map(|family| family.as_str()), "have": check.have,
        "at_least": at_least, "at_most": at_most, "met": check.is_met(),
    })
}
