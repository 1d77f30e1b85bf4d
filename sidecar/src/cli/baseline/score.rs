//! `picket baseline score`.

use picket_engine::{
    baseline::{Check, Item, Votes, cadence, gate},
    learned::{Budget, Lane, Surprise},
};
use serde_json::{Value, json};

use super::{
    Refusal, Which, evidence, exit, learn, print,
    recorded::{Recorded, Run},
    show::{bits, named, rounded},
    table, time, title, whose, with, words,
};
use crate::baseline::Entry;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The baseline: the beginning of its key, as `list` shows it.
    key: String,
    #[command(flatten)]
    recorded: Recorded,
    /// Everything that was surprising, not only what exceeds the level that was exceeded.
    #[arg(long)]
    all: bool,
    /// Also how much evidence the runs amount to, and whether it would have contained the plugin, at this budget: one false
    /// containment in so much time, such as '1 per 30 plugin-days'.
    #[arg(long, value_name = "BUDGET", value_parser = crate::baseline::budget)]
    budget: Option<Budget>,
    #[command(flatten)]
    which: Which,
}

/// Lanes that something is known of so far.
const LANES: [Lane; 3] = [Lane::Danger, Lane::Novelty, Lane::Loss];

pub(super) fn run(arguments: &Arguments) -> Result<exit::Exit, Refusal> {
    let store = arguments.which.open()?;
    let entry = store.find(&arguments.key)?;
    let calibration = store.calibration(&entry.identity)?;
    let basis = match arguments.budget {
        Some(budget) => Some((budget, evidence::basis(&entry, calibration.as_ref())?)),
        None => None,
    };
    let runs = arguments.recorded.runs(&entry, store.key()?)?;
    if arguments.which.is_human() {
        human(&entry, &runs, arguments.all)?;
    } else {
        let learned = entry.baseline.usable().count();
        let about =
            json!({ "event": "baseline", "learned_runs": learned, "known": is_known(&entry) });
        print(&with(about, whose(&entry.identity)).to_string())?;
        runs.iter().try_for_each(|run| print(&object(run).to_string()))?;
    }
    match basis {
        Some((budget, basis)) => evidence::tell(&arguments.which, &basis, budget, &runs),
        None => Ok(exit::SUCCESS),
    }
}

/// Whether every condition of learning is met.
fn is_known(entry: &Entry) -> bool {
    gate(&entry.baseline, cadence(&entry.baseline)).iter().all(Check::is_met)
}

fn human(entry: &Entry, runs: &[Run], all: bool) -> Result<(), Refusal> {
    let usable = u64::try_from(entry.baseline.usable().count()).unwrap_or(u64::MAX);
    print(&format!("{}: {} learned", title(&entry.identity), words::count(usable, "run")))?;
    if !is_known(entry) {
        print(&format!(
            "not known well enough yet, so a high score says little: picket baseline status {}",
            entry.identity.short()
        ))?;
    }
    for run in runs {
        one(run, all)?;
    }
    Ok(())
}

fn one(run: &Run, all: bool) -> Result<(), Refusal> {
    let seen = &run.scored.observed.run;
    let by = match (run.learned, run.by_runs) {
        (false, _) => String::new(),
        (true, 0) => "; it is the whole baseline, so nothing can be said of it".to_owned(),
        (true, others) => {
            format!(
                "; part of the baseline, so scored by the other {}",
                words::count(others, "run")
            )
        }
    };
    print(&format!("\n{}: the run of {}{by}", run.trace, time(seen.began())))?;
    let mut rows = Vec::new();
    for lane in LANES {
        rows.extend(lines(run, lane, all));
    }
    if rows.is_empty() {
        print("  nothing in it is surprising")?;
    }
    table(&rows).iter().try_for_each(|line| print(line))?;
    for family in run.scored.votes.silent() {
        print(&format!("  note  {family} has no vote: more kinds were learned than are kept"))?;
    }
    if !seen.is_usable() {
        let why = learn::faults(seen).join(", ");
        print(&format!("  note  {why}: scored is what arrived"))?;
    }
    Ok(())
}

/// A lane and what was surprising in it; nothing of one that is as usual as can be.
fn lines(run: &Run, lane: Lane, all: bool) -> Vec<Vec<String>> {
    let score = run.scored.scores().of(lane);
    if score == Surprise::NONE {
        return Vec::new();
    }
    let votes = &run.scored.votes;
    let above = score.above().map_or_else(String::new, |level| format!("above {}", whole(level)));
    let mut rows = vec![vec![format!("  {lane}"), score.to_string(), above]];
    let told = told(votes, lane, all);
    rows.extend(told.iter().map(|item| {
        let what = format!("{}:{}", item.family, named(item.family, &item.template));
        let shown = match item.runs {
            0 => "new".to_owned(),
            runs => format!("{} of {}", runs, words::count(run.by_runs, "run")),
        };
        vec![String::new(), format!("  {}", bits(Some(item.bits()))), shown, what]
    }));
    rows
}

/// What is told of a lane: what its score rests on, or everything that is kept.
fn told(votes: &Votes, lane: Lane, all: bool) -> Vec<&Item> {
    if all {
        return votes.items(lane);
    }
    votes.why(lane).map(|why| why.items).unwrap_or_default()
}

/// Levels are whole bits.
fn whole(level: Surprise) -> String {
    words::count((level.sixteenths() / 16).into(), "bit")
}

fn object(run: &Run) -> Value {
    let seen = &run.scored.observed.run;
    let faults: Vec<&str> = seen.faults().keys().map(|fault| fault.as_str()).collect();
    let silent: Vec<&str> = run.scored.votes.silent().iter().map(|it| it.as_str()).collect();
    let lanes: serde_json::Map<String, Value> =
        LANES.iter().map(|lane| (lane.to_string(), lane_object(run, *lane))).collect();
    json!({
        "event": "scored", "trace": run.trace, "run": crate::trace::to_hex(&run.id.0),
        "began": time(seen.began()), "lasted_ms": seen.lasted().as_millis(), "started": seen.started(),
        "learned": run.learned, "scored_by_runs": run.by_runs, "faults": faults, "silent": silent,
        "lanes": lanes,
    })
}

fn lane_object(run: &Run, lane: Lane) -> Value {
    let score = run.scored.scores().of(lane);
    let votes = &run.scored.votes;
    let items = |items: Vec<&Item>| items.into_iter().map(item).collect::<Vec<_>>();
    json!({
        "bits": f64::from(score.sixteenths()) / 16.0,
        "above_bits": score.above().map(|level| level.sixteenths() / 16),
        "why": items(told(votes, lane, false)), "items": items(votes.items(lane)),
    })
}

fn item(item: &Item) -> Value {
    json!({
        "family": item.family.as_str(), "template": named(item.family, &item.template),
        "bits": rounded(item.bits()), "runs": item.runs,
    })
}
