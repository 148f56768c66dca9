//! Backup and restore that keep the promises.
//!
//! A backup is a directory: `retract.db` as of one moment, `bodies/`, and `manifest`, which is written last and hashes everything:
//! a copy without a whole manifest is no backup. It is taken while the gateway runs and stops no writer.
//! A restore begins a new ledger epoch, in the copy, before the copy gets the name under which it can be opened, and a directory
//! with a restore that did not finish cannot be opened at all. So an old
//! database can never pass for the current one: phones that show keys from after the backup are recognised, and no pair of a
//! device that existed then is ever again called *never exposed*.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::bodies::sync_folder;
use super::{Bodies, BodyHash, Database, Error, Tx, connect, hex, meta, migrate, tables};
use crate::clock::Timestamp;
use crate::failpoint;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The installation it is of.
    pub installation: String,
    /// The epoch of the ledger at that moment.
    pub epoch: i64,
    /// SHA-256 of the database file.
    pub database: BodyHash,
    /// The bodies, sorted.
    pub bodies: Vec<BodyHash>,
}

/// Copies the state, as of one moment, into the directory `to`, which must be new or empty.
pub fn backup(
    database: &Database,
    bodies: &Bodies,
    to: &Path,
    now: Timestamp,
) -> Result<Manifest, Error> {
    make_empty(to)?;
    let file = connect::file_in(to);
    // From before the copy of the database until the last body is copied: what the database names must be there.
    let _hold = bodies.hold();
    let target = file.clone();
    let (installation, epoch) = database.read_blocking(move |tx| {
        private_file(&target)?;
        tx.copy_into(&target)?;
        Ok::<_, Error>((meta::installation(tx)?, meta::epoch(tx)?.number))
    })?;
    File::open(&file)?.sync_all()?;
    failpoint!("backup.after_database");
    let copies = Bodies::open(to, true)?;
    let hashes = copy_bodies(bodies, &copies)?;
    failpoint!("backup.after_bodies");
    let database = hash_file(&file)?;
    let manifest = Manifest { taken_at: now, installation, epoch, database, bodies: hashes };
    write_synced(&to.join(MANIFEST_FILE), manifest.text().as_bytes())?;
    sync_folder(to)?;
    Ok(manifest)
}

/// Makes the directory `dir`, new or empty, an installation again. It begins a new epoch, and the ledger sets every device's gap
/// flag when it next starts.
pub fn restore(from: &Path, dir: &Path, now: Timestamp) -> Result<Manifest, Error> {
    let manifest = Manifest::load(from)?;
    let source = connect::file_in(from);
    if hash_file(&source)? != manifest.database {
        return Err(Error::Corrupt(
            "the backup's database is not the one in its manifest".to_owned(),
        ));
    }
    make_empty(dir)?;
    let lock = connect::lock(dir)?;
    let unfinished = connect::unfinished_in(dir);
    private_file(&unfinished)?;
    sync_folder(dir)?;
    restore_bodies(from, dir, &manifest)?;
    std::fs::copy(&source, &unfinished)?;
    failpoint!("restore.before_epoch");
    begin_epoch(&unfinished, now)?;
    File::open(&unfinished)?.sync_all()?;
    failpoint!("restore.before_rename");
    std::fs::rename(&unfinished, connect::file_in(dir))?;
    sync_folder(dir)?;
    drop(lock);
    Ok(manifest)
}

impl Manifest {
    /// Reads and checks the manifest of a backup.
    pub fn load(backup: &Path) -> Result<Manifest, Error> {
        let text = std::fs::read_to_string(backup.join(MANIFEST_FILE))?;
        Manifest::parse(&text)
            .ok_or_else(|| Error::Corrupt("the backup's manifest is not whole".to_owned()))
    }

    fn text(&self) -> String {
        use std::fmt::Write;
        let mut text = format!(
            "{HEAD}\ntaken_at {}\ninstallation {}\nepoch {}\ndatabase {}\n",
            self.taken_at.ms(),
            self.installation,
            self.epoch,
            self.database
        );
        for body in &self.bodies {
            let _never_fails = writeln!(text, "body {body}");
        }
        let end = hex(&Sha256::digest(text.as_bytes()));
        text + "end " + &end + "\n"
    }

