//! Opening the file: the lock that keeps other processes out, and the settings of each connection.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{Error, Options, tables};

/// The database in its directory.
pub(super) const DATABASE_FILE: &str = "retract.db";

/// Makes the directory, readable by us alone, and takes its lock. The lock goes when the file is dropped, or the process dies.
pub(super) fn lock(dir: &Path) -> Result<File, Error> {
    DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(dir)?;
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(PRIVATE_FILE)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Where the database file of this directory is.
pub(super) fn file_in(dir: &Path) -> PathBuf {
    dir.join(DATABASE_FILE)
}

/// Where the database file of this directory is until it has been restored.
pub(super) fn unfinished_in(dir: &Path) -> PathBuf {
    dir.join(UNFINISHED_FILE)
}

/// A restore that did not finish must not be taken for a fresh installation.
pub(super) fn refuse_unfinished(dir: &Path) -> Result<(), Error> {
    if unfinished_in(dir).exists() {
        return Err(Error::Corrupt("a restore into this directory did not finish".to_owned()));
    }
    Ok(())
}

/// Opens the connection that writes, and turns the file into what we need: ours, with a write-ahead log.
pub(super) fn writer(file: &Path, options: &Options) -> Result<Connection, Error> {
    create_private(file, options)?;
    let connection = connect(file, options)?;
    refuse_foreign(&connection)?;
    let mode: String = connection.query_row(tables::WRITE_AHEAD, [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::Sql { code: 0, message: format!("journal mode {mode}, not wal") });
    }
    connection.execute_batch(if options.durable {
        tables::DURABLE
    } else {
        tables::NOT_DURABLE
    })?;
    connection.execute_batch(tables::KEEP_JOURNAL_SMALL)?;
    connection.execute_batch(tables::WRITER_CACHE)?;
    Ok(connection)
}

/// Opens one of the connections that only read.
pub(super) fn reader(file: &Path, options: &Options) -> Result<Connection, Error> {
    let connection = connect(file, options)?;
    connection.execute_batch(tables::READ_ONLY)?;
    Ok(connection)
}

/// Opens a file that lies in no directory of ours yet: one that is being restored.
pub(super) fn loose(file: &Path) -> Result<Connection, Error> {
    let connection = connect(file, &Options::default())?;
    refuse_foreign(&connection)?;
    connection.execute_batch(tables::DURABLE)?;
    Ok(connection)
}

fn connect(file: &Path, options: &Options) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(file, flags, vfs.as_str())?,
        None => Connection::open_with_flags(file, flags)?,
    };
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    if options.single_connection || options.by_hand {
        // Before anything is read: a file that has its write-ahead log already wants shared memory otherwise.
        connection.execute_batch(tables::ALONE)?;
    }
    connection.execute_batch(tables::EVERY_CONNECTION)?;
    Ok(connection)
}

/// SQLite gives the files beside the database its own mode, so this is the one to choose.
fn create_private(file: &Path, options: &Options) -> Result<(), Error> {
    if options.vfs.is_none() {
        let mut open = OpenOptions::new();
        open.create(true).truncate(false).write(true).mode(PRIVATE_FILE).open(file)?;
    }
    Ok(())
}

/// An SQLite file that some other program made is not ours to migrate.
fn refuse_foreign(connection: &Connection) -> Result<(), Error> {
    let mark: i64 = connection.query_row(tables::APPLICATION_ID, [], |row| row.get(0))?;
    if mark == tables::OUR_APPLICATION_ID {
        return Ok(());
    }
    let used: i64 = connection.query_row(tables::COUNT_TABLES, [], |row| row.get(0))?;
    if mark != 0 || used != 0 {
        return Err(Error::Corrupt("not a database of Retract".to_owned()));
    }
    Ok(connection.execute_batch(tables::SET_APPLICATION_ID)?)
}

const UNFINISHED_FILE: &str = "retract.db.restoring";
const LOCK_FILE: &str = "lock";
const PRIVATE_DIR: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
/// Statements a connection keeps prepared; more than all rooms together have.
const PREPARED_STATEMENTS: usize = 512;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Database;
    use super::*;
    use crate::clock::{Clock, Timestamp};
    use crate::params;

    fn quick() -> Options {
        Options::quick(&Clock::manual(Timestamp(1)))
    }

    #[test]
    fn one_handle_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = Database::open(dir.path(), quick()).unwrap();
        assert_eq!(Database::open(dir.path(), quick()).err(), Some(Error::Locked));
        drop(first);
        assert!(Database::open(dir.path(), quick()).is_ok());
    }

    #[test]
    fn nobody_else_can_read_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("state");
        let database = Database::open(&home, quick()).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&home), PRIVATE_DIR);
        for file in std::fs::read_dir(&home).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), PRIVATE_FILE, "{}", path.display());
        }
        drop(database);
    }

    #[test]
    fn a_foreign_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let foreign = Connection::open(file_in(dir.path())).unwrap();
        foreign.execute_batch("CREATE TABLE theirs (x)").unwrap();
        drop(foreign);
        assert!(matches!(Database::open(dir.path(), quick()).err(), Some(Error::Corrupt(_))));
        std::fs::write(file_in(dir.path()), [b'x'; 8_192]).unwrap();
        assert!(matches!(Database::open(dir.path(), quick()).err(), Some(Error::Corrupt(_))));
    }

    #[test]
    fn a_database_from_the_future_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(dir.path(), quick()).unwrap();
        let sql = "INSERT INTO migrations (number, name, checksum, applied_at) VALUES (9999, 'x', x'00', 0)";
        database.write_blocking(move |tx| tx.execute(sql, params![])).unwrap();
        drop(database);
        let refused = Database::open(dir.path(), quick()).err();
        assert!(matches!(refused, Some(Error::FromTheFuture { found: 9_999, .. })));
    }

    #[test]
    fn a_commit_waits_for_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(dir.path(), Options::default()).unwrap();
        let pragma = |sql: &'static str| {
            let read =
                move |tx: &super::super::Tx<'_>| tx.one(sql, params![], |row| row.get::<i64>(0));
            database.write_blocking(read).unwrap()
        };
        // 2 is FULL: the write-ahead log is fsynced at every commit.
        assert_eq!(pragma("PRAGMA synchronous"), Some(2));
        assert_eq!(pragma("PRAGMA foreign_keys"), Some(1));
        assert!(dir.path().join("retract.db-wal").exists());
    }

    #[test]
    fn one_connection_is_enough() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { single_connection: true, ..quick() };
        let database = Database::open(dir.path(), options).unwrap();
        database.write_blocking(|tx| super::super::set_meta(tx, "x", "y")).unwrap();
        let value = database.read_blocking(|tx| super::super::meta(tx, "x")).unwrap();
        assert_eq!(value.as_deref(), Some("y"));
    }

    #[test]
    fn an_installation_keeps_its_id_its_keys_and_its_epoch() {
        use super::super::{SYNC_KEYS, epoch, installation, mac_key};
        let dir = tempfile::tempdir().unwrap();
        let read = || {
            let database = Database::open(dir.path(), quick()).unwrap();
            database.read_blocking(|tx| {
                let key = mac_key(tx, SYNC_KEYS, Timestamp(1))?;
                assert_eq!(format!("{key:?}"), "MacKey(..)");
                Ok::<_, Error>((installation(tx)?, *key.bytes(), epoch(tx)?))
            })
        };
        let first = read().unwrap();
        assert_eq!(read().unwrap(), first);
        assert_eq!((first.2.number, first.2.reason.as_str()), (1, "installed"));
        assert_ne!(first.1, [0; 32]);
    }
}
