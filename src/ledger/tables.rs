//! The ledger's SQL.

use roaring::RoaringBitmap;

use super::Copy;
use super::collection::{Collection, Offer, Position};
use super::delta::Delta;
use super::device::Device;
use super::holding::Place;
use super::journal::Entry;
use super::moves::Move;
use super::sync_key::SyncKey;
use crate::clock::Timestamp;
use crate::database::{Error, Row, Tx};
use crate::ids::{DeviceId, FolderId, IdentityId, ItemNumber, MailboxId, UserId};
use crate::params;

fn corrupt(what: &str) -> Error {
    Error::Corrupt(what.to_owned())
}

fn key(seq: Option<u64>, tag: Option<Vec<u8>>) -> Result<Option<SyncKey>, Error> {
    match (seq, tag) {
        (Some(seq), Some(tag)) => SyncKey::from_row(seq, &tag)
            .map(Some)
            .ok_or_else(|| corrupt("a sync key has a wrong length")),
        _ => Ok(None),
    }
}

// --- holdings

pub(super) fn holding(
    tx: &Tx<'_>,
    place: Place,
    kind: i64,
    chunk: u32,
) -> Result<Option<Vec<u8>>, Error> {
    tx.one(
        "SELECT bits FROM holdings WHERE device_id = ?1 AND folder_id = ?2 AND chunk = ?3 AND kind = ?4",
        params![place.device, place.folder, chunk, kind],
        |row| row.get(0),
    )
}

pub(super) fn holdings(tx: &Tx<'_>, place: Place, kind: i64) -> Result<Vec<(u32, Vec<u8>)>, Error> {
    tx.all(
        "SELECT chunk, bits FROM holdings WHERE device_id = ?1 AND folder_id = ?2 AND kind = ?3 ORDER BY chunk",
        params![place.device, place.folder, kind],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Every kind of one chunk: (kind, bits).
pub(super) fn holdings_of_chunk(
    tx: &Tx<'_>,
    place: Place,
    chunk: u32,
) -> Result<Vec<(i64, Vec<u8>)>, Error> {
    tx.all(
        "SELECT kind, bits FROM holdings WHERE device_id = ?1 AND folder_id = ?2 AND chunk = ?3",
        params![place.device, place.folder, chunk],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

pub(super) fn put_holding(
    tx: &Tx<'_>,
    place: Place,
    kind: i64,
    chunk: u32,
    bits: &[u8],
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO holdings (device_id, folder_id, chunk, kind, bits) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (device_id, folder_id, chunk, kind) DO UPDATE SET bits = excluded.bits",
        params![place.device, place.folder, chunk, kind, bits],
    )?;
    Ok(())
}

pub(super) fn delete_holding(
    tx: &Tx<'_>,
    place: Place,
    kind: i64,
    chunk: u32,
) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM holdings WHERE device_id = ?1 AND folder_id = ?2 AND chunk = ?3 AND kind = ?4",
        params![place.device, place.folder, chunk, kind],
    )?;
    Ok(())
}

pub(super) fn clear_holdings(tx: &Tx<'_>, place: Place, kind: i64) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM holdings WHERE device_id = ?1 AND folder_id = ?2 AND kind = ?3",
        params![place.device, place.folder, kind],
    )?;
    Ok(())
}

// --- collections and answers

const COLLECTION: &str = "SELECT version, generation, epoch, seq_max, proven_seq, proven_tag, cursor, floor_received, floor_item,
        filter, options, resetting, nudged_seq, last_asked, faded
     FROM collections WHERE device_id = ?1 AND folder_id = ?2";

pub(super) fn collection(tx: &Tx<'_>, place: Place) -> Result<Option<Collection>, Error> {
    tx.one(COLLECTION, params![place.device, place.folder], |row| {
        Ok(Collection {
            place,
            version: row.get(0)?,
            generation: row.get(1)?,
            epoch: row.get(2)?,
            seq_max: row.get(3)?,
            proven: key(row.get(4)?, row.get(5)?)?,
            position: Position {
                cursor: row.get(6)?,
                floor_received: row.get(7)?,
                floor_item: row.get(8)?,
            },
            filter: row.get(9)?,
            options: row.get(10)?,
            resetting: row.get::<i64>(11)? != 0,
            nudged_seq: row.get(12)?,
            last_asked: row.get(13)?,
            faded: bitmap(row.get(14)?)?,
            in_flight: Vec::new(),
        })
    })
}

