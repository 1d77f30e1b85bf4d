//! Rows of evidence and rulings.

use picket_engine::learned::{Ruling, Standing};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::rows::{self, Trouble};
use crate::baseline::Identity;

/// The evidence of a baseline as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEvidence {
    /// As [`Detector::to_bytes`](picket_engine::learned::Detector::to_bytes) wrote it.
    pub detector: Vec<u8>,
    /// Whether it may act.
    pub standing: Standing,
    /// When the block before began, in seconds since 1970.
    pub before: Option<u64>,
    /// The last ruling that it has heard; 0: none.
    pub ruled: i64,
}

/// What somebody found a containment by learned evidence to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRuling {
    /// In the order in which they were made.
    pub number: i64,
    /// Seconds since 1970.
    pub at: u64,
    /// What.
    pub ruling: Ruling,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

pub(super) fn load(
    connection: &Connection,
    identity: &Identity,
) -> Result<Option<KeptEvidence>, Trouble> {
    let Some((number, _)) = rows::find(connection, identity)? else { return Ok(None) };
    let mut query = connection
        .prepare("SELECT detector, standing, before, ruled FROM evidence WHERE baseline = ?1")?;
    let row = query.query_row([number], |row| {
        let standing: String = row.get(1)?;
        Ok((row.get(0)?, standing, row.get::<_, Option<i64>>(2)?, row.get(3)?))
    });
    let Some((detector, standing, before, ruled)) = row.optional()? else { return Ok(None) };
    let known = Standing::ALL.iter().find(|known| known.as_str() == standing);
    let standing = *known.ok_or_else(|| {
        Trouble::Nonsense("evidence has a standing that no Picket writes".to_owned())
    })?;
    Ok(Some(KeptEvidence { detector, standing, before: before.map(i64::cast_unsigned), ruled }))
}

pub(super) fn save(
    connection: &Connection,
    identity: &Identity,
    evidence: &KeptEvidence,
) -> Result<(), Trouble> {
    let number = rows::number(connection, identity)?;
    connection.execute(
        "INSERT OR REPLACE INTO evidence (baseline, detector, standing, before, ruled)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            number,
            evidence.detector,
            evidence.standing.as_str(),
            evidence.before.map(u64::cast_signed),
            evidence.ruled
        ],
    )?;
    Ok(())
}

/// Those after a number, in their order.
pub(super) fn rulings(
    connection: &Connection,
    identity: &Identity,
    after: i64,
) -> Result<Vec<KeptRuling>, Trouble> {
    let Some((number, _)) = rows::find(connection, identity)? else { return Ok(Vec::new()) };
    let mut query = connection.prepare(
        "SELECT number, at, ruling, by, reason FROM rulings WHERE baseline = ?1 AND ?2 < number
         ORDER BY number",
    )?;
    let mut found = query.query([number, after])?;
    let mut rulings = Vec::new();
    while let Some(row) = found.next()? {
        let word: String = row.get(2)?;
        let known = Ruling::ALL.iter().find(|known| known.as_str() == word);
        let ruling = *known
            .ok_or_else(|| Trouble::Nonsense("a ruling is none that a Picket writes".to_owned()))?;
        rulings.push(KeptRuling {
            number: row.get(0)?,
            at: row.get::<_, i64>(1)?.cast_unsigned(),
            ruling,
            by: row.get(3)?,
            reason: row.get(4)?,
        });
    }
    Ok(rulings)
}

pub(super) fn rule(
    connection: &Connection,
    identity: &Identity,
    at: u64,
    ruling: Ruling,
    by: &str,
    reason: &str,
) -> Result<(), Trouble> {
    let number = rows::number(connection, identity)?;
    connection.execute(
        "INSERT INTO rulings (baseline, at, ruling, by, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![number, at.cast_signed(), ruling.as_str(), by, reason],
    )?;
    Ok(())
}
