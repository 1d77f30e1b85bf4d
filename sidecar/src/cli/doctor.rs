//! `picket doctor`: can this node run Picket, and what can be seen and stopped on it?

mod sheet;
mod techniques;

use std::io::{self, Write};

use clap::Args;
use rustix::process::geteuid;
use serde_json::{Value, json};

use super::{Output, exit, narrate, words};
use crate::doctor::{self, Ability, Check, Facts, Row, Trial, Verdict};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How the report is written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
    /// Loads nothing into the kernel: believes what the kernel lists, proves nothing.
    #[arg(long)]
    no_load: bool,
    /// Lists the known ways to get past a sentry and what is seen of each here, and nothing else.
    #[arg(long)]
    techniques: bool,
}

/// Everything the doctor has to say.
struct Report {
    facts: Facts,
    checks: Vec<Check>,
    verdict: Verdict,
    rows: Vec<Row>,
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let trial = match super::own_program() {
        _ if arguments.no_load => Trial::Skipped("--no-load was given"),
        _ if !geteuid().is_root() => Trial::Skipped("loading programs takes root"),
        Ok(program) => doctor::try_out(&program),
        Err(error) => {
            words::error(&format!("finding the picket program: {error}"));
            return exit::FAILURE;
        }
    };
    let report = Report::of(Facts::collect(trial));
    let text = match arguments.output {
        Output::Human => {
            let colour = narrate::is_coloured(&io::stdout());
            if arguments.techniques {
                techniques::list(doctor::expected_tier(&report.facts).0, colour)
            } else {
                sheet::text(&report, colour)
            }
        }
        Output::Json => format!("{}\n", report.value()),
    };
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        words::error(&format!("writing the report: {error}"));
        return exit::FAILURE;
    }
    match report.verdict {
        Verdict::Fine => exit::SUCCESS,
        Verdict::Limits => exit::LIMITS,
        Verdict::Unfit => exit::UNFIT,
    }
}

impl Report {
    fn of(facts: Facts) -> Self {
        let checks = doctor::examine(&facts);
        let verdict = Verdict::of(&checks);
        let rows = doctor::matrix(doctor::expected_tier(&facts).0);
        Self { facts, checks, verdict, rows }
    }

    fn value(&self) -> Value {
        let (tier, proven) = doctor::expected_tier(&self.facts);
        json!({
            "picket": env!("CARGO_PKG_VERSION"),
            "kernel": self.facts.release.text(),
            "architecture": self.facts.architecture,
            "verdict": self.verdict.as_str(),
            "next": self.next(),
            "tier": tier.as_str(),
            "tier_proven": proven,
            "self_test": self_test(&self.facts.trial),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
            "capabilities": self.rows.iter().map(row).collect::<Vec<_>>(),
            "techniques": techniques::values(tier),
        })
    }

    /// What to do now, in one line.
    fn next(&self) -> String {
        let first = self.checks.first().and_then(|check| {
            let remedy = check.remedy.as_ref()?;
            Some(remedy.copy.as_ref().map_or_else(
                || format!("{}: {}", check.title, remedy.say),
                |copy| format!("{}: {}: {copy}", check.title, remedy.say),
            ))
        });
        match (self.verdict, &self.facts.trial, first) {
            (Verdict::Unfit, _, Some(remedy)) => remedy,
            (Verdict::Unfit, ..) => "solve the problems above, then run this again".to_owned(),
            (_, Trial::Skipped(_), _) => {
                "picket doctor without --no-load, as root, proves it".to_owned()
            }
            _ => "picket demo shows it at work".to_owned(),
        }
    }
}

fn self_test(trial: &Trial) -> Value {
    match trial {
        Trial::Skipped(why) => json!({ "outcome": "skipped", "text": why }),
        Trial::Failed(said) => json!({ "outcome": "failed", "text": said }),
        Trial::Passed { because, hooks, took, .. } => json!({
            "outcome": "passed", "text": because, "hooks": hooks,
            "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }),
    }
}

fn check(check: &Check) -> Value {
    json!({
        "check": check.id,
        "status": check.status.as_str(),
        "found": check.found,
        "why": check.why,
        "remedy": check.remedy.as_ref().map(|remedy| &remedy.say),
        "copy": check.remedy.as_ref().and_then(|remedy| remedy.copy.as_ref()),
    })
}

fn row(row: &Row) -> Value {
    let ability =
        |ability: Ability| json!({ "answer": ability.answer.as_str(), "why": ability.why });
    json!({
        "capability": row.capability,
        "observe": ability(row.observe),
        "deny": ability(row.deny),
        "contain": ability(row.contain),
    })
}
