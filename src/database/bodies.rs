//! Bodies: the octets of messages, as files named by their SHA-256, beside the database.
//!
//! - When [`Bodies::put`] returns, the file and its folder have been fsynced: only then may a row that names it be committed.
//! - What [`Bodies::get`] returns has been hashed again: a damaged file is an error, never another message.
//! - Equal bodies are one file. The [`Pin`] that `put` returns keeps the file until the row has been committed, whoever removes the
//!   last older row meanwhile. So: hold the pin over the `write`, and call [`Bodies::remove`] only from `on_commit` of the job that
//!   has found no row left that names the body.
//! - What a crash leaves behind, half-written or unnamed, [`Bodies::sweep`] removes at the next start.

use std::collections::HashMap;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::{Column, Database, Error, FromColumn, Param, hex};
use crate::failpoint;

/// The SHA-256 of a body, which is its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyHash(pub [u8; 32]);

/// The store of bodies. Cheap to clone.
#[derive(Clone)]
pub struct Bodies(Arc<Inner>);

/// Keeps a body that was put from being removed; drop it after the row that names the body has been committed.
#[must_use = "without the pin another delivery's removal may take the body before its row is committed"]
pub struct Pin {
    bodies: Arc<Inner>,
    hash: BodyHash,
}

struct Inner {
    place: Place,
    held: Mutex<Held>,
    /// Knows when the room on the disk is recall's alone.
    database: Weak<super::Inner>,
}

/// Bodies that may not go at the moment.
#[derive(Debug, Default)]
struct Held {
    pins: HashMap<BodyHash, usize>,
    /// How many backups run; while one does, removals wait here.
    backups: usize,
    removals: Vec<BodyHash>,
}

#[derive(Debug)]
enum Place {
    Files(Files),
    Simulated(Mutex<Simulated>),
}

#[derive(Debug)]
struct Files {
    root: PathBuf,
    durable: bool,
    next_temp: AtomicU64,
}

/// A disk in memory: what is there, and what would be there after a power cut.
#[derive(Debug, Default)]
struct Simulated {
    now: HashMap<BodyHash, Bytes>,
    synced: HashMap<BodyHash, Bytes>,
    is_full: bool,
}

impl BodyHash {
    /// The hash of these octets.
    pub fn of(bytes: &[u8]) -> BodyHash {
        BodyHash(Sha256::digest(bytes).into())
    }

    /// Reads the 64 lower-case hexadecimal digits that `Display` writes.
    pub fn parse(text: &str) -> Option<BodyHash> {
        let mut hash = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != hash.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(BodyHash(hash))
    }
}

impl Bodies {
    /// The bodies beside a database, as durable as it is. While the disk's last room is recall's, they take up none.
    pub fn beside(database: &Database) -> Result<Bodies, Error> {
        let place = Files::open(database.dir(), database.0.durable)?;
        Ok(Bodies::over(Place::Files(place), Arc::downgrade(&database.0)))
    }

    /// The bodies in `dir/bodies`, without a database to ask for room.
    pub fn open(dir: &Path, durable: bool) -> Result<Bodies, Error> {
        Ok(Bodies::over(Place::Files(Files::open(dir, durable)?), Weak::new()))
    }

    /// A store in memory that forgets at [`Bodies::crash`] what a disk would forget.
    pub fn simulated() -> Bodies {
        Bodies::over(Place::Simulated(Mutex::default()), Weak::new())
    }

    fn over(place: Place, database: Weak<super::Inner>) -> Bodies {
        Bodies(Arc::new(Inner { place, held: Mutex::default(), database }))
    }

    /// Stores a body so that it survives a power cut, and pins it. Blocks on the disk, and on a full one asks the database, so it
    /// has no place inside a job; see [`Bodies::store`].
    pub fn put(&self, bytes: &[u8]) -> Result<Pin, Error> {
        self.ask_for_room()?;
        let hash = BodyHash::of(bytes);
        let pin = self.pin(hash);
        match &self.0.place {
            Place::Files(files) => files.put(hash, bytes)?,
            Place::Simulated(disk) => disk.lock().put(hash, bytes)?,
        }
        Ok(pin)
    }

