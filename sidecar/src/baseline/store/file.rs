//! The file of a store: made for its owner alone, told from other files, brought to this Picket's schema.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::migrate::{APPLICATION, MIGRATIONS, VERSION, migrate, version};

/// How long one process waits for the change of another.
const BUSY: Duration = Duration::from_secs(30);
/// Pages of 4 KiB: 512 MiB, far above what dozens of baselines come to.
const PAGES: u32 = 128 << 10;
/// What a write-ahead log is cut back to, in bytes.
const LOG: u32 = 8 << 20;

/// Why a store, or something in it, cannot be had. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be made or opened.
    #[error("the store of baselines, {}: {cause}; name a file that Picket may write to by --store", path.display())]
    Unreachable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// There is none.
    #[error("there is no store of baselines {}: `picket baseline learn` and `import` make one; --store names another", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Others may use it.
    #[error("the store of baselines, {0}, can be read or written by others than its owner; chmod 600 {0}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// Another program's database.
    #[error("{} is a database, and no store of baselines; name another file by --store", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// SQLite cannot use it.
    #[error("the store of baselines, {}, is damaged, or is something else: {cause}; {WAY_OUT}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// There is no room for a change.
    #[error(
        "the store of baselines, {}, or its disk is full: export what you need and import it into another one, by --store",
        path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else is changing it.
    #[error("the store of baselines, {}, was in use by another process for {BUSY:?}: try again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// It holds what no Picket has written.
    #[error("the store of baselines, {}, is damaged: {complaint}; {WAY_OUT}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        complaint: String,
    },
    /// A calibration in it is what no Picket has written.
    #[error(
        "the store of baselines, {}, holds a calibration that cannot be used: {complaint}; the baseline itself is whole: \
         `picket baseline calibrate --anew` begins another one",
        path.display()
    )]
    Calibration {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        complaint: String,
    },
    /// It was written by a Picket that knows more.
    #[error(
        "the store of baselines, {}, has version {version}, and this Picket knows {VERSION}; use the Picket that wrote \
         it, or name another file by --store",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
    /// No baseline's key begins like this.
    #[error("no baseline's key begins with `{key}`; `picket baseline list` shows them")]
    NoSuch {
        /// As it was written, without what would steer a terminal.
        key: String,
    },
    /// Several do.
    #[error("the keys of {count} baselines begin with `{key}`: write more of it")]
    Ambiguous {
        /// As it was written.
        key: String,
        /// How many.
        count: usize,
    },
}

impl StoreError {
    /// What SQLite's complaint about this file means.
    pub(super) fn of(path: &Path, cause: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match cause.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            _ => Self::Unusable { path, cause },
        }
    }
}

const WAY_OUT: &str = "move it away and import the last export, or learn anew";

/// Opens a store. `make`: makes it, if it is not there.
pub(super) fn open(path: &Path, make: bool) -> Result<Connection, StoreError> {
    let unreachable = |cause| StoreError::Unreachable { path: path.to_owned(), cause };
    let unusable = |cause| StoreError::of(path, cause);
    if make {
        let directory = path.parent().filter(|place| !place.as_os_str().is_empty());
        if let Some(directory) = directory.filter(|directory| !directory.exists()) {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unreachable)?;
        }
        // SQLite gives its other files the mode of this one.
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        options.open(path).map_err(unreachable)?;
    }
    let about = match fs::metadata(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        about => about.map_err(unreachable)?,
    };
    if about.permissions().mode() & 0o077 != 0 {
        return Err(StoreError::Open { path: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(unusable)?;
    connection.busy_timeout(BUSY).map_err(unusable)?;
    recognise(&mut connection, path)?;
    settle(&mut connection).map_err(unusable)?;
    Ok(connection)
}

/// Looks without changing anything: at one moment, because another process may be making it.
fn recognise(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let unusable = |cause| StoreError::of(path, cause);
    let connection = connection.transaction().map_err(unusable)?;
    let ask = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let application = ask("application_id").map_err(unusable)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(unusable)?;
    if application != APPLICATION && (application, tables) != (0, 0) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let version = version(&connection).map_err(unusable)?;
    if VERSION < version {
        return Err(StoreError::Newer { path: path.to_owned(), version });
    }
    let complaint: String =
        connection.pragma_query_value(None, "quick_check", |row| row.get(0)).map_err(unusable)?;
    if complaint != "ok" {
        return Err(StoreError::Damaged { path: path.to_owned(), complaint });
    }
    Ok(())
}

fn settle(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "max_page_count", PAGES, |_| Ok(()))?;
    if version(connection)? < VERSION {
        migrate(connection, &MIGRATIONS)?;
    }
    Ok(())
}
