//! What is still to be said, on disk: a message is written before it is sent, and goes when it was taken.
//!
//! One SQLite file, in write-ahead mode and synchronised at every commit. One Picket at a time sends from it; `picket
//! alerts` may look at it and change it beside. When the file fails while Picket runs, what was in it is kept in
//! memory from then on, loudly: alerts go on, and detection has never been near it.
//!
//! # Invariants
//!
//! * Of one incident a target is sent the oldest message first, and the next only when that was taken or given up.
//! * The number of messages is bounded. What has to go first is what is over longest.

mod file;
mod rows;

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

pub use file::OutboxError;
pub use rows::{Letter, OpenIncident, TargetRow};
pub(super) use rows::{Message, TargetState};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    fields::Fields,
    incident::{Severity, Statement},
};

/// Messages kept, whatever became of them. At about two kilobytes each.
const MESSAGES: u64 = 10_000;

/// See the module.
#[derive(Debug)]
pub struct Outbox {
    connection: Connection,
    path: PathBuf,
    boot: String,
    most: u64,
    is_durable: bool,
    /// Held as long as this lives.
    _lock: Option<File>,
}

impl Outbox {
    /// Opens the file, which is made if it is not there, for sending from it.
    ///
    /// # Errors
    /// [`OutboxError`]: it cannot be used, and why.
    pub fn open(path: &Path) -> Result<Self, OutboxError> {
        let (connection, lock) = file::open(path)?;
        let outbox = Self {
            connection,
            path: path.to_owned(),
            boot: file::boot(),
            most: MESSAGES,
            is_durable: true,
            _lock: Some(lock),
        };
        // Due times are on a clock that begins anew with each boot.
        let done = outbox.connection.execute("UPDATE messages SET due = 0 WHERE due <> 0", []);
        done.map_err(|cause| OutboxError::Unusable { path: path.to_owned(), cause })?;
        Ok(outbox)
    }

    /// Whether a message survives this process.
    pub(super) fn is_durable(&self) -> bool {
        self.is_durable
    }

