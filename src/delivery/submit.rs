//! Submission: a phone's mail is accepted in one commit: outbox, Sent Items, and what the phone will be told should it ask again.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::filing::{self, To};
use super::lines::has_bare_line_end;
use super::outbox::OutboxId;
use super::{Hold, Outbox, RECIPIENTS_MAX, tables};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::directory;
use crate::failpoint;
use crate::ids::{DeviceId, FolderId, ItemNumber, UserId};
use crate::mailbox::embedded::in_tx;
use crate::mailbox::embedded::{Body, Embedded, Holder};
use crate::mailbox::{Arrival, FolderKind, MailboxError};
use crate::message::{self, Identity};
use crate::params;

/// What a phone names its request by, so that it can repeat it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    device: DeviceId,
    id: String,
    kept: Duration,
}

/// What is decided of a mail in the transaction that accepts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It goes on its way.
    Taken,
    /// It waits for somebody to look at it first.
    Held(Hold),
    /// It is not accepted.
    Refused(Against),
}

/// What a refused mail runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The mail it answers or forwards is recalled.
    Source,
    /// It carries, or answers, what is recalled.
    Order,
}

/// Decides about a mail in the transaction that accepts it, so that no order comes between the question and the answer.
#[derive(Clone)]
pub struct Judge(Arc<Ask>);

