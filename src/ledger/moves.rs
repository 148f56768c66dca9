//! What phones moved: the intent before the store is touched, the result after it, so that MoveItems repeated after a lost answer
//! gets the earlier one ([MS-ASCMD] 2.2.1.12 has no key to tell a repetition by).

mod tables;

use std::time::Duration;

use roaring::RoaringBitmap;

use super::holding::{self, Kind, Place};
use super::{Copy, Exposure, note_copy};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{FolderId, IdentityId, ItemNumber, MailboxId};

/// For how long a move is remembered.
pub const REMEMBERED: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// A move as the books know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The message.
    pub identity: IdentityId,
    /// Head of the destination's change log when the move was intended.
    pub to_cursor: u64,
    /// Its number there; none while the intent runs.
    pub to_item: Option<ItemNumber>,
}

/// What is known of moving this item there.
pub fn known(
    tx: &Tx<'_>,
    from: Place,
    item: ItemNumber,
    to: FolderId,
) -> Result<Option<Move>, Error> {
    tables::known_move(tx, from, item, to)
}

/// What a device moved to this place itself, after what its state there has come to, and may have there under its new number.
pub fn moved_here(tx: &Tx<'_>, place: Place, cursor: u64) -> Result<RoaringBitmap, Error> {
    Ok(tables::moved_to(tx, place, cursor)? & holding::all(tx, place, Kind::Loose)?)
}

/// Writes down that it is about to be moved, and forgets what is too old to be repeated.
pub fn intend(
    tx: &Tx<'_>,
    from: Place,
    item: ItemNumber,
    to: FolderId,
    intent: Move,
    now: Timestamp,
) -> Result<(), Error> {
    tables::delete_moves_before(tx, now.before(REMEMBERED))?;
    tables::put_move(tx, from, item, to, intent, now)
}

/// Writes down that it was moved: the old copy stays on the books until its Delete is proven, and the app may have filed the message
/// under its new number at once, so that copy is perhaps there with everything that was exposed of the old one.
pub fn done(
    tx: &Tx<'_>,
    from: Place,
    item: ItemNumber,
    (mailbox, to): (MailboxId, FolderId),
    moved: Move,
    now: Timestamp,
) -> Result<(), Error> {
    tables::put_move(tx, from, item, to, moved, now)?;
    let Some(to_item) = moved.to_item else { return Ok(()) };
    let (_, exposure) = holding::traces(tx, from, item.0)?;
    if exposure == Exposure::NEVER {
        return Ok(());
    }
    let target = Place { device: from.device, folder: to };
    holding::expose(tx, from, Exposure::MOVED, &RoaringBitmap::from_iter([item.0]))?;
    let there = RoaringBitmap::from_iter([to_item.0]);
    holding::expose(tx, target, exposure | Exposure::MOVED, &there)?;
    holding::add(tx, target, Kind::Loose, &there)?;
    note_copy(tx, Copy { identity: moved.identity, mailbox, folder: to, item: to_item })
}