pub(super) fn collection_version(tx: &Tx<'_>, place: Place) -> Result<Option<u64>, Error> {
    tx.one(
        "SELECT version FROM collections WHERE device_id = ?1 AND folder_id = ?2",
        params![place.device, place.folder],
        |row| row.get(0),
    )
}

pub(super) fn insert_collection(tx: &Tx<'_>, c: &Collection) -> Result<bool, Error> {
    let (seq, tag) = split(c.proven);
    let rows = tx.execute(
        "INSERT INTO collections (device_id, folder_id, version, generation, epoch, seq_max, proven_seq, proven_tag, cursor,
             floor_received, floor_item, filter, options, resetting, nudged_seq, last_asked, faded)
         VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT (device_id, folder_id) DO NOTHING",
        params![
            c.place.device, c.place.folder, c.generation, c.epoch, c.seq_max, seq, tag, c.position.cursor,
            c.position.floor_received, c.position.floor_item, c.filter, c.options.as_deref(), c.resetting, c.nudged_seq,
            c.last_asked, blob(&c.faded)
        ],
    )?;
    Ok(rows == 1)
}

pub(super) fn update_collection(tx: &Tx<'_>, c: &Collection) -> Result<bool, Error> {
    let (seq, tag) = split(c.proven);
    let rows = tx.execute(
        "UPDATE collections SET version = version + 1, generation = ?3, epoch = ?4, seq_max = ?5, proven_seq = ?6, proven_tag = ?7,
             cursor = ?8, floor_received = ?9, floor_item = ?10, filter = ?11, options = ?12, resetting = ?13, nudged_seq = ?14,
             last_asked = ?15, faded = ?16
         WHERE device_id = ?1 AND folder_id = ?2 AND version = ?17",
        params![
            c.place.device, c.place.folder, c.generation, c.epoch, c.seq_max, seq, tag, c.position.cursor,
            c.position.floor_received, c.position.floor_item, c.filter, c.options.as_deref(), c.resetting, c.nudged_seq,
            c.last_asked, blob(&c.faded), c.version
        ],
    )?;
    Ok(rows == 1)
}

/// Nothing for none, which is nearly always.
fn blob(items: &RoaringBitmap) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    items.serialize_into(&mut out).expect("writing to a Vec cannot fail");
    (!items.is_empty()).then_some(out)
}

fn bitmap(blob: Option<Vec<u8>>) -> Result<RoaringBitmap, Error> {
    match blob {
        None => Ok(RoaringBitmap::new()),
        Some(blob) => RoaringBitmap::deserialize_from(&blob[..])
            .map_err(|_| corrupt("a row of collections has an unreadable bitmap")),
    }
}

fn split(key: Option<SyncKey>) -> (Option<u64>, Option<Vec<u8>>) {
    (key.map(|k| k.seq), key.map(|k| k.tag.to_vec()))
}

pub(super) fn answers(tx: &Tx<'_>, place: Place) -> Result<Vec<Offer>, Error> {
    tx.all(
        "SELECT seq, tag, epoch, cursor, floor_received, floor_item, delta, at FROM answers
         WHERE device_id = ?1 AND folder_id = ?2 ORDER BY seq",
        params![place.device, place.folder],
        |row| {
            Ok(Offer {
                key: key(Some(row.get(0)?), Some(row.get(1)?))?
                    .ok_or_else(|| corrupt("an answer without a key"))?,
                epoch: row.get(2)?,
                position: Position {
                    cursor: row.get(3)?,
                    floor_received: row.get(4)?,
                    floor_item: row.get(5)?,
                },
                delta: Delta::decode(&row.get::<Vec<u8>>(6)?)?,
                at: row.get(7)?,
            })
        },
    )
}

