//! The store: baselines in one SQLite file, readable with `sqlite3`.
//!
//! In write-ahead mode, and every change in one immediate transaction: what is there is read, joined with what is new by
//! the engine, and only the difference is written. So two processes at once lose nothing; one waits for the other.

mod calibrations;
mod evidence;
mod file;
mod migrate;
mod rows;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use picket_engine::baseline::{Baseline, Key};
use rusqlite::{Connection, TransactionBehavior};

pub use evidence::{KeptEvidence, KeptRuling};
pub use file::StoreError;
use picket_engine::learned::Ruling;
use rows::Trouble;

use super::{Calibration, Identity};

/// See the module.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

/// A baseline and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose.
    pub identity: Identity,
    /// What is known.
    pub baseline: Baseline,
}

impl Entry {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        let baseline = Baseline::new(identity.subject());
        Self { identity, baseline }
    }
}

impl Store {
    /// Opens a store, and makes it if it is not there: the file for its owner alone, as its directory.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn make(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: file::open(path, true)?, path: path.to_owned() })
    }

    /// Opens a store that is there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: file::open(path, false)?, path: path.to_owned() })
    }

    /// What hashes of its baselines are keyed with.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn key(&self) -> Result<Key, StoreError> {
        let key = self.connection.query_row("SELECT key FROM store", [], |row| row.get(0));
        key.map(Key::new).map_err(|cause| self.trouble(cause.into()))
    }

    /// All baselines, by plugin, deployment and build.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let all = rows::identities(&self.connection).map_err(|trouble| self.trouble(trouble))?;
        all.into_iter()
            .map(|identity| {
                let baseline = rows::load(&self.connection, &identity);
                let baseline = baseline.map_err(|trouble| self.trouble(trouble))?;
                Ok(Entry { identity, baseline })
            })
            .collect()
    }

    /// The one baseline whose key begins like this.
    ///
    /// # Errors
    /// There is none, or there are several; or the file cannot be read.
    pub fn find(&self, key: &str) -> Result<Entry, StoreError> {
        let all = rows::identities(&self.connection).map_err(|trouble| self.trouble(trouble))?;
        let mut found = all.into_iter().filter(|identity| identity.key().starts_with(key));
        let shown = || crate::words::text(key.as_bytes()).chars().take(80).collect();
        match (found.next(), found.count()) {
            (None, _) => Err(StoreError::NoSuch { key: shown() }),
            (Some(identity), 0) => {
                let baseline = rows::load(&self.connection, &identity);
                let baseline = baseline.map_err(|trouble| self.trouble(trouble))?;
                Ok(Entry { identity, baseline })
            }
            (Some(_), more) => Err(StoreError::Ambiguous { key: shown(), count: more + 1 }),
        }
    }

    /// Changes a baseline, which begins empty if it is not there. Answers what it was before, and what it is.
    ///
    /// # Errors
    /// The file cannot be read or written; it is as it was.
    pub fn change(
        &mut self,
        identity: &Identity,
        change: impl FnOnce(&mut Baseline),
    ) -> Result<(Baseline, Baseline), StoreError> {
        self.exchange(identity, change).map_err(|trouble| self.trouble(trouble))
    }

    fn exchange(
        &mut self,
        identity: &Identity,
        change: impl FnOnce(&mut Baseline),
    ) -> Result<(Baseline, Baseline), Trouble> {
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate)?;
        let before = rows::load(&transaction, identity)?;
        let mut after = before.clone();
        change(&mut after);
        rows::save(&transaction, identity, &before, &after)?;
        transaction.commit()?;
        Ok((before, after))
    }

    /// What calibrates a baseline, if anything does.
    ///
    /// # Errors
    /// The file cannot be read, or the calibration is damaged.
    pub fn calibration(&self, identity: &Identity) -> Result<Option<Calibration>, StoreError> {
        calibrations::load(&self.connection, identity).map_err(|trouble| self.trouble(trouble))
    }

    /// Changes what calibrates a baseline, which is told as it is now: another process may have taught it something. `anew`:
    /// forgets what is there without a look at it, so that it may be damaged. Answers what `change` does; without any
    /// calibration afterwards nothing is changed.
    ///
    /// # Errors
    /// The file cannot be read or written, or the calibration is damaged; it is as it was.
    pub fn calibrate<T>(
        &mut self,
        identity: &Identity,
        anew: bool,
        change: impl FnOnce(&Baseline, &mut Option<Calibration>) -> T,
    ) -> Result<T, StoreError> {
        self.exchange_calibration(identity, anew, change).map_err(|trouble| self.trouble(trouble))
    }

    fn exchange_calibration<T>(
        &mut self,
        identity: &Identity,
        anew: bool,
        change: impl FnOnce(&Baseline, &mut Option<Calibration>) -> T,
    ) -> Result<T, Trouble> {
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate)?;
        let baseline = rows::load(&transaction, identity)?;
        let before = if anew { None } else { calibrations::load(&transaction, identity)? };
        let mut after = before.clone();
        let answer = change(&baseline, &mut after);
        if let Some(after) = after {
            if anew {
                calibrations::forget(&transaction, identity)?;
            }
            calibrations::save(&transaction, identity, before.as_ref(), &after)?;
            transaction.commit()?;
        }
        Ok(answer)
    }

    /// What live runs of a baseline amount to, if anything was kept.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn evidence(&self, identity: &Identity) -> Result<Option<KeptEvidence>, StoreError> {
        evidence::load(&self.connection, identity).map_err(|trouble| self.trouble(trouble))
    }

    /// Keeps what live runs of a baseline amount to.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_evidence(
        &mut self,
        identity: &Identity,
        kept: &KeptEvidence,
    ) -> Result<(), StoreError> {
        evidence::save(&self.connection, identity, kept).map_err(|trouble| self.trouble(trouble))
    }

    /// What was found of containments, after the ruling with this number.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn rulings(&self, identity: &Identity, after: i64) -> Result<Vec<KeptRuling>, StoreError> {
        evidence::rulings(&self.connection, identity, after).map_err(|it| self.trouble(it))
    }

    /// Keeps what somebody found a containment to be: who, and why.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn rule(
        &mut self,
        identity: &Identity,
        at: u64,
        ruling: Ruling,
        (by, reason): (&str, &str),
    ) -> Result<(), StoreError> {
        let ruled = evidence::rule(&self.connection, identity, at, ruling, by, reason);
        ruled.map_err(|trouble| self.trouble(trouble))
    }

    fn trouble(&self, trouble: Trouble) -> StoreError {
        trouble.of(&self.path)
    }
}
