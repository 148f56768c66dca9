//! The register of identities: every message that was ever stored or sent has one number, whatever becomes of its copies.
//!
//! Rows are never removed, so an [`IdentityId`] in an order, the ledger or the audit always means the same message.

use super::{Identity, tables};
use crate::database::{Error, Tx};
use crate::ids::IdentityId;
use crate::params;

/// The number of an identity; the same for every copy of the same message. Registers it when it is new.
pub fn register(tx: &Tx<'_>, identity: &Identity) -> Result<IdentityId, Error> {
    // Most mail goes to several people: look before writing.
    if let Some(known) = registered(tx, identity)? {
        return Ok(known);
    }
    let row = params![
        &identity.claimed,
        &identity.verified,
        identity.message_id.as_deref(),
        identity.date,
        identity.from.as_deref()
    ];
    match tx.one(tables::INSERT_IDENTITY, row, |row| row.get(0))? {
        Some(id) => Ok(id),
        None => registered(tx, identity)?
            .ok_or_else(|| Error::Corrupt("an identity is neither new nor known".to_owned())),
    }
}

/// The number of an identity that has been registered before.
pub fn registered(tx: &Tx<'_>, identity: &Identity) -> Result<Option<IdentityId>, Error> {
    let key = params![&identity.claimed, &identity.verified];
    tx.one(tables::FIND_IDENTITY, key, |row| row.get(0))
}

/// The identity with this number.
pub fn identity(tx: &Tx<'_>, id: IdentityId) -> Result<Option<Identity>, Error> {
    tx.one(tables::LOAD_IDENTITY, params![id], |row| {
        Ok(Identity {
            message_id: row.get(0)?,
            date: row.get(1)?,
            from: row.get(2)?,
            claimed: row.get(3)?,
            verified: row.get(4)?,
        })
    })
}

/// Every identity that says it has this Message-ID (without angle brackets), oldest first, at most `limit`.
pub fn with_message_id(
    tx: &Tx<'_>,
    message_id: &str,
    limit: usize,
) -> Result<Vec<IdentityId>, Error> {
    tx.all(tables::LIST_BY_MESSAGE_ID, params![message_id, limit], |row| row.get(0))
}
