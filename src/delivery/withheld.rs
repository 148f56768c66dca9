//! Mail that is kept back: taken back by a recall before it left, or held until somebody has looked at it.
//!
//! A mail withdrawn by a recall keeps its body, so that cancelling the order sends it after all: what a phone was told is sent is never
//! lost without a word. A mail held for review leaves when it is released, or comes back to its sender as undelivered.

use serde::Serialize;

use super::outbox::{OutboxId, finish};
use super::{Outbox, tables};
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{BodyHash, Error, Tx};
use crate::ids::{IdentityId, OrderId};
use crate::mailbox::MailboxError;
use crate::mailbox::embedded::Embedded;
use crate::params;

/// Why a mail is held for review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The order it runs against.
    pub order: OrderId,
    /// By what: `reference`, `message`, `file` or `quote`.
    pub why: &'static str,
}

/// A mail that waits for somebody to look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldMail {
    /// Its number in the outbox.
    pub id: i64,
    /// Who wants it sent.
    pub sender: String,
    /// To whom.
    pub recipients: Vec<String>,
    /// When it was handed in.
    pub submitted_at: Timestamp,
    /// The order it runs against.
    pub order: Option<OrderId>,
    /// By what.
    pub why: Option<String>,
    /// Its size.
    pub size: u32,
}

/// Takes a message back before it leaves: recipients who still wait will not get it. Gives how many; those being offered to the relay
/// at this moment are not among them, and are not offered again if the relay does not take it.
pub fn withdraw(
    tx: &Tx<'_>,
    store: &Embedded,
    identity: IdentityId,
    now: Timestamp,
) -> Result<usize, Error> {
    let mails = tx.all(tables::UNDONE_BY_IDENTITY, params![identity], |row| {
        Ok((row.get::<i64>(0)?, row.get::<BodyHash>(1)?))
    })?;
    let mut withdrawn = 0;
    for (id, body) in mails {
        withdrawn += tx.execute(tables::WITHDRAW, params![id, now])?;
        tx.execute(tables::WITHHOLD, params![id])?;
        if tx.one(tables::IS_OPEN, params![id], |_| Ok(()))?.is_none() {
            finish(tx, store, id, body, now)?;
        }
    }
    Ok(withdrawn)
}

/// The order that withdrew it is cancelled: it goes on its way again. Gives to how many recipients.
pub fn resume(tx: &Tx<'_>, identity: IdentityId, now: Timestamp) -> Result<usize, Error> {
    let resumed = tx.execute(tables::WAIT_AGAIN, params![identity, now])?;
    tx.execute(tables::RESUME, params![identity, now])?;
    if resumed > 0 {
        tx.on_commit(super::outbox::work);
    }
    Ok(resumed)
}

impl Outbox {
    /// The mails that wait for review, oldest first.
    pub async fn held(&self) -> Result<Vec<HeldMail>, MailboxError> {
        let job = |tx: &Tx<'_>| {
            let mut mails = tx.all(tables::HELD, params![HELD_LISTED_MAX], read_held)?;
            for mail in &mut mails {
                mail.recipients =
                    tx.all(tables::LIST_RECIPIENTS, params![mail.id], |row| row.get(0))?;
            }
            Ok::<_, Error>(mails)
        };
        Ok(self.store().database().read(job).await?)
    }

    /// Sends a mail that was held for review; `false` when there is none of that number.
    pub async fn release(&self, mail: OutboxId, by: &str) -> Result<bool, MailboxError> {
        let (now, by) = (self.clock().now(), by.to_owned());
        let job = move |tx: &Tx<'_>| {
            let released = tx.execute(tables::RELEASE_HELD, params![mail.0, now])? > 0;
            if released {
                let event = Event::new("mail.held_released").id("mail", mail.0);
                audit::note(tx, now, &event.personal("by", &by))?;
                tx.on_commit(super::outbox::work);
            }
            Ok::<_, Error>(released)
        };
        Ok(self.store().database().write(job).await?)
    }

    /// Refuses a mail that was held for review: its sender is told. `false` when there is none of that number.
    pub async fn refuse(&self, mail: OutboxId, by: &str) -> Result<bool, MailboxError> {
        let (now, by) = (self.clock().now(), by.to_owned());
        let job = move |tx: &Tx<'_>| {
            let refused = tx.execute(tables::REFUSE_HELD, params![mail.0, now])? > 0;
            if refused {
                let event = Event::new("mail.held_refused").id("mail", mail.0);
                audit::note(tx, now, &event.personal("by", &by))?;
                tx.on_commit(super::outbox::work);
            }
            Ok::<_, Error>(refused)
        };
        Ok(self.store().database().write(job).await?)
    }
}

fn read_held(row: &crate::database::Row<'_>) -> Result<HeldMail, Error> {
    Ok(HeldMail {
        id: row.get(0)?,
        sender: row.get(1)?,
        submitted_at: row.get(2)?,
        order: row.get::<Option<i64>>(3)?.map(OrderId),
        why: row.get(4)?,
        size: row.get(5)?,
        recipients: Vec::new(),
    })
}

/// Held mails listed at most.
const HELD_LISTED_MAX: usize = 1_000;