pub(super) fn put_answer(tx: &Tx<'_>, place: Place, offer: &Offer) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO answers (device_id, folder_id, seq, tag, epoch, cursor, floor_received, floor_item, delta, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            place.device, place.folder, offer.key.seq, &offer.key.tag[..], offer.epoch, offer.position.cursor,
            offer.position.floor_received, offer.position.floor_item, offer.delta.encode(), offer.at
        ],
    )?;
    Ok(())
}

pub(super) fn delete_answers(tx: &Tx<'_>, place: Place) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM answers WHERE device_id = ?1 AND folder_id = ?2",
        params![place.device, place.folder],
    )?;
    Ok(())
}

pub(super) fn delete_answer(tx: &Tx<'_>, place: Place, seq: u64) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM answers WHERE device_id = ?1 AND folder_id = ?2 AND seq = ?3",
        params![place.device, place.folder, seq],
    )?;
    Ok(())
}

pub(super) fn collections_of(tx: &Tx<'_>, device: DeviceId) -> Result<Vec<FolderId>, Error> {
    tx.all(
        "SELECT folder_id FROM collections WHERE device_id = ?1 ORDER BY folder_id",
        params![device],
        |row| row.get(0),
    )
}

pub(super) fn delete_collection(tx: &Tx<'_>, place: Place) -> Result<(), Error> {
    delete_answers(tx, place)?;
    tx.execute(
        "DELETE FROM collections WHERE device_id = ?1 AND folder_id = ?2",
        params![place.device, place.folder],
    )?;
    Ok(())
}

pub(super) fn nudged(tx: &Tx<'_>, place: Place, seq: u64) -> Result<(), Error> {
    tx.execute(
        "UPDATE collections SET nudged_seq = ?3 WHERE device_id = ?1 AND folder_id = ?2",
        params![place.device, place.folder, seq],
    )?;
    Ok(())
}

// --- the journal and the index of copies

pub(super) fn journal(tx: &Tx<'_>, e: &Entry<'_>) -> Result<(), Error> {
    let mut items = Vec::with_capacity(e.items.serialized_size());
    e.items.serialize_into(&mut items).expect("writing to a Vec cannot fail");
    tx.execute(
        "INSERT INTO journal (at, device_id, folder_id, seq, command, request_id, items, exposure, bytes, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            e.at, e.place.device, e.place.folder, e.seq, e.command, e.request, items, e.exposure.bits(), e.bytes, &e.hash[..]
        ],
    )?;
    Ok(())
}

pub(super) fn written(
    tx: &Tx<'_>,
    device: DeviceId,
    request: u64,
    bytes: u64,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE journal SET written = ?3 WHERE device_id = ?1 AND request_id = ?2 AND written IS NULL",
        params![device, request, bytes],
    )?;
    Ok(())
}

pub(super) fn put_copy(tx: &Tx<'_>, copy: Copy) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO copies (identity_id, mailbox_id, folder_id, item) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (identity_id, mailbox_id, folder_id, item) DO NOTHING",
        params![copy.identity, copy.mailbox, copy.folder, copy.item.0],
    )?;
    Ok(())
}

fn copy(row: &Row<'_>) -> Result<Copy, Error> {
    Ok(Copy {
        identity: row.get(0)?,
        mailbox: row.get(1)?,
        folder: row.get(2)?,
        item: ItemNumber(row.get(3)?),
    })
}

pub(super) fn copies(tx: &Tx<'_>, identity: IdentityId) -> Result<Vec<Copy>, Error> {
    tx.all(
        "SELECT identity_id, mailbox_id, folder_id, item FROM copies WHERE identity_id = ?1 ORDER BY folder_id, item",
        params![identity],
        copy,
    )
}

