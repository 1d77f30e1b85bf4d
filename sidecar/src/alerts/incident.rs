//! Folds what happens in an incident into the states that are told of it: opened, worse, over.
//!
//! An incident settles for a second before it is told for the first time, so that the first message has the
//! containment and its receipt. After that it is told when something about it is news; a mere count is told once a
//! minute. Every state has a number, so that the same state has the same key over retries, restarts and targets.
//!
//! # Invariants
//!
//! * Severity never falls.
//! * What was resolved is not spoken of again; what is resolved was told as firing before.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::{Duration, Instant, SystemTime},
};

use picket_engine::{Action, Closure, FindingLabels, Outcome};

use super::fields::Fields;
use crate::export::{IncidentKey, Measured, Object, Origin, Outgoing, What, registry::key};

/// A freeze and its receipt take milliseconds, also on a host that thrashes.
pub(super) const SETTLE: Duration = Duration::from_secs(1);
/// Counts alone are told so often.
pub(super) const COUNTS: Duration = Duration::from_secs(60);
/// Version of the JSON.
const SCHEMA_VERSION: u64 = 1;
/// What may still be said of an incident that is over is at most this many incidents late.
const REMEMBERED: usize = 1_024;

/// How urgent an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// Somebody should look.
    Warning,
    /// A sandbox was stopped, or could not be.
    Critical,
}

impl Severity {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Warning, Self::Critical].into_iter().find(|one| one.as_str() == text)
    }
}

/// A state of an incident, as it is told to every target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// Which incident; the same over restarts.
    pub(super) incident: String,
    /// Kernel's id of its cgroup; 0 when it is not known. Never told.
    pub(super) cgroup: u64,
    pub(super) revision: u64,
    pub(super) is_resolved: bool,
    /// What it was told as before, when that was less.
    pub(super) former: Option<Severity>,
    pub(super) fields: Fields,
}

impl Statement {
    /// The key against doubles.
    pub(super) fn id(&self) -> String {
        format!("{}-{}", self.incident, self.revision)
    }
}

#[derive(Debug)]
struct Incident {
    cgroup: u64,
    /// Everything but what is particular to one statement.
    fields: Fields,
    severity: Severity,
    told: Option<Severity>,
    revision: u64,
    findings: u64,
    /// The worst that a finding asked for.
    asked: Option<Action>,
    /// When it is told next, if there is something to tell.
    due: Option<Instant>,
    last_told: Option<Instant>,
    ended: Option<(SystemTime, Closure)>,
}

/// Incidents that are open, those of former runs included.
#[derive(Debug)]
pub(super) struct Book {
    /// What all messages of this run say.
    sender: Fields,
    names: BTreeMap<IncidentKey, String>,
    incidents: BTreeMap<String, Incident>,
    /// Incidents of former runs, by cgroup: a new departure of the same sandbox joins them.
    former: BTreeMap<u64, String>,
    /// Those that were over last, oldest first: a late word must not begin them again.
    over: VecDeque<IncidentKey>,
}

impl Book {
    pub(super) fn new(origin: &Origin) -> Self {
        let mut sender = Fields::default();
        sender.number(key::SCHEMA_VERSION, SCHEMA_VERSION);
        sender.word(key::NODE, &origin.node);
        sender.closed(key::TIER, origin.tier.as_str());
        sender.closed(key::PICKET_VERSION, env!("CARGO_PKG_VERSION"));
        Self {
            sender,
            names: BTreeMap::new(),
            incidents: BTreeMap::new(),
            former: BTreeMap::new(),
            over: VecDeque::new(),
        }
    }

    /// What every message of this run begins with.
    pub(super) fn sender(&self) -> &Fields {
        &self.sender
    }

    /// Takes over an incident that a former run told of and that is not over.
    pub(super) fn adopt(&mut self, statement: Statement, now: Instant) {
        let Statement { incident, cgroup, revision, fields, .. } = statement;
        let severity = fields.text(key::SEVERITY);
        let severity =
            severity.and_then(|text| Severity::parse(&text)).unwrap_or(Severity::Warning);
        let action = fields.text(key::ACTION);
        let adopted = Incident {
            cgroup,
            severity,
            told: Some(severity),
            revision,
            findings: fields.read_number(key::FINDINGS).unwrap_or_default(),
            asked: Action::ALL.iter().copied().find(|one| Some(one.as_str()) == action.as_deref()),
            fields,
            due: None,
            last_told: Some(now),
            ended: None,
        };
        self.former.insert(cgroup, incident.clone());
        self.incidents.insert(incident, adopted);
    }

