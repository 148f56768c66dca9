//! How state survives: one SQLite file, one thread that writes it, a few that read it, and the bodies beside it.
//!
//! ```text
//! write(job) ──► queue ──►┐                       ┌─► after-commit: bells, caches ─► answers
//! write_first ─► queue ──►┴─ savepoint per job ─ COMMIT ─┘      (a failed COMMIT: each job again, alone)
//! read(job) ───► queue ──► reader threads, each job in a transaction of its own
//! ```
//!
//! - A job has been answered only after the COMMIT, with `synchronous=FULL`: what was said to have happened survives a power cut.
//! - A job is pure and re-runnable and takes less than 10 ms. Nothing awaits while it holds the database.
//! - Only one process has the database open. A file that a later version wrote is refused, not guessed at.
//! - On a full disk reading works, and `write_first`, recall's queue, has the room of the ballast to itself.
//! - SQL lives in the rooms' `tables.rs` and in `migrations/`; SQLite's own types do not leave this room.

mod backup;
mod ballast;
mod bodies;
mod connect;
mod error;
mod meta;
mod migrate;
mod queue;
mod read;
mod tables;
mod tx;
mod value;
mod verify;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use backup::{Manifest, backup, restore};
pub use bodies::{Bodies, BodyHash, Pin};
pub use error::{Error, MaybeFull};
pub use meta::{
    Epoch, GAP_OF_DEVICE, GAP_PENDING, MacKey, SESSIONS, SYNC_KEYS, begin_epoch, clear_meta, epoch,
    epochs, installation, mac_key, meta, set_meta,
};
pub use tx::Tx;
pub use value::{Column, FromColumn, Param, Row};
pub use verify::{Finding, verify};

use crate::clock::Clock;
use queue::Engine;

/// How a database is opened; the default is what `retract serve` uses.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tells when migrations were applied and when the first epoch began.
    pub clock: Clock,
    /// Threads that read.
    pub readers: usize,
    /// Whether a COMMIT waits for the disk. Off, a power cut may lose everything: for tests.
    pub durable: bool,
    /// Whether reads run on the writer's thread and connection, which then holds the file exclusively: for an SQLite VFS without
    /// shared memory.
    pub single_connection: bool,
    /// No threads at all: jobs wait until [`Database::turn`] runs them, so that a simulation decides what shares a batch.
    /// Implies `single_connection`. The blocking calls take a turn themselves.
    pub by_hand: bool,
    /// The name of an SQLite VFS that was registered before.
    pub vfs: Option<String>,
    /// The size of the ballast file; 0 for none.
    pub ballast_bytes: u64,
    /// The most pages the database may have, the ballast counted in; `None` for what the disk holds.
    pub pages_max: Option<u32>,
    /// Jobs of one kind that may wait; more are refused with [`Error::Overloaded`].
    pub queue_jobs_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            clock: Clock::system(),
            readers: READERS,
            durable: true,
            single_connection: false,
            by_hand: false,
            vfs: None,
            ballast_bytes: BALLAST_BYTES,
            pages_max: None,
            queue_jobs_max: QUEUE_JOBS_MAX,
        }
    }
}

impl Options {
    /// For tests of other rooms: quick, without ballast, on the given clock.
    pub fn quick(clock: &Clock) -> Options {
        let clock = clock.clone();
        Options { clock, readers: 1, durable: false, ballast_bytes: 0, ..Options::default() }
    }
}

/// The state of an installation. Cheap to clone; the threads stop when the last clone goes.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    engine: Engine,
    dir: PathBuf,
    durable: bool,
}

impl Database {
    /// Opens, and where needed makes and migrates, the database in `dir`. Takes the directory's lock until it is dropped.
    pub fn open(dir: &Path, options: Options) -> Result<Database, Error> {
        let durable = options.durable;
        let engine = Engine::start(dir, options)?;
        Ok(Database(Arc::new(Inner { engine, dir: dir.to_owned(), durable })))
    }

    /// Runs a job that may change things, and answers after the COMMIT. The job runs, and may be committed, even when the caller
    /// stops waiting.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.0.engine.write(job, |result| drop(reply.send(result)), false)?;
        answer.await.unwrap_or_else(|_| Err(Error::Stopped.into()))
    }

    /// As [`Database::write`], ahead of all other jobs, and with the ballast's room when the disk is full: for recall alone.
    pub async fn write_first<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.0.engine.write(job, |result| drop(reply.send(result)), true)?;
        answer.await.unwrap_or_else(|_| Err(Error::Stopped.into()))
    }

    /// As [`Database::write`], and on a full disk once more with the ballast's room: for what carries a Delete of a recall to a
    /// phone and its acknowledgement back. The job bounds what it writes by what an order names.
    pub async fn write_owed<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + MaybeFull + Send + 'static,
    {
        let job = Arc::new(job);
        let again = Arc::clone(&job);
        match self.write(move |tx| job(tx)).await {
            Err(error) if error.is_full() => self.write_first(move |tx| again(tx)).await,
            done => done,
        }
    }

    /// Runs a job that only reads; it sees all that was committed before it began.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.0.engine.read(job, |result| drop(reply.send(result)))?;
        answer.await.unwrap_or_else(|_| Err(Error::Stopped.into()))
    }

    /// [`Database::write`] for the shell and for tests: blocks the thread.
    pub fn write_blocking<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.0.engine.write(job, move |result| drop(reply.send(result)), false)?;
        self.turn_if_by_hand();
        answer.recv().unwrap_or_else(|_| Err(Error::Stopped.into()))
    }

    /// [`Database::write_first`] for the shell and for tests: blocks the thread.
    pub fn write_first_blocking<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.0.engine.write(job, move |result| drop(reply.send(result)), true)?;
        self.turn_if_by_hand();
        answer.recv().unwrap_or_else(|_| Err(Error::Stopped.into()))
    }

    /// [`Database::read`] for the shell and for tests: blocks the thread.
    pub fn read_blocking<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.0.engine.read(job, move |result| drop(reply.send(result)))?;
        self.turn_if_by_hand();
        answer.recv().unwrap_or_else(|_| Err(Error::Stopped.into()))
    }

    /// With [`Options::by_hand`]: runs what waits (recall's batch, the reads, one ordinary batch) and answers how many jobs that
    /// were. Otherwise 0: the threads do it.
    pub fn turn(&self) -> usize {
        self.0.engine.turn()
    }

    /// Finishes the jobs that wait, refuses new ones, and closes the file.
    pub fn stop(&self) {
        self.0.engine.stop();
    }

    /// How many jobs it was ever asked to run, reads and writes: what a gateway at rest does not add to.
    pub fn jobs(&self) -> u64 {
        self.0.engine.jobs()
    }

    /// Whether the disk was full and only recall may take up room for now. The next ordinary job looks whether that has passed.
    pub fn is_full(&self) -> bool {
        self.0.engine.is_full()
    }

    /// The directory the database is in.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    fn turn_if_by_hand(&self) {
        while self.turn() > 0 {}
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _never_fails = write!(text, "{byte:02x}");
        text
    })
}

const READERS: usize = 4;
/// Room for some ten thousand orders with their audit: 32 MiB.
const BALLAST_BYTES: u64 = 32 << 20;
/// Some six jobs for each of ten thousand waiting devices.
const QUEUE_JOBS_MAX: usize = 65_536;
