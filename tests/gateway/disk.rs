//! A disk that forgets: an SQLite VFS in memory that keeps, for every file, what was written since its last fsync.
//!
//! [`Disk::crash`] is the power cut: of what was not synced, nothing, a beginning, or any subset stays, as the seed says; and every
//! file that was open is dead. [`Disk::dies_in`] cuts the power in the middle of the work: after so many writes and syncs nothing
//! succeeds any more.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rusqlite::ffi;

use crate::random::Random;

/// A disk, registered with SQLite under a name of its own. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Disk {
    state: Arc<Mutex<State>>,
    name: String,
}

/// All files of a disk as they were at one time.
pub(crate) struct Image(BTreeMap<String, Vec<u8>>);

/// What becomes of writes that were not synced when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsynced {
    /// All of them are lost.
    Lost,
    /// The first so many stay, over all files in the order of each.
    Prefix(u64),
    /// Each stays or is lost by itself.
    Subset(u64),
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, File>,
    /// Grows with every crash; files opened before are dead.
    epoch: u64,
    left: Option<u64>,
    is_dead: bool,
    random: u64,
    temporary: u64,
}

#[derive(Default)]
struct File {
    now: Vec<u8>,
    unsynced: Vec<Op>,
}

/// One write or truncation, with what it replaced.
struct Op {
    at: usize,
    new: Vec<u8>,
    old: Vec<u8>,
    old_len: usize,
    new_len: usize,
}

impl Disk {
    /// An empty disk.
    pub(crate) fn new() -> Disk {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let disk = Disk { state: Arc::default(), name: format!("forgetful-{number}") };
        register(&disk);
        disk
    }

    /// What `Options::vfs` wants.
    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    /// What is on it, synced or not.
    pub(crate) fn image(&self) -> Image {
        let state = self.state.lock();
        Image(state.files.iter().map(|(path, file)| (path.clone(), file.now.clone())).collect())
    }

    /// Puts an image back, all of it synced; files that are open are dead.
    pub(crate) fn put_back(&self, image: &Image) {
        let mut state = self.state.lock();
        let file = |now: &Vec<u8>| File { now: now.clone(), unsynced: Vec::new() };
        state.files = image.0.iter().map(|(path, now)| (path.clone(), file(now))).collect();
        state.epoch += 1;
        (state.is_dead, state.left) = (false, None);
        (state.random, state.temporary) = (0, 0);
    }

    /// From now on so many more writes, syncs and deletions succeed, and then nothing.
    pub(crate) fn dies_in(&self, operations: u64) {
        self.state.lock().left = Some(operations);
    }

    /// Whether that has happened.
    pub(crate) fn is_dead(&self) -> bool {
        self.state.lock().is_dead
    }

    /// The power goes and comes back.
    pub(crate) fn crash(&self, what: Unsynced) {
        let mut state = self.state.lock();
        let mut random = Random::new(match what {
            Unsynced::Lost => 0,
            Unsynced::Prefix(seed) | Unsynced::Subset(seed) => seed,
        });
        for file in state.files.values_mut() {
            let ops = std::mem::take(&mut file.unsynced);
            for op in ops.iter().rev() {
                file.undo(op);
            }
            let cut = random.below(ops.len() as u64 + 1) as usize;
            for (index, op) in ops.into_iter().enumerate() {
                let stays = match what {
                    Unsynced::Lost => false,
                    Unsynced::Prefix(_) => index < cut,
                    Unsynced::Subset(_) => random.below(2) == 0,
                };
                if stays {
                    file.redo(&op);
                }
            }
        }
        state.epoch += 1;
        state.is_dead = false;
        state.left = None;
    }
}

impl State {
    /// Whether the disk still works; `counts` for what changes it.
    fn works(&mut self, epoch: u64, counts: bool) -> bool {
        if self.is_dead || self.epoch != epoch {
            return false;
        }
        if counts && let Some(left) = &mut self.left {
            if *left == 0 {
                self.is_dead = true;
                return false;
            }
            *left -= 1;
        }
        true
    }
}

impl File {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        let old_len = self.now.len();
        let new_len = old_len.max(at + bytes.len());
        let old = self.now[at.min(old_len)..(at + bytes.len()).min(old_len)].to_vec();
        let op = Op { at, new: bytes.to_vec(), old, old_len, new_len };
        self.redo(&op);
        self.unsynced.push(op);
    }

    fn truncate(&mut self, len: usize) {
        let old_len = self.now.len();
        let old = self.now[len.min(old_len)..].to_vec();
        let op = Op { at: len, new: Vec::new(), old, old_len, new_len: len };
        self.redo(&op);
        self.unsynced.push(op);
    }

    fn redo(&mut self, op: &Op) {
        // A subset of writes may lack the one that made the file long enough.
        self.now.resize(op.new_len.max(op.at + op.new.len()), 0);
        self.now[op.at..op.at + op.new.len()].copy_from_slice(&op.new);
    }

    fn undo(&mut self, op: &Op) {
        self.now.resize(op.old_len, 0);
        let end = (op.at + op.old.len()).min(op.old_len);
        if op.at < end {
            self.now[op.at..end].copy_from_slice(&op.old[..end - op.at]);
        }
    }
}

