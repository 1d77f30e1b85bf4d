//! The file of an outbox: made for its owner alone, opened by one sender at a time, brought to this Picket's schema.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::rows::{SCHEMA, VERSION};

/// `picket alerts` changes a row or two.
const BUSY: Duration = Duration::from_secs(5);
/// Pages of 4 KiB: far above what the bound of messages comes to.
const PAGES: u32 = 32 << 10;
/// What a write-ahead log is cut back to, in bytes.
const LOG: u32 = 8 << 20;

/// Why an outbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The file cannot be made or opened.
    #[error(
        "the outbox of alerts, {}: {cause}; write a path that Picket may write to in `alerts.outbox`",
        path.display()
    )]
    Unreachable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Others may use it.
    #[error(
        "the outbox of alerts, {}, can be read or written by others than its owner; chmod 600 {}",
        path.display(), path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// Another Picket sends from it.
    #[error(
        "another picket sends from the outbox of alerts, {}; end it, or name another file in `alerts.outbox`",
        path.display()
    )]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// What it holds cannot be used.
    #[error(
        "the outbox of alerts, {}, is damaged, or is something else: {cause}; move it away, and Picket makes a new one",
        path.display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// It was checked, and is not whole.
    #[error(
        "the outbox of alerts, {}, is damaged: {complaint}; move it away, and Picket makes a new one",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        complaint: String,
    },
    /// It was written by a Picket that knows more.
    #[error(
        "the outbox of alerts, {}, has version {version}, and this Picket knows {VERSION}; run the Picket that wrote \
         it, or name another file in `alerts.outbox`",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
}

/// Opens the file for sending from it; the lock is held as long as the second is.
pub(super) fn open(path: &Path) -> Result<(Connection, File), OutboxError> {
    let unreachable = |cause| OutboxError::Unreachable { path: path.to_owned(), cause };
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unreachable)?;
    }
    // SQLite gives its other files the mode of this one.
    make(path).map_err(unreachable)?;
    let mode = fs::metadata(path).map_err(unreachable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(OutboxError::Open { path: path.to_owned() });
    }
    // A file of its own: closing any descriptor of the database would end SQLite's own locks on it.
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = make(Path::new(&name)).map_err(unreachable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OutboxError::Taken { path: path.to_owned() });
        }
        Err(TryLockError::Error(cause)) => return Err(unreachable(cause)),
    }
    Ok((connect(path, true)?, lock))
}

fn make(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// Connects to a file that is there. `whole`: checks it and brings it to this schema first.
pub(super) fn connect(path: &Path, whole: bool) -> Result<Connection, OutboxError> {
    let unusable = |cause| OutboxError::Unusable { path: path.to_owned(), cause };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if let Err(cause) = fs::metadata(path) {
        return Err(OutboxError::Unreachable { path: path.to_owned(), cause });
    }
    let mut connection = Connection::open_with_flags(path, flags).map_err(unusable)?;
    connection.busy_timeout(BUSY).map_err(unusable)?;
    if whole {
        let complaint: String = connection
            .pragma_query_value(None, "quick_check", |row| row.get(0))
            .map_err(unusable)?;
        if complaint != "ok" {
            return Err(OutboxError::Damaged { path: path.to_owned(), complaint });
        }
    }
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(unusable)?;
    if VERSION < version {
        return Err(OutboxError::Newer { path: path.to_owned(), version });
    }
    if whole {
        settle(&mut connection, version).map_err(unusable)?;
    }
    Ok(connection)
}

/// Durability, bounds, and the schema of this Picket.
fn settle(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "max_page_count", PAGES, |_| Ok(()))?;
    if version < 1 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Which boot of the machine this is: ids of cgroups are given anew in each.
pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}
