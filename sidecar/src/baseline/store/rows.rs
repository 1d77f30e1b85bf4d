//! Tables and rows of a store: a baseline read from them, and the difference of two written to them.

use std::path::Path;

use picket_engine::{
    baseline::{Acceptance, Baseline, Family, Fault, Run, RunId},
    learned::PluginTime,
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::StoreError;
use crate::baseline::Identity;

/// What can go wrong with rows.
#[derive(Debug)]
pub(super) enum Trouble {
    Sqlite(rusqlite::Error),
    /// They say what no Picket has written.
    Nonsense(String),
    /// Those of a calibration do; the baseline itself is whole.
    Calibration(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sqlite(cause)
    }
}

impl Trouble {
    pub(super) fn of(self, path: &Path) -> StoreError {
        match self {
            Self::Sqlite(cause) => StoreError::of(path, cause),
            Self::Nonsense(complaint) => StoreError::Damaged { path: path.to_owned(), complaint },
            Self::Calibration(complaint) => {
                StoreError::Calibration { path: path.to_owned(), complaint }
            }
        }
    }
}

/// Of every baseline, by plugin, deployment and build.
pub(super) fn identities(connection: &Connection) -> Result<Vec<Identity>, Trouble> {
    let mut query = connection
        .prepare("SELECT plugin, artifact, manifest, deployment, subject FROM baselines")?;
    let rows = query.query_map([], |row| {
        let word = |column| row.get::<_, String>(column);
        Ok(([word(0)?, word(1)?, word(2)?, word(3)?], row.get::<_, Vec<u8>>(4)?))
    })?;
    let mut all = Vec::new();
    for row in rows {
        let (words, subject) = row?;
        let identity = Identity::parse(words.each_ref().map(String::as_str));
        let identity = identity.map_err(|error| Trouble::Nonsense(error.to_string()))?;
        if identity.subject().0 != *subject {
            return Err(nonsense("a baseline's subject is not that of its plugin"));
        }
        all.push(identity);
    }
    all.sort_by(|one, other| {
        (&one.plugin, &one.deployment, one).cmp(&(&other.plugin, &other.deployment, other))
    });
    Ok(all)
}

/// The baseline of a subject; empty, when there is none.
pub(super) fn load(connection: &Connection, identity: &Identity) -> Result<Baseline, Trouble> {
    let mut baseline = Baseline::new(identity.subject());
    let Some((number, sampled)) = find(connection, identity)? else {
        return Ok(baseline);
    };
    let mut query = connection.prepare(
        "SELECT number, id, began, lasted_ms, started, facts FROM runs WHERE baseline = ?1",
    )?;
    let rows = query.query_map([number], |row| {
        let run = Run::new(
            row.get::<_, i64>(2)?.cast_unsigned(),
            PluginTime::from_millis(row.get::<_, i64>(3)?.cast_unsigned()),
            row.get(4)?,
            row.get::<_, i64>(5)?.cast_unsigned(),
        );
        Ok((row.get(0)?, RunId(row.get(1)?), run))
    })?;
    for row in rows {
        let (number, id, mut run) = row?;
        fill(connection, number, &mut run)?;
        baseline.learn(id, &run);
    }
    if sampled {
        baseline.set_sampled();
    }
    let mut query = connection
        .prepare("SELECT at, family, template, by, reason FROM accepted WHERE baseline = ?1")?;
    let rows = query.query_map([number], |row| {
        let at = row.get::<_, i64>(0)?.cast_unsigned();
        Ok((at, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    })?;
    for row in rows {
        let (at, name, template, by, reason) = row?;
        baseline.accept(Acceptance { at, family: family(&name)?, template, by, reason });
    }
    Ok(baseline)
}

/// The number of a baseline, and whether it is a sample.
pub(super) fn find(
    connection: &Connection,
    identity: &Identity,
) -> rusqlite::Result<Option<(i64, bool)>> {
    let mut query =
        connection.prepare("SELECT number, sampled FROM baselines WHERE subject = ?1")?;
    query.query_row([identity.subject().0], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// What a run did, and what is wrong with it.
fn fill(connection: &Connection, number: i64, run: &mut Run) -> Result<(), Trouble> {
    let mut query = connection.prepare(
        "SELECT templates.family, templates.template, counts.times FROM counts
         JOIN templates ON templates.number = counts.template WHERE run = ?1",
    )?;
    let rows = query.query_map([number], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?))
    })?;
    for row in rows {
        let (name, template, times) = row?;
        run.count(family(&name)?, &template, times);
    }
    let mut query = connection.prepare("SELECT family FROM full_families WHERE run = ?1")?;
    for name in query.query_map([number], |row| row.get::<_, String>(0))? {
        run.fill(family(&name?)?);
    }
    let mut query = connection.prepare("SELECT fault, times FROM faults WHERE run = ?1")?;
    let rows = query.query_map([number], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
    })?;
    for row in rows {
        let (name, times) = row?;
        let fault = Fault::named(&name).ok_or_else(|| nonsense("a fault that there is not"))?;
        run.fail(fault, times);
    }
    Ok(())
}

fn family(name: &str) -> Result<Family, Trouble> {
    Family::named(name).ok_or_else(|| nonsense("a family that there is not"))
}

fn nonsense(what: &str) -> Trouble {
    Trouble::Nonsense(what.to_owned())
}

/// Writes what has changed.
pub(super) fn save(
    connection: &Connection,
    identity: &Identity,
    before: &Baseline,
    after: &Baseline,
) -> rusqlite::Result<()> {
    let number = number(connection, identity)?;
    connection.execute(
        "UPDATE baselines SET sampled = ?2 WHERE number = ?1",
        params![number, after.is_sampled()],
    )?;
    for (id, _) in before.runs().filter(|(id, run)| after.run(*id) != Some(*run)) {
        connection
            .execute("DELETE FROM runs WHERE baseline = ?1 AND id = ?2", params![number, id.0])?;
    }
    for (id, run) in after.runs().filter(|(id, run)| before.run(*id) != Some(*run)) {
        save_run(connection, number, id, run)?;
    }
    let known: Vec<&Acceptance> = before.accepted().collect();
    let kept: Vec<&Acceptance> = after.accepted().collect();
    for one in known.iter().filter(|one| kept.binary_search(one).is_err()) {
        connection.execute(
            "DELETE FROM accepted WHERE baseline = ?1 AND at = ?2 AND family = ?3 AND template = ?4 AND by = ?5
             AND reason = ?6",
            accepted(number, one),
        )?;
    }
    for one in kept.iter().filter(|one| known.binary_search(one).is_err()) {
        connection.execute(
            "INSERT INTO accepted (baseline, at, family, template, by, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            accepted(number, one),
        )?;
    }
    Ok(())
}

fn accepted(number: i64, one: &Acceptance) -> impl rusqlite::Params {
    let Acceptance { at, family, template, by, reason } = one;
    (number, at.cast_signed(), family.as_str(), template.clone(), by.clone(), reason.clone())
}

/// The number of a baseline, which is made if it is not there.
pub(super) fn number(connection: &Connection, identity: &Identity) -> rusqlite::Result<i64> {
    match find(connection, identity)? {
        Some((number, _)) => Ok(number),
        None => insert(connection, identity),
    }
}

fn insert(connection: &Connection, identity: &Identity) -> rusqlite::Result<i64> {
    connection.execute(
        "INSERT INTO baselines (subject, plugin, artifact, manifest, deployment) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            identity.subject().0,
            identity.plugin,
            identity.artifact.to_string(),
            identity.manifest.to_string(),
            identity.deployment.as_str()
        ],
    )?;
    Ok(connection.last_insert_rowid())
}

