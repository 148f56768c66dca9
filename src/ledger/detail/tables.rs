//! The SQL of single events, and of the last wake for each folder of a device.

use super::{Detail, DetailKind};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{DeviceId, IdentityId};
use crate::ledger::Place;
use crate::params;

/// Counts an event that is there already; says whether it is.
pub(super) fn count_again(
    tx: &Tx<'_>,
    identity: IdentityId,
    device: DeviceId,
    kind: i64,
    detail: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(tx.execute(COUNT_AGAIN, params![identity, device, kind, detail, now])? == 1)
}

pub(super) fn count(tx: &Tx<'_>, identity: IdentityId, device: DeviceId) -> Result<u64, Error> {
    Ok(tx.one(COUNT, params![identity, device], |row| row.get(0))?.unwrap_or(0))
}

/// Adds an event, or counts it where it is there already.
pub(super) fn add(
    tx: &Tx<'_>,
    identity: IdentityId,
    device: DeviceId,
    kind: i64,
    detail: &str,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(ADD, params![identity, device, kind, detail, now]).map(drop)
}

pub(super) fn of_message(
    tx: &Tx<'_>,
    identity: IdentityId,
) -> Result<Vec<(DeviceId, Detail)>, Error> {
    tx.all(OF_MESSAGE, params![identity, EVENTS_MAX], |row| {
        let detail = Detail {
            kind: DetailKind::from_number(row.get(1)?),
            detail: row.get(2)?,
            first_at: row.get(3)?,
            last_at: row.get(4)?,
            times: row.get(5)?,
        };
        Ok((row.get(0)?, detail))
    })
}

/// The last wake for a folder, with the number that the folder's next item gets.
pub(in crate::ledger) fn put_wake(tx: &Tx<'_>, place: Place, now: Timestamp) -> Result<(), Error> {
    tx.execute(PUT_WAKE, params![place.device, place.folder, now]).map(drop)
}

/// When it was, and that number.
pub(in crate::ledger) fn wake(
    tx: &Tx<'_>,
    place: Place,
) -> Result<Option<(Timestamp, u32)>, Error> {
    tx.one(WAKE, params![place.device, place.folder], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Events of one message that a report reads.
const EVENTS_MAX: usize = 1_000_000;

const COUNT_AGAIN: &str = "UPDATE exposure_details SET times = times + 1, last_at = ?5 \
    WHERE identity_id = ?1 AND device_id = ?2 AND kind = ?3 AND detail = ?4";
const COUNT: &str =
    "SELECT COUNT(*) FROM exposure_details WHERE identity_id = ?1 AND device_id = ?2";
const ADD: &str = "INSERT INTO exposure_details (identity_id, device_id, kind, detail, first_at, last_at, times) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1) ON CONFLICT (identity_id, device_id, kind, detail) \
    DO UPDATE SET times = exposure_details.times + 1, last_at = excluded.last_at";
const OF_MESSAGE: &str = "SELECT device_id, kind, detail, first_at, last_at, times FROM exposure_details \
    WHERE identity_id = ?1 ORDER BY device_id, first_at, kind, detail LIMIT ?2";
const PUT_WAKE: &str = "INSERT INTO wakes (device_id, folder_id, at, next_item) \
    SELECT ?1, ?2, ?3, next_item FROM folders WHERE id = ?2 ON CONFLICT (device_id, folder_id) \
    DO UPDATE SET at = excluded.at, next_item = excluded.next_item";
const WAKE: &str = "SELECT at, next_item FROM wakes WHERE device_id = ?1 AND folder_id = ?2";
