//! `picket manifest diff`.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::PathBuf,
};

use picket_engine::{Finding, Input};
use serde_json::json;

use super::{super::Output, exit, traces, words};
use crate::manifest::Difference;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The manifest.
    manifest: PathBuf,
    /// A trace of the plugin (`picket exec --record`). May be given more than once.
    #[arg(long, value_name = "TRACE", required = true)]
    from: Vec<PathBuf>,
    /// How the differences are written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let manifest = match super::load(&arguments.manifest) {
        Ok(manifest) => manifest,
        Err(exit) => return exit,
    };
    let runs = match traces::read(&arguments.from) {
        Ok(runs) => runs,
        Err(exit) => return exit,
    };
    let runs: Vec<&[Input]> = runs.iter().map(Vec::as_slice).collect();
    let difference = match manifest.differ(&runs) {
        Ok(difference) => difference,
        Err(error) => {
            words::error(&error.to_string());
            return exit::CONFIGURATION;
        }
    };
    let deeds = grouped(&difference.undeclared);
    let text = match arguments.output {
        Output::Human => human(arguments, &difference, &deeds),
        Output::Json => json(&difference, &deeds),
    };
    if io::stdout().write_all(text.as_bytes()).is_err() {
        return exit::FAILURE;
    }
    let same = difference.unused.is_empty() && deeds.is_empty();
    if same { exit::SUCCESS } else { exit::FINDINGS }
}

/// Capability and reason, the deed, what was declared instead; and how often, in how many runs.
type Deeds = BTreeMap<(&'static str, &'static str, String, String), u64>;

fn grouped(findings: &[Finding]) -> Deeds {
    let mut deeds = Deeds::new();
    for finding in findings {
        let labels = finding.labels();
        let (deed, declared) = words::evidence(finding);
        let key = (labels.capability.as_str(), labels.reason.as_str(), deed, declared);
        let count = deeds.entry(key).or_default();
        *count = count.saturating_add(1);
    }
    deeds
}

fn human(arguments: &Arguments, difference: &Difference, deeds: &Deeds) -> String {
    let mut text = String::new();
    let file = words::text(arguments.manifest.as_os_str().as_encoded_bytes());
    if difference.unused.is_empty() && deeds.is_empty() {
        return format!("{file} declares what was seen, {} facts, and no more\n", difference.facts);
    }
    if !difference.unused.is_empty() {
        text.push_str("declared, never seen:\n");
    }
    for unused in &difference.unused {
        let rule = words::text(unused.rule.as_bytes());
        text.push_str(&format!("  {file}:{}: {} {rule}\n", unused.line, unused.list));
    }
    if !deeds.is_empty() {
        text.push_str("seen, not declared:\n");
    }
    for ((capability, reason, deed, declared), count) in deeds {
        let times = if *count == 1 { String::new() } else { format!(" ({count} times)") };
        let reason = reason.replace('_', " ");
        text.push_str(&format!("  {capability}: {reason}: {deed}{times}\n    {declared}\n"));
    }
    text
}

fn json(difference: &Difference, deeds: &Deeds) -> String {
    let mut text = String::new();
    for unused in &difference.unused {
        let line = json!({ "event": "never_seen", "line": unused.line, "list": unused.list,
            "rule": unused.rule });
        text.push_str(&format!("{line}\n"));
    }
    for ((capability, reason, deed, declared), count) in deeds {
        let line = json!({ "event": "not_declared", "capability": capability, "reason": reason,
            "deed": deed, "declared": declared, "count": count });
        text.push_str(&format!("{line}\n"));
    }
    let line = json!({ "event": "compared", "facts": difference.facts,
        "never_seen": difference.unused.len(), "not_declared": deeds.len() });
    text.push_str(&format!("{line}\n"));
    text
}
