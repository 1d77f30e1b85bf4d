//! What a plugin may do, as its manifest says it: read, checked, explained, and turned into a policy.
//!
//! Three steps, each with its own answer:
//! 1. [`load`] reads and judges the text. Wrong YAML is one complaint; wrong values are all
//!    reported at once. Nothing of the machine is looked at, so a manifest is judged the same way
//!    in a review as on a node.
//! 2. [`Manifest::resolve`] looks at this machine: follows symbolic links, finds protected files,
//!    resolves names, verifies the plugin's digest. Its complaints point into the text, too.
//! 3. The engine judges by the [`Resolved::policy`] that comes out.
//!
//! # Invariants
//!
//! * Default deny: what is not written is not granted. The defaults that grant something are the
//!   two `runtime` groups, and [`Manifest::explain`] spells them out.
//! * Nothing is silently weaker: what cannot be enforced is refused or said to be not enforced
//!   yet (`resources`, `reports`).
//! * Every complaint has file, line, column, the line itself and a way out.

mod canonical;
mod capabilities;
mod check;
mod container;
mod declared;
mod diff;
mod error;
mod explain;
mod groups;
mod json_schema;
mod learned;
mod links;
mod lint;
mod mounts;
mod names;
mod replay;
mod resolve;
mod runtime;
mod schema;
mod start;
mod suggest;
pub mod syscalls;
mod way_out;

use std::{collections::BTreeSet, path::Path};

use picket_engine::{Mode, Pattern, Policy, SyscallSet};

pub use container::Places;
use declared::{Declared, Host};
pub use declared::{Report as PluginReport, Resources};
pub use diff::{Difference, Unused};
pub use error::ResolveError;
pub use json_schema::json_schema;
pub use learned::{Comparison, Grant, Learned, PatchError, Rule, Undeclared, Wide};
pub use links::ContainerRoot;
pub(crate) use mounts::Mounts;
pub use names::{KEPT, Names};
pub use resolve::{Occasion, ResolveContext, Resolved};
use schema::{Document, MANIFEST};
pub use suggest::{Identity, Proof, ProofError, Suggestion, suggest};
pub use way_out::{WayOut, way_out};

use crate::{
    document::{self, Digest, DocumentError, Source},
    supervisor::{CallFilter, Confinement, Stands, StrictFiles, Wall},
};

/// A manifest that passed every check which needs no look at the machine.
#[derive(Clone, Debug)]
pub struct Manifest {
    source: Source,
    digest: Digest,
    declared: Declared,
}

/// Reads and checks the manifest at `path`.
///
/// # Errors
///
/// When the file cannot be read, is too large, is not YAML, or says something that means nothing.
pub fn load(path: &Path) -> Result<Manifest, DocumentError> {
    Manifest::parse(&path.display().to_string(), &document::bytes(&MANIFEST, path)?)
}

/// The calls of the group `@runtime`: what it takes to start, compute and end.
pub(crate) fn runtime_calls() -> impl Iterator<Item = &'static str> {
    groups::group(groups::RUNTIME).into_iter().flat_map(groups::Group::calls)
}

impl Manifest {
    /// Checks a manifest that is already in memory; `name` is what complaints call it.
    ///
    /// # Errors
    ///
    /// As [`load`], but for reading.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, DocumentError> {
        let (source, document) = document::read::<Document>(&MANIFEST, name, bytes)?;
        match check::check(document) {
            Ok(declared) => Ok(Self { source, digest: Digest::of(bytes), declared }),
            Err(faults) => Err(DocumentError::from_faults(&source, faults)),
        }
    }

    /// Digest of the manifest's own bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The plugin's name: up to 63 of `a-z`, `0-9`, `-` and `_`.
    pub fn plugin_name(&self) -> &str {
        &self.declared.plugin.name
    }

    /// The plugin's version, as written.
    pub fn plugin_version(&self) -> &str {
        &self.declared.plugin.version
    }

    /// The digest that the entry point's file must have, if the manifest pins it.
    pub fn plugin_digest(&self) -> Option<Digest> {
        self.declared.plugin.digest.as_ref().map(|digest| digest.value)
    }

    /// How far Picket may go.
    pub fn mode(&self) -> Mode {
        self.declared.mode
    }

    /// How the plugin is confined from its start.
    pub fn confinement(&self) -> Confinement {
        if !self.declared.strict {
            return Confinement::Standard;
        }
        let calls = &self.declared.calls;
        let any_socket = calls.allow.iter().any(|text| text.value == "socket");
        let (calls, foreign_abi) = (calls.numbers, calls.foreign_abi);
        Confinement::Strict(CallFilter { calls, foreign_abi, any_socket })
    }

    /// What becomes of undeclared files on this kernel if the plugin is strictly confined.
    #[must_use]
    pub fn strict_files(&self) -> Option<StrictFiles> {
        self.declared.strict.then(|| StrictFiles::of(self.declared.calls.numbers))
    }

    /// Whether Landlock keeps the plugin from files.
    #[must_use]
    pub fn has_wall(&self) -> bool {
        matches!(self.strict_files(), Some(StrictFiles::Refused { .. }))
    }

    /// The wall, by the policy that this manifest was resolved into for a start of `entry`.
    #[must_use]
    pub fn wall(&self, policy: &Policy, entry: &Path) -> Wall {
        // Of what the group has for other distributions, nothing is here; that opens no directory. What is declared by name
        // may come yet.
        let named =
            self.declared.files.iter().filter_map(|rule| resolve::followed(&rule.path.value));
        let named: BTreeSet<Pattern> = named.collect();
        let of_runtime = runtime::patterns().filter_map(|(pattern, _)| resolve::followed(pattern));
        let idle = of_runtime.filter(|pattern| !named.contains(pattern)).collect();
        Wall::around(policy, entry, &idle, Stands::at)
    }

    /// Descriptors that the entry point inherits, ascending.
    pub fn entry_descriptors(&self) -> impl Iterator<Item = u32> + '_ {
        self.declared.descriptors.iter().copied()
    }

    /// System calls that it lets through.
    pub fn calls(&self) -> SyscallSet {
        self.declared.calls.numbers
    }

    /// Linux capabilities that the plugin keeps, as the kernel's bit mask.
    pub fn capabilities(&self) -> u64 {
        let bits = self.declared.capabilities.iter().filter_map(|name| capabilities::bit(name));
        bits.fold(0, |mask, bit| mask | bit)
    }

    /// Limits on what the plugin uses up. Not enforced yet.
    pub fn resources(&self) -> &Resources {
        &self.declared.resources
    }

    /// What the plugin has to tell its supervisor. Not enforced yet.
    pub fn reports(&self) -> impl Iterator<Item = PluginReport> + '_ {
        self.declared.reports.iter().copied()
    }

    /// Destinations that are given by name, as written.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.declared.connect.iter().filter_map(|rule| match &rule.host.value {
            Host::Name(name) => Some(name.clone()),
            Host::Network(_) => None,
        })
    }

    /// Whether destinations are given by name, so that resolving again may give other addresses.
    pub fn has_names(&self) -> bool {
        self.declared.connect.iter().any(|rule| matches!(rule.host.value, Host::Name(_)))
    }
}

#[cfg(test)]
mod tests;
