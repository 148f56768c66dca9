//! A transaction, as a job sees it.

use std::cell::{Cell, RefCell};

use rusqlite::Connection;

use super::value::{Param, Row};
use super::{Error, tables};

/// What runs once the transaction has been committed.
pub(super) type AfterCommit = Box<dyn FnOnce() + Send>;

/// A transaction: all its reads see one moment, all its changes happen or none.
pub struct Tx<'c> {
    connection: &'c Connection,
    is_write: bool,
    after_commit: RefCell<Vec<AfterCommit>>,
    saw_full: Cell<bool>,
}

impl<'c> Tx<'c> {
    pub(super) fn new(connection: &'c Connection, is_write: bool) -> Tx<'c> {
        Tx { connection, is_write, after_commit: RefCell::default(), saw_full: Cell::new(false) }
    }

    /// Runs a statement; answers how many rows it changed.
    pub fn execute(&self, sql: &'static str, params: &[Param<'_>]) -> Result<usize, Error> {
        let run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.execute(rusqlite::params_from_iter(params))
        };
        run().map_err(|error| self.noted(error.into()))
    }

    /// The first row of an answer, if there is one; also of `INSERT .. RETURNING`.
    pub fn one<T>(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(params))?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let value = read(&Row::new(row))?;
            // A RETURNING statement is done only when it has said so.
            rows.next()?;
            Ok(Some(value))
        };
        run().map_err(|error| self.noted(error))
    }

    /// All rows of an answer. The statement bounds their number (LIMIT), not the caller's memory.
    pub fn all<T>(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(params))?;
            let mut values = Vec::new();
            while let Some(row) = rows.next()? {
                values.push(read(&Row::new(row))?);
            }
            Ok(values)
        };
        run().map_err(|error| self.noted(error))
    }

    /// Has `then` run after the COMMIT and before the job is answered; dropped unrun when the job fails or is rolled back. Bells
    /// ring and caches change only here. It runs on the writer thread: it may wake and store, never wait.
    pub fn on_commit(&self, then: impl FnOnce() + Send + 'static) {
        self.after_commit.borrow_mut().push(Box::new(then));
    }

    /// Whether this transaction may change anything.
    pub fn is_write(&self) -> bool {
        self.is_write
    }

    /// Copies the whole database, as this transaction sees it, into a new file.
    pub(super) fn copy_into(&self, file: &std::path::Path) -> Result<(), Error> {
        let mut target = Connection::open(file)?;
        rusqlite::backup::Backup::new(self.connection, &mut target)?.step(ALL_PAGES)?;
        target.execute_batch(tables::PLAIN_JOURNAL)?;
        target.close().map_err(|(_, error)| error.into())
    }

    pub(super) fn saw_full(&self) -> bool {
        self.saw_full.get()
    }

    pub(super) fn into_after_commit(self) -> Vec<AfterCommit> {
        self.after_commit.into_inner()
    }

    /// Remembers a full disk even when the job makes something else of the error.
    fn noted(&self, error: Error) -> Error {
        if error.is_full() {
            self.saw_full.set(true);
        }
        error
    }
}

/// What SQLite's backup takes for "in one step", so that the copy is of one moment.
const ALL_PAGES: i32 = -1;
