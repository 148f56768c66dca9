//! SQL of the items that could not be shown.

use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::ItemNumber;
use crate::ledger::Place;
use crate::params;

pub(super) fn due(
    tx: &Tx<'_>,
    place: Place,
    now: Timestamp,
    software: &str,
    limit: usize,
) -> Result<Vec<ItemNumber>, Error> {
    tx.all(
        "SELECT item FROM isolated WHERE device_id = ?1 AND folder_id = ?2
         AND (again_at <= ?3 OR software <> ?4) ORDER BY item LIMIT ?5",
        params![place.device, place.folder, now, software, limit],
        |row| Ok(ItemNumber(row.get(0)?)),
    )
}

pub(super) fn tries(tx: &Tx<'_>, place: Place, item: ItemNumber) -> Result<u64, Error> {
    let tries = tx.one(
        "SELECT tries FROM isolated WHERE device_id = ?1 AND folder_id = ?2 AND item = ?3",
        params![place.device, place.folder, item.0],
        |row| row.get(0),
    )?;
    Ok(tries.unwrap_or(0))
}

pub(super) fn put(
    tx: &Tx<'_>,
    place: Place,
    item: ItemNumber,
    tries: u64,
    again: Timestamp,
    software: &str,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO isolated (device_id, folder_id, item, tries, again_at, software)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (device_id, folder_id, item) DO UPDATE SET tries = excluded.tries,
             again_at = excluded.again_at, software = excluded.software",
        params![place.device, place.folder, item.0, tries, again, software],
    )?;
    Ok(())
}

pub(super) fn delete(tx: &Tx<'_>, place: Place, item: ItemNumber) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM isolated WHERE device_id = ?1 AND folder_id = ?2 AND item = ?3",
        params![place.device, place.folder, item.0],
    )?;
    Ok(())
}