    /// Writes a state down for these targets, all of it or nothing. Answers, by target, how many older messages had
    /// to go.
    pub(super) fn record(
        &mut self,
        statement: &Statement,
        targets: &[&str],
        written: i64,
    ) -> BTreeMap<String, u64> {
        let (most, boot) = (self.most, self.boot.clone());
        let dropped = self.with(|connection| {
            let transaction = connection.transaction()?;
            if statement.is_resolved {
                transaction
                    .execute("DELETE FROM incidents WHERE incident = ?1", [&statement.incident])?;
            } else {
                transaction.execute(
                    "INSERT OR REPLACE INTO incidents VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![
                        statement.incident,
                        boot,
                        statement.cgroup.cast_signed(),
                        statement.revision.cast_signed(),
                        statement.fields.json()
                    ],
                )?;
            }
            for target in targets {
                rows::insert(&transaction, target, statement, written)?;
            }
            let dropped = rows::make_room(&transaction, most)?;
            transaction.commit()?;
            Ok(dropped)
        });
        dropped.unwrap_or_default()
    }

    /// Writes down a message that is about no incident.
    pub(super) fn remark(&mut self, target: &str, id: &str, fields: &Fields, written: i64) {
        let statement = Statement {
            incident: id.to_owned(),
            cgroup: 0,
            revision: 0,
            is_resolved: true,
            former: None,
            fields: fields.clone(),
        };
        self.with(|connection| rows::insert(connection, target, &statement, written));
    }

    /// The message to be sent next to a target at `now`, in milliseconds on the clock of [`Outbox::later`].
    pub(super) fn next(&mut self, target: &str, now: i64) -> Option<Message> {
        self.with(|connection| {
            let mut query = connection.prepare(rows::NEXT)?;
            query.query_row(params![target, now], rows::message).optional()
        })
        .flatten()
    }

    /// A target took it. False when it is not there any more.
    pub(super) fn taken(&mut self, number: i64) -> bool {
        self.change("DELETE FROM messages WHERE number = ?1", params![number])
    }

    /// It is tried again at `due`.
    pub(super) fn later(&mut self, number: i64, due: i64, why: &str) {
        self.change(
            "UPDATE messages SET due = ?2, tries = tries + 1, error = ?3 WHERE number = ?1",
            params![number, due, why],
        );
    }

    /// It is not tried any more. False when it is not there any more.
    pub(super) fn bury(&mut self, number: i64, why: &str) -> bool {
        self.change(
            "UPDATE messages SET dead = 1, tries = tries + 1, error = ?2 WHERE number = ?1",
            params![number, why],
        )
    }

    /// Gives up what was written before; answers how many, by target.
    pub(super) fn expire(&mut self, before: i64) -> BTreeMap<String, u64> {
        self.with(|connection| {
            let mut query = connection.prepare(
                "UPDATE messages SET dead = 1, error = coalesce(error, 'never tried') || '; given up'
                 WHERE dead = 0 AND written < ?1 RETURNING target",
            )?;
            rows::tally(query.query_map([before], |row| row.get(0))?)
        })
        .unwrap_or_default()
    }

    /// Messages that wait for a target, and those it never took.
    pub(super) fn waiting(&mut self, target: &str) -> (i64, i64) {
        self.with(|connection| {
            let mut query = connection.prepare(
                "SELECT count(*) FILTER (WHERE dead = 0), count(*) FILTER (WHERE dead = 1)
                 FROM messages WHERE target = ?1",
            )?;
            query.query_row([target], |row| Ok((row.get(0)?, row.get(1)?)))
        })
        .unwrap_or_default()
    }

    /// Incidents that are not over, as they were told last; true: of this boot, so that the cgroup's id still means
    /// the same.
    pub(super) fn open_incidents(&mut self) -> Vec<(Statement, bool)> {
        let boot = self.boot.clone();
        self.with(|connection| rows::open_incidents(connection, &boot)).unwrap_or_default()
    }

    /// The last states of open incidents about which nothing waits for this target.
    pub(super) fn told(&mut self, target: &str) -> Vec<Fields> {
        self.with(|connection| {
            let mut query = connection.prepare(rows::TOLD)?;
            let texts = query.query_map([target], |row| row.get::<_, String>(0))?;
            let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
            Ok(texts.iter().filter_map(|text| Fields::parse(text)).collect())
        })
        .unwrap_or_default()
    }

    /// For `picket alerts`: how a target is.
    pub(super) fn note(&mut self, target: &str, state: TargetState, error: Option<&str>, at: i64) {
        self.change(
            "INSERT OR REPLACE INTO targets VALUES (?1, ?2, ?3, ?4)",
            params![target, state.as_str(), error, at],
        );
    }

    fn change(&mut self, statement: &str, values: impl rusqlite::Params + Copy) -> bool {
        self.with(|connection| Ok(0 < connection.prepare(statement)?.execute(values)?))
            .unwrap_or_default()
    }

    /// Does something with the file, and when that fails in memory.
    fn with<T>(
        &mut self,
        mut work: impl FnMut(&mut Connection) -> rusqlite::Result<T>,
    ) -> Option<T> {
        let error = match work(&mut self.connection) {
            Ok(done) => return Some(done),
            Err(error) => error,
        };
        if self.is_durable {
            self.is_durable = false;
            tracing::error!(
                outbox = %self.path.display(),
                %error,
                "the outbox of alerts failed: messages are kept in memory until Picket is started again"
            );
            match rows::in_memory(&self.connection) {
                Ok(memory) => self.connection = memory,
                Err(error) => tracing::error!(%error, "there is no memory for messages"),
            }
            return work(&mut self.connection)
                .inspect_err(|error| tracing::error!(%error, "a message is lost"))
                .ok();
        }
        tracing::error!(%error, "a message is lost");
        None
    }
}

/// What `picket alerts` shows of an outbox, and changes in it. A daemon may be sending from it meanwhile.
#[derive(Debug)]
pub struct Desk(Connection);

impl Desk {
    /// Opens an outbox that is there.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub fn open(path: &Path) -> Result<Self, OutboxError> {
        file::connect(path, false).map(Self)
    }

    /// Every target that was ever sent anything or has something waiting, by name.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn targets(&self) -> rusqlite::Result<Vec<TargetRow>> {
        rows::targets(&self.0)
    }

    /// Incidents that are not over.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open_incidents(&self) -> rusqlite::Result<Vec<OpenIncident>> {
        let all = rows::open_incidents(&self.0, "")?;
        Ok(all.into_iter().map(|(statement, _)| statement.into()).collect())
    }

    /// Messages that were given up, oldest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn dead(&self) -> rusqlite::Result<Vec<Letter>> {
        rows::dead(&self.0)
    }

    /// Has messages that were given up tried again, counted as written now: all, or one. Answers how many.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn replay(&self, number: Option<i64>, now: i64) -> rusqlite::Result<usize> {
        self.0.execute(
            "UPDATE messages SET dead = 0, due = 0, error = NULL, written = ?2
             WHERE dead = 1 AND (?1 IS NULL OR number = ?1)",
            params![number, now],
        )
    }
}

#[cfg(test)]
mod tests;