pub(super) fn copies_in(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<Vec<Copy>, Error> {
    tx.all(
        "SELECT identity_id, mailbox_id, folder_id, item FROM copies WHERE identity_id = ?1 AND mailbox_id = ?2
         ORDER BY folder_id, item",
        params![identity, mailbox],
        copy,
    )
}

pub(super) fn copies_at(
    tx: &Tx<'_>,
    folder: FolderId,
    item: ItemNumber,
) -> Result<Vec<Copy>, Error> {
    tx.all(
        "SELECT identity_id, mailbox_id, folder_id, item FROM copies WHERE folder_id = ?1 AND item = ?2",
        params![folder, item.0],
        copy,
    )
}

// --- uploads

pub(super) fn upload(
    tx: &Tx<'_>,
    place: Place,
    parent: u64,
    fingerprint: &[u8; 32],
) -> Result<Option<Option<Vec<u8>>>, Error> {
    tx.one(
        "SELECT result FROM uploads WHERE device_id = ?1 AND folder_id = ?2 AND parent_seq = ?3 AND fingerprint = ?4",
        params![place.device, place.folder, parent, &fingerprint[..]],
        |row| row.get(0),
    )
}

pub(super) fn intend(
    tx: &Tx<'_>,
    place: Place,
    parent: u64,
    print: &[u8; 32],
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO uploads (device_id, folder_id, parent_seq, fingerprint, at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (device_id, folder_id, parent_seq, fingerprint) DO NOTHING",
        params![place.device, place.folder, parent, &print[..], now],
    )?;
    Ok(())
}

pub(super) fn uploaded(
    tx: &Tx<'_>,
    place: Place,
    parent: u64,
    print: &[u8; 32],
    result: &[u8],
    echo: Option<(u32, Option<u64>)>,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE uploads SET result = ?5, item = ?6, seq = ?7
         WHERE device_id = ?1 AND folder_id = ?2 AND parent_seq = ?3 AND fingerprint = ?4",
        params![
            place.device,
            place.folder,
            parent,
            &print[..],
            result,
            echo.map(|e| e.0),
            echo.and_then(|e| e.1)
        ],
    )?;
    Ok(())
}

pub(super) fn forget_earlier(
    tx: &Tx<'_>,
    place: Place,
    parent: u64,
    item: u32,
    print: &[u8; 32],
) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM uploads WHERE device_id = ?1 AND folder_id = ?2 AND parent_seq = ?3 AND item = ?4 AND fingerprint <> ?5
           AND result IS NOT NULL",
        params![place.device, place.folder, parent, item, &print[..]],
    )?;
    Ok(())
}

pub(super) fn uploaded_items(
    tx: &Tx<'_>,
    place: Place,
    parent: u64,
) -> Result<RoaringBitmap, Error> {
    let items: Vec<u32> = tx.all(
        "SELECT DISTINCT item FROM uploads WHERE device_id = ?1 AND folder_id = ?2 AND parent_seq = ?3 AND item IS NOT NULL",
        params![place.device, place.folder, parent],
        |row| row.get(0),
    )?;
    Ok(items.into_iter().collect())
}

/// Whether the change of `item` at `seq` is this device's own.
pub(super) fn is_echo(tx: &Tx<'_>, place: Place, item: u32, seq: u64) -> Result<bool, Error> {
    let found = tx.one(
        "SELECT 1 FROM uploads WHERE device_id = ?1 AND folder_id = ?2 AND item = ?3 AND seq = ?4",
        params![place.device, place.folder, item, seq],
        |row| row.get::<i64>(0),
    )?;
    Ok(found.is_some())
}

/// Forgets uploads that came with keys older than `seq`, but keeps those whose echo the cursor has not passed yet.
pub(super) fn delete_uploads_before(tx: &Tx<'_>, place: Place, seq: u64) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM uploads WHERE device_id = ?1 AND folder_id = ?2 AND parent_seq < ?3 AND result IS NOT NULL
           AND (seq IS NULL OR seq <= (SELECT cursor FROM collections WHERE device_id = ?1 AND folder_id = ?2))",
        params![place.device, place.folder, seq],
    )?;
    Ok(())
}

// --- devices

const DEVICE_BY_WIRE: &str = "SELECT id, user_id, mailbox_id, wire_id, device_type, user_agent, version, model, os, friendly_name,
        generation, gap, removed, first_seen, last_seen, gap_p95_ms FROM devices WHERE user_id = ?1 AND wire_id = ?2";
