//! The journal: one row per answer that exposed content, written before its first octet leaves and never changed but for the
//! count of octets that left.

use roaring::RoaringBitmap;

use super::exposure::Exposure;
use super::holding::Place;
use super::tables;
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::DeviceId;

/// What one answer exposed of one collection.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// When it was committed.
    pub at: Timestamp,
    /// To which collection of which device.
    pub place: Place,
    /// Sequence number of the key issued with it, where the command has keys.
    pub seq: Option<u64>,
    /// The command's name on the wire.
    pub command: &'a str,
    /// The request it answers, unique in this process and its database.
    pub request: u64,
    /// The items.
    pub items: &'a RoaringBitmap,
    /// The flags that any of them got.
    pub exposure: Exposure,
    /// Octets of the whole answer.
    pub bytes: u64,
    /// SHA-256 of the whole answer.
    pub hash: [u8; 32],
}

/// Adds an entry.
pub fn enter(tx: &Tx<'_>, entry: &Entry<'_>) -> Result<(), Error> {
    tables::journal(tx, entry)
}

/// Notes how many octets of an answer left us.
pub fn written(tx: &Tx<'_>, device: DeviceId, request: u64, bytes: u64) -> Result<(), Error> {
    tables::written(tx, device, request, bytes)
}
