//! How many durable jobs a second the writer answers, and how long each waits.
//!
//! `cargo bench --bench database`. A job sets one row and notes it in the audit, as a Sync does; the floor beside it is how long the
//! disk takes for one fsync, which is what a job would cost at least if it were committed alone.

// A bench prints its figures, and one that cannot run is meant to panic.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use retract::audit::{self, Event};
use retract::clock::Timestamp;
use retract::database::{Database, Error, Options, set_meta};

/// How long each row is measured.
const SPAN: Duration = Duration::from_secs(3);

fn main() {
    let dir = tempfile::tempdir_in(".").unwrap();
    println!("fsync of 4 KiB appended: {:.3} ms", fsync_ms(dir.path()));
    println!("{:>8} {:>10} {:>10} {:>10}", "callers", "jobs/s", "p50 ms", "p99 ms");
    for callers in [1, 8, 64, 512] {
        let database =
            Database::open(&dir.path().join(callers.to_string()), Options::default()).unwrap();
        let start = Instant::now();
        let mut waits: Vec<Duration> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..callers)
                .map(|caller| {
                    scope.spawn({
                        let database = &database;
                        move || calls(database, caller, start)
                    })
                })
                .collect::<Vec<_>>();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let per_second = waits.len() as f64 / start.elapsed().as_secs_f64();
        waits.sort_unstable();
        let ms = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
        println!("{callers:>8} {per_second:>10.0} {:>10.2} {:>10.2}", ms(0.5), ms(0.99));
    }
}

/// One caller, who asks again as soon as it is answered.
fn calls(database: &Database, caller: usize, start: Instant) -> Vec<Duration> {
    let mut waits = Vec::new();
    while start.elapsed() < SPAN {
        let asked = Instant::now();
        let count = waits.len().to_string();
        let job = move |tx: &retract::database::Tx<'_>| {
            set_meta(tx, &format!("caller {caller}"), &count)?;
            let event = Event::new("bench.job").id("caller", caller).text("count", count.clone());
            audit::note(tx, Timestamp(1), &event)?;
            Ok::<_, Error>(())
        };
        database.write_blocking(job).unwrap();
        waits.push(asked.elapsed());
    }
    waits
}

fn fsync_ms(dir: &Path) -> f64 {
    const TIMES: u32 = 200;
    let mut file = std::fs::File::create(dir.join("fsync")).unwrap();
    let start = Instant::now();
    for _ in 0..TIMES {
        file.write_all(&[1; 4_096]).unwrap();
        file.sync_data().unwrap();
    }
    start.elapsed().as_secs_f64() * 1e3 / f64::from(TIMES)
}
