//! Copies owed to mailboxes that are not ours: what was sent goes to Sent Items, what could not be delivered is told in the Inbox.
//!
//! ```text
//!   submitted, or failed ─► owed: a row in that commit ─► begun ─► APPEND by the store ─► the row goes
//!                                     ▲                     │ an error, or we died in between
//!                                     └── is it there? ◄────┘
//! ```
//!
//! - **Never lost:** the row goes only when the store has said that it has the copy.
//! - **Never twice:** that an attempt begins is committed before it does; whoever finds one that has begun looks for the copy first, by
//!   its Message-ID in that folder, and the token makes the store look as well.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::outbox::Outbox;
use super::tables;
use crate::clock::Timestamp;
use crate::database::{BodyHash, Error, Row, Tx};
use crate::failpoint;
use crate::ids::UserId;
use crate::mailbox::embedded::in_tx::{hold, release};
use crate::mailbox::embedded::{Body, Holder};
use crate::mailbox::{Arrival, FolderKind, Mailbox, MailboxError};
use crate::message::Identity;
use crate::params;

/// Where a copy goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// Sent Items, as read.
    Sent,
    /// The Inbox.
    Inbox,
}

impl To {
    fn number(self) -> i64 {
        match self {
            To::Sent => SENT,
            To::Inbox => INBOX,
        }
    }

    fn kind(self) -> FolderKind {
        match self {
            To::Sent => FolderKind::SentItems,
            To::Inbox => FolderKind::Inbox,
        }
    }
}

/// A copy that is owed.
#[derive(Clone, Debug)]
struct Owed {
    id: i64,
    user: UserId,
    to: To,
    token: String,
    message_id: Option<String>,
    body: BodyHash,
    written_at: Timestamp,
    attempts: u32,
}

/// Writes down that a copy is owed, and holds its body until it is paid.
pub(super) fn owe(
    tx: &Tx<'_>,
    user: UserId,
    to: To,
    token: &str,
    (body, identity): (Body, &Identity),
    now: Timestamp,
) -> Result<(), Error> {
    let row = params![user, to.number(), token, identity.message_id.as_deref(), body.hash, now];
    if tx.execute(tables::OWE_FILING, row)? > 0 {
        hold(tx, body.hash, Holder::Outbox)?;
        tx.on_commit(super::outbox::work);
    }
    Ok(())
}

