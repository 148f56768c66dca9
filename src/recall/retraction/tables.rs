//! The SQL of the copies on devices: one row for each copy under each order.

use crate::clock::Timestamp;
use crate::database::{Error, Row, Tx};
use crate::ids::{DeviceId, FolderId, IdentityId, ItemNumber, MailboxId, OrderId};
use crate::ledger::Exposure;
use crate::params;
use crate::recall::reason::ReasonCode;
use crate::recall::state::{Reach, State};

/// One row of `retractions`: the process of one copy on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::recall) struct CopyRow {
    pub(in crate::recall) device: DeviceId,
    /// 0 when the device has no copy.
    pub(in crate::recall) folder: FolderId,
    pub(in crate::recall) item: ItemNumber,
    pub(in crate::recall) is_search: bool,
    pub(in crate::recall) order: OrderId,
    pub(in crate::recall) identity: IdentityId,
    pub(in crate::recall) mailbox: MailboxId,
    pub(in crate::recall) state: State,
    pub(in crate::recall) exposure: Exposure,
    pub(in crate::recall) first_seq: Option<u64>,
    pub(in crate::recall) sent_seq: Option<u64>,
    pub(in crate::recall) sent_at: Option<Timestamp>,
    pub(in crate::recall) acked_seq: Option<u64>,
    pub(in crate::recall) acked_at: Option<Timestamp>,
    pub(in crate::recall) woken_at: Option<Timestamp>,
    pub(in crate::recall) replays: u32,
    pub(in crate::recall) reason: Option<ReasonCode>,
    pub(in crate::recall) updated_at: Timestamp,
}

impl CopyRow {
    /// Whether a `Delete` can name it.
    pub(in crate::recall) fn reach(&self) -> Reach {
        if self.is_search || self.folder == FolderId(0) { Reach::Beyond } else { Reach::Placed }
    }
}

/// Writes a copy unless it is there.
pub(in crate::recall) fn insert_copy(tx: &Tx<'_>, copy: &CopyRow) -> Result<bool, Error> {
    let values = params![
        copy.device,
        copy.folder,
        copy.item,
        kind(copy.is_search),
        copy.order,
        copy.identity,
        copy.mailbox,
        copy.state.number(),
        copy.exposure.bits(),
        copy.acked_at,
        copy.reason.map(ReasonCode::text),
        copy.updated_at
    ];
    Ok(tx.execute(INSERT_COPY, values)? == 1)
}

/// Writes what can change of a copy.
pub(in crate::recall) fn update_copy(tx: &Tx<'_>, copy: &CopyRow) -> Result<(), Error> {
    let values = params![
        copy.device,
        copy.folder,
        copy.item,
        kind(copy.is_search),
        copy.order,
        copy.identity,
        copy.state.number(),
        copy.exposure.bits(),
        copy.first_seq,
        copy.sent_seq,
        copy.sent_at,
        copy.acked_seq,
        copy.acked_at,
        copy.woken_at,
        copy.replays,
        copy.reason.map(ReasonCode::text),
        copy.updated_at
    ];
    tx.execute(UPDATE_COPY, values).map(drop)
}

/// The synced copies at one ServerId of a device, one per order.
pub(in crate::recall) fn copies_at(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    item: ItemNumber,
) -> Result<Vec<CopyRow>, Error> {
    tx.all(COPIES_AT, params![device, folder, item], read_copy)
}

/// The synced copies of a device in one folder, whatever their state.
pub(in crate::recall) fn copies_in_folder(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
) -> Result<Vec<CopyRow>, Error> {
    tx.all(COPIES_IN_FOLDER, params![device, folder, COPIES_MAX], read_copy)
}

/// The synced copies of a device in one folder for which a `Delete` is owed.
pub(in crate::recall) fn owed_in_folder(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
) -> Result<Vec<CopyRow>, Error> {
    tx.all(OWED_IN_FOLDER, params![device, folder, COPIES_MAX], read_copy)
}

/// The copies on a device of which the books alone say that there is nothing: *prevented*, or found gone when the order came.
pub(in crate::recall) fn rests_on_silence(
    tx: &Tx<'_>,
    device: DeviceId,
    limit: usize,
) -> Result<Vec<CopyRow>, Error> {
    tx.all(RESTS_ON_SILENCE, params![device, limit], read_copy)
}