    /// A body, hashed again. Blocks on the disk; see [`Bodies::load`].
    pub fn get(&self, hash: BodyHash) -> Result<Bytes, Error> {
        let bytes = match &self.0.place {
            Place::Files(files) => files.get(hash)?,
            Place::Simulated(disk) => {
                disk.lock().now.get(&hash).cloned().ok_or(Error::NoSuchBody(hash))?
            }
        };
        if BodyHash::of(&bytes) != hash {
            return Err(Error::Corrupt(format!("body {hash} has other contents")));
        }
        Ok(bytes)
    }

    /// [`Bodies::put`] off the runtime's threads.
    pub async fn store(&self, bytes: Bytes) -> Result<Pin, Error> {
        let this = self.clone();
        self.off_thread(move || this.put(&bytes)).await
    }

    /// [`Bodies::get`] off the runtime's threads.
    pub async fn load(&self, hash: BodyHash) -> Result<Bytes, Error> {
        let this = self.clone();
        self.off_thread(move || this.get(hash)).await
    }

    /// Removes a body unless it is pinned; waits for the end of a running backup. An absent body is no error.
    pub fn remove(&self, hash: BodyHash) -> Result<(), Error> {
        let mut held = self.0.held.lock();
        if held.backups > 0 {
            held.removals.push(hash);
            return Ok(());
        }
        self.0.remove(&held, hash)
    }

    /// Removes every body that is not `live`, and what a crash left half-written; answers how many bodies went. For the start,
    /// before mail is accepted.
    pub fn sweep(&self, live: impl Fn(BodyHash) -> bool) -> Result<usize, Error> {
        if let Place::Files(files) = &self.0.place {
            files.remove_temps()?;
        }
        let mut removed = 0;
        for hash in self.hashes()? {
            if !live(hash) {
                self.remove(hash)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// The hashes of all bodies, sorted.
    pub fn hashes(&self) -> Result<Vec<BodyHash>, Error> {
        let mut hashes = match &self.0.place {
            Place::Files(files) => files.hashes()?,
            Place::Simulated(disk) => disk.lock().now.keys().copied().collect(),
        };
        hashes.sort_unstable();
        Ok(hashes)
    }

    /// Simulated stores only: the power goes. What was not synced is undone; removals may be, too.
    pub fn crash(&self) {
        if let Place::Simulated(disk) = &self.0.place {
            let mut disk = disk.lock();
            disk.now = disk.synced.clone();
        }
        *self.0.held.lock() = Held::default();
    }

    /// Simulated stores only: the disk is, or is no longer, full.
    pub fn set_full(&self, is_full: bool) {
        if let Place::Simulated(disk) = &self.0.place {
            disk.lock().is_full = is_full;
        }
    }

    /// While the guard lives nothing is removed: for a backup.
    pub(super) fn hold(&self) -> Hold {
        self.0.held.lock().backups += 1;
        Hold(Arc::clone(&self.0))
    }

    /// A write that changes nothing finds out whether the ballast can come back aboard.
    fn ask_for_room(&self) -> Result<(), Error> {
        match self.0.database.upgrade().map(Database) {
            Some(database) if database.is_full() => database.write_blocking(|_| Ok(())),
            _ => Ok(()),
        }
    }

    fn pin(&self, hash: BodyHash) -> Pin {
        *self.0.held.lock().pins.entry(hash).or_default() += 1;
        Pin { bodies: Arc::clone(&self.0), hash }
    }

    /// The simulated store answers at once, so that a simulation has no threads.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match &self.0.place {
            Place::Simulated(_) => work(),
            Place::Files(_) => tokio::task::spawn_blocking(work)
                .await
                .unwrap_or_else(|error| Err(Error::Io(error.to_string()))),
        }
    }
}

impl Inner {
    fn remove(&self, held: &Held, hash: BodyHash) -> Result<(), Error> {
        if held.pins.contains_key(&hash) {
            return Ok(());
        }
        match &self.place {
            Place::Files(files) => remove_file(&files.path(hash)),
            Place::Simulated(disk) => {
                disk.lock().now.remove(&hash);
                Ok(())
            }
        }
    }
}

impl Pin {
    /// The name of the body.
    pub fn hash(&self) -> BodyHash {
        self.hash
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut held = self.bodies.held.lock();
        if let Some(count) = held.pins.get_mut(&self.hash) {
            *count -= 1;
            if *count == 0 {
                held.pins.remove(&self.hash);
            }
        }
    }
}

/// Keeps all bodies while a backup copies them.
pub(super) struct Hold(Arc<Inner>);

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.0.held.lock();
        held.backups = held.backups.saturating_sub(1);
        if held.backups == 0 {
            for hash in std::mem::take(&mut held.removals) {
                // A body that stays is found by the next sweep.
                let _swept_later = self.0.remove(&held, hash);
            }
        }
    }
}

