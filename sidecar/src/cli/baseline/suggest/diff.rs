//! `picket baseline diff`.

use std::path::PathBuf;

use serde_json::json;

use super::{
    super::{Refusal, Which, exit, print, show::named, title, whose, with, words},
    declared,
};
use crate::{
    baseline::suggest::{
        Source,
        manifest::{ManifestError, compare},
    },
    manifest::{Comparison, Undeclared},
};

/// So many of what needed a wide rule are told, unless as JSON.
const TOLD: usize = 4;

#[derive(Debug, clap::Args)]
pub(in super::super) struct Arguments {
    /// The baseline: the beginning of its key, as `list` shows it.
    key: String,
    /// The manifest that it was learned under.
    #[arg(short, long, value_name = "FILE")]
    manifest: PathBuf,
    #[command(flatten)]
    which: Which,
}

pub(in super::super) fn run(arguments: &Arguments) -> Result<exit::Exit, Refusal> {
    let entry = arguments.which.open()?.find(&arguments.key)?;
    let manifest = declared(&arguments.manifest, &entry)?;
    let source = Source { entry: &entry, missing: Vec::new() };
    let comparison = compare(&source, &manifest).map_err(refusal)?;
    if arguments.which.is_human() {
        print(&title(&entry.identity))?;
        human(arguments, &comparison)?;
    } else {
        objects(&comparison)?;
        let object = json!({
            "event": "compared", "never_used": comparison.unused.len(),
            "not_declared": comparison.undeclared.len(),
            "unknown": comparison.unknown.iter().map(|family| family.as_str()).collect::<Vec<_>>(),
        });
        print(&with(object, whose(&entry.identity)).to_string())?;
    }
    let same = comparison.unused.is_empty() && comparison.undeclared.is_empty();
    Ok(if same { exit::SUCCESS } else { exit::FINDINGS })
}

pub(super) fn refusal(error: ManifestError) -> Refusal {
    match error {
        ManifestError::Resolve(error) => Refusal::Configuration(error.to_string()),
        error => Refusal::Other(error.to_string()),
    }
}

fn human(arguments: &Arguments, comparison: &Comparison) -> Result<(), Refusal> {
    let Comparison { undeclared, unused, wide, unknown } = comparison;
    let file = words::text(arguments.manifest.as_os_str().as_encoded_bytes());
    for family in unknown {
        print(&format!(
            "{family} is full and has forgotten what it had: nothing is said of its rules"
        ))?;
    }
    if unused.is_empty() && undeclared.is_empty() {
        print(&format!("{file} declares what was learned, and no more"))?;
    }
    if !unused.is_empty() {
        print("declared, never used:")?;
    }
    for rule in unused {
        let text = words::text(rule.rule.as_bytes());
        print(&format!("  {file}:{}: {} {text}", rule.line(), rule.list))?;
    }
    if !undeclared.is_empty() {
        print("used, not declared:")?;
    }
    for one in undeclared {
        print(&format!("  {}", deed(one)))?;
        match &one.grants {
            Ok(grants) => {
                for grant in grants {
                    print(&format!("    {}: - {}", grant.list, grant.value))?;
                }
            }
            Err(why) => print(&format!("    {why}"))?,
        }
    }
    if !wide.is_empty() {
        print("wide, and what needed it:")?;
    }
    for one in wide {
        let rule = &one.rule;
        let text = words::text(rule.rule.as_bytes());
        print(&format!("  {file}:{}: {} {text}", rule.line(), rule.list))?;
        for template in one.used_by.iter().take(TOLD) {
            print(&format!("    {}", words::text(template.as_bytes())))?;
        }
        if TOLD < one.used_by.len() {
            print(&format!("    and {} more", one.used_by.len() - TOLD))?;
        }
    }
    Ok(())
}

fn deed(one: &Undeclared) -> String {
    let seen = match one.runs {
        0 => "accepted by a person".to_owned(),
        runs => words::count(runs, "run"),
    };
    format!("{}: {} ({seen})", one.family, named(one.family, &one.template))
}

fn objects(comparison: &Comparison) -> Result<(), Refusal> {
    for rule in &comparison.unused {
        let object = json!({
            "event": "never_used", "line": rule.line(), "list": rule.list, "rule": rule.rule,
        });
        print(&object.to_string())?;
    }
    for one in &comparison.undeclared {
        let lines: Vec<_> = one
            .grants
            .iter()
            .flatten()
            .map(|grant| json!({ "list": grant.list, "value": grant.value }))
            .collect();
        let object = json!({
            "event": "not_declared", "family": one.family.as_str(),
            "template": named(one.family, &one.template), "runs": one.runs, "lines": lines,
            "left": one.grants.as_ref().err(),
        });
        print(&object.to_string())?;
    }
    for one in &comparison.wide {
        let object = json!({
            "event": "wide", "line": one.rule.line(), "list": one.rule.list, "rule": one.rule.rule,
            "used_by": one.used_by,
        });
        print(&object.to_string())?;
    }
    Ok(())
}