type Ask = dyn Fn(&Tx<'_>) -> Result<Judged, Error> + Send + Sync;

impl Judge {
    /// One that decides so.
    pub fn new(ask: impl Fn(&Tx<'_>) -> Result<Judged, Error> + Send + Sync + 'static) -> Judge {
        Judge(Arc::new(ask))
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

/// A mail to send, ready down to the last octet ([`message::compose`]).
#[derive(Clone, Debug)]
pub struct Submission {
    /// Whose mail it is.
    pub user: UserId,
    /// What the phone names its request by.
    pub client: Option<ClientKey>,
    /// The envelope sender.
    pub sender: String,
    /// The mail, lines ended by CR LF.
    pub raw: Bytes,
    /// The envelope recipients.
    pub recipients: Vec<String>,
    /// Does a copy go to Sent Items?
    pub save_in_sent: bool,
    /// Who decides whether it may go; anything may where there is nobody.
    pub judge: Option<Judge>,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The mail in the outbox.
    pub outbox: OutboxId,
    /// The copy in Sent Items.
    pub sent: Option<(FolderId, ItemNumber)>,
    /// Was it submitted before, under the same [`ClientKey`]? Then nothing new has happened.
    pub repeated: bool,
}

/// Why a mail was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// It is to nobody.
    #[error("no recipients")]
    NoRecipients,
    /// It is to more than [`RECIPIENTS_MAX`].
    #[error("too many recipients")]
    TooManyRecipients,
    /// Its lines do not end with CR LF.
    #[error("a line does not end with CR LF")]
    BareLineEnd,
    /// It is larger than the relay takes.
    #[error("larger than the relay takes")]
    TooLarge,
    /// Its [`Judge`] refused it.
    #[error("refused: it runs against {0:?}")]
    Refused(Against),
    /// The store did not take it.
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
}

impl ClientKey {
    /// A ClientId ([MS-ASCMD] 2.2.3.27); remembered for 14 days.
    pub fn new(device: DeviceId, client_id: &str) -> ClientKey {
        ClientKey { device, id: format!("id:{client_id}"), kept: days(14) }
    }

    /// The SHA-256 of what was sent, for versions without ClientId; remembered for 14 days where the mail has a Message-ID, which
    /// nobody gives to a second one, else for a day.
    pub fn of_content(device: DeviceId, sha256: [u8; 32], has_id: bool) -> ClientKey {
        let id = format!("sha256:{}", crate::database::BodyHash(sha256));
        ClientKey { device, id, kept: days(if has_id { 14 } else { 1 }) }
    }
}

impl Outbox {
    /// Whether a request of this name was accepted before, so that it is told the same whatever has happened since.
    pub async fn knows(&self, user: UserId, client: ClientKey) -> Result<bool, MailboxError> {
        let now = self.clock().now();
        let asked = move |tx: &Tx<'_>| earlier(tx, user, Some(&client), now);
        let known: Result<_, Error> = self.store().database().read(asked).await;
        Ok(known?.is_some())
    }

    /// Accepts a mail: when this answers, it is on the disk and on its way, or it was already.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        let recipients = distinct(&submission.recipients);
        match recipients.len() {
            0 => return Err(SubmitError::NoRecipients),
            1..=RECIPIENTS_MAX => (),
            _ => return Err(SubmitError::TooManyRecipients),
        }
        if has_bare_line_end(&submission.raw) {
            return Err(SubmitError::BareLineEnd);
        }
        let now = self.clock().now();
        let (user, client) = (submission.user, submission.client.clone());
        let asked = move |tx: &Tx<'_>| earlier(tx, user, client.as_ref(), now);
        let known: Result<_, Error> = self.store().database().read(asked).await;
        if let Some(known) = known.map_err(MailboxError::from)? {
            return Ok(known);
        }
        if self.is_too_large(submission.raw.len(), &recipients).await? {
            return Err(SubmitError::TooLarge);
        }
        let identity = Identity::of_raw(&submission.raw);
        let kept = self.store().keep(submission.raw.clone()).await?;
        let submission = Submission { recipients, ..submission };
        let is_front = self.front().is_some();
        let job = move |tx: &Tx<'_>, store: &Embedded, body: Body| {
            submit_in(tx, (!is_front).then_some(store), &submission, body, &identity, now)
        };
        let submitted = self.store().write_with(kept, job).await?;
        let submitted = submitted.map_err(SubmitError::Refused)?;
        failpoint!("outbox.after_submit");
        self.wake();
        Ok(submitted)
    }

    /// Whether somebody is among the recipients whom only the relay reaches, and it takes no mail of this size.
    async fn is_too_large(
        &self,
        octets: usize,
        recipients: &[String],
    ) -> Result<bool, MailboxError> {
        let Some(relay) = self.relay() else { return Ok(false) };
        if !relay.is_too_large(octets).await {
            return Ok(false);
        }
        let (is_front, recipients) = (self.front().is_some(), recipients.to_vec());
        let is_abroad = move |tx: &Tx<'_>| {
            for recipient in &recipients {
                if is_front || directory::resolve(tx, recipient)?.is_none() {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let is_abroad: Result<bool, Error> = self.store().database().read(is_abroad).await;
        Ok(is_abroad?)
    }
}

/// Submits inside a transaction; the body has been kept before, the worker is woken by the caller after the commit. Without a store
/// this is in front of mailboxes that are not ours: nobody is local, and the copy for Sent Items is owed.
pub(super) fn submit_in(
    tx: &Tx<'_>,
    store: Option<&Embedded>,
    submission: &Submission,
    body: Body,
    identity: &Identity,
    now: Timestamp,
) -> Result<Result<Submitted, Against>, MailboxError> {
    // The twin of this request may have been committed since we looked.
    if let Some(known) = earlier(tx, submission.user, submission.client.as_ref(), now)? {
        return Ok(Ok(known));
    }
    let judged = submission.judge.as_ref().map(|judge| judge.0(tx)).transpose()?;
    let hold = match judged {
        None | Some(Judged::Taken) => None,
        Some(Judged::Held(hold)) => Some(hold),
        // What was noted on the way stays: the refusal is a result, not an error.
        Some(Judged::Refused(against)) => return Ok(Err(against)),
    };
    let outbox = insert_outbox(tx, submission, body, identity, hold.as_ref(), now)?;
    for recipient in &submission.recipients {
        let local = match store {
            Some(_) => directory::resolve(tx, recipient)?.map(|user| user.id),
            None => None,
        };
        tx.execute(tables::INSERT_RECIPIENT, params![outbox, recipient, local, now])?;
    }
    let sent = match store {
        _ if !submission.save_in_sent => None,
        Some(store) => Some(save_in_sent(tx, store, submission.user, body, identity, now)?),
        None => {
            let token = format!("sent:{outbox}");
            filing::owe(tx, submission.user, To::Sent, &token, (body, identity), now)?;
            None
        }
    };
    let submitted = Submitted { outbox: OutboxId(outbox), sent, repeated: false };
    remember(tx, submission, &submitted, now)?;
    Ok(Ok(submitted))
}

/// The row of a mail in the outbox, which holds its body.
fn insert_outbox(
    tx: &Tx<'_>,
    submission: &Submission,
    body: Body,
    identity: &Identity,
    hold: Option<&Hold>,
    now: Timestamp,
) -> Result<i64, MailboxError> {
    let id = message::register(tx, identity)?;
    let (user, sender) = (submission.user, &submission.sender);
    let held = if hold.is_some() { FOR_REVIEW } else { 0 };
    let (order, why) = (hold.map(|hold| hold.order.0), hold.map(|hold| hold.why));
    let row = params![user, sender, id, body.hash, body.size, now, held, order, why];
    let outbox: Option<i64> = tx.one(tables::INSERT_OUTBOX, row, |row| row.get(0))?;
    let outbox = outbox.ok_or_else(|| MailboxError::Ours("an outbox row without id".to_owned()))?;
    in_tx::hold(tx, body.hash, Holder::Outbox)?;
    Ok(outbox)
}

/// Remembers what a phone that asks again is told.
fn remember(
    tx: &Tx<'_>,
    submission: &Submission,
    submitted: &Submitted,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(client) = &submission.client else { return Ok(()) };
    tx.execute(tables::FORGET_RESULTS, params![now, FORGET_ROWS])?;
    let ((folder, item), until) = (submitted.sent.unzip(), now.after(client.kept));
    let (user, outbox) = (submission.user, submitted.outbox.0);
    let row = params![user, client.device, &client.id, outbox, folder, item, until];
    tx.execute(tables::REMEMBER_RESULT, row).map(drop)
}

fn save_in_sent(
    tx: &Tx<'_>,
    store: &Embedded,
    user: UserId,
    body: Body,
    identity: &Identity,
    now: Timestamp,
) -> Result<(FolderId, ItemNumber), MailboxError> {
    let mailbox = in_tx::mailbox_of(tx, user)?;
    let folder = in_tx::standard_folder(tx, mailbox, FolderKind::SentItems)?;
    let arrival = Arrival { received: now, read: true, ..Arrival::default() };
    let item = in_tx::append(tx, store, folder.id, body, identity, &arrival, now)?;
    Ok((folder.id, item))
}

/// What the same request was told before.
fn earlier(
    tx: &Tx<'_>,
    user: UserId,
    client: Option<&ClientKey>,
    now: Timestamp,
) -> Result<Option<Submitted>, Error> {
    let Some(client) = client else { return Ok(None) };
    tx.one(tables::FIND_RESULT, params![user, client.device, &client.id, now], |row| {
        let (folder, item): (Option<FolderId>, Option<ItemNumber>) = (row.get(1)?, row.get(2)?);
        Ok(Submitted { outbox: OutboxId(row.get(0)?), sent: folder.zip(item), repeated: true })
    })
}

/// The recipients without repetitions, in their order; the domain has no case, and a local part that differs only in case is one too.
fn distinct(recipients: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    let trimmed = recipients.iter().map(|recipient| recipient.trim().to_owned());
    trimmed
        .filter(|recipient| !recipient.is_empty() && seen.insert(recipient.to_lowercase()))
        .collect()
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

/// `held` of a mail that waits for somebody to look at it.
const FOR_REVIEW: i64 = 2;
/// Old results removed for each new one: more than come in.
const FORGET_ROWS: usize = 8;