impl Files {
    fn open(dir: &Path, durable: bool) -> Result<Files, Error> {
        let root = dir.join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&root)?;
        if durable {
            sync_folder(dir)?;
        }
        Ok(Files { root, durable, next_temp: AtomicU64::new(0) })
    }

    fn put(&self, hash: BodyHash, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path(hash);
        let folder = self.folder(hash)?;
        if !path.exists() {
            let temp =
                folder.join(format!("{TEMP}{}", self.next_temp.fetch_add(1, Ordering::Relaxed)));
            let written = self.write_and_rename(&temp, &path, bytes);
            if written.is_err() {
                // What stays is found by the next sweep.
                let _swept_later = remove_file(&temp);
            }
            written?;
        }
        // Also for a file that was there: whoever renamed it may not have come this far yet.
        if self.durable {
            sync_folder(&folder)?;
        }
        failpoint!("bodies.after_folder_fsync");
        Ok(())
    }

    fn write_and_rename(&self, temp: &Path, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let mut open = OpenOptions::new();
        let mut file = open.create(true).truncate(true).write(true).mode(0o600).open(temp)?;
        file.write_all(bytes)?;
        failpoint!("bodies.after_temp");
        if self.durable {
            file.sync_all()?;
        }
        failpoint!("bodies.after_fsync");
        std::fs::rename(temp, path)?;
        failpoint!("bodies.after_rename");
        Ok(())
    }

    fn get(&self, hash: BodyHash) -> Result<Bytes, Error> {
        match std::fs::read(self.path(hash)) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::NoSuchBody(hash)),
            Err(error) => Err(error.into()),
        }
    }

    fn path(&self, hash: BodyHash) -> PathBuf {
        let name = hash.to_string();
        self.root.join(&name[..2]).join(name)
    }

    /// The folder of this body, made and fsynced into its parent when it is new.
    fn folder(&self, hash: BodyHash) -> Result<PathBuf, Error> {
        let folder = self.root.join(hex(&hash.0[..1]));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) if self.durable => sync_folder(&self.root)?,
            Ok(()) => (),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (),
            Err(error) => return Err(error.into()),
        }
        Ok(folder)
    }

    fn hashes(&self) -> Result<Vec<BodyHash>, Error> {
        let names = self.names()?;
        Ok(names.iter().filter_map(|path| BodyHash::parse(file_name(path))).collect())
    }

    fn remove_temps(&self) -> Result<(), Error> {
        let names = self.names()?;
        names
            .iter()
            .filter(|path| file_name(path).starts_with(TEMP))
            .try_for_each(|p| remove_file(p))
    }

    fn names(&self) -> Result<Vec<PathBuf>, Error> {
        let mut names = Vec::new();
        for folder in std::fs::read_dir(&self.root)? {
            for file in std::fs::read_dir(folder?.path())? {
                names.push(file?.path());
            }
        }
        Ok(names)
    }
}

impl Simulated {
    /// Puts, fsyncs the file and its folder; the folder takes the removals in it along.
    fn put(&mut self, hash: BodyHash, bytes: &[u8]) -> Result<(), Error> {
        if self.is_full && !self.now.contains_key(&hash) {
            return Err(Error::Full);
        }
        let bytes = self.now.entry(hash).or_insert_with(|| Bytes::copy_from_slice(bytes)).clone();
        let now = &self.now;
        self.synced.retain(|other, _| other.0[0] != hash.0[0] || now.contains_key(other));
        self.synced.insert(hash, bytes);
        Ok(())
    }
}