    /// Books a message. `cgroup`: the kernel's id of the sandbox's cgroup, 0 when it is not known.
    pub(super) fn hear(&mut self, message: &Outgoing, cgroup: u64, now: Instant) {
        if self.over.contains(&message.incident) {
            return;
        }
        if let What::Closed { why } = message.what {
            if let Some(name) = self.names.remove(&message.incident) {
                self.remember(message.incident);
                self.end(&name, why, message.at, now);
            }
            return;
        }
        let name = self.name(message, cgroup);
        let incident = self
            .incidents
            .entry(name)
            .or_insert_with(|| Incident::open(self.sender.clone(), message, cgroup));
        let news = match &message.what {
            What::Finding { labels, object } => incident.find(*labels, object),
            What::Decided(step) => incident.decide(step),
            What::Receipt { step, outcome, took } => incident.confirm(step, *outcome, *took),
            What::Closed { .. } => return,
        };
        let due = match incident.last_told {
            Some(told) if !news => told + COUNTS,
            _ => now + SETTLE,
        };
        incident.due = Some(incident.due.map_or(due, |earlier| earlier.min(due)));
    }

    /// The incident a message belongs to: the one of a former run when it is the same cgroup's.
    fn name(&mut self, message: &Outgoing, cgroup: u64) -> String {
        let former = &self.former;
        let name = self.names.entry(message.incident).or_insert_with(|| {
            let former = former.get(&cgroup).filter(|_| cgroup != 0);
            former.cloned().unwrap_or_else(|| message.incident.to_string())
        });
        self.former.remove(&cgroup);
        name.clone()
    }

    /// The sandbox of an incident is gone without a word about it.
    pub(super) fn lose(&mut self, name: &str, at: SystemTime, now: Instant) {
        let ours = self.names.extract_if(.., |_, known| known == name);
        for (key, _) in ours.collect::<Vec<_>>() {
            self.remember(key);
        }
        self.end(name, Closure::Unregistered, at, now);
    }

    fn remember(&mut self, key: IncidentKey) {
        if self.over.len() == REMEMBERED {
            self.over.pop_front();
        }
        self.over.push_back(key);
    }

    fn end(&mut self, name: &str, why: Closure, at: SystemTime, now: Instant) {
        self.former.retain(|_, known| known != name);
        if let Some(incident) = self.incidents.get_mut(name) {
            incident.ended = Some((at, why));
            incident.due = Some(now);
        }
    }

    /// Incidents that are open, with their cgroups.
    pub(super) fn open(&self) -> impl Iterator<Item = (&str, u64)> {
        let open = self.incidents.iter().filter(|(_, incident)| incident.ended.is_none());
        open.map(|(name, incident)| (name.as_str(), incident.cgroup))
    }

    /// When there is something to tell next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.incidents.values().filter_map(|incident| incident.due).min()
    }

    /// What is to be told by now, oldest state of an incident first.
    pub(super) fn speak(&mut self, now: Instant, wall: SystemTime) -> Vec<Statement> {
        let mut told = Vec::new();
        for (name, incident) in &mut self.incidents {
            if incident.due.is_none_or(|due| now < due) {
                continue;
            }
            // Whoever was never told that it began cannot be told that it is over.
            if incident.ended.is_some() && incident.revision == 0 {
                told.push(incident.state(name, None, wall));
            }
            told.push(incident.state(name, incident.ended, wall));
            incident.due = None;
            incident.last_told = Some(now);
        }
        self.incidents.retain(|_, incident| incident.ended.is_none() || incident.due.is_some());
        told
    }
}

impl Incident {
    fn open(mut fields: Fields, message: &Outgoing, cgroup: u64) -> Self {
        let Outgoing { subject, incident, at, .. } = message;
        fields.closed(key::EVENT, "incident");
        fields.shown(key::INCIDENT, incident);
        fields.shown(key::SANDBOX, incident.sandbox);
        fields.time(key::STARTED_AT, *at);
        fields.word(key::PLUGIN, &subject.plugin);
        fields.word(key::VERSION, &subject.version);
        fields.word(key::DIGEST, &subject.digest);
        if let Some(place) = &subject.place {
            fields.word(key::NAMESPACE, &place.namespace);
            fields.word(key::WORKLOAD, &place.workload);
            fields.word(key::POD, &place.pod);
            fields.word(key::CONTAINER, &place.container);
        }
        Self {
            cgroup,
            fields,
            severity: Severity::Warning,
            told: None,
            revision: 0,
            findings: 0,
            asked: None,
            due: None,
            last_told: None,
            ended: None,
        }
    }

