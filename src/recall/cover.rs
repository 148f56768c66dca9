//! Whether an open order covers a message in a mailbox: by its pair, or by the Message-ID an order stands for.

use super::tables;
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{IdentityId, MailboxId, OrderId};
use crate::message;

/// The order that covers the message in this mailbox. A copy that nobody had met when its Message-ID was recalled is covered by
/// the standing claim, before anything has bound it.
pub fn covers(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
    now: Timestamp,
) -> Result<Option<OrderId>, Error> {
    if let Some(order) = tables::fenced(tx, identity, mailbox)? {
        return Ok(Some(order));
    }
    let Some(claimed) = message::identity(tx, identity)? else { return Ok(None) };
    match &claimed.message_id {
        Some(message_id) => Ok(tables::standing_for(tx, message_id, claimed.from.as_deref(), now)?.first().copied()),
        None => Ok(None),
    }
}
