//! Survival: a process is killed at every failpoint there is, and what it had been told to be safe is looked for afterwards.
//!
//! The test runs itself as the victim, with a failpoint armed. The victim says on its standard output what it has been answered;
//! then the state is opened again and has to hold all of that, and nothing by halves.

// A test that finds something wrong is meant to panic.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use retract::audit::{self, Event};
use retract::clock::Timestamp;
use retract::database::{
    self, Bodies, BodyHash, Database, Error, Options, backup, meta, restore, set_meta,
};
use retract::failpoint;

const DIR: &str = "RETRACT_SURVIVAL_DIR";
const NOW: Timestamp = Timestamp(1_000);
/// Callers at once, so that batches have more than one job.
const CALLERS: u32 = 4;
/// Mails each caller delivers.
const MAILS: u32 = 12;
/// A failpoint is passed many times; the process is killed at each of these.
const PASSAGES: [u32; 3] = [1, 7, 20];

/// Does nothing unless another test here started it: then it lives until it is killed.
#[test]
fn victim() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let root = Path::new(&dir);
    let (database, bodies) = open(&root.join("state"));
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (database, bodies) = (&database, &bodies);
            scope
                .spawn(move || (0..MAILS).for_each(|mail| deliver(database, bodies, caller, mail)));
        }
    });
    backup(&database, &bodies, &root.join("backup"), NOW).unwrap();
    restore(&root.join("backup"), &root.join("restored"), NOW).unwrap();
}

/// Body first, then row and audit in one job, then the answer: as mail comes in.
fn deliver(database: &Database, bodies: &Bodies, caller: u32, mail: u32) {
    let pin = bodies.put(body(caller, mail).as_bytes()).unwrap();
    let (name, hash) = (format!("mail-{caller}-{mail}"), pin.hash());
    let key = name.clone();
    database
        .write_blocking(move |tx| {
            set_meta(tx, &key, &hash.to_string())?;
            audit::note(tx, NOW, &Event::new("mail.taken").text("mail", &key))?;
            Ok::<_, Error>(())
        })
        .unwrap();
    drop(pin);
    let mut out = std::io::stdout().lock();
    writeln!(out, "\ntaken {name}").and_then(|()| out.flush()).unwrap();
}

fn body(caller: u32, mail: u32) -> String {
    format!("mail {mail} of caller {caller}")
}

fn open(dir: &Path) -> (Database, Bodies) {
    let database = Database::open(dir, Options { ballast_bytes: 0, ..Options::default() }).unwrap();
    let bodies = Bodies::beside(&database).unwrap();
    (database, bodies)
}

/// Runs the victim until it is killed; answers what it had been told.
fn kill_at(root: &Path, place: &str, passage: u32) -> (BTreeSet<String>, bool) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["victim", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, root)
        .env(failpoint::VARIABLE, format!("{place}:{passage}"))
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(child.stdout).unwrap();
    let taken = said.lines().filter_map(|line| line.strip_prefix("taken ")).map(str::to_owned);
    (taken.collect(), child.status.success())
}

/// Every mail that was taken has its row and its body; every row has its audit entry and its body; the audit verifies.
fn look(database: &Database, bodies: &Bodies, taken: &BTreeSet<String>) {
    let report = database.read_blocking(audit::verify).unwrap();
    assert_eq!(report.first_bad, None);
    assert_eq!(database::verify(database, bodies), Ok(vec![]));
    let mut rows = BTreeSet::new();
    for (caller, mail) in (0..CALLERS).flat_map(|c| (0..MAILS).map(move |m| (c, m))) {
        let name = format!("mail-{caller}-{mail}");
        let key = name.clone();
        if let Some(hash) = database.read_blocking(move |tx| meta(tx, &key)).unwrap() {
            let stored = bodies.get(BodyHash::parse(&hash).unwrap()).unwrap();
            assert_eq!(stored, body(caller, mail).as_bytes());
            rows.insert(name);
        }
    }
    assert_eq!(report.head.size, rows.len() as u64);
    assert!(rows.is_superset(taken), "lost: {:?}", taken.difference(&rows).collect::<Vec<_>>());
}

/// The state after the kill is whole, forgets the unfinished, and goes on. Answers how much had been taken, and whether the victim
/// lived, because it does not pass the place so often.
fn survives(place: &str, passage: u32) -> (usize, bool) {
    let root = tempfile::tempdir().unwrap();
    let (taken, lived) = kill_at(root.path(), place, passage);
    let (database, bodies) = open(&root.path().join("state"));
    look(&database, &bodies, &taken);
    let live = |hash: BodyHash| {
        let names = (0..CALLERS).flat_map(|c| (0..MAILS).map(move |m| body(c, m)));
        names.into_iter().any(|words| BodyHash::of(words.as_bytes()) == hash)
    };
    bodies.sweep(live).unwrap();
    look(&database, &bodies, &taken);
    database.write_blocking(|tx| set_meta(tx, "after", "all")).unwrap();
    drop(database);
    let (from, to) = (root.path().join("backup"), root.path().join("restored"));
    if lived {
        let (restored, bodies) = open(&to);
        look(&restored, &bodies, &taken);
    } else if place.starts_with("backup.") {
        assert!(restore(&from, &to, NOW).is_err(), "a backup without a manifest was restored");
    } else if place.starts_with("restore.") {
        let refused = Database::open(&to, Options::default()).err();
        assert!(matches!(refused, Some(Error::Corrupt(_))), "{refused:?}");
    }
    (taken.len(), lived)
}

#[test]
fn whatever_was_taken_survives_a_kill_at_every_place() {
    // Places of other rooms are passed by their own victims.
    let ours = ["write.", "bodies.", "backup.", "restore."];
    for place in
        failpoint::NAMES.iter().filter(|name| ours.iter().any(|room| name.starts_with(room)))
    {
        let runs = PASSAGES.map(|passage| survives(place, passage));
        assert!(!runs[0].1, "nobody passes {place}");
        assert!(runs.iter().any(|(taken, _)| *taken > 0), "{place} proves nothing");
    }
}
