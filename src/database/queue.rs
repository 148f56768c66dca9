//! The queues in front of the threads, and the threads.

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use super::ballast::Ballast;
use super::bodies::sync_folder;
use super::read::{self, ReadJob, read_job};
use super::write::{BATCH_JOBS_MAX, Job, Signals, Typed, Writer};
use super::{Error, Options, Tx, connect, meta, migrate, tables};

/// Queues and threads of one open database.
pub(super) struct Engine {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    queues: Mutex<Queues>,
    /// Something for the writer has come, or the end.
    for_writer: Condvar,
    /// Something for a reader has come, or the end.
    for_reader: Condvar,
    jobs_max: usize,
    reads_on_writer: bool,
    /// With `by_hand`, the writer that [`Engine::turn`] drives.
    by_hand: Mutex<Option<Writer>>,
    signals: Arc<Signals>,
    /// Held as long as any thread lives.
    _lock: File,
}

#[derive(Default)]
struct Queues {
    urgent: VecDeque<Box<dyn Job>>,
    ordinary: VecDeque<Box<dyn Job>>,
    reads: VecDeque<ReadJob>,
    is_stopped: bool,
    /// Jobs that were ever put in.
    jobs: u64,
}

/// What a writer does next, in this order of precedence.
enum Work {
    Urgent(Vec<Box<dyn Job>>),
    Reads(Vec<ReadJob>),
    Ordinary(Vec<Box<dyn Job>>),
}

impl Engine {
    /// Locks, opens and migrates, then starts the threads.
    pub(super) fn start(dir: &Path, options: Options) -> Result<Engine, Error> {
        let lock = connect::lock(dir)?;
        connect::refuse_unfinished(dir)?;
        let file = connect::file_in(dir);
        let connection = connect::writer(&file, &options)?;
        let now = options.clock.now();
        migrate::migrate(&connection, now)?;
        found(&connection, now)?;
        let ballast = Ballast::load(dir, &options, &connection)?;
        if options.durable {
            sync_folder(dir)?;
        }
        let signals = Arc::new(Signals::default());
        signals.is_full.store(!ballast.is_aboard(), Ordering::SeqCst);
        let writer = Writer { connection, ballast, signals: Arc::clone(&signals) };
        let reads_on_writer = options.single_connection || options.by_hand;
        let shared = Arc::new(Shared {
            queues: Mutex::default(),
            for_writer: Condvar::new(),
            for_reader: Condvar::new(),
            jobs_max: options.queue_jobs_max,
            reads_on_writer,
            by_hand: Mutex::new(None),
            signals,
            _lock: lock,
        });
        let engine = Engine { shared, threads: Mutex::default() };
        if options.by_hand {
            *engine.shared.by_hand.lock() = Some(writer);
            return Ok(engine);
        }
        engine.spawn("db-writer".to_owned(), |shared| shared.write_until_stopped(writer))?;
        if !reads_on_writer {
            for number in 0..options.readers.max(1) {
                let connection = connect::reader(&file, &options)?;
                let name = format!("db-reader-{number}");
                engine.spawn(name, |shared| shared.read_until_stopped(connection))?;
            }
        }
        Ok(engine)
    }

    /// Puts a write job into its queue.
    pub(super) fn write<T, E, F, R>(&self, job: F, reply: R, first: bool) -> Result<(), Error>
    where
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        R: FnOnce(Result<T, E>) + Send + 'static,
    {
        let job: Box<dyn Job> = Box::new(Typed { job, kept: None, reply });
        if first {
            self.shared.submit(job, |queues| &mut queues.urgent)?;
            self.shared.signals.recall_waits.store(true, Ordering::SeqCst);
        } else {
            self.shared.submit(job, |queues| &mut queues.ordinary)?;
        }
        self.shared.for_writer.notify_one();
        Ok(())
    }

    /// Puts a read job into its queue.
    pub(super) fn read<T, E, F, R>(&self, job: F, reply: R) -> Result<(), Error>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        E: From<Error> + 'static,
        T: 'static,
        R: FnOnce(Result<T, E>) + Send + 'static,
    {
        let job = read_job(job, reply);
        self.shared.submit(job, |queues| &mut queues.reads)?;
        if self.shared.reads_on_writer {
            self.shared.for_writer.notify_one();
        } else {
            self.shared.for_reader.notify_one();
        }
        Ok(())
    }

    /// With `by_hand`: one round over the queues; answers how many jobs it ran.
    pub(super) fn turn(&self) -> usize {
        let mut writer = self.shared.by_hand.lock();
        let Some(writer) = writer.as_mut() else { return 0 };
        let work = self.shared.take(&mut self.shared.queues.lock());
        work.into_iter().map(|work| self.shared.run(work, writer)).sum()
    }

    /// How many jobs were ever put into the queues.
    pub(super) fn jobs(&self) -> u64 {
        self.shared.queues.lock().jobs
    }

    /// Whether only recall may take up room.
    pub(super) fn is_full(&self) -> bool {
        self.shared.signals.is_full.load(Ordering::SeqCst)
    }

