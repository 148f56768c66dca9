//! The writer: one thread, many jobs, one COMMIT.
//!
//! It takes all jobs that wait, runs each under a savepoint of one transaction, commits once and then answers them. A job that
//! fails or panics loses its own changes alone. When the COMMIT fails, nothing of the batch has happened, and each job is run again
//! by itself, so that one that cannot be committed does not take others with it: jobs are pure and re-runnable for this.
//! Jobs of recall form batches of their own, which go first and may use the ballast.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;

use super::ballast::Ballast;
use super::tx::{AfterCommit, Tx};
use super::{Error, tables};
use crate::failpoint;

/// Jobs in one transaction at most: more gains nothing, and the first would wait for the last.
pub(super) const BATCH_JOBS_MAX: usize = 256;

/// A job as the writer sees it: its types are its own business.
pub(super) trait Job: Send {
    /// Runs it, keeps the result; answers whether its changes stay.
    fn run(&mut self, tx: &Tx<'_>) -> bool;
    /// Tells whoever asked: the kept result, or what befell the batch.
    fn answer(self: Box<Self>, outcome: Result<(), Error>);
}

/// A write job, with the way to answer it.
pub(super) struct Typed<T, E, F, R> {
    pub(super) job: F,
    pub(super) kept: Option<Result<T, E>>,
    pub(super) reply: R,
}

impl<T, E, F, R> Job for Typed<T, E, F, R>
where
    T: Send,
    E: From<Error> + Send,
    F: Fn(&Tx<'_>) -> Result<T, E> + Send,
    R: FnOnce(Result<T, E>) + Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> bool {
        let result = catch_unwind(AssertUnwindSafe(|| (self.job)(tx)))
            .unwrap_or_else(|payload| Err(Error::Panicked(words(payload.as_ref())).into()));
        self.kept.insert(result).is_ok()
    }

    fn answer(self: Box<Self>, outcome: Result<(), Error>) {
        let result = match (outcome, self.kept) {
            (Err(error), _) => Err(error.into()),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(Error::Stopped.into()),
        };
        (self.reply)(result);
    }
}

/// What a panic said.
pub(super) fn words(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// The connection that writes, and what it needs to know about room on the disk.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) ballast: Ballast,
}

impl Writer {
    /// Runs a batch of ordinary jobs. While the ballast is off they are told that the disk is full.
    pub(super) fn ordinary(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        match self.ballast.take_aboard(&self.connection) {
            Ok(true) => (),
            Ok(false) => return answer_all(jobs, &Err(Error::Full)),
            Err(error) => return answer_all(jobs, &Err(error)),
        }
        let outcome = self.attempt(&mut jobs, false);
        self.settle(jobs, outcome);
    }

    /// Runs a batch of recall's jobs. When the disk is full they get the room of the ballast, and are run again.
    pub(super) fn urgent(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        // A recall that meets room again also puts the ballast back, so that the next one has it.
        let _may_fail_without_harm = self.ballast.take_aboard(&self.connection);
        let mut outcome = self.attempt(&mut jobs, self.ballast.is_aboard());
        if outcome == Err(Error::Full) && self.ballast.is_aboard() {
            outcome = self
                .ballast
                .throw_off(&self.connection)
                .and_then(|()| self.attempt(&mut jobs, false));
        }
        self.settle(jobs, outcome);
    }

    /// A committed batch is answered; of a failed one each job is tried by itself, once.
    fn settle(&mut self, jobs: Vec<Box<dyn Job>>, outcome: Result<(), Error>) {
        if outcome.is_ok() || jobs.len() == 1 {
            return answer_all(jobs, &outcome);
        }
        for job in jobs {
            let mut alone = vec![job];
            let outcome = self.attempt(&mut alone, false);
            answer_all(alone, &outcome);
        }
    }

    /// One transaction over the jobs. `Err` means that nothing has happened. With `heed_full` it also gives up, before the
    /// COMMIT, when any job met a full disk.
    fn attempt(&mut self, jobs: &mut [Box<dyn Job>], heed_full: bool) -> Result<(), Error> {
        self.run(tables::BEGIN_WRITE)?;
        let done = self.run_and_commit(jobs, heed_full);
        if done.is_err() && !self.connection.is_autocommit() {
            self.run(tables::ROLLBACK)?;
        }
        for then in done? {
            // What rings a bell is not allowed to take the writer with it.
            let _nobody_to_tell = catch_unwind(AssertUnwindSafe(then));
        }
        failpoint!("write.before_answer");
        Ok(())
    }

    fn run_and_commit(
        &self,
        jobs: &mut [Box<dyn Job>],
        heed_full: bool,
    ) -> Result<Vec<AfterCommit>, Error> {
        let mut after_commit = Vec::new();
        for job in jobs {
            failpoint!("write.before_savepoint");
            let (then, saw_full) = self.run_job(job.as_mut())?;
            failpoint!("write.after_savepoint");
            if saw_full && heed_full {
                return Err(Error::Full);
            }
            after_commit.extend(then);
        }
        failpoint!("write.before_commit");
        self.run(tables::COMMIT)?;
        failpoint!("write.after_commit");
        Ok(after_commit)
    }

    /// Runs one job under a savepoint; answers what it wants done after the commit, and whether it met a full disk.
    fn run_job(&self, job: &mut dyn Job) -> Result<(Vec<AfterCommit>, bool), Error> {
        self.run(tables::SAVEPOINT)?;
        let tx = Tx::new(&self.connection, true);
        let keep = job.run(&tx);
        let saw_full = tx.saw_full();
        if self.connection.is_autocommit() {
            // SQLite gave up the whole transaction, as it does for some errors of the disk.
            return Err(if saw_full { Error::Full } else { Error::Io("rolled back".to_owned()) });
        }
        let then = tx.into_after_commit();
        if keep {
            self.run(tables::RELEASE)?;
            Ok((then, saw_full))
        } else {
            self.run(tables::ROLLBACK_TO)?;
            self.run(tables::RELEASE)?;
            Ok((Vec::new(), saw_full))
        }
    }

    fn run(&self, sql: &'static str) -> Result<(), Error> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

fn answer_all(jobs: Vec<Box<dyn Job>>, outcome: &Result<(), Error>) {
    for job in jobs {
        job.answer(outcome.clone());
    }
}
