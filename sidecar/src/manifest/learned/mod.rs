//! Declared against learned, both ways, and the manifest that declares what was learned and no more.
//!
//! As `diff` and `suggest` for recorded runs, for a baseline, in which deeds were put together: an address is known by
//! its network, a name that varies by a pattern. So a rule counts as used where it *may* have been what let a deed pass,
//! and a deed as undeclared only where no rule can have meant all of it.
//!
//! # Invariants
//!
//! * Nothing is said about rules of a family that is full or about what is not learned at all: processes, capabilities,
//!   resources, descriptors.
//! * Nothing dangerous is granted unless a person accepted it, and a protected file never.

mod grants;
mod merged;
mod patch;
mod used;

use std::collections::BTreeSet;

use picket_engine::baseline::{Family, Meaning, meaning};

use super::{Manifest, ResolveError};
use crate::document::Position;
use grants::Judge;
pub use patch::PatchError;
use used::Deed;

/// A deed of a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Learned<'a> {
    /// Of which family.
    pub family: Family,
    /// As the baseline has it.
    pub template: &'a str,
    /// In how many runs; none of what was only accepted.
    pub runs: u64,
    /// A person took it for harmless.
    pub accepted: bool,
    /// It was refused whenever it was tried.
    pub refused: bool,
}

/// How a manifest and a baseline differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What was learned and is not declared.
    pub undeclared: Vec<Undeclared>,
    /// Rules that nothing learned needed, in the order of the file.
    pub unused: Vec<Rule>,
    /// Rules that mean more than one thing, and what was learned of them.
    pub wide: Vec<Wide>,
    /// Families that are full: nothing is said of their rules.
    pub unknown: BTreeSet<Family>,
}

/// A rule of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    at: Position,
    /// The list it stands in, as in `files.read`.
    pub list: &'static str,
    /// As written.
    pub rule: String,
}

impl Rule {
    /// Its line in the manifest.
    pub fn line(&self) -> u32 {
        self.at.line()
    }
}

/// A rule that means more than one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wide {
    /// The rule.
    pub rule: Rule,
    /// The templates of what may have needed it.
    pub used_by: Vec<String>,
}

/// Something that was learned and is not declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undeclared {
    /// Of which family.
    pub family: Family,
    /// As the baseline has it.
    pub template: String,
    /// In how many runs.
    pub runs: u64,
    /// The lines that would declare it; or why a person has to decide.
    pub grants: Result<Vec<Grant>, &'static str>,
}

/// A line that a manifest lacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The list it belongs into, as in `files.read`.
    pub list: &'static str,
    /// YAML, on one line.
    pub value: String,
}

/// What a template says. A file without a name that is mapped for execution is memory of the plugin's own making.
fn meant(family: Family, template: &str) -> Option<Meaning<'_>> {
    if family == Family::Path && template.starts_with("map ?") {
        return Some(Meaning::Memory);
    }
    meaning(family, template)
}

impl Manifest {
    /// Compares the manifest with what was learned, as it holds on this machine. Names are not looked up: a destination
    /// by name counts for every address with its ports.
    ///
    /// # Errors
    /// It cannot be resolved here.
    pub fn compare(
        &self,
        learned: &[Learned<'_>],
        unknown: &BTreeSet<Family>,
    ) -> Result<Comparison, ResolveError> {
        let judge = Judge::new(self, learned)?;
        let undeclared = learned.iter().filter_map(|one| judge.undeclared(one)).collect();
        let deeds: Vec<_> = learned
            .iter()
            .filter(|one| 0 < one.runs)
            .filter_map(|one| Some(Deed::new(one.template, meant(one.family, one.template)?)))
            .collect();
        let (unused, wide) = used::rules(&self.declared, &deeds, unknown);
        Ok(Comparison { undeclared, unused, wide, unknown: unknown.clone() })
    }

    /// The text of this manifest with what it lacks, and without what nothing needed: comments and everything else stay
    /// as they are.
    ///
    /// # Errors
    /// It is written so that it cannot be changed in place.
    pub fn patched(&self, comparison: &Comparison) -> Result<String, PatchError> {
        let text = patch::patched(self.source.text(), comparison)?;
        // What comes out is a manifest, or it is not handed out.
        match Self::parse("the patched manifest", text.as_bytes()) {
            Ok(_) => Ok(text),
            Err(error) => Err(PatchError::NoManifest { error: error.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests;