/// What SQLite knows as an open file.
#[repr(C)]
struct Handle {
    base: ffi::sqlite3_file,
    open: *mut Open,
}

struct Open {
    state: Arc<Mutex<State>>,
    path: String,
    epoch: u64,
    delete_on_close: bool,
}

/// Registers the VFS; it lives as long as the process, as SQLite wants it.
fn register(disk: &Disk) {
    let name = CString::new(disk.name.clone()).expect("a name of ours has no zero octet");
    let state = Box::into_raw(Box::new(disk.state.clone()));
    let vfs = Box::new(ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: c_int::try_from(size_of::<Handle>()).expect("a handle is small"),
        mxPathname: 1024,
        pNext: std::ptr::null_mut(),
        zName: name.into_raw(),
        pAppData: state.cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_int64),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    });
    // SAFETY: the structure and all it points to are leaked, so they outlive every connection; the functions have the signatures
    // SQLite asks for.
    let code = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(vfs), 0) };
    assert_eq!(code, ffi::SQLITE_OK, "the VFS is registered");
}

/// The state behind a VFS.
fn state_of<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Arc<Mutex<State>> {
    // SAFETY: SQLite hands back the structure that `register` leaked, with the leaked state in it.
    unsafe { &*(*vfs).pAppData.cast::<Arc<Mutex<State>>>() }
}

/// The open file behind a handle.
fn open_of<'a>(file: *mut ffi::sqlite3_file) -> &'a Open {
    // SAFETY: SQLite calls file methods only between xOpen, which stored a leaked `Open` in the handle, and xClose.
    unsafe { &*(*file.cast::<Handle>()).open }
}

