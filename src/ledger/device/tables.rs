//! The SQL of devices, of the requests that are kept for them, and of what they waited for last.

use super::Device;
use crate::database::{Error, Row, Tx};
use crate::ids::{DeviceId, MailboxId, UserId};
use crate::params;

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

pub(in crate::ledger) fn devices_of_mailbox(
    tx: &Tx<'_>,
    mailbox: MailboxId,
) -> Result<Vec<Device>, Error> {
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
    id.ok_or_else(|| Error::Corrupt("INSERT .. RETURNING gave nothing".to_owned()))
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

pub(in crate::ledger) fn cached(
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

pub(in crate::ledger) fn cache(
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

pub(in crate::ledger) fn put_watch(
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

pub(in crate::ledger) fn watches(tx: &Tx<'_>, device: DeviceId) -> Result<Vec<Vec<u8>>, Error> {
    let sql = "SELECT folders FROM watches WHERE device_id = ?1 ORDER BY kind LIMIT 2";
    tx.all(sql, params![device], |row| row.get(0))
}
