//! `picket simulate`: what a manifest, and what was learned, would have found and done in a trace.

use std::{collections::BTreeMap, io::Write as _, path::PathBuf};

use picket_engine::{Effect, Finding, Input, Mode, Policy, SandboxId, Settings, learned::Budget};
use serde_json::json;

use super::{
    Output, exit,
    replay::Failure,
    tell::{Teller, verdict},
    words,
};
use crate::{
    baseline::{Store, WhatIf, WhatIfError},
    manifest::{self, Names, Occasion, ResolveContext},
    trace::{Header, Reader, Replay},
};

/// Differences that are listed for people; all of them are counted, and in JSON all are listed.
const LISTED: usize = 20;

/// A departure that is one too many for an incident must not look like one that is gone.
const SETTINGS: Settings = Settings { findings_kept: 1 << 16, ..Settings::STANDARD };

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The trace.
    #[arg(value_name = "FILE")]
    trace: PathBuf,
    /// The manifest to try. Judged as if its mode were `enforce`; nothing is done.
    #[arg(short, long, value_name = "FILE")]
    manifest: PathBuf,
    /// Judged by what was learned as well, with no evidence yet: one false containment expected in so much time, such as
    /// '1 per 30 plugin-days'. What learned evidence did when it was recorded is left out.
    #[arg(long, value_name = "BUDGET", value_parser = crate::baseline::budget, requires = "baseline")]
    budget: Option<Budget>,
    /// What was learned: the beginning of a baseline's key, as `picket baseline list` shows it.
    #[arg(long, value_name = "KEY", requires = "budget")]
    baseline: Option<String>,
    /// The store of baselines.
    #[arg(long, value_name = "FILE", default_value = "/var/lib/picket/baselines.db")]
    store: PathBuf,
    /// How the answer is written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
    /// Uses a trace that breaks off as far as it goes.
    #[arg(long)]
    incomplete: bool,
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let reader = match Reader::open(&arguments.trace) {
        Ok(reader) => reader.incomplete(arguments.incomplete),
        Err(error) => {
            words::error(&error.to_string());
            return exit::FAILURE;
        }
    };
    let policy = match resolve(arguments, reader.header()) {
        Ok(policy) => policy,
        Err(error) => {
            words::error(&error);
            return exit::CONFIGURATION;
        }
    };
    let learned = match learned(arguments, reader.header()) {
        Ok(learned) => learned,
        Err(error) => {
            words::error(&error.to_string());
            return match error {
                WhatIfError::Store(_) | WhatIfError::NotCertified { .. } => exit::FAILURE,
                WhatIfError::Redacted | WhatIfError::Another { .. } => exit::CONFIGURATION,
            };
        }
    };
    match simulate(arguments, reader, &policy, learned) {
        Ok(0) => exit::SUCCESS,
        Ok(_) => exit::FINDINGS,
        Err(error) => {
            words::error(&error.to_string());
            exit::FAILURE
        }
    }
}

/// What the manifest means on this host, at the time of the recording.
fn resolve(arguments: &Arguments, header: &Header) -> Result<Policy, String> {
    let manifest = manifest::load(&arguments.manifest).map_err(|error| error.to_string())?;
    let context = ResolveContext {
        entry: None,
        wall: header.clock.wall(),
        boot: header.clock.boot(),
        // Nothing is started: no file has to have its digest, and grants that were over then are not there.
        occasion: Occasion::Refresh,
        elsewhere: false,
        names: &Names::default(),
    };
    Ok(manifest.resolve(&context).map_err(|error| error.to_string())?.policy)
}

/// What was learned, if it is asked for.
fn learned(arguments: &Arguments, header: &Header) -> Result<Option<WhatIf>, WhatIfError> {
    let (Some(budget), Some(key)) = (arguments.budget, &arguments.baseline) else {
        return Ok(None);
    };
    let store = Store::open(&arguments.store)?;
    WhatIf::open(&store, key, budget, header).map(Some)
}

/// A departure, whatever follows from it: where, from what, and what was done.
type Departure = (SandboxId, String, String);

/// Departures in order of appearance.
#[derive(Default)]
struct Departures(BTreeMap<Departure, (usize, Finding)>);

impl Departures {
    fn add(&mut self, finding: &Finding) {
        let place = self.0.len();
        let (deed, _) = words::evidence(finding);
        let key = (finding.sandbox, verdict(finding), deed);
        self.0.entry(key).or_insert_with(|| (place, finding.clone()));
    }

    fn without<'a>(&'a self, other: &Self) -> Vec<&'a Finding> {
        let missing = self.0.iter().filter(|(key, _)| !other.0.contains_key(key));
        let mut missing: Vec<_> = missing.map(|(_, found)| found).collect();
        missing.sort_by_key(|(place, _)| *place);
        missing.into_iter().map(|(_, finding)| finding).collect()
    }
}

