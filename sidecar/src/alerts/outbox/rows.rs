//! Tables and rows of an outbox.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::{Fields, Severity, Statement};
use crate::export::registry::key;

/// What `user_version` says of this schema.
pub(super) const VERSION: i64 = 1;

pub(super) const SCHEMA: &str = "
    CREATE TABLE incidents (
        incident TEXT PRIMARY KEY,
        boot TEXT NOT NULL,
        cgroup INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        fields TEXT NOT NULL
    ) STRICT;
    CREATE TABLE messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        target TEXT NOT NULL,
        incident TEXT NOT NULL,
        id TEXT NOT NULL,
        former TEXT,
        body TEXT NOT NULL,
        written INTEGER NOT NULL,
        due INTEGER NOT NULL DEFAULT 0,
        tries INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        dead INTEGER NOT NULL DEFAULT 0,
        UNIQUE (target, id)
    ) STRICT;
    CREATE INDEX waiting ON messages (target, incident, number) WHERE dead = 0;
    CREATE TABLE targets (
        name TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        error TEXT,
        since INTEGER NOT NULL
    ) STRICT;
";

/// Of every incident only the oldest message may go.
pub(super) const NEXT: &str = "
    SELECT number, incident, id, former, body, tries FROM messages AS one
    WHERE target = ?1 AND dead = 0 AND due <= ?2 AND NOT EXISTS (
        SELECT 1 FROM messages AS earlier
        WHERE earlier.target = one.target AND earlier.incident = one.incident AND earlier.dead = 0
            AND earlier.number < one.number)
    ORDER BY due, number LIMIT 1";

pub(super) const TOLD: &str = "
    SELECT fields FROM incidents WHERE incident NOT IN (
        SELECT incident FROM messages WHERE target = ?1 AND dead = 0)";

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::alerts) struct Message {
    pub(in crate::alerts) number: i64,
    pub(in crate::alerts) id: String,
    /// What the incident was told as before, when that was less.
    pub(in crate::alerts) former: Option<Severity>,
    /// As it was written: every try sends the same bytes.
    pub(in crate::alerts) body: String,
    /// How often it was tried already.
    pub(in crate::alerts) tries: u32,
}

/// How a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::alerts) enum TargetState {
    Up,
    Failing,
    Disabled,
}

impl TargetState {
    pub(in crate::alerts) const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Failing => "failing",
            Self::Disabled => "disabled",
        }
    }
}

/// A target as `picket alerts list` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRow {
    /// Its name.
    pub name: String,
    /// `up`, `failing`, `disabled`; `None` when it was never sent anything.
    pub state: Option<String>,
    /// Why it is not up.
    pub error: Option<String>,
    /// Since when, in milliseconds since 1970.
    pub since: Option<i64>,
    /// Messages that wait.
    pub pending: u64,
    /// Messages that were given up.
    pub dead: u64,
}

impl TargetRow {
    /// Of a target that was never sent anything.
    #[must_use]
    pub fn unused(name: &str) -> Self {
        let (state, error, since) = (None, None, None);
        Self { name: name.to_owned(), state, error, since, pending: 0, dead: 0 }
    }
}

/// An incident that is not over, as `picket alerts list` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenIncident {
    /// Its identity.
    pub incident: String,
    /// How urgent.
    pub severity: String,
    /// When it began.
    pub started_at: String,
    /// A sentence.
    pub summary: String,
}

impl From<Statement> for OpenIncident {
    fn from(statement: Statement) -> Self {
        let text = |key| statement.fields.text(key).unwrap_or_default();
        Self {
            severity: text(key::SEVERITY),
            started_at: text(key::STARTED_AT),
            summary: text(key::SUMMARY),
            incident: statement.incident,
        }
    }
}

/// A message that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// By which it is replayed.
    pub number: i64,
    /// Who did not take it.
    pub target: String,
    /// Its key against doubles.
    pub id: String,
    /// When it was written, in milliseconds since 1970.
    pub written: i64,
    /// How often it was tried.
    pub tries: u64,
    /// Why not.
    pub error: String,
    /// Its JSON.
    pub body: String,
}

