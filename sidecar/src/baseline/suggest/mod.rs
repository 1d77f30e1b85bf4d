//! From a baseline to rules for those who enforce, in their own format: what was seen, and what is needed besides.
//!
//! Suggesting is not granting: what opens the machine is left out unless a person accepted or declared it, and whoever
//! asked is told. How each kind is made, and what it cannot say, is in `docs/baselines.md`.
//!
//! # Invariants
//!
//! * Nothing comes of a family that is full: what it forgot would be refused.
//! * The same baseline gives the same bytes.

pub mod manifest;
pub mod network_policy;
pub mod seccomp;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;
use picket_engine::baseline::{Condition, Family, Meaning, meaning};

use super::Entry;

/// How the words of every suggestion begin.
pub const BEGINNING: &str = "Suggested by Picket";

/// A baseline, and what is missing until it is known well enough.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// The baseline.
    pub entry: &'a Entry,
    /// Conditions of learning that are not met.
    pub missing: Vec<Condition>,
}

/// Rules, and what was seen and is not let through by them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The file.
    pub text: String,
    /// In a fixed order.
    pub left: Vec<Left>,
}

/// Something that was seen and is not let through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// What, as `picket baseline show` prints it: fit for a terminal and for a comment.
    pub what: String,
    /// Why, and the way out if there is one.
    pub why: &'static str,
}

/// Why nothing can be suggested.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuggestError {
    /// A family forgot what it had.
    #[error(
        "`{family}` of this baseline is full: it had more kinds than {} and forgot them, so no rule can be made of it; \
         learn anew from runs that do less, or of a build whose names do not change all the time",
        family.limit()
    )]
    Full {
        /// Which.
        family: Family,
    },
    /// No run may be learned from.
    #[error(
        "nothing is known of this plugin: no run of the baseline may be learned from; `picket baseline show` says why"
    )]
    Nothing,
}

impl Left {
    fn new(what: &str, why: &'static str) -> Self {
        // More than a terminal needs: some parsers of YAML end a line, and so a comment, at U+2028.
        let harmless =
            |letter: &char| *letter == ' ' || letter.is_ascii_graphic() || letter.is_alphanumeric();
        let escaped = |letter: char| match harmless(&letter) {
            true => letter.to_string(),
            false => letter.escape_unicode().to_string(),
        };
        Self { what: what.chars().map(escaped).collect(), why }
    }
}

impl Source<'_> {
    /// The kinds of a family.
    fn kinds(&self, family: Family) -> Result<BTreeMap<&str, (u64, u64)>, SuggestError> {
        let baseline = &self.entry.baseline;
        if baseline.usable().next().is_none() {
            return Err(SuggestError::Nothing);
        }
        if baseline.is_full(family) {
            return Err(SuggestError::Full { family });
        }
        Ok(baseline.kinds(family))
    }

    /// What a person accepted of a family.
    fn accepted(&self, family: Family) -> impl Iterator<Item = Meaning<'_>> {
        let accepted = self.entry.baseline.accepted().filter(move |one| one.family == family);
        accepted.filter_map(move |one| meaning(family, &one.template))
    }

    fn is_accepted(&self, family: Family, template: &str) -> bool {
        let mut accepted = self.entry.baseline.accepted();
        accepted.any(|one| one.family == family && one.template == template)
    }

    /// What every suggestion begins with: of what it was made, and how far to trust it.
    fn heading(&self) -> Vec<String> {
        let Entry { identity, baseline } = self.entry;
        let runs = baseline.usable().count();
        let mut heading = vec![
            format!(
                "{BEGINNING} from the baseline {} of {} in {}: {runs} run{}.",
                identity.short(),
                identity.plugin,
                identity.deployment,
                if runs == 1 { "" } else { "s" }
            ),
            format!("Build {}, manifest {}.", identity.artifact, identity.manifest),
            "It covers what was seen, which is not what ought to be allowed: read it before you trust it."
                .to_owned(),
        ];
        heading.extend(self.warning());
        heading
    }

    /// That it is too early, if it is.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        // Some are asked of each family.
        let named = |one: &&Condition| self.missing.contains(one);
        let missing: Vec<&str> =
            Condition::ALL.iter().filter(named).map(|one| one.as_str()).collect();
        let names = missing.join(", ");
        let key = self.entry.identity.short();
        let text = format!(
            "NOT KNOWN WELL ENOUGH YET ({names} missing; picket baseline status {key}): what comes later would be refused."
        );
        (!missing.is_empty()).then_some(text)
    }
}

/// How often a call was refused, by the template of the call. Each refusal counts as the call, too, so a call that was
/// also let through was seen more often.
fn refused(source: &Source<'_>) -> Result<BTreeMap<String, u64>, SuggestError> {
    let kinds = source.kinds(Family::Errno)?.into_iter();
    let calls = kinds.filter_map(|(template, (times, _))| {
        let call = template.strip_prefix("syscall ")?.strip_suffix(" refused")?;
        Some((call.to_owned(), times))
    });
    Ok(calls.collect())
}

/// Whether a network is that of the service by which clouds tell a machine who it is, with its credentials.
pub(crate) fn is_metadata(network: IpNet) -> bool {
    const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
    network.contains(&METADATA)
}

#[cfg(test)]
mod tests;