const DEVICE_BY_ID: &str = "SELECT id, user_id, mailbox_id, wire_id, device_type, user_agent, version, model, os, friendly_name,
        generation, gap, removed, first_seen, last_seen, gap_p95_ms FROM devices WHERE id = ?1";
const DEVICES_BY_MAILBOX: &str = "SELECT id, user_id, mailbox_id, wire_id, device_type, user_agent, version, model, os, friendly_name,
        generation, gap, removed, first_seen, last_seen, gap_p95_ms FROM devices WHERE mailbox_id = ?1 ORDER BY id";
const DEVICES: &str = "SELECT id, user_id, mailbox_id, wire_id, device_type, user_agent, version, model, os, friendly_name,
        generation, gap, removed, first_seen, last_seen, gap_p95_ms FROM devices WHERE id > ?1 ORDER BY id LIMIT ?2";

fn device(row: &Row<'_>) -> Result<Device, Error> {
    Ok(Device {
        id: row.get(0)?,
        user: row.get(1)?,
        mailbox: row.get(2)?,
        wire_id: row.get(3)?,
        device_type: row.get(4)?,
        user_agent: row.get(5)?,
        version: row.get(6)?,
        model: row.get(7)?,
        os: row.get(8)?,
        friendly_name: row.get(9)?,
        generation: row.get(10)?,
        gap: row.get::<i64>(11)? != 0,
        removed: row.get::<i64>(12)? != 0,
        first_seen: row.get(13)?,
        last_seen: row.get(14)?,
        gap_p95_ms: row.get(15)?,
    })
}

pub(super) fn device_by_wire(
    tx: &Tx<'_>,
    user: UserId,
    wire_id: &str,
) -> Result<Option<Device>, Error> {
    tx.one(DEVICE_BY_WIRE, params![user, wire_id], device)
}

pub(super) fn device_by_id(tx: &Tx<'_>, id: DeviceId) -> Result<Option<Device>, Error> {
    tx.one(DEVICE_BY_ID, params![id], device)
}

pub(super) fn devices_of_mailbox(tx: &Tx<'_>, mailbox: MailboxId) -> Result<Vec<Device>, Error> {
    tx.all(DEVICES_BY_MAILBOX, params![mailbox], device)
}

pub(super) fn devices(tx: &Tx<'_>, after: DeviceId, limit: usize) -> Result<Vec<Device>, Error> {
    tx.all(DEVICES, params![after, limit], device)
}

pub(super) fn insert_device(tx: &Tx<'_>, d: &Device) -> Result<DeviceId, Error> {
    let id = tx.one(
        "INSERT INTO devices (user_id, mailbox_id, wire_id, device_type, user_agent, version, gap, first_seen, last_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) RETURNING id",
        params![d.user, d.mailbox, &d.wire_id, &d.device_type, &d.user_agent, &d.version, d.gap, d.first_seen],
        |row| row.get(0),
    )?;
    id.ok_or_else(|| corrupt("INSERT .. RETURNING gave nothing"))
}

pub(super) fn update_device(tx: &Tx<'_>, d: &Device) -> Result<(), Error> {
    tx.execute(
        "UPDATE devices SET device_type = ?2, user_agent = ?3, version = ?4, model = ?5, os = ?6, friendly_name = ?7, generation = ?8,
             gap = ?9, removed = ?10, last_seen = ?11, gap_p95_ms = ?12 WHERE id = ?1",
        params![
            d.id, &d.device_type, &d.user_agent, &d.version, &d.model, &d.os, &d.friendly_name, d.generation, d.gap, d.removed,
            d.last_seen, d.gap_p95_ms
        ],
    )?;
    Ok(())
}

pub(super) fn gap_everywhere(tx: &Tx<'_>) -> Result<usize, Error> {
    tx.execute("UPDATE devices SET gap = 1 WHERE gap = 0", params![])
}

