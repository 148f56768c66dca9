//! The writer: one thread, many jobs, one COMMIT.
//!
//! It takes all jobs that wait, runs each under a savepoint of one transaction, commits once and then answers them. A job that
//! fails or panics loses its own changes alone. When the COMMIT fails, nothing of the batch has happened, and each job is run again
//! by itself, so that one that cannot be committed does not take others with it: jobs are pure and re-runnable for this.
//! Jobs of recall form batches of their own, which go first and may use the ballast; an ordinary batch that runs when one comes is
//! committed as far as it got.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    pub(super) signals: Arc<Signals>,
}

/// What the writer and those outside tell each other while a batch runs.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// The ballast is off: what is not recall's must not take up room.
    pub(super) is_full: AtomicBool,
    /// A job of recall waits: the ordinary batch ends with the job that runs.
    pub(super) recall_waits: AtomicBool,
}

impl Writer {
    /// Runs a batch of ordinary jobs; answers those it did not get to, because recall came. While the ballast is off they are told
    /// that the disk is full.
    pub(super) fn ordinary(&mut self, mut jobs: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        match self.take_ballast_aboard() {
            Ok(true) => (),
            Ok(false) => return answer_all(jobs, &Err(Error::Full)),
            Err(error) => return answer_all(jobs, &Err(error)),
        }
        match self.attempt(&mut jobs, Manner::Ordinary) {
            Ok(count) => {
                let left = jobs.split_off(count);
                answer_all(jobs, &Ok(()));
                left
            }
            Err(error) => self.each_alone(jobs, error),
        }
    }

    /// Runs a batch of recall's jobs. When the disk is full they get the room of the ballast, and are run again.
    pub(super) fn urgent(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        // A recall that meets room again also puts the ballast back, so that the next one has it.
        let _may_fail_without_harm = self.take_ballast_aboard();
        let manner = if self.ballast.is_of_use() { Manner::HeedFull } else { Manner::Recall };
        let mut outcome = self.attempt(&mut jobs, manner);
        if outcome == Err(Error::Full) && self.ballast.is_of_use() {
            self.signals.is_full.store(true, Ordering::SeqCst);
            outcome = self
                .ballast
                .throw_off(&self.connection)
                .and_then(|()| self.attempt(&mut jobs, Manner::Recall));
        }
        match outcome {
            Ok(_) => answer_all(jobs, &Ok(())),
            Err(error) => self.each_alone(jobs, error),
        };
    }

    fn take_ballast_aboard(&mut self) -> Result<bool, Error> {
        let is_aboard = self.ballast.take_aboard(&self.connection)?;
        self.signals.is_full.store(!is_aboard, Ordering::SeqCst);
        Ok(is_aboard)
    }

    /// After a batch that failed: each job by itself, once. A batch of one was that already.
    fn each_alone(&mut self, jobs: Vec<Box<dyn Job>>, error: Error) -> Vec<Box<dyn Job>> {
        if jobs.len() == 1 {
            return answer_all(jobs, &Err(error));
        }
        for job in jobs {
            let mut alone = vec![job];
            let outcome = self.attempt(&mut alone, Manner::Recall).map(drop);
            answer_all(alone, &outcome);
        }
        Vec::new()
    }

    /// One transaction over the jobs, or the first of them; answers how many have been committed. `Err` means that nothing has
    /// happened.
    fn attempt(&mut self, jobs: &mut [Box<dyn Job>], manner: Manner) -> Result<usize, Error> {
        self.run(tables::BEGIN_WRITE)?;
        let done = self.run_and_commit(jobs, manner);
        if done.is_err() && !self.connection.is_autocommit() {
            self.run(tables::ROLLBACK)?;
        }
        let (count, after_commit) = done?;
        for then in after_commit {
            // What rings a bell is not allowed to take the writer with it.
            let _nobody_to_tell = catch_unwind(AssertUnwindSafe(then));
        }
        failpoint!("write.before_answer");
        Ok(count)
    }

