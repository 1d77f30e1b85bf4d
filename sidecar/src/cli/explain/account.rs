//! What happened, put in order: each finding with what followed, each step with the findings that were enough for it.
//!
//! The engine says a step right after the finding that asks for it, and later steps name that finding by what it was
//! and when: both are put together here, by numbers that count over the whole trace.

use std::collections::{BTreeMap, BTreeSet};

use picket_engine::{
    Action, Actions, Contain, Effect, Finding, Input, KernelTime, Mode, Outcome, Reason, SandboxId,
    Settings,
};

use crate::{
    cli::tell::time_of,
    manifest::{self, WayOut},
    trace::{End, Replay, Sameness},
};

/// One thing to be told.
#[derive(Debug)]
pub(super) enum Account {
    Finding(Box<Found>),
    Step(Taken),
    Receipt(Receipt),
}

/// A finding in its place.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) number: u64,
    pub(super) finding: Finding,
    pub(super) mode: Mode,
    /// What the manifest says of the capability, which may be less than what is due.
    pub(super) declared: Action,
    pub(super) followed: Followed,
    /// `None`: the trace is redacted, and its names are not those a manifest would have.
    pub(super) way_out: Option<WayOut>,
}

/// What became of a finding at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// No more was asked for.
    Told,
    /// The mode lets nothing follow.
    HeldBack,
    /// These steps.
    Steps(Vec<u64>),
    /// As much was asked for already.
    UnderWay,
}

/// A containment step in its place.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) number: u64,
    pub(super) contain: Contain,
    /// Shadow mode: it was only said.
    pub(super) rehearsed: bool,
    pub(super) at: KernelTime,
    /// The smallest set of findings that had to be there for it, by their numbers. Empty: what asked for it repeated a
    /// finding, and is not told itself.
    pub(super) enough: Vec<u64>,
    /// It took several refused attempts, of which those that repeated another were not told.
    pub(super) repeated: bool,
}

/// What the kernel said to a step.
#[derive(Debug)]
pub(super) struct Receipt {
    pub(super) step: Taken,
    pub(super) outcome: Outcome,
    pub(super) at: KernelTime,
}

impl Account {
    pub(super) const fn sandbox(&self) -> SandboxId {
        match self {
            Self::Finding(found) => found.finding.sandbox,
            Self::Step(step) => step.contain.sandbox,
            Self::Receipt(receipt) => receipt.step.contain.sandbox,
        }
    }

    pub(super) const fn at(&self) -> KernelTime {
        match self {
            Self::Finding(found) => found.finding.order.time,
            Self::Step(step) => step.at,
            Self::Receipt(receipt) => receipt.at,
        }
    }

    /// Whether it is a step, or what one followed at once.
    pub(super) fn is_of_containment(&self) -> bool {
        match self {
            Self::Finding(found) => matches!(found.followed, Followed::Steps(_)),
            Self::Step(_) | Self::Receipt(_) => true,
        }
    }

    /// Whether it is the finding of this number or needed it.
    pub(super) fn concerns(&self, number: u64) -> bool {
        match self {
            Self::Finding(found) => found.number == number,
            Self::Step(step) => step.enough.contains(&number),
            Self::Receipt(receipt) => receipt.step.enough.contains(&number),
        }
    }
}

/// Decides a trace again and keeps what explanations need.
#[derive(Debug)]
pub(super) struct Accounts {
    replay: Replay,
    redacted: bool,
    known: BTreeMap<SandboxId, Known>,
    seen: BTreeSet<SandboxId>,
    findings: u64,
    steps: u64,
}

/// A sandbox.
#[derive(Debug)]
struct Known {
    mode: Mode,
    actions: Actions,
    /// Findings of the open incident: their number, and what later steps name them by.
    open: Vec<(u64, Finding)>,
    /// The latest step that was really asked for.
    asked: Option<Taken>,
}

impl Accounts {
    pub(super) fn new(redacted: bool) -> Self {
        let replay = Replay::new(Settings::STANDARD);
        let (known, seen) = (BTreeMap::new(), BTreeSet::new());
        Self { replay, redacted, known, seen, findings: 0, steps: 0 }
    }

    /// What one input of the trace leads to.
    pub(super) fn hear(&mut self, input: Input) -> Vec<Account> {
        let mut accounts: Vec<Account> = self.receipt(&input).into_iter().collect();
        self.learn(&input);
        let at = time_of(&input);
        let gone = match &input {
            Input::Unregister { sandbox, .. } => Some(*sandbox),
            _ => None,
        };
        for effect in self.replay.tell(input).to_vec() {
            match effect {
                Effect::Finding(finding) => accounts.extend(self.finding(finding)),
                Effect::Contain(contain) => self.step(contain, false, at, &mut accounts),
                Effect::WouldContain(contain) => self.step(contain, true, at, &mut accounts),
                Effect::IncidentClosed { sandbox, .. } => {
                    if let Some(known) = self.known.get_mut(&sandbox) {
                        known.open.clear();
                        known.asked = None;
                    }
                }
                Effect::IncidentOpened { .. } | Effect::Narrowed { .. } => {}
            }
        }
        gone.and_then(|sandbox| self.known.remove(&sandbox));
        accounts
    }

