//! What a manifest says that its author may not mean: accepted, and pointed out in a review.
//!
//! A lint never guesses: where it cannot tell it says nothing. Paths are compared as they are written; [`host`] is the
//! part that looks at this machine.

mod covered;
mod files;
mod host;
mod network;
mod rest;

use std::time::SystemTime;

use super::Manifest;
use crate::document::{Fault, Position, Report};

/// Kinds of warnings. The names are stable; the documentation has a row for each.
pub(crate) mod kind {
    pub(crate) const ALWAYS_TRUE: &str = "always-true";
    pub(crate) const COVERED: &str = "covered";
    pub(crate) const OWN_PROGRAM: &str = "own-program";
    pub(crate) const PROTECTED_INSIDE: &str = "protected-inside";
    pub(crate) const ANY_PROGRAM: &str = "any-program";
    pub(crate) const NOT_ENFORCED: &str = "not-enforced";
    pub(crate) const UNDOES_THE_WATCH: &str = "undoes-the-watch";
    pub(crate) const NAME_WITHOUT_DNS: &str = "name-without-dns";
    pub(crate) const ENDED: &str = "ended";
    pub(crate) const ENDS_SOON: &str = "ends-soon";
    pub(crate) const DANGER: &str = "danger";
    pub(crate) const FOREIGN_ABI: &str = "foreign-abi";
    pub(crate) const OWN_CODE: &str = "own-code";
    pub(crate) const UNJUDGED_SOCKET: &str = "unjudged-socket";
    pub(crate) const MISSING: &str = "missing";
}

/// What was found so far.
#[derive(Default)]
struct Lints(Vec<Fault>);

impl Lints {
    fn add(
        &mut self,
        kind: &'static str,
        position: Position,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.push(Fault::warning(kind, position, message, hint));
    }
}

impl Manifest {
    /// What may not be meant, judged at `now`; `None`: nothing.
    pub fn lint(&self, now: SystemTime) -> Option<Report> {
        let mut lints = Lints::default();
        self.lint_text(now, &mut lints);
        self.linted(lints)
    }

    /// As [`Manifest::lint`], and what does not hold on this machine: files that are not there, names without an
    /// address. Asks the system's resolver, which may take as long as that takes.
    pub fn lint_here(&self, now: SystemTime) -> Option<Report> {
        let mut lints = Lints::default();
        self.lint_text(now, &mut lints);
        host::lint(self, now, &mut lints);
        self.linted(lints)
    }

    fn lint_text(&self, now: SystemTime, lints: &mut Lints) {
        files::lint(&self.declared, lints);
        network::lint(&self.declared, lints);
        rest::ends(&self.declared, now, lints);
        if let Some(written) = self.written() {
            rest::lint(&written, &self.declared, lints);
        }
    }

    fn linted(&self, lints: Lints) -> Option<Report> {
        (!lints.0.is_empty()).then(|| self.report(lints.0))
    }
}

#[cfg(test)]
mod tests;
