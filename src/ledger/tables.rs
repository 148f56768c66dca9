//! The ledger's SQL.

use roaring::RoaringBitmap;

use super::Copy;
use super::collection::{Collection, Offer, Position};
use super::delta::Delta;
use super::holding::Place;
use super::journal::Entry;
use super::sync_key::SyncKey;
use crate::clock::Timestamp;
use crate::database::{Error, Row, Tx};
use crate::ids::{DeviceId, FolderId, IdentityId, ItemNumber, MailboxId};
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