    /// Lets the threads finish what waits and ends them.
    pub(super) fn stop(&self) {
        while self.turn() > 0 {}
        self.shared.stop();
        drop(self.shared.by_hand.lock().take());
        let this = std::thread::current().id();
        for thread in self.threads.lock().drain(..) {
            // The last clone may go inside a job; that thread ends by itself.
            if thread.thread().id() != this {
                let _its_jobs_were_told = thread.join();
            }
        }
    }

    fn spawn(
        &self,
        name: String,
        body: impl FnOnce(&Shared) + Send + 'static,
    ) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name(name).spawn(move || body(&shared))?;
        self.threads.lock().push(thread);
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// Puts a job into the queue that `choose` picks; a full queue is full for its own kind of job only.
    fn submit<J>(&self, job: J, choose: fn(&mut Queues) -> &mut VecDeque<J>) -> Result<(), Error> {
        let mut queues = self.queues.lock();
        if queues.is_stopped {
            return Err(Error::Stopped);
        }
        let queue = choose(&mut queues);
        if queue.len() >= self.jobs_max {
            return Err(Error::Overloaded);
        }
        queue.push_back(job);
        queues.jobs += 1;
        Ok(())
    }

    /// The next round of work. What recall has asked for until now is in it, so running batches need not make way any more.
    fn take(&self, queues: &mut Queues) -> Vec<Work> {
        let work = queues.take(self.reads_on_writer);
        self.signals.recall_waits.store(!queues.urgent.is_empty(), Ordering::SeqCst);
        work
    }

    /// Does some work; answers how many jobs that were.
    fn run(&self, work: Work, writer: &mut Writer) -> usize {
        match work {
            Work::Urgent(jobs) => {
                let count = jobs.len();
                writer.urgent(jobs);
                count
            }
            Work::Reads(jobs) => {
                let count = jobs.len();
                jobs.into_iter().for_each(|job| read::run(&writer.connection, job));
                count
            }
            Work::Ordinary(jobs) => {
                let count = jobs.len();
                let left = writer.ordinary(jobs);
                let done = count - left.len();
                let mut queues = self.queues.lock();
                left.into_iter().rev().for_each(|job| queues.ordinary.push_front(job));
                done
            }
        }
    }

    fn write_until_stopped(&self, mut writer: Writer) {
        let _even_if_we_panic = StopOnDrop(self);
        loop {
            let mut queues = self.queues.lock();
            let work = loop {
                let work = self.take(&mut queues);
                if !work.is_empty() {
                    break work;
                }
                if queues.is_stopped {
                    return;
                }
                self.for_writer.wait(&mut queues);
            };
            drop(queues);
            for work in work {
                self.run(work, &mut writer);
            }
        }
    }

    fn read_until_stopped(&self, connection: Connection) {
        loop {
            let mut queues = self.queues.lock();
            let job = loop {
                if let Some(job) = queues.reads.pop_front() {
                    break job;
                }
                if queues.is_stopped {
                    return;
                }
                self.for_reader.wait(&mut queues);
            };
            drop(queues);
            read::run(&connection, job);
        }
    }

    fn stop(&self) {
        self.queues.lock().is_stopped = true;
        self.for_writer.notify_all();
        self.for_reader.notify_all();
    }
}

/// A writer that dies must not leave anybody waiting: dropping a job tells its caller that the database has stopped.
struct StopOnDrop<'s>(&'s Shared);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
        let mut queues = self.0.queues.lock();
        let left = (std::mem::take(&mut queues.urgent), std::mem::take(&mut queues.ordinary));
        drop(queues);
        drop(left);
    }
}

impl Queues {
    /// The next round: recall's jobs alone; or, when none wait, the reads that are the writer's and a batch of ordinary jobs.
    fn take(&mut self, reads_on_writer: bool) -> Vec<Work> {
        if !self.urgent.is_empty() {
            return vec![Work::Urgent(batch(&mut self.urgent))];
        }
        let mut work = Vec::new();
        if reads_on_writer && !self.reads.is_empty() {
            work.push(Work::Reads(batch(&mut self.reads)));
        }
        if !self.ordinary.is_empty() {
            work.push(Work::Ordinary(batch(&mut self.ordinary)));
        }
        work
    }
}

fn batch<J>(queue: &mut VecDeque<J>) -> Vec<J> {
    let count = queue.len().min(BATCH_JOBS_MAX);
    queue.drain(..count).collect()
}

/// Gives a fresh database what every installation has.
fn found(connection: &Connection, now: crate::clock::Timestamp) -> Result<(), Error> {
    connection.execute_batch(tables::BEGIN_WRITE)?;
    let done = meta::found(&Tx::new(connection, true), now)
        .and_then(|()| Ok(connection.execute_batch(tables::COMMIT)?));
    if done.is_err() && !connection.is_autocommit() {
        connection.execute_batch(tables::ROLLBACK)?;
    }
    done
}
