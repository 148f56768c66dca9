//! The folders a device waits on, as its last Ping and its last waiting Sync named them: what happens elsewhere does not wake it. And
//! when it was last woken for each.

use super::Place;
use super::detail::tables as wakes;
use super::device::tables::{self, Cached};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{DeviceId, FolderId, ItemNumber};

/// The device waits on these folders, by this command.
pub fn watch(tx: &Tx<'_>, device: DeviceId, by: Cached, folders: &[FolderId]) -> Result<(), Error> {
    let blob: Vec<u8> = folders.iter().flat_map(|folder| folder.0.to_be_bytes()).collect();
    tables::put_watch(tx, device, by, &blob)
}

/// Every folder the device waits on by any command; `None` when it never waited.
pub fn watched(tx: &Tx<'_>, device: DeviceId) -> Result<Option<Vec<FolderId>>, Error> {
    let blobs = tables::watches(tx, device)?;
    if blobs.is_empty() {
        return Ok(None);
    }
    let folders = blobs.iter().flat_map(|blob| blob.as_chunks::<8>().0);
    Ok(Some(folders.map(|octets| FolderId(i64::from_be_bytes(*octets))).collect()))
}

/// A waiting request of the device is answered because of what is new in this folder. Waking proves no content.
pub fn note_wake(tx: &Tx<'_>, place: Place, now: Timestamp) -> Result<(), Error> {
    wakes::put_wake(tx, place, now)
}

/// Whether the device was woken for this folder after the item had arrived there, and not later than `until`. Only the last wake is
/// kept, so one after `until` hides those before.
pub fn was_woken(
    tx: &Tx<'_>,
    place: Place,
    item: ItemNumber,
    until: Timestamp,
) -> Result<bool, Error> {
    let last = wakes::wake(tx, place)?;
    Ok(last.is_some_and(|(at, next_item)| next_item > item.0 && at <= until))
}