pub(super) fn insert(
    connection: &Connection,
    target: &str,
    statement: &Statement,
    written: i64,
) -> rusqlite::Result<()> {
    // The same state is one message, however often it is written.
    let mut query = connection.prepare(
        "INSERT OR IGNORE INTO messages (target, incident, id, former, body, written)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let former = statement.former.map(Severity::as_str);
    let (id, body) = (statement.id(), statement.fields.json());
    query.execute(params![target, statement.incident, id, former, body, written]).map(drop)
}

/// Removes the oldest messages above the bound: first of incidents that are over, then any.
pub(super) fn make_room(
    connection: &Connection,
    most: u64,
) -> rusqlite::Result<BTreeMap<String, u64>> {
    let count: i64 = connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?;
    let over = count.saturating_sub(most.cast_signed()).max(0);
    if over == 0 {
        return Ok(BTreeMap::new());
    }
    let mut query = connection.prepare(
        "DELETE FROM messages WHERE number IN (
            SELECT number FROM messages
            ORDER BY incident IN (SELECT incident FROM incidents), number LIMIT ?1)
         RETURNING target",
    )?;
    let dropped = tally(query.query_map([over], |row| row.get(0))?)?;
    Ok(dropped)
}

/// How often each is there.
pub(super) fn tally(
    targets: impl Iterator<Item = rusqlite::Result<String>>,
) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for target in targets {
        *counts.entry(target?).or_default() += 1;
    }
    Ok(counts)
}

pub(super) fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let former: Option<String> = row.get(3)?;
    Ok(Message {
        number: row.get(0)?,
        id: row.get(2)?,
        former: former.and_then(|text| Severity::parse(&text)),
        body: row.get(4)?,
        tries: row.get(5)?,
    })
}

pub(super) fn open_incidents(
    connection: &Connection,
    boot: &str,
) -> rusqlite::Result<Vec<(Statement, bool)>> {
    let mut query = connection
        .prepare("SELECT incident, boot, cgroup, revision, fields FROM incidents ORDER BY rowid")?;
    let rows = query.query_map([], |row| {
        let (fields, cgroup, revision): (String, i64, i64) =
            (row.get(4)?, row.get(2)?, row.get(3)?);
        let statement = Statement {
            incident: row.get(0)?,
            cgroup: cgroup.cast_unsigned(),
            revision: revision.cast_unsigned(),
            is_resolved: false,
            former: None,
            fields: Fields::parse(&fields).unwrap_or_default(),
        };
        Ok((statement, row.get::<_, String>(1)? == boot))
    })?;
    rows.collect()
}

pub(super) fn targets(connection: &Connection) -> rusqlite::Result<Vec<TargetRow>> {
    let mut query = connection.prepare(
        "SELECT name, state, error, since,
            (SELECT count(*) FROM messages WHERE target = name AND dead = 0),
            (SELECT count(*) FROM messages WHERE target = name AND dead = 1)
         FROM (SELECT name FROM targets UNION SELECT target FROM messages) LEFT JOIN targets USING (name)
         ORDER BY name",
    )?;
    let rows = query.query_map([], |row| {
        Ok(TargetRow {
            name: row.get(0)?,
            state: row.get(1)?,
            error: row.get(2)?,
            since: row.get(3)?,
            pending: row.get::<_, i64>(4)?.cast_unsigned(),
            dead: row.get::<_, i64>(5)?.cast_unsigned(),
        })
    })?;
    rows.collect()
}

pub(super) fn dead(connection: &Connection) -> rusqlite::Result<Vec<Letter>> {
    let mut query = connection.prepare(
        "SELECT number, target, id, written, tries, coalesce(error, ''), body FROM messages
         WHERE dead = 1 ORDER BY number",
    )?;
    let rows = query.query_map([], |row| {
        Ok(Letter {
            number: row.get(0)?,
            target: row.get(1)?,
            id: row.get(2)?,
            written: row.get(3)?,
            tries: row.get::<_, i64>(4)?.cast_unsigned(),
            error: row.get(5)?,
            body: row.get(6)?,
        })
    })?;
    rows.collect()
}

/// A copy in memory of as much as can still be read.
pub(super) fn in_memory(broken: &Connection) -> rusqlite::Result<Connection> {
    const COLUMNS: [(&str, usize); 3] = [("incidents", 5), ("messages", 11), ("targets", 4)];
    let memory = Connection::open_in_memory()?;
    memory.execute_batch(SCHEMA)?;
    for (table, columns) in COLUMNS {
        if let Err(error) = copy(broken, &memory, table, columns) {
            tracing::error!(%error, table, "what the outbox held cannot be read any more");
        }
    }
    Ok(memory)
}

fn copy(from: &Connection, to: &Connection, table: &str, columns: usize) -> rusqlite::Result<()> {
    let places: Vec<String> = (1..=columns).map(|column| format!("?{column}")).collect();
    let insert = format!("INSERT INTO {table} VALUES ({})", places.join(", "));
    let mut insert = to.prepare(&insert)?;
    let mut query = from.prepare(&format!("SELECT * FROM {table}"))?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<rusqlite::types::Value> =
            (0..columns).map(|column| row.get(column)).collect::<Result<_, _>>()?;
        insert.execute(rusqlite::params_from_iter(values))?;
    }
    Ok(())
}
