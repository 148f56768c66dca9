//! The SQL of what phones moved.

use roaring::RoaringBitmap;

use super::Move;
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{FolderId, ItemNumber};
use crate::ledger::Place;
use crate::params;

pub(super) fn known_move(
    tx: &Tx<'_>,
    from: Place,
    item: ItemNumber,
    to: FolderId,
) -> Result<Option<Move>, Error> {
    tx.one(
        "SELECT identity_id, to_cursor, to_item FROM moves
         WHERE device_id = ?1 AND folder_id = ?2 AND item = ?3 AND to_id = ?4",
        params![from.device, from.folder, item.0, to],
        |row| {
            Ok(Move {
                identity: row.get(0)?,
                to_cursor: row.get(1)?,
                to_item: row.get::<Option<u32>>(2)?.map(ItemNumber),
            })
        },
    )
}

pub(super) fn moved_to(tx: &Tx<'_>, place: Place, after: u64) -> Result<RoaringBitmap, Error> {
    let items: Vec<u32> = tx.all(
        "SELECT to_item FROM moves WHERE device_id = ?1 AND to_id = ?2 AND to_cursor >= ?3 AND to_item > 0",
        params![place.device, place.folder, after],
        |row| row.get(0),
    )?;
    Ok(items.into_iter().collect())
}

pub(super) fn put_move(
    tx: &Tx<'_>,
    from: Place,
    item: ItemNumber,
    to: FolderId,
    moved: Move,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO moves (device_id, folder_id, item, to_id, identity_id, to_cursor, to_item, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (device_id, folder_id, item, to_id)
         DO UPDATE SET identity_id = excluded.identity_id, to_cursor = excluded.to_cursor,
             to_item = excluded.to_item, at = excluded.at",
        params![
            from.device,
            from.folder,
            item.0,
            to,
            moved.identity,
            moved.to_cursor,
            moved.to_item.map(|item| item.0),
            now
        ],
    )?;
    Ok(())
}

pub(super) fn delete_moves_before(tx: &Tx<'_>, before: Timestamp) -> Result<(), Error> {
    tx.execute("DELETE FROM moves WHERE at < ?1", params![before])?;
    Ok(())
}
