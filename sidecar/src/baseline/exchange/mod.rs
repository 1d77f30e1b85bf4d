//! Baselines in a file that travels: JSON Lines, the same bytes for the same baselines.
//!
//! A header, then of each baseline a line that says whose it is, one for each run and one for each acceptance, and an
//! end with the digest of every line before. Hashes do not travel, because each store has a key of its own; templates
//! do, so the file is as private as the paths of the plugin.

mod error;
mod lines;
mod reader;

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use picket_engine::{baseline::Baseline, learned::Subject};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use error::ExchangeError;
pub use lines::VERSION;
pub use reader::{is_export, read, read_from};

use super::{Entry, Identity};
use lines::{Line, line_of};

/// Baselines, at most one of a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package(BTreeMap<[u8; 32], Entry>);

impl Package {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Joins a baseline with the one of the same subject, if there is one.
    pub fn add(&mut self, entry: Entry) {
        match self.0.get_mut(&entry.baseline.subject().0) {
            Some(known) => {
                known.baseline.join(&entry.baseline).expect("found by its subject");
            }
            None => drop(self.0.insert(entry.baseline.subject().0, entry)),
        }
    }

    /// Joins all of another one.
    pub fn join(&mut self, other: Self) {
        other.0.into_values().for_each(|entry| self.add(entry));
    }

    /// In order of their keys.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.values()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&mut self, identity: &Identity) -> &mut Baseline {
        let Subject(subject) = identity.subject();
        &mut self.0.entry(subject).or_insert_with(|| Entry::new(identity.clone())).baseline
    }
}

/// Writes baselines. The same ones give the same bytes.
///
/// # Errors
/// Writing fails.
pub fn write(package: &Package, out: &mut impl Write) -> io::Result<()> {
    let mut to = Digested { out, digest: Sha256::new(), lines: 0 };
    to.line(&Line::header())?;
    for Entry { identity, baseline } in package.entries() {
        to.line(&Line::baseline(identity, baseline.is_sampled()))?;
        for (id, run) in baseline.runs() {
            to.line(&line_of(id, run))?;
        }
        for one in baseline.accepted() {
            to.line(&Line::accepted(one))?;
        }
    }
    let (lines, digest) = (to.lines, to.digest.clone().finalize());
    to.line(&Line::end(lines, &digest))?;
    to.out.flush()
}

struct Digested<'a, W> {
    out: &'a mut W,
    digest: Sha256,
    lines: u64,
}

impl<W: Write> Digested<'_, W> {
    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.digest.update(&text);
        self.lines += 1;
        self.out.write_all(&text)
    }
}

#[cfg(test)]
mod tests;
