//! The ballast: a file that takes up room so that recall has some when the disk is full.
//!
//! When a recall job meets a full disk the file goes, and until it can be written again every other job is told that the disk is
//! full. So the room it made belongs to fences and their audit alone.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rusqlite::Connection;

use super::{Error, Options, tables};

/// The ballast file, and the size limit of the database that counts it in.
#[derive(Debug)]
pub(super) struct Ballast {
    file: PathBuf,
    bytes: u64,
    pages_max: Option<u32>,
    is_aboard: bool,
}

impl Ballast {
    /// Takes the ballast aboard if there is room; a full disk keeps nobody from starting.
    pub(super) fn load(
        dir: &std::path::Path,
        options: &Options,
        connection: &Connection,
    ) -> Result<Ballast, Error> {
        let mut ballast = Ballast {
            file: dir.join(BALLAST_FILE),
            bytes: options.ballast_bytes,
            pages_max: options.pages_max,
            is_aboard: false,
        };
        ballast.take_aboard(connection)?;
        Ok(ballast)
    }

    /// Whether ordinary jobs may take up room; so it is, too, when there is no ballast at all.
    pub(super) fn is_aboard(&self) -> bool {
        self.is_aboard
    }

    /// Whether throwing it off would make room.
    pub(super) fn is_of_use(&self) -> bool {
        self.is_aboard && self.bytes > 0
    }

    /// Makes room.
    pub(super) fn throw_off(&mut self, connection: &Connection) -> Result<(), Error> {
        std::fs::remove_file(&self.file).or_else(ignore_absence)?;
        self.is_aboard = false;
        self.limit(connection, self.pages_max)
    }

    /// Takes the ballast back as soon as there is room for all of it; answers whether it is aboard.
    pub(super) fn take_aboard(&mut self, connection: &Connection) -> Result<bool, Error> {
        if self.is_aboard {
            return Ok(true);
        }
        if self.has_room(connection)? && self.write_file()? {
            let pages = self.pages(connection)?;
            self.limit(connection, self.pages_max.map(|max| max.saturating_sub(pages).max(1)))?;
            self.is_aboard = true;
        }
        Ok(self.is_aboard)
    }

    /// Whether the database's own limit leaves room for the ballast.
    fn has_room(&self, connection: &Connection) -> Result<bool, Error> {
        let Some(max) = self.pages_max else { return Ok(true) };
        let count: u32 = connection.query_row(tables::PAGE_COUNT, [], |row| row.get(0))?;
        let free: u32 = connection.query_row(tables::FREE_PAGES, [], |row| row.get(0))?;
        Ok(count.saturating_sub(free).saturating_add(self.pages(connection)?) < max)
    }

    fn pages(&self, connection: &Connection) -> Result<u32, Error> {
        let page_size: u32 = connection.query_row(tables::PAGE_SIZE, [], |row| row.get(0))?;
        Ok(u32::try_from(self.bytes.div_ceil(u64::from(page_size))).unwrap_or(u32::MAX))
    }

    fn limit(&self, connection: &Connection, pages: Option<u32>) -> Result<(), Error> {
        if let Some(pages) = pages {
            connection.pragma_update_and_check(None, tables::PAGES_MAX, pages, |_| Ok(()))?;
        }
        Ok(())
    }

    /// Writes the whole file, or none of it.
    fn write_file(&self) -> Result<bool, Error> {
        if self.bytes == 0 {
            return Ok(true);
        }
        let written = self.fill();
        if written.is_err() {
            // The half of it would only stand in the way.
            std::fs::remove_file(&self.file).or_else(ignore_absence)?;
        }
        match written.map_err(Error::from) {
            Ok(()) => Ok(true),
            Err(Error::Full) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn fill(&self) -> std::io::Result<()> {
        let mut open = OpenOptions::new();
        let file = open.create(true).truncate(false).write(true).mode(0o600).open(&self.file)?;
        if file.metadata()?.len() == self.bytes {
            return Ok(());
        }
        file.set_len(0)?;
        reserve(file, self.bytes)
    }
}

/// Allocates without writing where the file system can, and writes zeros where it cannot.
fn reserve(mut file: File, bytes: u64) -> std::io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => return file.sync_all(),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => (),
        Err(error) => return Err(error.into()),
    }
    let block = [0; BLOCK_BYTES];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(BLOCK_BYTES as u64);
        file.write_all(&block[..usize::try_from(now).unwrap_or(BLOCK_BYTES)])?;
        left -= now;
    }
    file.sync_all()
}

