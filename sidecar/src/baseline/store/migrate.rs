//! From whatever schema a store has to that of this Picket: one file a step, in one transaction.

use rusqlite::{Connection, TransactionBehavior};

/// What `application_id` says of a store, so that another program's database is told from one: "PKbl".
pub(super) const APPLICATION: i64 = 0x504b_626c;

/// The steps. The first makes a store of an empty file; what `user_version` says is how many were taken.
pub(super) const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
];

/// The schema of this Picket.
pub(super) const VERSION: i64 = {
    #[expect(clippy::cast_possible_wrap, reason = "a handful")]
    let count = MIGRATIONS.len() as i64;
    count
};

/// How many steps were taken.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Takes the steps that are missing, all or none. Another process may be doing the same.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut taken = version(&transaction)?;
    let rest = usize::try_from(taken).ok().and_then(|taken| steps.get(taken..));
    for step in rest.unwrap_or_default() {
        transaction.execute_batch(step)?;
        taken += 1;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", taken)?;
    transaction.commit()
}