/// Answers how many findings there are.
fn simulate(
    arguments: &Arguments,
    mut reader: Reader,
    policy: &Policy,
    mut learned: Option<WhatIf>,
) -> Result<u64, Failure> {
    let redacted = reader.header().redacted;
    let mut teller = Teller::new(arguments.output, reader.header());
    let (mut then, mut now) = (Replay::new(SETTINGS), Replay::new(SETTINGS));
    let (mut found_then, mut found_now) = (Departures::default(), Departures::default());
    let (mut inputs, mut findings, mut steps) = (0_u64, 0_u64, 0_u64);
    for input in reader.by_ref() {
        let input = input?;
        inputs += 1;
        teller.hear(&input);
        let told = learned.as_mut().map_or_else(Vec::new, |learned| learned.hear(&input));
        let is_other = learned.is_some() && matches!(input, Input::Anomaly { .. });
        let instead = instead(&input, policy).filter(|_| !is_other);
        for input in instead.into_iter().chain(told) {
            for effect in now.tell(input) {
                match effect {
                    Effect::Finding(finding) => {
                        findings += 1;
                        found_now.add(finding);
                    }
                    Effect::WouldContain(_) => steps += 1,
                    _ => {}
                }
                teller.effect(effect)?;
            }
        }
        then.tell(input).iter().for_each(|effect| {
            if let Effect::Finding(finding) = effect {
                found_then.add(finding);
            }
        });
    }
    let (only_now, only_then) = (found_now.without(&found_then), found_then.without(&found_now));
    for (title, event, departures) in [
        ("found only now", "only_now", &only_now),
        ("found only with what was declared when it was recorded", "only_then", &only_then),
    ] {
        list(&mut teller, arguments.output, title, event, departures)?;
    }
    let missed = reader.end().map_or(0, |end| end.missed);
    let text = format!(
        "{} under {}: {}, {} that would have been taken; {} only now, {} only then{}{}",
        words::count(inputs, "input"),
        arguments.manifest.display(),
        words::count(findings, "finding"),
        words::count(steps, "containment step"),
        only_now.len(),
        only_then.len(),
        if 0 < missed { "; the trace has gaps, so there may be more" } else { "" },
        if redacted {
            "; the trace is redacted: most names in it are not the real ones"
        } else {
            ""
        },
    );
    let value = json!({ "event": "simulated", "inputs": inputs, "findings": findings, "steps": steps,
        "only_now": only_now.len(), "only_then": only_then.len(), "missed": missed, "redacted": redacted });
    teller.remark(&text, &value)?;
    if let Some(learned) = &learned {
        evidence(&mut teller, learned)?;
    }
    teller.out.flush()?;
    Ok(findings)
}

/// How much evidence the recording is by what was learned.
fn evidence(teller: &mut Teller, learned: &WhatIf) -> Result<(), Failure> {
    let (evidence, of) = (learned.evidence(), learned.budget().time());
    let amount = if learned.is_early() {
        "the run began before the calibration was complete and is no evidence".to_owned()
    } else {
        format!(
            "the run is evidence of {} of {} plugin-days",
            words::days(evidence),
            of.whole_days()
        )
    };
    let text = format!("by {learned}; {amount}");
    let value = json!({ "event": "evidence", "by": learned.to_string(), "evidence_ms": evidence.as_millis(),
        "budget_ms": of.as_millis(), "early": learned.is_early() });
    Ok(teller.remark(&text, &value)?)
}

/// The input as it would have been under another manifest. Shadow, because what is asked for now has no receipt in
/// the record; the receipts there answer steps that nobody asks for, which the engine ignores.
fn instead(input: &Input, policy: &Policy) -> Option<Input> {
    match input {
        Input::Policy { .. } => None,
        Input::Register { sandbox, policy: recorded, arrival, at } => {
            let policy = Policy {
                entry: recorded.entry,
                inherited: recorded.inherited.clone(),
                mode: Mode::Shadow,
                ..policy.clone()
            };
            Some(Input::Register { sandbox: *sandbox, policy, arrival: arrival.clone(), at: *at })
        }
        other => Some(other.clone()),
    }
}

fn list(
    teller: &mut Teller,
    output: Output,
    title: &str,
    event: &str,
    departures: &[&Finding],
) -> Result<(), Failure> {
    if output == Output::Json {
        for finding in departures {
            let value = teller.finding_value(event, finding);
            writeln!(teller.out, "{value}")?;
        }
        return Ok(());
    }
    if !departures.is_empty() {
        writeln!(teller.out, "{title}:")?;
    }
    for finding in departures.iter().take(LISTED) {
        let (deed, _) = words::evidence(finding);
        writeln!(teller.out, "  {deed} ({})", verdict(finding))?;
    }
    if LISTED < departures.len() {
        writeln!(teller.out, "  and {} more", departures.len() - LISTED)?;
    }
    Ok(())
}