impl Outbox {
    /// Pays what is owed, until it is told to stop.
    pub(super) async fn file(&self, mut stop: watch::Receiver<bool>) {
        let mut work = super::outbox::listen();
        while !*stop.borrow() {
            work.mark_unchanged();
            let pause = match self.file_due().await {
                Ok(Some(next)) => next.since(self.clock().now()).min(PAUSE_MAX),
                Ok(None) => PAUSE_MAX,
                Err(error) => {
                    tracing::error!(%error, "copies of mail cannot be filed");
                    PAUSE_AFTER_ERROR
                }
            };
            tokio::select! {
                _ = work.changed() => (),
                () = tokio::time::sleep(pause) => (),
                changed = stop.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Pays all that is due; gives when something is due next. Without a store behind us nothing ever is.
    pub async fn file_due(&self) -> Result<Option<Timestamp>, MailboxError> {
        let Some(front) = self.front() else { return Ok(None) };
        loop {
            let now = self.clock().now();
            let furthest = now.after(WAITS[WAITS.len() - 1]);
            let job = move |tx: &Tx<'_>| {
                tx.all(tables::FILINGS_DUE, params![now, AT_ONCE, furthest], read_owed)
            };
            let due: Result<Vec<Owed>, Error> = self.store().database().read(job).await;
            let due = due?;
            if due.is_empty() {
                break;
            }
            let mut working = tokio::task::JoinSet::new();
            for owed in due {
                let (this, front) = (self.clone(), Arc::clone(front));
                working.spawn(async move { this.pay(&*front, &owed).await });
            }
            while let Some(done) = working.join_next().await {
                done.map_err(|error| MailboxError::Ours(error.to_string()))??;
            }
        }
        let next = |tx: &Tx<'_>| tx.one(tables::NEXT_FILING, params![], |row| row.get(0));
        let next: Result<Option<Timestamp>, Error> = self.store().database().read(next).await;
        Ok(next?)
    }

    /// How many copies are owed.
    pub async fn filings_owed(&self) -> Result<u64, MailboxError> {
        let job = |tx: &Tx<'_>| tx.one(tables::COUNT_FILINGS, params![], |row| row.get(0));
        let count: Result<Option<u64>, Error> = self.store().database().read(job).await;
        Ok(count?.unwrap_or(0))
    }

    /// One attempt. What goes wrong with the store is tried again; an error is ours.
    async fn pay(&self, front: &dyn Mailbox, owed: &Owed) -> Result<(), MailboxError> {
        let (id, now) = (owed.id, self.clock().now());
        let index = usize::try_from(owed.attempts).unwrap_or(usize::MAX).min(WAITS.len() - 1);
        let next = now.after(WAITS[index]);
        let begin = move |tx: &Tx<'_>| tx.execute(tables::BEGIN_FILING, params![id, next]);
        let begun: Result<usize, Error> = self.store().database().write(begin).await;
        if begun? == 0 {
            return Ok(());
        }
        failpoint!("filing.begun");
        match self.put(front, owed).await {
            Ok(()) => failpoint!("filing.after_append"),
            Err(why) if is_for_good(&why) || now.since(owed.written_at) >= GIVE_UP_AFTER => {
                tracing::error!(user = %owed.user, %why, to = ?owed.to, "a copy of a mail is given up");
            }
            Err(why) => {
                tracing::info!(user = %owed.user, %why, to = ?owed.to, "a copy of a mail waits");
                return Ok(());
            }
        }
        let (store, body) = (self.store().clone(), owed.body);
        let settle = move |tx: &Tx<'_>| {
            if tx.execute(tables::SETTLE_FILING, params![id])? > 0 {
                release(tx, &store, body, Holder::Outbox)?;
            }
            Ok::<(), Error>(())
        };
        let settled = self.store().database().write(settle).await;
        failpoint!("filing.after_commit");
        Ok(settled?)
    }

    async fn put(&self, front: &dyn Mailbox, owed: &Owed) -> Result<(), MailboxError> {
        let mailbox = front.mailbox_of(owed.user).await?;
        let folders = front.folders(mailbox).await?;
        let folder = folders.into_iter().find(|folder| folder.kind == owed.to.kind());
        let folder = folder.ok_or(MailboxError::NoSuchFolder)?;
        if let Some(message_id) = owed.message_id.as_deref().filter(|_| owed.attempts > 0) {
            let copies = front.find(message_id).await?;
            if copies.iter().any(|copy| copy.folder == folder.id) {
                return Ok(());
            }
        }
        let raw = self.store().octets(owed.body).await?;
        let arrival = Arrival {
            received: owed.written_at,
            read: owed.to == To::Sent,
            once: Some(owed.token.clone()),
            ..Arrival::default()
        };
        front.append(folder.id, raw, arrival).await.map(drop)
    }
}

/// It will not be taken however often it is tried.
fn is_for_good(why: &MailboxError) -> bool {
    matches!(why, MailboxError::TooLarge)
}

fn read_owed(row: &Row<'_>) -> Result<Owed, Error> {
    Ok(Owed {
        id: row.get(0)?,
        user: row.get(1)?,
        to: if row.get::<i64>(2)? == INBOX { To::Inbox } else { To::Sent },
        token: row.get(3)?,
        message_id: row.get(4)?,
        body: row.get(5)?,
        written_at: row.get(6)?,
        attempts: row.get(7)?,
    })
}

/// `folder` of a copy for Sent Items.
const SENT: i64 = 1;
/// `folder` of a copy for the Inbox.
const INBOX: i64 = 2;
/// Copies filed at a time.
const AT_ONCE: usize = 8;
/// The waits after the first, second, ... failed attempt; the last one stays.
const WAITS: [Duration; 5] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(60 * 60),
];
/// After how long a copy is given up, which the log tells.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const PAUSE_MAX: Duration = Duration::from_secs(60);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(10);