pub(super) fn count_devices(tx: &Tx<'_>, user: UserId) -> Result<u64, Error> {
    let count = tx.one(
        "SELECT COUNT(*) FROM devices WHERE user_id = ?1 AND removed = 0",
        params![user],
        |row| row.get(0),
    )?;
    Ok(count.unwrap_or(0))
}

/// Which of a device's two stored requests is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cached {
    /// What an empty or Partial Sync repeats ([MS-ASCMD] 2.2.1.21).
    Sync,
    /// What a Ping without a body repeats ([MS-ASCMD] 2.2.1.13).
    Ping,
}

pub(super) fn cached(
    tx: &Tx<'_>,
    device: DeviceId,
    which: Cached,
) -> Result<Option<Vec<u8>>, Error> {
    let sql = match which {
        Cached::Sync => "SELECT sync_cache FROM devices WHERE id = ?1",
        Cached::Ping => "SELECT ping_cache FROM devices WHERE id = ?1",
    };
    Ok(tx.one(sql, params![device], |row| row.get(0))?.flatten())
}

pub(super) fn cache(
    tx: &Tx<'_>,
    device: DeviceId,
    which: Cached,
    blob: Option<&[u8]>,
) -> Result<(), Error> {
    let sql = match which {
        Cached::Sync => "UPDATE devices SET sync_cache = ?2 WHERE id = ?1",
        Cached::Ping => "UPDATE devices SET ping_cache = ?2 WHERE id = ?1",
    };
    tx.execute(sql, params![device, blob])?;
    Ok(())
}

pub(super) fn put_watch(
    tx: &Tx<'_>,
    device: DeviceId,
    by: Cached,
    folders: &[u8],
) -> Result<(), Error> {
    let sql = "INSERT INTO watches (device_id, kind, folders) VALUES (?1, ?2, ?3) \
        ON CONFLICT (device_id, kind) DO UPDATE SET folders = excluded.folders";
    let kind = match by {
        Cached::Ping => 1,
        Cached::Sync => 2,
    };
    tx.execute(sql, params![device, kind, folders]).map(drop)
}

pub(super) fn watches(tx: &Tx<'_>, device: DeviceId) -> Result<Vec<Vec<u8>>, Error> {
    let sql = "SELECT folders FROM watches WHERE device_id = ?1 ORDER BY kind LIMIT 2";
    tx.all(sql, params![device], |row| row.get(0))
}

// --- hierarchies

/// A row of `hierarchies` as it stands there.
#[derive(Clone, Debug)]
pub(super) struct HierarchyRow {
    pub(super) version: u64,
    pub(super) seq_max: u64,
    pub(super) proven: Option<SyncKey>,
    pub(super) folders: Vec<u8>,
    pub(super) in_flight: Vec<u8>,
}

pub(super) fn hierarchy(tx: &Tx<'_>, device: DeviceId) -> Result<Option<HierarchyRow>, Error> {
    tx.one(
        "SELECT version, seq_max, proven_seq, proven_tag, proven, in_flight FROM hierarchies WHERE device_id = ?1",
        params![device],
        |row| {
            Ok(HierarchyRow {
                version: row.get(0)?,
                seq_max: row.get(1)?,
                proven: key(row.get(2)?, row.get(3)?)?,
                folders: row.get(4)?,
                in_flight: row.get(5)?,
            })
        },
    )
}

pub(super) fn put_hierarchy(
    tx: &Tx<'_>,
    device: DeviceId,
    h: &HierarchyRow,
) -> Result<bool, Error> {
    let (seq, tag) = split(h.proven);
    let rows = tx.execute(
        "INSERT INTO hierarchies (device_id, version, seq_max, proven_seq, proven_tag, proven, in_flight)
         VALUES (?1, ?2 + 1, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (device_id) DO UPDATE SET version = excluded.version, seq_max = excluded.seq_max,
             proven_seq = excluded.proven_seq, proven_tag = excluded.proven_tag, proven = excluded.proven,
             in_flight = excluded.in_flight
         WHERE hierarchies.version = ?2",
        params![device, h.version, h.seq_max, seq, tag, &h.folders[..], &h.in_flight[..]],
    )?;
    Ok(rows == 1)
}

// --- moves

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