    /// True when it is news and not only one more.
    fn find(&mut self, labels: FindingLabels, object: &Object) -> bool {
        self.findings = self.findings.saturating_add(1);
        if self.asked.is_some_and(|worst| labels.action <= worst) {
            return false;
        }
        self.blame(labels);
        self.fields.shown(key::OBJECT, object.class());
        match object.pseudonym() {
            Some(pseudonym) => self.fields.shown(key::OBJECT_ID, pseudonym),
            None => self.fields.remove(key::OBJECT_ID),
        }
        true
    }

    fn blame(&mut self, labels: FindingLabels) {
        let FindingLabels { capability, reason, action } = labels;
        self.asked = Some(action);
        self.fields.closed(key::CAPABILITY, capability.as_str());
        self.fields.closed(key::REASON, reason.as_str());
        self.fields.closed(key::ACTION, action.as_str());
    }

    fn decide(&mut self, step: &Measured) -> bool {
        // The finding may have been lost on its way here.
        if self.asked.is_none() {
            self.blame(step.because);
        }
        // What would have been done has happened to nobody.
        if !step.dry_run {
            self.severity = Severity::Critical;
        }
        let fields = &mut self.fields;
        fields.closed(key::STEP, step.step.as_str());
        fields.closed(key::TRIGGER, step.trigger.as_str());
        fields.number(key::ATTEMPT, step.attempt.into());
        fields.flag(key::DRY_RUN, step.dry_run);
        fields.number(key::DECISION_US, micros(step.decided_after));
        fields.remove(key::OUTCOME);
        fields.remove(key::RECEIPT_US);
        true
    }

    fn confirm(&mut self, step: &Measured, outcome: Outcome, took: Duration) -> bool {
        self.decide(step);
        self.fields.closed(key::OUTCOME, outcome.as_str());
        self.fields.number(key::RECEIPT_US, micros(took));
        true
    }

    /// The next state.
    fn state(
        &mut self,
        name: &str,
        ended: Option<(SystemTime, Closure)>,
        wall: SystemTime,
    ) -> Statement {
        self.revision += 1;
        let former = self.told.filter(|told| *told < self.severity);
        self.told = Some(self.severity);
        let mut fields = self.fields.clone();
        // That of a former run is continued.
        fields.shown(key::INCIDENT, name);
        fields.closed(key::STATUS, if ended.is_some() { "resolved" } else { "firing" });
        fields.closed(key::SEVERITY, self.severity.as_str());
        fields.number(key::FINDINGS, self.findings);
        fields.number(key::REVISION, self.revision);
        fields.time(key::SENT_AT, wall);
        if let Some((at, why)) = ended {
            fields.time(key::ENDED_AT, at);
            fields.closed(key::CLOSURE, why.as_str());
        }
        let summary = summary(&fields).to_string();
        fields.shown(key::SUMMARY, summary);
        Statement {
            incident: name.to_owned(),
            cgroup: self.cgroup,
            revision: self.revision,
            is_resolved: ended.is_some(),
            former,
            fields,
        }
    }
}

/// One sentence for people.
fn summary(fields: &Fields) -> impl fmt::Display {
    let text = |key| fields.text(key).unwrap_or_else(|| "unknown".to_owned());
    let (plugin, version, node) = (text(key::PLUGIN), text(key::VERSION), text(key::NODE));
    let (capability, reason) = (text(key::CAPABILITY), text(key::REASON));
    let object = fields.text(key::OBJECT).map(|object| format!(" ({object})")).unwrap_or_default();
    let dry_run = fields.text(key::DRY_RUN).is_some_and(|flag| flag == "true");
    let followed = match (fields.text(key::STEP), fields.text(key::OUTCOME)) {
        (None, _) => "nothing was done".to_owned(),
        (Some(step), _) if dry_run => format!("{step} would have followed"),
        (Some(step), None) => format!("{step} was ordered"),
        (Some(step), Some(outcome)) => format!("{step} {outcome}"),
    };
    let over = fields.text(key::CLOSURE).map(|why| format!("; over ({why})")).unwrap_or_default();
    fmt::from_fn(move |out| {
        write!(
            out,
            "{plugin} {version} on {node} departed from its manifest: {capability}/{reason}{object}; {followed}{over}"
        )
    })
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
