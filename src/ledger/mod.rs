//! What does each device hold?
//!
//! The ledger knows what every device was told, sent and acknowledged. It is written before a byte leaves, so it says at least
//! what a phone has:
//!
//! ```text
//!   offered ──key presented──► held ──Delete offered──► (in flight) ──key presented──► gone
//!      │                         │                                                       ▲
//!      └── answer given up ──► loose ──key 0──► former ──an enumeration is proven────────┘
//! ```
//!
//! **Invariants.** What a device may hold is in `held`, `loose`, `former` or an answer in flight. Exposure never shrinks. The proven state
//! moves only when a key is presented in a Sync of that collection by the device it was issued to. Nothing here reads a clock,
//! waits, or knows what a message is.

mod collection;
mod delta;
mod detail;
pub mod device;
mod exposure;
pub mod hierarchy;
pub mod holding;
pub mod isolated;
pub mod journal;
pub mod moves;
mod reconcile;
mod sync_key;
mod tables;
pub mod uploads;
mod watches;

use roaring::RoaringBitmap;

pub use collection::{Collection, Offer, Position, Proof, SIBLINGS_MAX, settle};
pub use delta::Delta;
pub use detail::{DETAILS_MAX, Detail, DetailKind, details_of, note_detail};
pub use device::Device;
pub use device::tables::Cached;
pub use exposure::Exposure;
pub use holding::Place;
pub use reconcile::{Books, Standing, rolled_back};
pub use sync_key::{Claim, Known, Mint, Scope, SyncKey, Verdict, judge};
pub use watches::{note_wake, was_woken, watch, watched};

use crate::database::{Error, Tx};
use crate::ids::{DeviceId, FolderId, IdentityId, ItemNumber, MailboxId};

/// A message in a place: what the index "who holds it?" is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Copy {
    /// The message as itself.
    pub identity: IdentityId,
    /// Whose mailbox.
    pub mailbox: MailboxId,
    /// Which folder.
    pub folder: FolderId,
    /// Which item of it.
    pub item: ItemNumber,
}

/// What one device has of one copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Held {
    /// The device.
    pub device: DeviceId,
    /// The folder.
    pub folder: FolderId,
    /// The item.
    pub item: ItemNumber,
    /// Everything it was given of it, ever.
    pub exposure: Exposure,
    /// Whether it may still be in that collection on the device: held, loose, former, or in an answer in flight.
    pub open: bool,
    /// Whether the device has a sync relation with that folder.
    pub synced: bool,
}

/// Notes that a message lies in a place where a device was or is about to be given it.
pub fn note_copy(tx: &Tx<'_>, copy: Copy) -> Result<(), Error> {
    tables::put_copy(tx, copy)
}

/// Every place in which a message was ever exposed.
pub fn copies(tx: &Tx<'_>, identity: IdentityId) -> Result<Vec<Copy>, Error> {
    tables::copies(tx, identity)
}

/// The messages that were exposed as this item; more than one only for a draft whose text was replaced.
pub fn copies_at(tx: &Tx<'_>, folder: FolderId, item: ItemNumber) -> Result<Vec<Copy>, Error> {
    tables::copies_at(tx, folder, item)
}

/// What every device of a mailbox was given of a message: one entry per device and copy that has any trace.
pub fn who_holds(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<Vec<Held>, Error> {
    let copies = tables::copies_in(tx, identity, mailbox)?;
    let mut found = Vec::new();
    if copies.is_empty() {
        return Ok(found);
    }
    for device in device::tables::devices_of_mailbox(tx, mailbox)? {
        for copy in &copies {
            let place = Place { device: device.id, folder: copy.folder };
            let held = held(tx, place, copy.item)?;
            if held.open || held.exposure != Exposure::NEVER {
                found.push(held);
            }
        }
    }
    Ok(found)
}

/// What one device has of one item.
pub fn held(tx: &Tx<'_>, place: Place, item: ItemNumber) -> Result<Held, Error> {
    let (states, exposure) = holding::traces(tx, place, item.0)?;
    let in_flight =
        tables::answers(tx, place)?.iter().any(|offer| offer.delta.adds.contains(item.0));
    let synced = tables::collection(tx, place)?.is_some();
    Ok(Held {
        device: place.device,
        folder: place.folder,
        item,
        exposure,
        open: states || in_flight,
        synced,
    })
}

/// Those of `items` that may be in the device's cache, whatever was proven.
pub fn may_hold(
    tx: &Tx<'_>,
    collection: &Collection,
    items: &RoaringBitmap,
) -> Result<RoaringBitmap, Error> {
    let held = holding::among(tx, collection.place, holding::Kind::Held, items)?;
    let loose = holding::among(tx, collection.place, holding::Kind::Loose, items)?;
    let former = holding::among(tx, collection.place, holding::Kind::Former, items)?;
    Ok(held | loose | former | (collection.offered() & items))
}

/// The stored request of a device that an empty one repeats.
pub fn cached(tx: &Tx<'_>, device: DeviceId, which: Cached) -> Result<Option<Vec<u8>>, Error> {
    device::tables::cached(tx, device, which)
}

/// Stores the request that an empty one shall repeat.
pub fn cache(
    tx: &Tx<'_>,
    device: DeviceId,
    which: Cached,
    blob: Option<&[u8]>,
) -> Result<(), Error> {
    device::tables::cache(tx, device, which, blob)
}

/// The folders a device has a sync relation with.
pub fn folders_of(tx: &Tx<'_>, device: DeviceId) -> Result<Vec<FolderId>, Error> {
    tables::collections_of(tx, device)
}

/// Ends a device's sync relation with a folder that is gone. What it was given of it stays on the books.
pub fn forget_collection(tx: &Tx<'_>, place: Place) -> Result<(), Error> {
    tables::delete_collection(tx, place)
}

/// Notes that the device was nudged for the answer with this key.
pub fn nudged(tx: &Tx<'_>, place: Place, seq: u64) -> Result<(), Error> {
    tables::nudged(tx, place, seq)
}
