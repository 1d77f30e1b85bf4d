//! What a recorded run would have come to by what was learned: the judge of live runs, told a recording.
//!
//! The evidence begins from nothing where the calibration was complete, so that the answer is that of the recording alone. A
//! run from before that taught or calibrated the baseline, or could have, and is no evidence.

use std::fmt;

use picket_engine::{
    Input, KernelTime, Mode, SandboxId,
    baseline::{Family, Observer},
    learned::{Budget, Certificate, Claim, PluginTime},
};

use super::judge::Judge;
use crate::{
    baseline::{Budgets, Entry, Identity, Store, StoreError},
    trace::Header,
};

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum WhatIfError {
    /// The store, or no such baseline in it.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Nobody knows how often the baseline is surprised for nothing.
    #[error(
        "{plugin} {key}: {what}, so nothing is evidence: `picket baseline status {key}` says what is missing"
    )]
    NotCertified {
        /// The plugin.
        plugin: String,
        /// The beginning of its baseline's key.
        key: String,
        /// What it lacks.
        what: &'static str,
    },
    /// The words of the recording are not those that were learned.
    #[error(
        "the trace is redacted: its paths are not those that were learned; use the trace it was made from"
    )]
    Redacted,
    /// The recording is of somebody else.
    #[error(
        "the trace is of {recorded}, and the baseline of {learned}: name a baseline of that plugin; `picket baseline list` shows them"
    )]
    Another {
        /// Of whom the recording is.
        recorded: String,
        /// Of whom the baseline is.
        learned: String,
    },
}

/// See the module.
#[derive(Debug)]
pub struct WhatIf {
    identity: Identity,
    claim: Claim,
    budget: Budget,
    judge: Judge,
    observer: Observer,
    calibrated_until: Option<u64>,
    /// A run was of before.
    early: bool,
}

impl WhatIf {
    /// By the baseline of the store whose key begins with `key`, at one false containment in the time of `budget`.
    ///
    /// # Errors
    /// [`WhatIfError`].
    pub fn open(
        store: &Store,
        key: &str,
        budget: Budget,
        header: &Header,
    ) -> Result<Self, WhatIfError> {
        let entry = store.find(key)?;
        let identity = entry.identity.clone();
        if header.redacted {
            return Err(WhatIfError::Redacted);
        }
        if header.plugins != [identity.plugin.clone()] {
            let (recorded, learned) = (header.plugins.join(", "), identity.plugin);
            return Err(WhatIfError::Another { recorded, learned });
        }
        let (certificate, calibrated_until) = certificate(store, &entry)?;
        let budgets = Budgets { alert: None, contain: Some(budget) };
        let claim = budget.claim(certificate.calibrated());
        let known = (certificate, calibrated_until);
        let judge = Judge::from_nothing(&entry, store.key()?, known, budgets);
        let observer = Observer::new(header.clock.boot(), header.clock.unix_seconds());
        Ok(Self { identity, claim, budget, judge, observer, calibrated_until, early: false })
    }

    /// Hears the next input; answers what the engine would have been told right after it.
    pub fn hear(&mut self, input: &Input) -> Vec<Input> {
        let mut deeds = Vec::new();
        self.observer
            .hear_deeds(input, |family, template| deeds.push((family, template.to_owned())));
        // What was not seen counts, too.
        let told = match input {
            Input::Event { sandbox, order, .. } => self.judge(*sandbox, &deeds, order.time),
            Input::Loss { sandbox, at, .. }
            | Input::Tampered { sandbox: Some(sandbox), at, .. } => self.judge(*sandbox, &[], *at),
            Input::Tampered { sandbox: None, at, .. } => {
                let all: Vec<SandboxId> = self.observer.running().map(|(id, ..)| id).collect();
                all.into_iter().flat_map(|sandbox| self.judge(sandbox, &[], *at)).collect()
            }
            _ => Vec::new(),
        };
        for over in self.observer.take() {
            self.judge.over(over.sandbox, over.run.ended());
        }
        told
    }

    fn judge(
        &mut self,
        sandbox: SandboxId,
        deeds: &[(Family, String)],
        at: KernelTime,
    ) -> Vec<Input> {
        let Some((run, began, true)) = self.observer.running_in(sandbox) else { return Vec::new() };
        self.early |= self.calibrated_until.is_some_and(|until| began < until);
        let begun = if self.judge.has(sandbox) { None } else { self.judge.begin(sandbox, began) };
        let shown = self.judge.hear(sandbox, Mode::Shadow, deeds, run);
        let told = begun.into_iter().chain(shown);
        told.map(|anomaly| Input::Anomaly { sandbox, anomaly, at }).collect()
    }

    /// How much evidence there is since the plugin would last have been contained.
    #[must_use]
    pub fn evidence(&self) -> PluginTime {
        self.judge.evidence_now()
    }

    /// How much contains it.
    #[must_use]
    pub const fn budget(&self) -> Budget {
        self.budget
    }

    /// Whether a run began before the calibration was complete, and so was no evidence.
    #[must_use]
    pub const fn is_early(&self) -> bool {
        self.early
    }
}

impl fmt::Display for WhatIf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { identity, claim, .. } = self;
        write!(out, "the baseline {} of {}: {claim}", identity.short(), identity.plugin)
    }
}

/// And when its calibration was complete, in seconds since 1970.
fn certificate(store: &Store, entry: &Entry) -> Result<(Certificate, Option<u64>), WhatIfError> {
    let missing = |what| WhatIfError::NotCertified {
        plugin: entry.identity.plugin.clone(),
        key: entry.identity.short(),
        what,
    };
    let calibration =
        store.calibration(&entry.identity)?.ok_or_else(|| missing("it has no certificate"))?;
    if calibration.is_stale(&entry.baseline) {
        return Err(missing("its certificate is stale"));
    }
    let certified = calibration.certified().ok_or_else(|| missing("it has no certificate"))?;
    Ok((certified.certificate.clone(), calibration.last()))
}
