//! The folders a device waits on, as its last Ping and its last waiting Sync named them: what happens elsewhere does not wake it.

use super::tables::{self, Cached};
use crate::database::{Error, Tx};
use crate::ids::{DeviceId, FolderId};

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
