//! What can go wrong with the state, one fact per variant.

/// Why the database, or the store of bodies beside it, could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The disk, or the size the database may have, is used up. Reading still works, and so does recall on its ballast.
    #[error("the disk is full")]
    Full,
    /// Another process (or another handle of this one) has the database open.
    #[error("another process has this database open")]
    Locked,
    /// SQLite could not get a lock in time; only a foreign program that opened the file can cause it.
    #[error("the database file is locked by a foreign program")]
    Busy,
    /// A later version of Retract wrote this database.
    #[error(
        "a later version wrote this database: it has migration {found}, this version knows {known}"
    )]
    FromTheFuture {
        /// The newest migration the database has.
        found: i64,
        /// The newest migration this program has.
        known: i64,
    },
    /// An applied migration is not the one this program carries.
    #[error("migration {0} was applied with other contents than this version carries")]
    MigrationChanged(i64),
    /// The file is damaged, or is no database of ours.
    #[error("damaged: {0}")]
    Corrupt(String),
    /// A body is not in the store.
    #[error("no body {0}")]
    NoSuchBody(super::BodyHash),
    /// The database has been stopped.
    #[error("the database has been stopped")]
    Stopped,
    /// More jobs wait than the queue may hold.
    #[error("too many jobs wait for the database")]
    Overloaded,
    /// A unique, foreign key or check constraint refused a row.
    #[error("a constraint refused it: {0}")]
    Constraint(String),
    /// A column does not hold what the code expects of it.
    #[error("column {index} is not a {wanted}")]
    Column {
        /// Its position in the row, from 0.
        index: usize,
        /// The Rust type that was asked for.
        wanted: &'static str,
    },
    /// The job panicked; its changes were rolled back.
    #[error("a job panicked: {0}")]
    Panicked(String),
    /// Anything else SQLite says.
    #[error("SQLite error {code}: {message}")]
    Sql {
        /// SQLite's extended result code.
        code: i32,
        /// Its words.
        message: String,
    },
    /// The file system refused.
    #[error("{0}")]
    Io(String),
}

impl Error {
    /// Whether this is a full disk: the caller says so to the phone or the mail server, which try again later.
    pub fn is_full(&self) -> bool {
        *self == Error::Full
    }
}

/// An error of a job that may come from a full disk.
pub trait MaybeFull {
    /// Whether it does.
    fn is_full(&self) -> bool;
}

impl MaybeFull for Error {
    fn is_full(&self) -> bool {
        Error::is_full(self)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode;
        let rusqlite::Error::SqliteFailure(failure, message) = &error else {
            return Error::Sql { code: 0, message: error.to_string() };
        };
        let message = message.clone().unwrap_or_else(|| failure.to_string());
        match failure.code {
            ErrorCode::DiskFull => Error::Full,
            // The shared-memory file of the WAL could not grow.
            _ if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => Error::Full,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::Busy,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Error::Corrupt(message),
            ErrorCode::ConstraintViolation => Error::Constraint(message),
            _ => Error::Sql { code: failure.extended_code, message },
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::Full,
            _ => Error::Io(error.to_string()),
        }
    }
}