    fn parse(text: &str) -> Option<Manifest> {
        let (lines, end) = text.strip_suffix('\n')?.rsplit_once("\nend ")?;
        let signed = &text[..=lines.len()];
        if hex(&Sha256::digest(signed.as_bytes())) != end {
            return None;
        }
        let mut lines = lines.lines();
        let mut next = |key: &str| lines.next()?.strip_prefix(key);
        next(HEAD)?;
        let taken_at = Timestamp(next("taken_at ")?.parse().ok()?);
        let installation = next("installation ")?.to_owned();
        let epoch = next("epoch ")?.parse().ok()?;
        let database = BodyHash::parse(next("database ")?)?;
        let body = |line: &str| BodyHash::parse(line.strip_prefix("body ")?);
        let bodies = lines.map(body).collect::<Option<Vec<_>>>()?;
        Some(Manifest { taken_at, installation, epoch, database, bodies })
    }
}

fn copy_bodies(bodies: &Bodies, copies: &Bodies) -> Result<Vec<BodyHash>, Error> {
    let hashes = bodies.hashes()?;
    for hash in &hashes {
        drop(copies.put(&bodies.get(*hash)?)?);
    }
    Ok(hashes)
}

fn restore_bodies(from: &Path, dir: &Path, manifest: &Manifest) -> Result<(), Error> {
    let (source, target) = (Bodies::open(from, false)?, Bodies::open(dir, true)?);
    for hash in &manifest.bodies {
        drop(target.put(&source.get(*hash)?)?);
    }
    Ok(())
}

/// Begins the epoch in a copy that has not got its name yet.
fn begin_epoch(file: &Path, now: Timestamp) -> Result<(), Error> {
    let connection = connect::loose(file)?;
    migrate::check(&connection)?;
    connection.execute_batch(tables::BEGIN_WRITE)?;
    meta::begin_epoch(&Tx::new(&connection, true), now, "restored")?;
    connection.execute_batch(tables::COMMIT)?;
    connection.close().map_err(|(_, error)| error.into())
}

fn make_empty(dir: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    match std::fs::read_dir(dir)?.next() {
        None => Ok(()),
        Some(_) => Err(Error::Io(format!("{} is not empty", dir.display()))),
    }
}

fn private_file(path: &Path) -> Result<(), Error> {
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    Ok(())
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

fn hash_file(path: &Path) -> Result<BodyHash, Error> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut hash, mut block) = (Sha256::new(), vec![0; BLOCK_BYTES]);
    loop {
        match file.read(&mut block)? {
            0 => return Ok(BodyHash(hash.finalize().into())),
            count => hash.update(&block[..count]),
        }
    }
}

