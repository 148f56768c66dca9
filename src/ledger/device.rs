//! The devices themselves: who they are, when they were heard, and whether the ledger can vouch for all they were given.

pub(super) mod tables;

use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{DeviceId, MailboxId, UserId};

/// A device of a user, as it describes itself.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Device {
    /// Its row.
    pub id: DeviceId,
    /// Whose it is.
    pub user: UserId,
    /// The mailbox it syncs.
    pub mailbox: MailboxId,
    /// The DeviceId of its requests, in lower case.
    pub wire_id: String,
    /// The DeviceType of its requests.
    pub device_type: String,
    /// The User-Agent header.
    pub user_agent: String,
    /// The protocol version it spoke last.
    pub version: String,
    /// Model, from DeviceInformation.
    pub model: String,
    /// Operating system, from DeviceInformation.
    pub os: String,
    /// The name its owner gave it, from DeviceInformation.
    pub friendly_name: String,
    /// Partnership generation: grows after a wipe and after removal.
    pub generation: u64,
    /// Whether the ledger cannot vouch for all that this device was given: such a pair is never called *never exposed*.
    pub gap: bool,
    /// Whether an operator removed the partnership.
    pub removed: bool,
    /// When it was first heard.
    pub first_seen: Timestamp,
    /// When it was last heard, as far as it has been written down.
    pub last_seen: Timestamp,
    /// 95th percentile of its pauses between requests, in milliseconds; 0 while unknown.
    pub gap_p95_ms: u64,
}

/// How a device introduces itself in the query and headers of a request.
#[derive(Clone, Debug)]
pub struct Introduction<'a> {
    /// Whose credentials it has.
    pub user: UserId,
    /// The mailbox of that user.
    pub mailbox: MailboxId,
    /// DeviceId.
    pub wire_id: &'a str,
    /// DeviceType.
    pub device_type: &'a str,
    /// User-Agent.
    pub user_agent: &'a str,
    /// Protocol version, as `16.1`.
    pub version: &'a str,
}

/// Devices a user may have; one more is answered with Status 177 ([MS-ASCMD] 2.2.2).
pub const DEVICES_PER_USER_MAX: u64 = 100;

/// The device behind an introduction, if it has been met before.
pub fn known(tx: &Tx<'_>, user: UserId, wire_id: &str) -> Result<Option<Device>, Error> {
    tables::device_by_wire(tx, user, &wire_id.to_ascii_lowercase())
}

/// Finds the device, or makes its row; `None` when the user has too many. A row is rewritten only when the device describes
/// itself otherwise than before, or returns after it was removed, which begins a new partnership generation.
pub fn meet(tx: &Tx<'_>, who: &Introduction<'_>, now: Timestamp) -> Result<Option<Device>, Error> {
    let wire_id = who.wire_id.to_ascii_lowercase();
    let Some(mut device) = tables::device_by_wire(tx, who.user, &wire_id)? else {
        return first_meeting(tx, who, wire_id, now);
    };
    let same = device.device_type == who.device_type
        && device.user_agent == who.user_agent
        && device.version == who.version
        && !device.removed;
    if !same {
        if device.removed {
            device.generation += 1;
            device.removed = false;
        }
        who.device_type.clone_into(&mut device.device_type);
        who.user_agent.clone_into(&mut device.user_agent);
        who.version.clone_into(&mut device.version);
        device.last_seen = now;
        tables::update_device(tx, &device)?;
    }
    Ok(Some(device))
}

fn first_meeting(
    tx: &Tx<'_>,
    who: &Introduction<'_>,
    wire_id: String,
    now: Timestamp,
) -> Result<Option<Device>, Error> {
    if tables::count_devices(tx, who.user)? >= DEVICES_PER_USER_MAX {
        return Ok(None);
    }
    let mut device = Device {
        id: DeviceId(0),
        user: who.user,
        mailbox: who.mailbox,
        wire_id,
        device_type: who.device_type.to_owned(),
        user_agent: who.user_agent.to_owned(),
        version: who.version.to_owned(),
        model: String::new(),
        os: String::new(),
        friendly_name: String::new(),
        generation: 1,
        gap: false,
        removed: false,
        first_seen: now,
        last_seen: now,
        gap_p95_ms: 0,
    };
    device.id = tables::insert_device(tx, &device)?;
    Ok(Some(device))
}

/// The device with this row.
pub fn load(tx: &Tx<'_>, id: DeviceId) -> Result<Option<Device>, Error> {
    tables::device_by_id(tx, id)
}

/// Writes a changed device back.
pub fn store(tx: &Tx<'_>, device: &Device) -> Result<(), Error> {
    tables::update_device(tx, device)
}

/// Every device that syncs a mailbox, removed ones too: they may still hold what they were given.
pub fn of_mailbox(tx: &Tx<'_>, mailbox: MailboxId) -> Result<Vec<Device>, Error> {
    tables::devices_of_mailbox(tx, mailbox)
}

/// Devices in the order of their rows, a page at a time.
pub fn page(tx: &Tx<'_>, after: DeviceId, limit: usize) -> Result<Vec<Device>, Error> {
    tables::devices(tx, after, limit)
}

/// The books were rolled back: from now on no device that exists can be called *never exposed*.
pub fn gap_everywhere(tx: &Tx<'_>) -> Result<usize, Error> {
    tables::gap_everywhere(tx)
}
