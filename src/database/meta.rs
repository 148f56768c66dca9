//! Facts about the installation: who it is, its secrets, and the epochs of its ledger.
//!
//! An epoch ends when the ledger may have lost something it once knew. Sync keys carry the epoch, so a key from before a restore
//! is recognised as such; [`GAP_PENDING`] tells the ledger to set the gap flag on every device before it serves one.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Error, Tx, tables};
use crate::clock::Timestamp;
use crate::params;

/// The meta entry a restore leaves: its value is the epoch, in decimal. The ledger flags all devices, then removes it.
pub const GAP_PENDING: &str = "gap_pending";
/// The meta entry that stands while what one device alone lost to a gap is still to be written down.
pub const GAP_OF_DEVICE: &str = "gap_of_device";
/// The name of the secret behind the tags of sync keys.
pub const SYNC_KEYS: &str = "sync_keys";
/// The name of the secret behind sessions and one-time links of the admin pages.
pub const SESSIONS: &str = "sessions";

/// A period in which the ledger has forgotten nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: i64,
    /// When it began.
    pub began_at: Timestamp,
    /// Why: `installed`, `restored`, `rolled_back`.
    pub reason: String,
}

/// 32 secret bytes to key a MAC with; its `Debug` prints none of them.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MacKey([u8; KEY_BYTES]);

impl MacKey {
    /// The bytes themselves, for the MAC.
    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

/// One entry of `meta`.
pub fn meta(tx: &Tx<'_>, name: &str) -> Result<Option<String>, Error> {
    tx.one(tables::READ_META, params![name], |row| row.get(0))
}

/// Sets an entry of `meta`.
pub fn set_meta(tx: &Tx<'_>, name: &str, value: &str) -> Result<(), Error> {
    tx.execute(tables::WRITE_META, params![name, value]).map(|_| ())
}

/// Removes an entry of `meta`.
pub fn clear_meta(tx: &Tx<'_>, name: &str) -> Result<(), Error> {
    tx.execute(tables::DELETE_META, params![name]).map(|_| ())
}

/// Who this installation is: 32 hexadecimal digits that a backup keeps.
pub fn installation(tx: &Tx<'_>) -> Result<String, Error> {
    meta(tx, INSTALLATION)?.ok_or_else(|| Error::Corrupt("no installation id".to_owned()))
}

/// The secret of this name. [`SYNC_KEYS`] and [`SESSIONS`] always exist; another is made by the first write that asks.
pub fn mac_key(tx: &Tx<'_>, name: &str, now: Timestamp) -> Result<MacKey, Error> {
    let found = tx.one(tables::READ_SECRET, params![name], |row| row.get(0))?;
    if let Some(bytes) = found {
        return Ok(MacKey(bytes));
    }
    let key = MacKey(random()?);
    tx.execute(tables::INSERT_SECRET, params![name, key.bytes(), now])?;
    Ok(key)
}

/// The epoch we are in.
pub fn epoch(tx: &Tx<'_>) -> Result<Epoch, Error> {
    tx.one(tables::NEWEST_EPOCH, params![], read_epoch)?
        .ok_or_else(|| Error::Corrupt("no epoch".to_owned()))
}

/// All epochs, oldest first.
pub fn epochs(tx: &Tx<'_>) -> Result<Vec<Epoch>, Error> {
    tx.all(tables::LIST_EPOCHS, params![], read_epoch)
}

/// Begins the next epoch and leaves [`GAP_PENDING`] for the ledger.
pub fn begin_epoch(tx: &Tx<'_>, now: Timestamp, reason: &str) -> Result<Epoch, Error> {
    let next = Epoch { number: epoch(tx)?.number + 1, began_at: now, reason: reason.to_owned() };
    tx.execute(tables::INSERT_EPOCH, params![next.number, next.began_at, &next.reason])?;
    set_meta(tx, GAP_PENDING, &next.number.to_string())?;
    Ok(next)
}

/// Gives a fresh database its id, its secrets and its first epoch; changes nothing in one that has them.
pub(super) fn found(tx: &Tx<'_>, now: Timestamp) -> Result<(), Error> {
    if meta(tx, INSTALLATION)?.is_none() {
        let id: [u8; 16] = random()?;
        set_meta(tx, INSTALLATION, &super::hex(&id))?;
        tx.execute(tables::INSERT_EPOCH, params![FIRST_EPOCH, now, "installed"])?;
    }
    mac_key(tx, SYNC_KEYS, now)?;
    mac_key(tx, SESSIONS, now)?;
    Ok(())
}

fn read_epoch(row: &super::Row<'_>) -> Result<Epoch, Error> {
    Ok(Epoch { number: row.get(0)?, began_at: row.get(1)?, reason: row.get(2)? })
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Io(error.to_string()))?;
    Ok(bytes)
}

const INSTALLATION: &str = "installation";
const KEY_BYTES: usize = 32;
const FIRST_EPOCH: i64 = 1;