    fn run_and_commit(
        &self,
        jobs: &mut [Box<dyn Job>],
        manner: Manner,
    ) -> Result<(usize, Vec<AfterCommit>), Error> {
        let mut after_commit = Vec::new();
        let mut count = 0;
        for job in jobs {
            failpoint!("write.before_savepoint");
            let (then, saw_full) = self.run_job(job.as_mut())?;
            failpoint!("write.after_savepoint");
            if saw_full && manner == Manner::HeedFull {
                return Err(Error::Full);
            }
            after_commit.extend(then);
            count += 1;
            if manner == Manner::Ordinary && self.signals.recall_waits.load(Ordering::SeqCst) {
                break;
            }
        }
        failpoint!("write.before_commit");
        self.run(tables::COMMIT)?;
        failpoint!("write.after_commit");
        Ok((count, after_commit))
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

/// How a transaction runs its jobs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Ends early when recall waits.
    Ordinary,
    /// Gives up, before the COMMIT, when a job meets a full disk: there is ballast to throw off.
    HeedFull,
    /// To the end.
    Recall,
}

/// Answers all the jobs, and leaves none.
fn answer_all(jobs: Vec<Box<dyn Job>>, outcome: &Result<(), Error>) -> Vec<Box<dyn Job>> {
    for job in jobs {
        job.answer(outcome.clone());
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use super::super::{Database, Options};
    use super::*;
    use crate::clock::{Clock, Timestamp};
    use crate::params;

    type Answer = Receiver<Result<(), Error>>;

    /// A database whose batches the test composes: nothing runs before `turn`.
    fn by_hand() -> (tempfile::TempDir, Database) {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { by_hand: true, ..Options::quick(&Clock::manual(Timestamp(1))) };
        let database = Database::open(dir.path(), options).unwrap();
        create(&database);
        (dir, database)
    }

    fn create(database: &Database) {
        let sql = "CREATE TABLE diary (id INTEGER PRIMARY KEY, words TEXT NOT NULL UNIQUE, \
            after BIGINT REFERENCES diary (id) DEFERRABLE INITIALLY DEFERRED)";
        database.write_blocking(move |tx| tx.execute(sql, params![])).unwrap();
    }

    fn submit(
        database: &Database,
        first: bool,
        job: impl Fn(&Tx<'_>) -> Result<(), Error> + Send + 'static,
    ) -> Answer {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        let reply = move |result| drop(reply.send(result));
        database.0.engine.write(job, reply, first).unwrap();
        answer
    }

    fn insert(words: &'static str) -> impl Fn(&Tx<'_>) -> Result<(), Error> + Send + 'static {
        let sql = "INSERT INTO diary (words) VALUES (?1)";
        move |tx| tx.execute(sql, params![words]).map(drop)
    }

    fn diary(database: &Database) -> Vec<String> {
        let sql = "SELECT words FROM diary ORDER BY id";
        database.read_blocking(move |tx| tx.all(sql, params![], |row| row.get(0))).unwrap()
    }

    #[test]
    fn nothing_is_answered_before_the_commit_of_the_whole_batch() {
        let (_dir, database) = by_hand();
        let answers = ["a", "b", "c"].map(|words| submit(&database, false, insert(words)));
        assert!(answers.iter().all(|answer| answer.try_recv().is_err()));
        assert_eq!(database.turn(), 3);
        assert!(answers.iter().all(|answer| answer.try_recv() == Ok(Ok(()))));
        assert_eq!(diary(&database), ["a", "b", "c"]);
    }

    #[test]
    fn a_job_that_fails_or_panics_loses_its_own_changes_alone() {
        let (_dir, database) = by_hand();
        let good = submit(&database, false, insert("good"));
        let bad = submit(&database, false, |tx| {
            insert("bad")(tx)?;
            Err(Error::Overloaded)
        });
        let panics = submit(&database, false, |tx| {
            insert("worse")(tx)?;
            panic!("the job's fault")
        });
        let last = submit(&database, false, insert("last"));
        assert_eq!(database.turn(), 4);
        assert_eq!(good.try_recv(), Ok(Ok(())));
        assert_eq!(bad.try_recv(), Ok(Err(Error::Overloaded)));
        assert_eq!(panics.try_recv(), Ok(Err(Error::Panicked("the job's fault".to_owned()))));
        assert_eq!(last.try_recv(), Ok(Ok(())));
        assert_eq!(diary(&database), ["good", "last"]);
    }

    /// A deferred reference to nothing lets the statement pass and makes the COMMIT fail.
    #[test]
    fn a_job_that_cannot_be_committed_takes_no_other_with_it() {
        let (_dir, database) = by_hand();
        let (rung, bell) = std::sync::mpsc::channel();
        let good = submit(&database, false, move |tx| {
            let rung = rung.clone();
            tx.on_commit(move || rung.send(()).unwrap());
            insert("good")(tx)
        });
        let bad = submit(&database, false, |tx| {
            let sql = "INSERT INTO diary (words, after) VALUES ('bad', 99)";
            tx.execute(sql, params![]).map(drop)
        });
        database.turn();
        assert_eq!(good.try_recv(), Ok(Ok(())));
        assert!(matches!(bad.try_recv(), Ok(Err(Error::Constraint(_)))));
        assert_eq!(diary(&database), ["good"]);
        assert_eq!(bell.try_iter().count(), 1);
    }

    #[test]
    fn recall_goes_before_all_that_waits() {
        let (_dir, database) = by_hand();
        let ordinary = submit(&database, false, insert("ordinary"));
        let recall = submit(&database, true, insert("recall"));
        assert_eq!(database.turn(), 1);
        assert_eq!(recall.try_recv(), Ok(Ok(())));
        assert!(ordinary.try_recv().is_err());
        assert_eq!(database.turn(), 1);
        assert_eq!(diary(&database), ["recall", "ordinary"]);
    }

    #[test]
    fn a_running_batch_makes_way_for_recall() {
        let (_dir, database) = by_hand();
        let (handle, asked) = (database.clone(), AtomicBool::new(false));
        let first = submit(&database, false, move |tx| {
            if !asked.swap(true, Ordering::SeqCst) {
                let _answer = submit(&handle, true, insert("recall"));
            }
            insert("first")(tx)
        });
        let second = submit(&database, false, insert("second"));
        assert_eq!(database.turn(), 1);
        assert_eq!(first.try_recv(), Ok(Ok(())));
        assert!(second.try_recv().is_err());
        assert_eq!((database.turn(), database.turn()), (1, 1));
        assert_eq!(second.try_recv(), Ok(Ok(())));
        assert_eq!(diary(&database), ["first", "recall", "second"]);
    }

    #[test]
    fn bells_ring_after_the_commit_and_not_for_a_job_that_failed() {
        let (_dir, database) = by_hand();
        let (rung, bell) = std::sync::mpsc::channel();
        for fails in [false, true] {
            let (rung, handle) = (rung.clone(), database.clone());
            let _answer = submit(&database, false, move |tx| {
                let (rung, _handle) = (rung.clone(), handle.clone());
                tx.on_commit(move || rung.send(fails).unwrap());
                if fails { Err(Error::Overloaded) } else { insert("rings")(tx) }
            });
        }
        assert_eq!(bell.try_iter().count(), 0);
        database.turn();
        assert_eq!(bell.try_iter().collect::<Vec<_>>(), [false]);
    }

    #[test]
    fn a_bell_that_panics_does_not_take_the_writer_with_it() {
        let (_dir, database) = by_hand();
        let answer = submit(&database, false, |tx| {
            tx.on_commit(|| panic!("the bell's fault"));
            insert("rings")(tx)
        });
        database.turn();
        assert_eq!(answer.try_recv(), Ok(Ok(())));
        assert_eq!(database.write_blocking(insert("later")), Ok(()));
    }

    #[test]
    fn a_constraint_inside_a_job_leaves_the_job_its_choice() {
        let (_dir, database) = by_hand();
        let answer = submit(&database, false, |tx| {
            insert("once")(tx)?;
            assert!(matches!(insert("once")(tx), Err(Error::Constraint(_))));
            insert("twice")(tx)
        });
        database.turn();
        assert_eq!(answer.try_recv(), Ok(Ok(())));
        assert_eq!(diary(&database), ["once", "twice"]);
    }

    /// The same over the real threads: many callers at once, each sees its own row.
    #[tokio::test]
    async fn many_callers_share_the_writer() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(dir.path(), Options::default()).unwrap();
        let sql = "CREATE TABLE tally (id INTEGER PRIMARY KEY, x BIGINT NOT NULL)";
        database.write(move |tx| tx.execute(sql, params![])).await.unwrap();
        let callers = (0..500_i64).map(|x| {
            let database = database.clone();
            tokio::spawn(async move {
                let sql = "INSERT INTO tally (x) VALUES (?1) RETURNING id";
                let id: Option<i64> =
                    database.write(move |tx| tx.one(sql, params![x], |row| row.get(0))).await?;
                let sql = "SELECT x FROM tally WHERE id = ?1";
                database.read(move |tx| tx.one(sql, params![id], |row| row.get(0))).await
            })
        });
        for (x, caller) in (0_i64..).zip(callers.collect::<Vec<_>>()) {
            assert_eq!(caller.await.unwrap(), Ok::<_, Error>(Some(x)));
        }
    }

    #[test]
    fn readers_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1));
        let database = Database::open(dir.path(), Options::quick(&clock)).unwrap();
        create(&database);
        assert!(database.read_blocking(insert("never")).is_err());
        assert!(diary(&database).is_empty());
    }

    #[test]
    fn what_waits_is_finished_before_the_end_and_nothing_comes_after() {
        let (dir, database) = by_hand();
        let answer = submit(&database, false, insert("in time"));
        database.stop();
        assert_eq!(answer.try_recv(), Ok(Ok(())));
        assert_eq!(database.write_blocking(insert("late")), Err(Error::Stopped));
        drop(database);
        let clock = Clock::manual(Timestamp(2));
        let again = Database::open(dir.path(), Options::quick(&clock)).unwrap();
        assert_eq!(diary(&again), ["in time"]);
    }

    #[test]
    fn a_full_queue_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let quick = Options::quick(&Clock::manual(Timestamp(1)));
        let options = Options { by_hand: true, queue_jobs_max: 1, ..quick };
        let database = Database::open(dir.path(), options).unwrap();
        create(&database);
        let _first = submit(&database, false, insert("a"));
        let refused = database.0.engine.write(insert("b"), drop, false);
        assert_eq!(refused, Err(Error::Overloaded));
        // Recall has a queue of its own.
        assert_eq!(database.0.engine.write(insert("c"), drop, true), Ok(()));
    }
}