/// Makes the names in a folder survive a power cut.
pub(super) fn sync_folder(folder: &Path) -> Result<(), Error> {
    Ok(File::open(folder)?.sync_all()?)
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("")
}

fn digit(ascii: u8) -> Option<u8> {
    match ascii {
        b'0'..=b'9' => Some(ascii - b'0'),
        b'a'..=b'f' => Some(ascii - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Bodies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bodies").field(&self.0.place).finish()
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pin").field(&self.hash).finish()
    }
}

impl fmt::Debug for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyHash({self})")
    }
}

impl From<BodyHash> for Param<'_> {
    fn from(hash: BodyHash) -> Self {
        Param::from(hash.0)
    }
}

impl FromColumn for BodyHash {
    fn from_column(column: Column<'_>) -> Option<Self> {
        <[u8; 32]>::from_column(column).map(BodyHash)
    }
}

const FOLDER: &str = "bodies";
const TEMP: &str = "temp-";

#[cfg(test)]
mod tests {
    use super::*;

    fn on_disk() -> (tempfile::TempDir, Bodies) {
        let dir = tempfile::tempdir().unwrap();
        let bodies = Bodies::open(dir.path(), true).unwrap();
        (dir, bodies)
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = BodyHash::of(b"abc");
        assert_eq!(
            hash.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(BodyHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(BodyHash::parse(&hash.to_string().to_uppercase()), None);
        assert_eq!(BodyHash::parse("ba78"), None);
    }

    #[test]
    fn both_places_keep_what_was_put() {
        let (_dir, files) = on_disk();
        for bodies in [files, Bodies::simulated()] {
            let hash = bodies.put(b"one").unwrap().hash();
            assert_eq!(bodies.put(b"one").unwrap().hash(), hash);
            assert_eq!(bodies.get(hash).unwrap(), &b"one"[..]);
            bodies.remove(hash).unwrap();
            bodies.remove(hash).unwrap();
            assert_eq!(bodies.get(hash), Err(Error::NoSuchBody(hash)));
        }
    }

    #[test]
    fn a_pinned_body_outlives_its_removal() {
        let (_dir, bodies) = on_disk();
        let pin = bodies.put(b"one").unwrap();
        let hash = pin.hash();
        bodies.remove(hash).unwrap();
        assert!(bodies.get(hash).is_ok());
        drop(pin);
        bodies.remove(hash).unwrap();
        assert!(bodies.get(hash).is_err());
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let (dir, bodies) = on_disk();
        let hash = bodies.put(b"one").unwrap().hash();
        let name = hash.to_string();
        std::fs::write(dir.path().join("bodies").join(&name[..2]).join(&name), b"two").unwrap();
        assert!(matches!(bodies.get(hash), Err(Error::Corrupt(_))));
    }

    #[test]
    fn a_sweep_keeps_the_living_and_clears_what_a_crash_left() {
        let (dir, bodies) = on_disk();
        let living = bodies.put(b"living").unwrap().hash();
        let dead = bodies.put(b"dead").unwrap().hash();
        let folder = dir.path().join("bodies").join(&living.to_string()[..2]);
        std::fs::write(folder.join("temp-7"), b"half").unwrap();
        assert_eq!(bodies.sweep(|hash| hash == living), Ok(1));
        assert_eq!(bodies.hashes(), Ok(vec![living]));
        assert!(bodies.get(dead).is_err() && !folder.join("temp-7").exists());
    }

    #[test]
    fn removals_wait_for_a_backup() {
        let (_dir, bodies) = on_disk();
        let hash = bodies.put(b"one").unwrap().hash();
        let hold = bodies.hold();
        bodies.remove(hash).unwrap();
        assert!(bodies.get(hash).is_ok());
        drop(hold);
        assert!(bodies.get(hash).is_err());
    }

    #[test]
    fn a_simulated_crash_keeps_puts_and_may_undo_removals() {
        let bodies = Bodies::simulated();
        let hash = bodies.put(b"one").unwrap().hash();
        bodies.crash();
        assert!(bodies.get(hash).is_ok());
        bodies.remove(hash).unwrap();
        bodies.crash();
        assert!(bodies.get(hash).is_ok());
        bodies.set_full(true);
        assert_eq!(bodies.put(b"two").err(), Some(Error::Full));
    }
}