fn path_of(name: *const c_char) -> Option<String> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite's names end with a zero octet.
    Some(unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let shared = state_of(vfs);
    let mut state = shared.lock();
    let handle = file.cast::<Handle>();
    let epoch = state.epoch;
    if !state.works(epoch, false) {
        // SAFETY: SQLite reserved szOsFile octets; without methods it does not call xClose.
        unsafe { (*handle).base.pMethods = std::ptr::null() };
        return ffi::SQLITE_CANTOPEN;
    }
    let path = path_of(name).unwrap_or_else(|| {
        state.temporary += 1;
        format!("temporary-{}", state.temporary)
    });
    state.files.entry(path.clone()).or_default();
    let delete_on_close = flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0;
    let open = Open { state: shared.clone(), path, epoch, delete_on_close };
    // SAFETY: SQLite reserved szOsFile octets, which is the size of a Handle; the methods are static.
    unsafe {
        (*handle).open = Box::into_raw(Box::new(open));
        (*handle).base.pMethods = &raw const METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the handle was opened by `open` and SQLite closes it once.
    let open = unsafe { Box::from_raw((*file.cast::<Handle>()).open) };
    let mut state = open.state.lock();
    if open.delete_on_close && state.works(open.epoch, false) {
        state.files.remove(&open.path);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    count: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let open = open_of(file);
    let mut state = open.state.lock();
    if !state.works(open.epoch, false) {
        return ffi::SQLITE_IOERR_READ;
    }
    let (count, at) = (count as usize, at as usize);
    // SAFETY: SQLite's buffer has `count` octets.
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), count) };
    let empty = Vec::new();
    let bytes = state.files.get(&open.path).map_or(&empty, |file| &file.now);
    let there = bytes.get(at.min(bytes.len())..(at + count).min(bytes.len())).unwrap_or_default();
    buffer[..there.len()].copy_from_slice(there);
    buffer[there.len()..].fill(0);
    if there.len() < count { ffi::SQLITE_IOERR_SHORT_READ } else { ffi::SQLITE_OK }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    count: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let open = open_of(file);
    let mut state = open.state.lock();
    if !state.works(open.epoch, true) {
        return ffi::SQLITE_IOERR_WRITE;
    }
    // SAFETY: SQLite's buffer has `count` octets.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), count as usize) };
    state.files.entry(open.path.clone()).or_default().write(at as usize, bytes);
    ffi::SQLITE_OK
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    let open = open_of(file);
    let mut state = open.state.lock();
    if !state.works(open.epoch, true) {
        return ffi::SQLITE_IOERR_TRUNCATE;
    }
    state.files.entry(open.path.clone()).or_default().truncate(size as usize);
    ffi::SQLITE_OK
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    let open = open_of(file);
    let mut state = open.state.lock();
    if !state.works(open.epoch, true) {
        return ffi::SQLITE_IOERR_FSYNC;
    }
    if let Some(file) = state.files.get_mut(&open.path) {
        file.unsynced.clear();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(
    file: *mut ffi::sqlite3_file,
    size: *mut ffi::sqlite3_int64,
) -> c_int {
    let open = open_of(file);
    let state = open.state.lock();
    let len = state.files.get(&open.path).map_or(0, |file| file.now.len());
    // SAFETY: SQLite hands in a place for the answer.
    unsafe { *size = len as ffi::sqlite3_int64 };
    ffi::SQLITE_OK
}

/// One process and one connection: locks have nobody to keep out.
unsafe extern "C" fn lock(_file: *mut ffi::sqlite3_file, _level: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(_file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite hands in a place for the answer.
    unsafe { *out = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(
    _file: *mut ffi::sqlite3_file,
    _op: c_int,
    _argument: *mut c_void,
) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    4096
}

unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _sync_folder: c_int,
) -> c_int {
    let mut state = state_of(vfs).lock();
    let epoch = state.epoch;
    if !state.works(epoch, true) {
        return ffi::SQLITE_IOERR_DELETE;
    }
    let gone = path_of(name).and_then(|path| state.files.remove(&path));
    if gone.is_some() { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_DELETE_NOENT }
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    out: *mut c_int,
) -> c_int {
    let state = state_of(vfs).lock();
    let there = path_of(name).is_some_and(|path| state.files.contains_key(&path));
    // SAFETY: SQLite hands in a place for the answer.
    unsafe { *out = c_int::from(there) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: the name ends with a zero octet, and `out` has `room` octets.
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes_with_nul();
        if bytes.len() > room as usize {
            return ffi::SQLITE_CANTOPEN;
        }
        std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(
    vfs: *mut ffi::sqlite3_vfs,
    count: c_int,
    out: *mut c_char,
) -> c_int {
    let mut state = state_of(vfs).lock();
    // SAFETY: `out` has `count` octets.
    let out = unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), count as usize) };
    let mut random = Random::new(state.random);
    out.iter_mut().for_each(|byte| *byte = random.below(256) as u8);
    state.random = random.below(u64::MAX);
    count
}

unsafe extern "C" fn sleep(_vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

unsafe extern "C" fn current_time(_vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite hands in a place for the answer.
    unsafe { *out = 2_461_000.5 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_int64(
    _vfs: *mut ffi::sqlite3_vfs,
    out: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite hands in a place for the answer.
    unsafe { *out = 212_630_443_200_000 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn last_error(
    _vfs: *mut ffi::sqlite3_vfs,
    _room: c_int,
    _out: *mut c_char,
) -> c_int {
    0
}

/// Version 1: no shared memory, so the write-ahead log wants the file for itself.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(lock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

#[cfg(test)]
mod tests {
    use std::path::Path;

    use retract::clock::{Clock, Timestamp};
    use retract::database::{Database, Error, Options, meta, set_meta};

    use super::*;

    fn open(dir: &Path, disk: &Disk, durable: bool) -> Database {
        let quick = Options::quick(&Clock::manual(Timestamp(1)));
        let vfs = Some(disk.name());
        Database::open(dir, Options { by_hand: true, durable, vfs, ..quick }).unwrap()
    }

    fn put(database: &Database, name: &'static str) -> Result<(), Error> {
        database.write_blocking(move |tx| set_meta(tx, name, "x"))
    }

    fn is_there(database: &Database, name: &'static str) -> bool {
        database.read_blocking(move |tx| meta(tx, name)).unwrap().is_some()
    }

    #[test]
    fn a_commit_survives_and_what_was_not_committed_does_not() {
        for seed in 0..30 {
            for what in [Unsynced::Lost, Unsynced::Prefix(seed), Unsynced::Subset(seed)] {
                let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::new());
                let database = open(dir.path(), &disk, true);
                put(&database, "committed").unwrap();
                disk.dies_in(seed % 7);
                let told = put(&database, "cut");
                let died = disk.is_dead();
                assert_eq!(told.is_err(), died);
                disk.crash(what);
                drop(database);
                let again = open(dir.path(), &disk, true);
                assert!(is_there(&again, "committed"));
                assert!(died || is_there(&again, "cut"), "it was told");
            }
        }
    }

    #[test]
    fn without_fsync_a_power_cut_takes_what_was_committed() {
        let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::new());
        drop(open(dir.path(), &disk, true));
        let database = open(dir.path(), &disk, false);
        put(&database, "said").unwrap();
        disk.crash(Unsynced::Lost);
        drop(database);
        assert!(!is_there(&open(dir.path(), &disk, true), "said"));
    }

    #[test]
    fn an_open_file_is_dead_after_the_crash() {
        let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::new());
        let database = open(dir.path(), &disk, true);
        disk.crash(Unsynced::Lost);
        assert!(put(&database, "late").is_err());
    }
}
