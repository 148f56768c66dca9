//! Readers: a few threads with a connection each, that see what has been committed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;

use super::tx::Tx;
use super::write::words;
use super::{Error, tables};

/// A read job: runs, answers whoever asked, and is gone.
pub(super) type ReadJob = Box<dyn FnOnce(Result<&Tx<'_>, Error>) + Send>;

/// Wraps a job so that its answer, or its panic, reaches `reply`.
pub(super) fn read_job<T, E>(
    job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    reply: impl FnOnce(Result<T, E>) + Send + 'static,
) -> ReadJob
where
    E: From<Error>,
{
    Box::new(move |tx| {
        let run = || job(tx?);
        reply(
            catch_unwind(AssertUnwindSafe(run))
                .unwrap_or_else(|payload| Err(Error::Panicked(words(payload.as_ref())).into())),
        );
    })
}

/// Runs one read job in a transaction of its own, which is always rolled back.
pub(super) fn run(connection: &Connection, job: ReadJob) {
    match begin(connection) {
        Ok(()) => job(Ok(&Tx::new(connection, false))),
        Err(error) => return job(Err(error)),
    }
    // A rollback that fails leaves a transaction open; the next begin says so to its caller.
    let _told_later = connection.execute_batch(tables::ROLLBACK);
}

fn begin(connection: &Connection) -> Result<(), Error> {
    connection.prepare_cached(tables::BEGIN_READ)?.execute([])?;
    Ok(())
}
