//! What phones upload counts once: the intent is durable before the store is touched, and its result answers every repetition.
//!
//! A command is recognised by its content and by the key its request presented. A request repeated after a lost answer presents
//! the same key; the same command under a newer key is a new command.

use roaring::RoaringBitmap;
use sha2::{Digest, Sha256};

use super::holding::Place;
use super::tables;
use crate::clock::Timestamp;
use crate::database::{Error, Tx};

/// A command as it is recognised again: SHA-256 of its canonical content.
pub type Fingerprint = [u8; 32];

/// Hashes the parts of a command, each with its length, so that no two commands spell alike.
pub fn fingerprint(parts: &[&[u8]]) -> Fingerprint {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// What the books know of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Never seen: it is written down now and may be carried out.
    New,
    /// Written down by a request whose work did not end (or has not yet): carry it out again, the store makes it count once.
    Unfinished,
    /// Carried out, with this result.
    Done(Vec<u8>),
}

/// Writes down that a command is about to be carried out, or says what became of it.
pub fn intend(
    tx: &Tx<'_>,
    place: Place,
    parent: u64,
    print: &Fingerprint,
    now: Timestamp,
) -> Result<Intent, Error> {
    match tables::upload(tx, place, parent, print)? {
        Some(Some(result)) => Ok(Intent::Done(result)),
        Some(None) => Ok(Intent::Unfinished),
        None => {
            tables::intend(tx, place, parent, print, now)?;
            Ok(Intent::New)
        }
    }
}

/// Writes down what became of it. `echo` is the item it changed and, where nothing else hides behind it, the position of that change
/// in the folder's log: the change is this device's own and is not sent back to it. An earlier command of the same request, or of
/// one that presented the same key, is forgotten: come again, it is a new change.
pub fn done(
    tx: &Tx<'_>,
    place: Place,
    parent: u64,
    print: &Fingerprint,
    result: &[u8],
    echo: Option<(u32, Option<u64>)>,
) -> Result<(), Error> {
    if let Some((item, _)) = echo {
        tables::forget_earlier(tx, place, parent, item, print)?;
    }
    tables::uploaded(tx, place, parent, print, result, echo)
}

/// The items that commands under this key changed.
pub fn changed_with(tx: &Tx<'_>, place: Place, parent: u64) -> Result<RoaringBitmap, Error> {
    tables::uploaded_items(tx, place, parent)
}

/// Whether the change of `item` at position `seq` of the folder's log was made by this device.
pub fn is_echo(tx: &Tx<'_>, place: Place, item: u32, seq: u64) -> Result<bool, Error> {
    tables::is_echo(tx, place, item, seq)
}