fn ignore_absence(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

const BALLAST_FILE: &str = "ballast";
const BLOCK_BYTES: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::super::{Database, Options};
    use super::*;
    use crate::clock::{Clock, Timestamp};
    use crate::params;

    const BALLAST_PAGES: u32 = 200;
    const DISK_PAGES: u32 = 1_000;
    const PAGE_BYTES: u64 = 4_096;

    /// A database on a "disk" of 1,000 pages, 200 of them ballast.
    fn small() -> (tempfile::TempDir, Database) {
        let dir = tempfile::tempdir().unwrap();
        let database = open(dir.path());
        let sql = "CREATE TABLE load (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)";
        database.write_blocking(move |tx| tx.execute(sql, params![])).unwrap();
        (dir, database)
    }

    fn open(dir: &std::path::Path) -> Database {
        let options = Options {
            ballast_bytes: u64::from(BALLAST_PAGES) * PAGE_BYTES,
            pages_max: Some(DISK_PAGES),
            ..Options::quick(&Clock::manual(Timestamp(1)))
        };
        Database::open(dir, options).unwrap()
    }

    fn load(tx: &super::super::Tx<'_>) -> Result<(), Error> {
        let bytes = vec![7; 10 * 4_096];
        tx.execute("INSERT INTO load (bytes) VALUES (?1)", params![bytes]).map(drop)
    }

    fn fill(database: &Database) -> usize {
        let mut jobs = 0;
        while database.write_blocking(load) != Err(Error::Full) {
            jobs += 1;
            assert!(jobs < 200, "never full");
        }
        jobs
    }

    #[test]
    fn recall_works_on_a_full_disk_and_alone() {
        let (dir, database) = small();
        let jobs = fill(&database);
        assert!(jobs > 5, "{jobs}");
        assert!(dir.path().join(BALLAST_FILE).exists());
        assert_eq!(database.write_first_blocking(load), Ok(()));
        assert!(!dir.path().join(BALLAST_FILE).exists());
        // There is room now, and it is not for everybody.
        assert_eq!(database.write_blocking(load), Err(Error::Full));
        assert_eq!(database.write_first_blocking(load), Ok(()));
    }

    #[test]
    fn bodies_leave_the_last_room_to_recall_and_come_back_by_themselves() {
        let (_dir, database) = small();
        let bodies = super::super::Bodies::beside(&database).unwrap();
        fill(&database);
        assert!(bodies.put(b"before").is_ok());
        database.write_first_blocking(load).unwrap();
        assert!(database.is_full());
        assert_eq!(bodies.put(b"meanwhile").err(), Some(Error::Full));
        let empty = |tx: &super::super::Tx<'_>| tx.execute("DELETE FROM load", params![]);
        database.write_first_blocking(empty).unwrap();
        assert!(bodies.put(b"after").is_ok());
        assert!(!database.is_full());
    }

    #[test]
    fn a_full_disk_recovers_by_itself() {
        let (dir, database) = small();
        fill(&database);
        database.write_first_blocking(load).unwrap();
        // Recall itself removes what it takes back, and so makes room.
        let removed = database
            .write_first_blocking(|tx| tx.execute("DELETE FROM load WHERE id > 1", params![]));
        assert!(removed.unwrap() > 5);
        assert_eq!(database.write_blocking(load), Ok(()));
        assert!(dir.path().join(BALLAST_FILE).exists());
    }

    #[test]
    fn recall_meets_its_end_when_the_ballast_is_used_up() {
        let (_dir, database) = small();
        fill(&database);
        let recalls = (0..100).take_while(|_| database.write_first_blocking(load).is_ok()).count();
        assert!((3..30).contains(&recalls), "{recalls}");
        let rows = database
            .read_blocking(|tx| {
                tx.one("SELECT COUNT(*) FROM load", params![], |row| row.get::<usize>(0))
            })
            .unwrap();
        assert!(rows.is_some_and(|rows| rows > recalls));
    }

    #[test]
    fn a_full_disk_is_no_reason_not_to_start() {
        let (dir, database) = small();
        fill(&database);
        while database.write_first_blocking(load).is_ok() {}
        drop(database);
        let again = open(dir.path());
        assert_eq!(again.write_blocking(load), Err(Error::Full));
        again
            .write_first_blocking(|tx| tx.execute("DELETE FROM load", params![]).map(drop))
            .unwrap();
        assert_eq!(again.write_blocking(load), Ok(()));
    }
}