/// The most replays of any copy that is owed a `Delete` there.
pub(in crate::recall) fn replays_owed(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
) -> Result<u32, Error> {
    let most = tx.one(REPLAYS_OWED, params![device, folder], |row| row.get::<Option<u32>>(0))?;
    Ok(most.flatten().unwrap_or(0))
}

/// Whether a copy there waits for the device to begin the collection anew.
pub(in crate::recall) fn has_resync_ordered(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
) -> Result<bool, Error> {
    let found = tx.one(RESYNC_ORDERED, params![device, folder], |row| row.get::<i64>(0))?;
    Ok(found.is_some())
}

/// All copies on a device.
pub(in crate::recall) fn copies_on(tx: &Tx<'_>, device: DeviceId) -> Result<Vec<CopyRow>, Error> {
    tx.all(COPIES_ON, params![device, COPIES_MAX], read_copy)
}

/// The copies on a device for which a `Delete` is owed: what no `Delete` names is not among them.
pub(in crate::recall) fn owed_on(tx: &Tx<'_>, device: DeviceId) -> Result<Vec<CopyRow>, Error> {
    tx.all(OWED_ON, params![device, COPIES_MAX], read_copy)
}

/// All copies under an order.
pub(in crate::recall) fn copies_of_order(
    tx: &Tx<'_>,
    order: OrderId,
) -> Result<Vec<CopyRow>, Error> {
    tx.all(COPIES_OF_ORDER, params![order, COPIES_MAX], read_copy)
}

