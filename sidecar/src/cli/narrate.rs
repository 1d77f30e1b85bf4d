//! Tells what happens, in sentences or as JSON lines.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, IsTerminal, Write},
    path::Path,
    time::Duration,
};

use picket_engine::{Contain, Outcome, SandboxId, Step, Trigger};
use serde_json::{Value, json};

use super::{Output, words};
use crate::watch::Report;

/// Writes reports to standard error or a file.
#[derive(Debug)]
pub(super) struct Narrator {
    out: Target,
    output: Output,
    colour: bool,
    names: BTreeMap<SandboxId, String>,
    findings: bool,
}

#[derive(Debug)]
enum Target {
    Terminal,
    File(File),
}

pub(super) const RED: &str = "\u{1b}[31m";
pub(super) const GREEN: &str = "\u{1b}[32m";
pub(super) const YELLOW: &str = "\u{1b}[33m";
pub(super) const DIM: &str = "\u{1b}[2m";
pub(super) const PLAIN: &str = "\u{1b}[0m";

impl Narrator {
    /// Writes to `file`, or to standard error.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(super) fn new(output: Output, file: Option<&Path>) -> io::Result<Self> {
        let out = match file {
            Some(path) => Target::File(File::create(path)?),
            None => Target::Terminal,
        };
        let colour = matches!(out, Target::Terminal) && is_coloured(&io::stderr());
        Ok(Self { out, output, colour, names: BTreeMap::new(), findings: true })
    }

    /// Whether to tell findings: those of a plugin that declared nothing are no news.
    pub(super) fn with_findings(self, findings: bool) -> Self {
        Self { findings, ..self }
    }

    /// Whether findings are told.
    pub(super) fn tells_findings(&self) -> bool {
        self.findings
    }

    /// From now on this sandbox is called by its plugin's name.
    pub(super) fn name(&mut self, sandbox: SandboxId, name: &str) {
        self.names.insert(sandbox, name.to_owned());
    }

    /// This sandbox is not spoken of any more.
    pub(super) fn forget(&mut self, sandbox: SandboxId) {
        self.names.remove(&sandbox);
    }

    /// A remark that is about no sandbox.
    pub(super) fn remark(&mut self, event: &str, text: &str) {
        match self.output {
            Output::Human => self.line(&format!("picket: {text}")),
            Output::Json => self.json(&json!({ "event": event, "text": text })),
        }
    }

    /// A line of a story: no sandbox, no speaker.
    pub(super) fn story(&mut self, text: &str) {
        match self.output {
            Output::Human => self.line(text),
            Output::Json => self.json(&json!({ "event": "story", "text": text })),
        }
    }

    /// What a plugin wrote to its own output.
    pub(super) fn said(&mut self, plugin: &str, text: &str) {
        match self.output {
            Output::Human => {
                let who = format!("{:<12}", format!("[{plugin}]"));
                let said = self.paint(DIM, &format!("| {text}"));
                self.line(&format!("{who} {said}"));
            }
            Output::Json => self.json(&json!({ "event": "said", "plugin": plugin, "text": text })),
        }
    }

    /// A remark about a sandbox.
    pub(super) fn note(&mut self, sandbox: SandboxId, event: &str, text: &str) {
        match self.output {
            Output::Human => {
                let who = self.who(sandbox);
                self.line(&format!("{who} {text}"));
            }
            Output::Json => {
                let value = json!({ "event": event, "sandbox": sandbox.to_string(),
                    "plugin": self.names.get(&sandbox), "text": text });
                self.json(&value);
            }
        }
    }

    /// What the watch loop reports.
    pub(super) fn report(&mut self, report: &Report) {
        if !self.findings && matches!(report, Report::Finding(_)) {
            return;
        }
        match self.output {
            Output::Human => {
                if let Some(line) = self.sentence(report) {
                    self.line(&line);
                }
            }
            Output::Json => {
                let value = self.value(report);
                self.json(&value);
            }
        }
    }

    fn sentence(&self, report: &Report) -> Option<String> {
        match report {
            Report::Running { sandbox } => Some(format!(
                "{} {}",
                self.who(*sandbox),
                self.paint(GREEN, "runs, watched from its first instruction")
            )),
            Report::Found { sandbox } => Some(format!(
                "{} {}",
                self.who(*sandbox),
                self.paint(GREEN, "was found at work, judged from here on")
            )),
            Report::Finding(finding) => {
                let (deed, declared) = words::evidence(finding);
                let labels = finding.labels();
                let verdict = format!(
                    "{}: {}",
                    labels.capability.as_str(),
                    labels.reason.as_str().replace('_', " ")
                );
                Some(format!(
                    "{} {deed}\n             {}\n             verdict: {} → {}",
                    self.who(finding.sandbox),
                    self.paint(DIM, &declared),
                    self.paint(RED, &verdict),
                    labels.action.as_str(),
                ))
            }
            Report::Deciding { contain, dry_run: true, .. } => Some(format!(
                "{} {}",
                self.who(contain.sandbox),
                self.paint(YELLOW, &format!("shadow mode: would {} it", contain.step.as_str())),
            )),
            Report::Deciding { contain, .. } if contain.trigger == Trigger::LeaseExpired => {
                Some(format!(
                    "{} {}",
                    self.who(contain.sandbox),
                    self.paint(YELLOW, "was held as long as its manifest says, now it is killed"),
                ))
            }
            Report::Deciding { .. } => None,
            Report::Receipt { contain, outcome, decided, confirmed } => Some(self.receipt(
                contain,
                *outcome,
                contain.latency(*decided),
                contain.latency(*confirmed),
            )),
            Report::Tampered { breach, at, sound } => Some(format!(
                "{} {}\n             {}",
                breach.sandbox.map_or_else(|| "picket:".to_owned(), |sandbox| self.who(sandbox)),
                self.paint(RED, &format!("TAMPERED WITH: {}", words::breach(*breach))),
                self.paint(
                    DIM,
                    &format!("done in the last {} ms", at.duration_since(*sound).as_millis())
                ),
            )),
            Report::Mended { breach } => Some(format!(
                "{} {}",
                breach.sandbox.map_or_else(|| "picket:".to_owned(), |sandbox| self.who(sandbox)),
                self.paint(YELLOW, &format!("is as it was again: {}", words::breach(*breach))),
            )),
            Report::Begun { .. } | Report::Closed { .. } | Report::Forgotten { .. } => None,
            Report::Broken { error } => Some(format!("picket: the watch loop ended: {error}")),
        }
    }

    fn receipt(
        &self,
        contain: &Contain,
        outcome: Outcome,
        decided: Duration,
        confirmed: Duration,
    ) -> String {
        let who = self.who(contain.sandbox);
        let fact = match (contain.step, outcome) {
            (Step::Freeze, Outcome::Done) => "frozen 1",
            (Step::Kill, Outcome::Done) => "populated 0",
            (Step::Freeze, Outcome::Failed) => {
                return format!("{who} {}", self.paint(RED, "could not be frozen"));
            }
            (Step::Kill, Outcome::Failed) => {
                return format!("{who} {}", self.paint(RED, "could not be killed"));
            }
        };
        let what = match contain.step {
            Step::Freeze => "FROZEN",
            Step::Kill => "KILLED",
        };
        let mut line =
            format!("{who} {}  receipt: the kernel says `{fact}`", self.paint(YELLOW, what));
        if contain.trigger == Trigger::Finding {
            line.push_str(&format!(
                "\n             {} µs from the kernel's timestamp to the decision, {} µs to the receipt",
                decided.as_micros(),
                confirmed.as_micros(),
            ));
        }
        line
    }

    fn value(&self, report: &Report) -> Value {
        let about = |sandbox: &SandboxId| (sandbox.to_string(), self.names.get(sandbox).cloned());
        match report {
            Report::Running { sandbox } => {
                let (sandbox, plugin) = about(sandbox);
                json!({ "event": "running", "sandbox": sandbox, "plugin": plugin })
            }
            Report::Found { sandbox } => {
                let (sandbox, plugin) = about(sandbox);
                json!({ "event": "found", "sandbox": sandbox, "plugin": plugin })
            }
            Report::Finding(finding) => {
                let (sandbox, plugin) = about(&finding.sandbox);
                let (deed, declared) = words::evidence(finding);
                let labels = finding.labels();
                json!({ "event": "finding", "sandbox": sandbox, "plugin": plugin,
                    "incident": finding.incident.to_string(), "capability": labels.capability.as_str(),
                    "reason": labels.reason.as_str(), "action": labels.action.as_str(),
                    "time_ns": finding.order.time.as_nanos(), "pid": finding.process.map(|process| process.tgid),
                    "deed": deed, "declared": declared })
            }
            Report::Deciding { contain, decided, dry_run } => {
                let (sandbox, plugin) = about(&contain.sandbox);
                json!({ "event": if *dry_run { "would_contain" } else { "contain" }, "sandbox": sandbox,
                    "plugin": plugin, "incident": contain.incident.to_string(), "step": contain.step.as_str(),
                    "trigger": contain.trigger.as_str(), "attempt": contain.attempt,
                    "latency_us": micros(contain.latency(*decided)) })
            }
            Report::Receipt { contain, outcome, decided, confirmed } => {
                let (sandbox, plugin) = about(&contain.sandbox);
                json!({ "event": "receipt", "sandbox": sandbox, "plugin": plugin,
                    "incident": contain.incident.to_string(), "step": contain.step.as_str(),
                    "outcome": outcome.as_str(), "trigger": contain.trigger.as_str(),
                    "decision_us": micros(contain.latency(*decided)),
                    "receipt_us": micros(contain.latency(*confirmed)) })
            }
            Report::Closed { sandbox, incident, .. } => {
                let (sandbox, plugin) = about(sandbox);
                json!({ "event": "incident_closed", "sandbox": sandbox, "plugin": plugin,
                    "incident": incident.to_string() })
            }
            Report::Begun { sandbox } => {
                let (sandbox, plugin) = about(sandbox);
                json!({ "event": "begun", "sandbox": sandbox, "plugin": plugin })
            }
            Report::Forgotten { sandbox } => {
                let (sandbox, plugin) = about(sandbox);
                json!({ "event": "forgotten", "sandbox": sandbox, "plugin": plugin })
            }
            Report::Tampered { breach, at, sound } => {
                json!({ "event": "tampered", "sandbox": breach.sandbox.map(|sandbox| sandbox.to_string()),
                    "plugin": breach.sandbox.and_then(|sandbox| self.names.get(&sandbox)),
                    "tampering": breach.tampering.as_str(), "part": breach.part, "text": words::breach(*breach),
                    "time_ns": at.as_nanos(), "unnoticed_us": micros(at.duration_since(*sound)) })
            }
            Report::Mended { breach } => {
                json!({ "event": "mended", "sandbox": breach.sandbox.map(|sandbox| sandbox.to_string()),
                    "plugin": breach.sandbox.and_then(|sandbox| self.names.get(&sandbox)),
                    "tampering": breach.tampering.as_str(), "part": breach.part, "text": words::breach(*breach) })
            }
            Report::Broken { error } => json!({ "event": "broken", "text": error.to_string() }),
        }
    }

    fn who(&self, sandbox: SandboxId) -> String {
        let name = self.names.get(&sandbox).map_or("(self)", String::as_str);
        format!("{:<12}", format!("[{name}]"))
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        paint(self.colour, colour, text)
    }

    fn json(&mut self, value: &Value) {
        self.line(&value.to_string());
    }

    /// A reader that has gone is no reason to stop watching.
    fn line(&mut self, line: &str) {
        match &mut self.out {
            Target::Terminal => drop(writeln!(io::stderr(), "{line}")),
            Target::File(file) => drop(writeln!(file, "{line}")),
        }
    }
}

/// Whether what is written there may have colours.
pub(super) fn is_coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// The text in that colour, where colours are wanted at all.
pub(super) fn paint(wanted: bool, colour: &str, text: &str) -> String {
    if wanted { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
