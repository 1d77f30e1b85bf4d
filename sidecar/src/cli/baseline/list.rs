//! `picket baseline list`.

use picket_engine::baseline::{cadence, gate};
use serde_json::json;

use super::{Refusal, Which, exit, print, table, time, whose, with};
use crate::baseline::Entry;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(arguments: &Arguments) -> Result<exit::Exit, Refusal> {
    let entries = arguments.which.open()?.list()?;
    if !arguments.which.is_human() {
        for entry in &entries {
            print(&object(entry).to_string())?;
        }
        return Ok(exit::SUCCESS);
    }
    if entries.is_empty() {
        print("no baseline was learned")?;
        return Ok(exit::SUCCESS);
    }
    let heads = ["KEY", "PLUGIN", "DEPLOYMENT", "BUILD", "MANIFEST", "RUNS", "LAST", "MISSING"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(entries.iter().map(row));
    table(&rows).iter().try_for_each(|line| print(line))?;
    Ok(exit::SUCCESS)
}

fn missing(entry: &Entry) -> usize {
    let checks = gate(&entry.baseline, cadence(&entry.baseline));
    checks.iter().filter(|check| !check.is_met()).count()
}

fn row(entry: &Entry) -> Vec<String> {
    let Entry { identity, baseline } = entry;
    let (all, usable) = (baseline.runs().count(), baseline.usable().count());
    let runs = if all == usable { all.to_string() } else { format!("{usable} of {all}") };
    let last = baseline.runs().map(|(_, run)| run.ended()).max();
    let digits = |digest: String| digest.chars().skip("sha256:".len()).take(12).collect();
    vec![
        identity.short(),
        identity.plugin.clone(),
        identity.deployment.to_string(),
        digits(identity.artifact.to_string()),
        digits(identity.manifest.to_string()),
        runs,
        last.map_or_else(|| "-".to_owned(), time),
        missing(entry).to_string(),
    ]
}

fn object(entry: &Entry) -> serde_json::Value {
    let Entry { identity, baseline } = entry;
    let last = baseline.runs().map(|(_, run)| run.ended()).max().map(time);
    let about = json!({
        "runs": baseline.runs().count(), "usable": baseline.usable().count(), "last": last,
        "conditions_missing": missing(entry),
    });
    with(whose(identity), about)
}
