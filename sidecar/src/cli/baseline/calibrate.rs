//! `picket baseline calibrate`.

use std::time::{SystemTime, UNIX_EPOCH};

use picket_engine::{
    baseline::{Check, cadence, frozen_at, gate},
    learned::Missing,
};
use serde_json::{Value, json};

use super::{
    Refusal, Which, exit, print,
    recorded::{Recorded, Run},
    standing, status, time, title, whose, with, words,
};
use crate::baseline::{Calibration, Entry, Store, Taken};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The baseline: the beginning of its key, as `list` shows it.
    key: String,
    #[command(flatten)]
    recorded: Recorded,
    /// Forgets the calibration that is there, certificate included, and begins another.
    #[arg(long)]
    anew: bool,
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(arguments: &Arguments) -> Result<exit::Exit, Refusal> {
    let which = &arguments.which;
    let mut store = which.open()?;
    let entry = store.find(&arguments.key)?;
    let runs = arguments.recorded.runs(&entry, store.key()?)?;
    let checks = gate(&entry.baseline, cadence(&entry.baseline));
    if !checks.iter().all(Check::is_met) {
        return not_yet(which, &entry, &checks);
    }
    if !arguments.anew
        && let Some(known) = store.calibration(&entry.identity)?
        && known.is_stale(&entry.baseline)
    {
        return stale(which, &entry);
    }
    let (taken, calibration, missing) = take(&mut store, &entry, arguments.anew, &runs)?;
    for (run, taken) in runs.iter().zip(taken) {
        say(which, &entry, run, taken)?;
    }
    told(which, &entry, &calibration, &missing)?;
    Ok(if missing.is_empty() { exit::SUCCESS } else { exit::FINDINGS })
}

/// Adds the runs, and certifies if that can be done. Whoever taught the baseline something meanwhile has made the scores
/// useless.
fn take(
    store: &mut Store,
    entry: &Entry,
    anew: bool,
    runs: &[Run],
) -> Result<(Vec<Taken>, Calibration, Vec<Missing>), Refusal> {
    let subject = entry.identity.subject();
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let fresh = Calibration::new(&entry.baseline);
    let done = store.calibrate(&entry.identity, anew, |baseline, known| {
        let mut calibration = known.take().unwrap_or(fresh);
        if calibration.is_stale(baseline) {
            return None;
        }
        let take = |run: &Run| {
            let seen = &run.scored.observed.run;
            calibration.take(baseline, run.id, seen, run.mark())
        };
        let taken = runs.iter().map(take).collect();
        let missing = calibration.certify(subject, baseline, at).err().unwrap_or_default();
        *known = Some(calibration.clone());
        Some((taken, calibration, missing))
    })?;
    done.ok_or_else(|| {
        Refusal::Other(
            "the baseline has learned something while its runs were scored, so nothing was calibrated: try again"
                .to_owned(),
        )
    })
}

fn not_yet(which: &Which, entry: &Entry, checks: &[Check]) -> Result<exit::Exit, Refusal> {
    if which.is_human() {
        print(&format!("{}: is not known well enough to calibrate it", title(&entry.identity)))?;
        status::rows(checks.iter().filter(|check| !check.is_met()))?;
    } else {
        let about = json!({ "event": "not_known" });
        print(&with(about, whose(&entry.identity)).to_string())?;
        let missing = checks.iter().filter(|check| !check.is_met());
        missing.map(status::object).try_for_each(|object| print(&object.to_string()))?;
    }
    Ok(exit::FINDINGS)
}

fn stale(which: &Which, entry: &Entry) -> Result<exit::Exit, Refusal> {
    let line = format!(
        "{}: has learned since it was calibrated, so what it scored then says nothing now: --anew forgets that and begins \
         another calibration",
        title(&entry.identity)
    );
    which.say(&with(json!({ "event": "stale" }), whose(&entry.identity)), &line)?;
    Ok(exit::FINDINGS)
}

fn say(which: &Which, entry: &Entry, run: &Run, taken: Taken) -> Result<(), Refusal> {
    let frozen = || time(frozen_at(&entry.baseline));
    let (word, text) = match taken {
        Taken::New => ("calibrated", "counts".to_owned()),
        Taken::Known => ("known", "counted already".to_owned()),
        Taken::Learned => (
            "learned",
            "does not count: it is part of the baseline, and would certify itself".to_owned(),
        ),
        Taken::Early => (
            "early",
            format!(
                "does not count: it began before {}, when the last run was learned or deed accepted",
                frozen()
            ),
        ),
        Taken::Contained => (
            "contained",
            "does not count: it was contained, so nobody knows what it would have done".to_owned(),
        ),
        Taken::NoRoom => {
            ("no_room", format!("does not count: there are {} already", Calibration::MOST_RUNS))
        }
        Taken::Certified => {
            ("certified", "does not count: there is a certificate, which stays as it is".to_owned())
        }
    };
    let began = time(run.scored.observed.run.began());
    let object = json!({
        "event": word, "trace": run.trace, "run": crate::trace::to_hex(&run.id.0), "began": began,
    });
    which.say(
        &with(object, whose(&entry.identity)),
        &format!("{}: the run of {began} {text}", run.trace),
    )
}

/// How far it is now.
fn told(
    which: &Which,
    entry: &Entry,
    calibration: &Calibration,
    missing: &[Missing],
) -> Result<(), Refusal> {
    if !which.is_human() {
        let lines = standing::objects(&entry.baseline, Some(calibration), missing);
        return lines.iter().try_for_each(|line: &Value| print(&line.to_string()));
    }
    let runs = u64::try_from(calibration.marks().count()).unwrap_or(u64::MAX);
    let state = standing::State::of(true, &entry.baseline, Some(calibration));
    print(&format!(
        "{}: {state}, {}",
        title(&entry.identity),
        words::count(runs, "calibrated run")
    ))?;
    standing::lines(&entry.baseline, Some(calibration), missing)
        .iter()
        .try_for_each(|line| print(line))
}