/// The copies of one pair of an order.
pub(in crate::recall) fn copies_of_pair(
    tx: &Tx<'_>,
    order: OrderId,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<Vec<CopyRow>, Error> {
    tx.all(COPIES_OF_PAIR, params![order, mailbox, identity, COPIES_MAX], read_copy)
}

/// How many copies there are under an order.
pub(in crate::recall) fn count_of_order(tx: &Tx<'_>, order: OrderId) -> Result<u64, Error> {
    Ok(tx.one(COUNT_OF_ORDER, params![order], |row| row.get(0))?.unwrap_or(0))
}

/// Item numbers that are owed a `Delete`, lowest first.
pub(in crate::recall) fn items_owed(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    limit: usize,
) -> Result<Vec<ItemNumber>, Error> {
    tx.all(ITEMS_OWED, params![device, folder, limit], |row| row.get(0))
}

/// Folders in which the device is owed a `Delete`.
pub(in crate::recall) fn folders_owed(
    tx: &Tx<'_>,
    device: DeviceId,
) -> Result<Vec<FolderId>, Error> {
    tx.all(FOLDERS_OWED, params![device, FOLDERS_MAX], |row| row.get(0))
}

/// Devices that are owed a `Delete`, numbers above `after`.
pub(in crate::recall) fn devices_owed(
    tx: &Tx<'_>,
    after: DeviceId,
    limit: usize,
) -> Result<Vec<DeviceId>, Error> {
    tx.all(DEVICES_OWED, params![after, limit], |row| row.get(0))
}

fn kind(is_search: bool) -> i64 {
    if is_search { 2 } else { 1 }
}

fn read_copy(row: &Row<'_>) -> Result<CopyRow, Error> {
    let state =
        State::from_number(row.get(7)?).ok_or(Error::Column { index: 7, wanted: "state" })?;
    Ok(CopyRow {
        device: row.get(0)?,
        folder: row.get(1)?,
        item: row.get(2)?,
        is_search: row.get::<i64>(3)? == 2,
        order: row.get(4)?,
        identity: row.get(5)?,
        mailbox: row.get(6)?,
        state,
        exposure: Exposure::from_bits(row.get(8)?),
        first_seq: row.get(9)?,
        sent_seq: row.get(10)?,
        sent_at: row.get(11)?,
        acked_seq: row.get(12)?,
        acked_at: row.get(13)?,
        woken_at: row.get(14)?,
        replays: row.get(15)?,
        reason: row.get::<Option<String>>(16)?.as_deref().and_then(ReasonCode::parse),
        updated_at: row.get(17)?,
    })
}

/// Copies of one order, device or folder that are read at once.
const COPIES_MAX: usize = 1_000_000;
/// Folders of one device with something owed.
const FOLDERS_MAX: usize = 10_000;

const INSERT_COPY: &str = "INSERT INTO retractions (device_id, folder_id, item, kind, order_id, identity_id, mailbox_id, \
    state, exposure, acked_at, replays, reason, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, ?12) \
    ON CONFLICT (device_id, folder_id, item, kind, order_id, identity_id) DO NOTHING";
const UPDATE_COPY: &str = "UPDATE retractions SET state = ?7, exposure = ?8, first_seq = ?9, sent_seq = ?10, sent_at = ?11, \
    acked_seq = ?12, acked_at = ?13, woken_at = ?14, replays = ?15, reason = ?16, updated_at = ?17 \
    WHERE device_id = ?1 AND folder_id = ?2 AND item = ?3 AND kind = ?4 AND order_id = ?5 AND identity_id = ?6";
macro_rules! select_copy {
    ($rest:literal) => {
        concat!(
            "SELECT device_id, folder_id, item, kind, order_id, identity_id, mailbox_id, state, exposure, first_seq, ",
            "sent_seq, sent_at, acked_seq, acked_at, woken_at, replays, reason, updated_at FROM retractions ",
            $rest
        )
    };
}
const COPIES_AT: &str =
    select_copy!("WHERE device_id = ?1 AND folder_id = ?2 AND item = ?3 AND kind = 1 LIMIT 10000");
const COPIES_IN_FOLDER: &str =
    select_copy!("WHERE device_id = ?1 AND folder_id = ?2 AND kind = 1 LIMIT ?3");
const OWED_IN_FOLDER: &str = select_copy!(
    "WHERE device_id = ?1 AND folder_id = ?2 AND state IN (4, 5, 7, 8, 9, 15, 17, 18) AND kind = 1 LIMIT ?3"
);
const RESTS_ON_SILENCE: &str = select_copy!(
    "WHERE device_id = ?1 AND (state = 3 OR state = 6 AND reason = 'removed_earlier' AND acked_at IS NULL) \
    AND (state = 3 OR folder_id > 0 AND kind = 1) LIMIT ?2"
);
const REPLAYS_OWED: &str = "SELECT MAX(replays) FROM retractions WHERE device_id = ?1 AND folder_id = ?2 \
    AND state IN (4, 5, 7, 8, 9, 15, 17, 18) AND kind = 1";
const RESYNC_ORDERED: &str = "SELECT 1 FROM retractions WHERE device_id = ?1 AND folder_id = ?2 AND state = 9 AND kind = 1 LIMIT 1";
const COPIES_ON: &str = select_copy!("WHERE device_id = ?1 LIMIT ?2");
const OWED_ON: &str = select_copy!(
    "WHERE device_id = ?1 AND state IN (4, 5, 7, 8, 9, 15, 17, 18) AND folder_id > 0 AND kind = 1 LIMIT ?2"
);
const COPIES_OF_ORDER: &str =
    select_copy!("WHERE order_id = ?1 ORDER BY mailbox_id, device_id LIMIT ?2");
const COPIES_OF_PAIR: &str =
    select_copy!("WHERE order_id = ?1 AND mailbox_id = ?2 AND identity_id = ?3 LIMIT ?4");
const COUNT_OF_ORDER: &str = "SELECT COUNT(*) FROM retractions WHERE order_id = ?1";
const ITEMS_OWED: &str = "SELECT DISTINCT item FROM retractions WHERE device_id = ?1 AND folder_id = ?2 \
    AND state IN (4, 5, 7, 8, 9, 15, 17, 18) AND kind = 1 ORDER BY item LIMIT ?3";
const FOLDERS_OWED: &str = "SELECT DISTINCT folder_id FROM retractions WHERE device_id = ?1 \
    AND state IN (4, 5, 7, 8, 9, 15, 17, 18) AND folder_id > 0 AND kind = 1 ORDER BY folder_id LIMIT ?2";
const DEVICES_OWED: &str = "SELECT DISTINCT device_id FROM retractions WHERE device_id > ?1 \
    AND state IN (4, 5, 7, 8, 9, 15, 17, 18) AND folder_id > 0 AND kind = 1 ORDER BY device_id LIMIT ?2";
