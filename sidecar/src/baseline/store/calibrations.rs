//! Rows of calibrations.

use std::collections::BTreeMap;

use picket_engine::{
    baseline::{Mark, RunId},
    learned::{Certificate, Lane, PluginTime, Scores, Surprise},
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::rows::{self, Trouble};
use crate::baseline::{
    Identity,
    calibration::{Calibration, Certified, Frozen},
};

/// The calibration of a subject, if there is any.
pub(super) fn load(
    connection: &Connection,
    identity: &Identity,
) -> Result<Option<Calibration>, Trouble> {
    let Some((number, _)) = rows::find(connection, identity)? else {
        return Ok(None);
    };
    let mut query = connection
        .prepare("SELECT frozen, certified, certificate FROM calibrations WHERE baseline = ?1")?;
    let row = query.query_row([number], |row| {
        Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, Option<Vec<u8>>>(2)?))
    });
    let Some((frozen, at, bytes)) = row.optional()? else {
        return Ok(None);
    };
    let certificate = bytes.map(|bytes| certificate(&bytes, identity)).transpose()?;
    let certified = at
        .zip(certificate)
        .map(|(at, certificate)| Certified { at: at.cast_unsigned(), certificate });
    let mut marks = BTreeMap::new();
    let mut query = connection.prepare(
        "SELECT id, began, lasted_ms, started, danger, novelty, sequence, rate, lifecycle, loss
         FROM calibrated_runs WHERE baseline = ?1",
    )?;
    let mut found = query.query([number])?;
    while let Some(row) = found.next()? {
        marks.insert(RunId(row.get(0)?), mark(row)?);
    }
    Ok(Some(Calibration { frozen: Frozen(frozen), marks, certified }))
}

fn certificate(bytes: &[u8], identity: &Identity) -> Result<Certificate, Trouble> {
    let certificate = Certificate::from_bytes(bytes).map_err(|error| {
        Trouble::Calibration(format!("its certificate cannot be read: {error}"))
    })?;
    if certificate.subject() != identity.subject() {
        let what = "its certificate is of another plugin, build, manifest or deployment";
        return Err(Trouble::Calibration(what.to_owned()));
    }
    Ok(certificate)
}

fn mark(row: &Row<'_>) -> Result<Mark, Trouble> {
    let mut scores = Scores::default();
    for (lane, column) in Lane::ALL.iter().zip(4..) {
        let score = u16::try_from(row.get::<_, i64>(column)?)
            .map_err(|_| Trouble::Calibration(format!("a run of it has an impossible {lane}")))?;
        scores = scores.with(*lane, Surprise::from_sixteenths(score.into()));
    }
    Ok(Mark {
        began: row.get::<_, i64>(1)?.cast_unsigned(),
        lasted: PluginTime::from_millis(row.get::<_, i64>(2)?.cast_unsigned()),
        started: row.get(3)?,
        scores,
    })
}

/// Forgets the calibration of a subject, whatever it is.
pub(super) fn forget(connection: &Connection, identity: &Identity) -> rusqlite::Result<()> {
    if let Some((number, _)) = rows::find(connection, identity)? {
        connection.execute("DELETE FROM calibrations WHERE baseline = ?1", [number])?;
    }
    Ok(())
}

/// Writes what has changed.
pub(super) fn save(
    connection: &Connection,
    identity: &Identity,
    before: Option<&Calibration>,
    after: &Calibration,
) -> Result<(), Trouble> {
    let before = before.filter(|before| before.frozen == after.frozen);
    if before.is_none() {
        forget(connection, identity)?;
    }
    let number = rows::number(connection, identity)?;
    let certified = after.certified.as_ref();
    connection.execute(
        "INSERT INTO calibrations (baseline, frozen, certified, certificate) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (baseline) DO UPDATE SET certified = ?3, certificate = ?4",
        params![
            number,
            after.frozen.0,
            certified.map(|it| it.at.cast_signed()),
            certified.map(|it| it.certificate.to_bytes())
        ],
    )?;
    let mut insert = connection.prepare(
        "INSERT INTO calibrated_runs
         (baseline, id, began, lasted_ms, started, danger, novelty, sequence, rate, lifecycle, loss)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    let is_new = |id: &RunId| before.is_none_or(|before| !before.marks.contains_key(id));
    for (id, mark) in after.marks.iter().filter(|(id, _)| is_new(id)) {
        let of = |lane| mark.scores.of(lane).sixteenths();
        insert.execute(params![
            number,
            id.0,
            mark.began.cast_signed(),
            mark.lasted.as_millis().cast_signed(),
            mark.started,
            of(Lane::Danger),
            of(Lane::Novelty),
            of(Lane::Sequence),
            of(Lane::Rate),
            of(Lane::Lifecycle),
            of(Lane::Loss)
        ])?;
    }
    Ok(())
}