const MANIFEST_FILE: &str = "manifest";
const HEAD: &str = "retract backup 1";
const BLOCK_BYTES: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::super::{Finding, GAP_PENDING, Options, epoch, epochs, meta, set_meta, verify};
    use super::*;
    use crate::clock::Clock;

    const TAKEN: Timestamp = Timestamp(5_000);
    const RESTORED: Timestamp = Timestamp(9_000);

    fn open(dir: &Path) -> (Database, Bodies) {
        let database = Database::open(dir, Options::quick(&Clock::manual(Timestamp(1)))).unwrap();
        (database, Bodies::open(dir, false).unwrap())
    }

    /// An installation with one fact and one body, and a backup of it.
    fn backed_up(root: &Path) -> (Database, Bodies, Manifest) {
        let (database, bodies) = open(&root.join("old"));
        database.write_blocking(|tx| set_meta(tx, "fact", "before")).unwrap();
        drop(bodies.put(b"a body").unwrap());
        let manifest = backup(&database, &bodies, &root.join("backup"), TAKEN).unwrap();
        (database, bodies, manifest)
    }

    #[test]
    fn what_was_backed_up_is_what_is_restored() {
        let root = tempfile::tempdir().unwrap();
        let (database, _bodies, manifest) = backed_up(root.path());
        database.write_blocking(|tx| set_meta(tx, "fact", "after")).unwrap();
        let (from, to) = (root.path().join("backup"), root.path().join("new"));
        assert_eq!(restore(&from, &to, RESTORED), Ok(manifest.clone()));
        let (restored, bodies) = open(&to);
        let fact = restored.read_blocking(|tx| meta(tx, "fact")).unwrap();
        assert_eq!(fact.as_deref(), Some("before"));
        assert_eq!(bodies.get(BodyHash::of(b"a body")).unwrap(), &b"a body"[..]);
        assert_eq!(verify(&restored, &bodies), Ok(vec![]));
        assert_eq!(restored.read_blocking(meta_installation), Ok(manifest.installation));
    }

    fn meta_installation(tx: &Tx<'_>) -> Result<String, Error> {
        meta::installation(tx)
    }

    #[test]
    fn a_restore_begins_an_epoch_and_leaves_word_of_the_gap() {
        let root = tempfile::tempdir().unwrap();
        let (_database, _bodies, manifest) = backed_up(root.path());
        assert_eq!(manifest.epoch, 1);
        let to = root.path().join("new");
        restore(&root.path().join("backup"), &to, RESTORED).unwrap();
        let (restored, _bodies) = open(&to);
        let now = restored.read_blocking(epoch).unwrap();
        assert_eq!((now.number, now.began_at, now.reason.as_str()), (2, RESTORED, "restored"));
        assert_eq!(restored.read_blocking(epochs).unwrap().len(), 2);
        let gap = restored.read_blocking(|tx| meta(tx, GAP_PENDING)).unwrap();
        assert_eq!(gap.as_deref(), Some("2"));
    }

    #[test]
    fn a_backup_goes_into_an_empty_place_and_so_does_a_restore() {
        let root = tempfile::tempdir().unwrap();
        let (database, bodies, _) = backed_up(root.path());
        let from = root.path().join("backup");
        assert!(backup(&database, &bodies, &from, TAKEN).is_err());
        assert!(restore(&from, &root.path().join("old"), RESTORED).is_err());
    }

    #[test]
    fn a_damaged_backup_is_refused() {
        let root = tempfile::tempdir().unwrap();
        backed_up(root.path());
        let from = root.path().join("backup");
        let manifest = std::fs::read_to_string(from.join(MANIFEST_FILE)).unwrap();
        for broken in [&manifest[1..], &manifest[..manifest.len() - 1], ""] {
            std::fs::write(from.join(MANIFEST_FILE), broken).unwrap();
            let refused = restore(&from, &root.path().join("new"), RESTORED);
            assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
        }
        std::fs::write(from.join(MANIFEST_FILE), manifest).unwrap();
        let body = BodyHash::of(b"a body").to_string();
        let file = from.join("bodies").join(&body[..2]).join(&body);
        std::fs::write(&file, b"another").unwrap();
        let refused = restore(&from, &root.path().join("new"), RESTORED);
        assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
        // What was begun has no database, so nothing opens it by mistake.
        assert!(!connect::file_in(&root.path().join("new")).exists());
    }

    #[test]
    fn verify_names_a_body_that_changed() {
        let root = tempfile::tempdir().unwrap();
        let (database, bodies, _) = backed_up(root.path());
        let hash = BodyHash::of(b"a body");
        let name = hash.to_string();
        let file = root.path().join("old/bodies").join(&name[..2]).join(&name);
        std::fs::write(file, b"another").unwrap();
        let findings = verify(&database, &bodies).unwrap();
        assert!(matches!(findings[..], [Finding::Body(bad, _)] if bad == hash));
    }

    #[test]
    fn a_simulated_installation_is_backed_up_too() {
        let root = tempfile::tempdir().unwrap();
        let quick = Options::quick(&Clock::manual(Timestamp(1)));
        let options = Options { by_hand: true, ..quick };
        let database = Database::open(&root.path().join("old"), options).unwrap();
        let bodies = Bodies::simulated();
        drop(bodies.put(b"a body").unwrap());
        let manifest = backup(&database, &bodies, &root.path().join("backup"), TAKEN).unwrap();
        assert_eq!(Manifest::load(&root.path().join("backup")), Ok(manifest));
    }
}