fn save_run(connection: &Connection, number: i64, id: RunId, run: &Run) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO runs (baseline, id, began, lasted_ms, started, facts) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            number,
            id.0,
            run.began().cast_signed(),
            run.lasted().as_millis().cast_signed(),
            run.started(),
            run.facts().cast_signed()
        ],
    )?;
    let number = connection.last_insert_rowid();
    let mut word =
        connection.prepare("INSERT OR IGNORE INTO templates (family, template) VALUES (?1, ?2)")?;
    let mut count = connection.prepare(
        "INSERT INTO counts (run, template, times) VALUES
         (?1, (SELECT number FROM templates WHERE family = ?2 AND template = ?3), ?4)",
    )?;
    for (family, template, times) in run.counts() {
        word.execute(params![family.as_str(), template])?;
        count.execute(params![number, family.as_str(), template, times])?;
    }
    for family in run.full() {
        connection.execute(
            "INSERT INTO full_families (run, family) VALUES (?1, ?2)",
            params![number, family.as_str()],
        )?;
    }
    for (fault, times) in run.faults() {
        connection.execute(
            "INSERT INTO faults (run, fault, times) VALUES (?1, ?2, ?3)",
            params![number, fault.as_str(), times.cast_signed()],
        )?;
    }
    Ok(())
}