    fn learn(&mut self, input: &Input) {
        match input {
            Input::Register { sandbox, policy, .. } => {
                self.seen.insert(*sandbox);
                // As the engine: a second registration is none.
                self.known.entry(*sandbox).or_insert_with(|| Known {
                    mode: policy.mode,
                    actions: policy.actions,
                    open: Vec::new(),
                    asked: None,
                });
            }
            Input::Policy { sandbox, policy, .. } => {
                if let Some(known) = self.known.get_mut(sandbox) {
                    (known.mode, known.actions) = (policy.mode, policy.actions);
                }
            }
            _ => {}
        }
    }

    fn receipt(&self, input: &Input) -> Option<Account> {
        let Input::Receipt { sandbox, incident, step, outcome, at } = input else {
            return None;
        };
        let asked = self.known.get(sandbox)?.asked.as_ref()?;
        let answers = (asked.contain.incident, asked.contain.step) == (*incident, *step);
        answers
            .then(|| Account::Receipt(Receipt { step: asked.clone(), outcome: *outcome, at: *at }))
    }

    fn finding(&mut self, finding: Finding) -> Option<Account> {
        let known = self.known.get_mut(&finding.sandbox)?;
        self.findings += 1;
        let number = self.findings;
        known.open.push((number, finding.clone()));
        let followed = match (finding.action, known.mode) {
            (Action::Alert, _) => Followed::Told,
            (_, Mode::Observe) => Followed::HeldBack,
            // Until a step follows.
            _ => Followed::UnderWay,
        };
        Some(Account::Finding(Box::new(Found {
            number,
            mode: known.mode,
            declared: declared(&known.actions, &finding),
            followed,
            way_out: (!self.redacted).then(|| manifest::way_out(&finding)),
            finding,
        })))
    }

    fn step(
        &mut self,
        contain: Contain,
        rehearsed: bool,
        at: KernelTime,
        accounts: &mut Vec<Account>,
    ) {
        let Some(known) = self.known.get_mut(&contain.sandbox) else {
            return;
        };
        self.steps += 1;
        let number = self.steps;
        let (enough, repeated) = (known.enough(&contain), known.is_repeated(&contain));
        let step = Taken { number, contain, rehearsed, at, enough, repeated };
        // Steps of a finding follow it; no finding of another sandbox lies between.
        let asks = accounts.iter_mut().rev().find_map(|account| match account {
            Account::Finding(found) if found.finding.sandbox == contain.sandbox => Some(found),
            _ => None,
        });
        if let Some(found) = asks {
            match &mut found.followed {
                Followed::Steps(steps) => steps.push(number),
                followed => *followed = Followed::Steps(vec![number]),
            }
        }
        if !rehearsed {
            known.asked = Some(step.clone());
        }
        accounts.push(Account::Step(step));
    }

    pub(super) fn has_seen(&self, sandbox: SandboxId) -> bool {
        self.seen.contains(&sandbox)
    }

    pub(super) const fn findings(&self) -> u64 {
        self.findings
    }

    pub(super) const fn steps(&self) -> u64 {
        self.steps
    }

    pub(super) fn compare(&self, end: Option<&End>) -> Sameness {
        self.replay.compare(end)
    }
}

impl Known {
    /// The fewest findings of the incident without which the step would not have been asked for. A departure from what
    /// is declared needs no other; a refused attempt that counts as repeated needs the two before it.
    fn enough(&self, contain: &Contain) -> Vec<u64> {
        let named = |finding: &Finding| {
            finding.labels() == contain.because && finding.order.time == contain.offence
        };
        let Some(place) = self.open.iter().position(|(_, finding)| named(finding)) else {
            return Vec::new();
        };
        let (before, since) = self.open.split_at(place);
        let mut enough: Vec<u64> = since.first().map(|(number, _)| *number).into_iter().collect();
        if self.is_repeated(contain) {
            let denied = before.iter().rev();
            let denied = denied.filter(|(_, finding)| finding.reason == Reason::DeniedAttempt);
            enough.extend(denied.take(2).map(|(number, _)| *number));
        }
        enough.sort_unstable();
        enough
    }

    /// Whether it took several refused attempts.
    fn is_repeated(&self, contain: &Contain) -> bool {
        contain.because.reason == Reason::DeniedAttempt
            && contain.because.action != self.actions.denials().first
    }
}

fn declared(actions: &Actions, finding: &Finding) -> Action {
    match finding.reason {
        // Which of the two it is has been decided by how often it happened.
        Reason::DeniedAttempt => finding.action,
        _ => actions.get(finding.capability),
    }
}
