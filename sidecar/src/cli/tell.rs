//! Tells what an engine says about a trace, on standard output: the same trace, the same bytes.

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Stdout, Write as _},
    time::Duration,
};

use picket_engine::{Contain, Effect, Finding, Input, KernelTime, SandboxId, Step, Trigger};
use serde_json::{Value, json};

use super::{Output, words};
use crate::trace::Header;

/// Writes sentences or JSON lines.
pub(super) struct Teller {
    pub(super) out: BufWriter<Stdout>,
    pub(super) output: Output,
    /// The plugin's name, when the trace is of one.
    plugin: Option<String>,
    /// When each sandbox was registered: sentences count from there.
    since: BTreeMap<SandboxId, KernelTime>,
    now: KernelTime,
}

impl Teller {
    pub(super) fn new(output: Output, header: &Header) -> Self {
        let plugin = match header.plugins.as_slice() {
            [name] => Some(words::text(name.as_bytes())),
            _ => None,
        };
        let out = BufWriter::with_capacity(1 << 16, io::stdout());
        Self { out, output, plugin, since: BTreeMap::new(), now: KernelTime::BOOT }
    }

    /// Keeps the time; to be called before the effects of an input are told.
    pub(super) fn hear(&mut self, input: &Input) {
        if let Input::Register { sandbox, at, .. } = input {
            self.since.entry(*sandbox).or_insert(*at);
        }
        self.now = time_of(input);
    }

    /// Tells a finding or a containment step, and nothing of the rest.
    pub(super) fn effect(&mut self, effect: &Effect) -> io::Result<()> {
        match effect {
            Effect::Finding(finding) => self.finding(finding),
            Effect::Contain(contain) => self.step(contain, "contain"),
            Effect::WouldContain(contain) => self.step(contain, "would_contain"),
            Effect::IncidentOpened { .. }
            | Effect::IncidentClosed { .. }
            | Effect::Narrowed { .. } => Ok(()),
        }
    }

    /// A line about the whole.
    pub(super) fn remark(&mut self, text: &str, value: &Value) -> io::Result<()> {
        match self.output {
            Output::Human => writeln!(self.out, "picket: {text}"),
            Output::Json => writeln!(self.out, "{value}"),
        }
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        match self.output {
            Output::Human => {
                let (deed, declared) = words::evidence(finding);
                let who = self.who(finding.sandbox, finding.order.time);
                let indent = " ".repeat(who.chars().count());
                let (verdict, action) = (verdict(finding), finding.action.as_str());
                writeln!(
                    self.out,
                    "{who} {deed}\n{indent} {declared}\n{indent} verdict: {verdict} → {action}"
                )
            }
            Output::Json => {
                let value = self.finding_value("finding", finding);
                writeln!(self.out, "{value}")
            }
        }
    }

    /// A finding as `picket exec` reports it.
    pub(super) fn finding_value(&self, event: &str, finding: &Finding) -> Value {
        let (deed, declared) = words::evidence(finding);
        let labels = finding.labels();
        json!({ "event": event, "sandbox": finding.sandbox.to_string(), "plugin": self.plugin,
            "incident": finding.incident.to_string(), "capability": labels.capability.as_str(),
            "reason": labels.reason.as_str(), "action": labels.action.as_str(),
            "time_ns": finding.order.time.as_nanos(), "pid": finding.process.map(|process| process.tgid),
            "deed": deed, "declared": declared })
    }

    fn step(&mut self, contain: &Contain, event: &str) -> io::Result<()> {
        match self.output {
            Output::Human => {
                let who = self.who(contain.sandbox, self.now);
                let done = match contain.step {
                    Step::Freeze => "frozen",
                    Step::Kill => "killed",
                };
                let verb = if event == "contain" { "is to be" } else { "would be" };
                let why = match contain.trigger {
                    Trigger::Finding => "",
                    Trigger::FreezeConfirmed => ", now that it stands still",
                    Trigger::FreezeFailed => ", because it could not be frozen",
                    Trigger::LeaseExpired => ", held as long as its manifest says",
                };
                let again = match contain.attempt {
                    1 => String::new(),
                    attempt => format!(" (attempt {attempt})"),
                };
                writeln!(self.out, "{who} {verb} {done}{why}{again}")
            }
            Output::Json => {
                let value = self.step_value(event, contain);
                writeln!(self.out, "{value}")
            }
        }
    }

    /// A containment step as `picket exec` reports it, without latencies.
    pub(super) fn step_value(&self, event: &str, contain: &Contain) -> Value {
        json!({ "event": event, "sandbox": contain.sandbox.to_string(), "plugin": self.plugin,
            "incident": contain.incident.to_string(), "step": contain.step.as_str(),
            "trigger": contain.trigger.as_str(), "attempt": contain.attempt })
    }

    /// How long after the sandbox was registered.
    pub(super) fn since(&self, sandbox: SandboxId, at: KernelTime) -> Duration {
        self.since.get(&sandbox).map_or(Duration::ZERO, |since| at.duration_since(*since))
    }

    /// Whom it concerns, and when after the beginning.
    pub(super) fn who(&self, sandbox: SandboxId, at: KernelTime) -> String {
        let since = self.since(sandbox, at);
        let name = self.plugin.clone().unwrap_or_else(|| sandbox.to_string());
        let millis = since.as_millis();
        format!("{:<12} +{}.{:03} s ", format!("[{name}]"), millis / 1000, millis % 1000)
    }
}

/// When an input happened, or was noticed.
pub(super) fn time_of(input: &Input) -> KernelTime {
    match input {
        Input::Event { order, .. } => order.time,
        Input::Register { at, .. }
        | Input::Policy { at, .. }
        | Input::Loss { at, .. }
        | Input::Resources { at, .. }
        | Input::Tampered { at, .. }
        | Input::Anomaly { at, .. }
        | Input::Supervisor { at, .. }
        | Input::Receipt { at, .. }
        | Input::Tick { at }
        | Input::Unregister { at, .. } => *at,
    }
}

/// What was departed from, and why.
pub(super) fn verdict(finding: &Finding) -> String {
    format!("{}: {}", finding.capability.as_str(), finding.reason.as_str().replace('_', " "))
}
