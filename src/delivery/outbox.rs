//! The outbox: mail on its way out, until each recipient has a final state.
//!
//! ```text
//!   waiting ─► offered ─► relayed            delivered (local)   failed   withdrawn
//!      ▲          │ not now, or we cannot know
//!      └──────────┘
//! ```
//!
//! A recall withdraws what waits (`withheld.rs`); its cancellation sends it on.
//!
//! `offered` is committed before the relay sees an octet. Found at the start, it means that the process died in between: the mail
//! goes out again under the same Message-ID, and that is counted. Everything else happens exactly once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::awaited::Users;
use super::away::{self, Arrived, Rules};
use super::bounce::{self, Failure};
use super::filing::{self, To};
use super::postman::{Origin, Parcel, put_in};
use super::{Offer, Postman, Relay, tables};
use crate::clock::{Clock, Timestamp};
use crate::database::{BodyHash, Error, Tx};
use crate::directory;
use crate::failpoint;
use crate::ids::{IdentityId, UserId};
use crate::keyring::Keyring;
use crate::mailbox::embedded::in_tx::release;
use crate::mailbox::embedded::{Embedded, Holder, Kept};
use crate::mailbox::{Mailbox, MailboxError};
use crate::message::Identity;
use crate::params;

/// A mail in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutboxId(pub i64);

/// How patient the outbox is.
#[derive(Clone, Debug)]
pub struct OutboxSettings {
    /// The waits after the first, second, ... failed attempt; the last one stays.
    pub waits: Vec<Duration>,
    /// After how long a mail is given up.
    pub give_up_after: Duration,
    /// Mails handled at a time.
    pub at_once: usize,
    /// For how long what became of a mail stays on record.
    pub record_kept: Duration,
}

/// The outbox. Cheap to clone; one [`Outbox::run`] works it off.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    postman: Postman,
    relay: Option<Relay>,
    settings: OutboxSettings,
    withheld: Withheld,
    news: Arc<Notify>,
    /// Where mailboxes are, when they are not ours.
    front: Option<Arc<dyn Mailbox>>,
    users: Option<Arc<Users>>,
}

/// Whether a message that waits must not leave any more; asked in the transaction that lets it.
pub type Withheld = fn(&Tx<'_>, IdentityId, Timestamp) -> Result<bool, Error>;

/// How the outbox stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Mails that have a recipient who still waits.
    pub waiting: u64,
    /// How often a mail on record went out again although the relay may have had it already.
    pub maybe_twice: u64,
}

/// What became of a mail for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientState {
    /// The recipient.
    pub recipient: String,
    /// `waiting`, `offered`, `relayed`, `delivered`, `failed` or `withdrawn`.
    pub state: String,
    /// The latest words about it.
    pub reply: Option<String>,
    /// How often it went out again although the relay may have had it.
    pub maybe_twice: u32,
}

/// A mail that is due.
#[derive(Clone, Debug)]
struct Due {
    id: i64,
    user: UserId,
    sender: String,
    body: BodyHash,
    identity: IdentityId,
    submitted_at: Timestamp,
    attempts: u32,
    /// Somebody looked at it and said no.
    is_refused: bool,
}

/// What one attempt came to for one recipient.
#[derive(Clone, Debug)]
struct Outcome {
    recipient: String,
    offer: Offer,
}

/// What an attempt came to, ready to be written down.
struct Settlement {
    mail: Due,
    outcomes: Vec<Outcome>,
    next: Timestamp,
    is_more: bool,
    now: Timestamp,
}

impl Settlement {
    fn record(&self, tx: &Tx<'_>, store: &Embedded) -> Result<(), Error> {
        let (id, now) = (self.mail.id, self.now);
        let is_withheld = tx.one(tables::IS_WITHHELD, params![id], |_| Ok(()))?.is_some();
        for outcome in &self.outcomes {
            note_outcome(tx, id, outcome, is_withheld, now)?;
        }
        if tx.one(tables::IS_OPEN, params![id], |_| Ok(()))?.is_some() {
            let awaits = self.awaits();
            let is_attempt = !self.is_more && awaits != AWAITS_USER;
            tx.execute(tables::TRY_AGAIN, params![id, self.next, is_attempt, awaits]).map(drop)
        } else {
            finish(tx, store, id, self.mail.body, now)
        }
    }
}

impl Settlement {
    /// What its user's coming would change.
    fn awaits(&self) -> i64 {
        let awaits = |outcome: &Outcome| match outcome.offer {
            Offer::AwaitsUser => AWAITS_USER,
            Offer::NotSignedIn(_) => AWAITS_ANOTHER_CREDENTIAL,
            _ => 0,
        };
        self.outcomes.iter().map(awaits).find(|awaits| *awaits > 0).unwrap_or(0)
    }
}

impl Default for OutboxSettings {
    fn default() -> OutboxSettings {
        let minutes = [1, 5, 15, 30, 60];
        OutboxSettings {
            waits: minutes.map(|minutes| Duration::from_secs(60 * minutes)).to_vec(),
            give_up_after: Duration::from_secs(2 * 24 * 60 * 60),
            at_once: 4,
            record_kept: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

impl Outbox {
    /// An outbox. Without a relay only local recipients can be reached.
    pub fn new(postman: Postman, relay: Option<Relay>, settings: OutboxSettings) -> Outbox {
        let (withheld, news): (Withheld, _) = (|_, _, _| Ok(false), Arc::default());
        let (front, users) = (None, None);
        Outbox(Arc::new(Inner { postman, relay, settings, withheld, news, front, users }))
    }

    /// The same, which asks whether a mail may leave before it is offered.
    #[must_use]
    pub fn withheld_by(self, withheld: Withheld) -> Outbox {
        Outbox(Arc::new(Inner { withheld, ..(*self.0).clone() }))
    }

    /// The same, in front of mailboxes that are not ours: every recipient goes to the relay, and copies for Sent Items and Inbox are
    /// put there by that store.
    #[must_use]
    pub fn in_front_of(self, store: Arc<dyn Mailbox>) -> Outbox {
        Outbox(Arc::new(Inner { front: Some(store), ..(*self.0).clone() }))
    }

    /// The same, which knows what users have signed in with, for a relay that wants to see it, and hears when they come.
    #[must_use]
    pub fn for_users(self, ring: Keyring) -> Outbox {
        let users = Some(Arc::new(Users::new(ring)));
        Outbox(Arc::new(Inner { users, ..(*self.0).clone() }))
    }

    pub(super) fn front(&self) -> Option<&Arc<dyn Mailbox>> {
        self.0.front.as_ref()
    }

    pub(super) fn users(&self) -> Option<&Users> {
        self.0.users.as_deref()
    }

    pub(super) fn relay(&self) -> Option<&Relay> {
        self.0.relay.as_ref()
    }

    pub(crate) fn store(&self) -> &Embedded {
        self.0.postman.store()
    }

    pub(super) fn clock(&self) -> &Clock {
        self.0.postman.clock()
    }

    pub(super) fn hostname(&self) -> &str {
        self.0.postman.hostname()
    }

    pub(super) fn rules(&self) -> &Rules {
        self.0.postman.rules()
    }

    /// There is something to do.
    pub(super) fn wake(&self) {
        self.0.news.notify_one();
    }

    /// Works the outbox off until it is told to stop; begins with [`Outbox::recover`].
    pub async fn run(self, stop: watch::Receiver<bool>) {
        tokio::join!(self.send(stop.clone()), self.file(stop.clone()), self.welcome(stop));
    }

    async fn send(&self, mut stop: watch::Receiver<bool>) {
        if let Err(error) = self.recover().await {
            tracing::error!(%error, "the outbox could not be looked through");
        }
        let mut resumed = listen();
        while !*stop.borrow() {
            resumed.mark_unchanged();
            let pause = match self.run_due().await {
                Ok(Some(next)) => next.since(self.clock().now()).min(PAUSE_MAX),
                Ok(None) => PAUSE_MAX,
                Err(error) => {
                    tracing::error!(%error, "the outbox is stuck");
                    PAUSE_AFTER_ERROR
                }
            };
            tokio::select! {
                () = self.0.news.notified() => (),
                _ = resumed.changed() => (),
                () = tokio::time::sleep(pause) => (),
                changed = stop.changed() => if changed.is_err() { return },
            }
        }
    }

    /// For the start: what was being offered when the process died goes out again, and is counted. Gives how many that were.
    pub async fn recover(&self) -> Result<usize, MailboxError> {
        let now = self.clock().now();
        let job = move |tx: &Tx<'_>| tx.execute(tables::RECOVER_OFFERED, params![now]);
        let again = self.store().database().write(job).await?;
        if again > 0 {
            tracing::warn!(recipients = again, "mail goes out again that the relay may have taken");
        }
        Ok(again)
    }

    /// Does all that is due; gives when something is due next.
    pub async fn run_due(&self) -> Result<Option<Timestamp>, MailboxError> {
        loop {
            self.answer_for_the_absent().await;
            let now = self.clock().now();
            let (limit, longest) = (self.0.settings.at_once, now.after(self.longest_wait()));
            let job =
                move |tx: &Tx<'_>| tx.all(tables::DUE, params![now, limit, longest], read_due);
            let due: Vec<Due> = self.store().database().read(job).await?;
            if due.is_empty() {
                break;
            }
            let mut working = tokio::task::JoinSet::new();
            for batch in self.batches(due) {
                let this = self.clone();
                working.spawn(async move {
                    for mail in batch {
                        this.attempt_or_postpone(mail).await?;
                    }
                    Ok::<(), MailboxError>(())
                });
            }
            while let Some(done) = working.join_next().await {
                done.map_err(|error| MailboxError::Ours(error.to_string()))??;
            }
        }
        self.hold_credentials().await?;
        self.forget_old().await?;
        let next = |tx: &Tx<'_>| tx.one(tables::NEXT_DUE, params![], |row| row.get(0));
        Ok(self.store().database().read(next).await?)
    }

    /// How the outbox stands, for metrics.
    pub async fn counts(&self) -> Result<OutboxCounts, MailboxError> {
        let job = |tx: &Tx<'_>| {
            let waiting = tx.one(tables::COUNT_OPEN, params![], |row| row.get(0))?;
            let twice = tx.one(tables::COUNT_TWICE, params![], |row| row.get(0))?;
            Ok(OutboxCounts { waiting: waiting.unwrap_or(0), maybe_twice: twice.unwrap_or(0) })
        };
        let counts: Result<OutboxCounts, Error> = self.store().database().read(job).await;
        Ok(counts?)
    }

    /// What has become of a mail, recipient by recipient.
    pub async fn states(&self, mail: OutboxId) -> Result<Vec<RecipientState>, MailboxError> {
        let job = move |tx: &Tx<'_>| {
            tx.all(tables::LIST_RECIPIENTS, params![mail.0], |row| {
                Ok(RecipientState {
                    recipient: row.get(0)?,
                    state: row.get(1)?,
                    reply: row.get(2)?,
                    maybe_twice: row.get(3)?,
                })
            })
        };
        Ok(self.store().database().read(job).await?)
    }

    /// What is worked on side by side: all mail; of mail that is submitted as its user, one of each, so that a credential that is refused
    /// is refused once.
    fn batches(&self, due: Vec<Due>) -> impl Iterator<Item = Vec<Due>> + use<> {
        let is_for_users = self.0.relay.as_ref().is_some_and(Relay::is_for_users);
        let mut batches: BTreeMap<i64, Vec<Due>> = BTreeMap::new();
        for mail in due {
            let key = if is_for_users { mail.user.0 } else { mail.id };
            batches.entry(key).or_default().push(mail);
        }
        batches.into_values()
    }

    /// A mail that cannot be handled, its body damaged for instance, does not keep others waiting.
    async fn attempt_or_postpone(&self, mail: Due) -> Result<(), MailboxError> {
        let (id, wait) = (mail.id, self.wait(mail.attempts));
        let Err(error) = self.attempt(mail).await else { return Ok(()) };
        tracing::error!(%error, mail = id, "a mail could not be sent");
        let next = self.clock().now().after(wait);
        let job = move |tx: &Tx<'_>| {
            tx.execute(tables::TAKE_BACK_OFFERED, params![id])?;
            tx.execute(tables::TRY_AGAIN, params![id, next, 1, 0])
        };
        let postponed: Result<usize, Error> = self.store().database().write(job).await;
        Ok(postponed.map(drop)?)
    }

    /// One attempt at one mail: local recipients, then one offer to the relay, then what follows from both, in one commit.
    async fn attempt(&self, mail: Due) -> Result<(), MailboxError> {
        let raw = self.store().octets(mail.body).await?;
        let id = mail.id;
        let open = move |tx: &Tx<'_>| {
            tx.all(tables::OPEN_RECIPIENTS, params![id], |row| {
                Ok((row.get::<String>(0)?, row.get::<Option<UserId>>(1)?))
            })
        };
        let open = self.store().database().read(open).await?;
        if mail.is_refused {
            let outcomes = open.into_iter().map(|(recipient, _)| Outcome {
                recipient,
                offer: Offer::Refused(NOT_LET_GO.to_owned()),
            });
            return self.settle(mail, outcomes.collect(), false, &raw).await;
        }
        let mut outcomes = Vec::new();
        let mut abroad = Vec::new();
        for (recipient, local) in open {
            match local {
                Some(user) => outcomes.extend(self.deliver(&mail, user, &recipient, &raw).await?),
                None => abroad.push(recipient),
            }
        }
        let is_more = abroad.len() > RECIPIENTS_PER_OFFER;
        abroad.truncate(RECIPIENTS_PER_OFFER);
        outcomes.extend(self.offer(&mail, abroad, &raw).await?);
        self.settle(mail, outcomes, is_more, &raw).await
    }

    /// Delivers to one of our own, with the recipient's state in the same commit; gives what went wrong.
    async fn deliver(
        &self,
        mail: &Due,
        user: UserId,
        recipient: &str,
        raw: &Bytes,
    ) -> Result<Option<Outcome>, MailboxError> {
        let recipient = recipient.to_owned();
        let now = self.clock().now();
        let origin = Origin { sender: mail.sender.clone(), received: None };
        let addressed = self.0.postman.addressed(&recipient, raw, &origin, now);
        let identity = Identity::of_raw(raw);
        let (arrived, rules) = (Arrived::of(raw, &mail.sender), self.0.postman.rules().clone());
        let mut parcel = Parcel::of(raw, identity.clone());
        let (id, to) = (mail.id, recipient.clone());
        // Two addresses of one user are one Inbox.
        parcel.once = Some(format!("outbox:{id}:{user}"));
        let job = move |tx: &Tx<'_>, store: &Embedded, body| {
            if directory::user(tx, user)?.is_none_or(|user| user.disabled) {
                return Ok(false);
            }
            let done = params![id, &to, "delivered", None::<&str>, 0, now];
            if tx.execute(tables::SET_RECIPIENT, done)? > 0 {
                put_in(tx, store, user, body, &parcel, now)?;
                away::owe(tx, &rules, user, &arrived, &identity, now)?;
            }
            failpoint!("outbox.local_before_commit");
            Ok(true)
        };
        let delivered = match self.store().keep(addressed).await {
            Ok(kept) => self.store().write_with(kept, job).await,
            Err(error) => Err(error),
        };
        failpoint!("outbox.local_after_commit");
        let offer = match delivered {
            Ok(true) => return Ok(None),
            Ok(false) => Offer::Refused("5.2.1 the mailbox is disabled".to_owned()),
            Err(MailboxError::Full) => {
                Offer::Later("4.2.2 the mailbox or the disk is full".to_owned())
            }
            Err(MailboxError::TooLarge) => Offer::Refused("5.3.4 the mail is too large".to_owned()),
            Err(error) => return Err(error),
        };
        Ok(Some(Outcome { recipient, offer }))
    }

    /// Offers to the relay; that we are about to is committed first.
    async fn offer(
        &self,
        mail: &Due,
        recipients: Vec<String>,
        raw: &[u8],
    ) -> Result<Vec<Outcome>, MailboxError> {
        if recipients.is_empty() {
            return Ok(Vec::new());
        }
        let Some(relay) = &self.0.relay else {
            let offer = Offer::Refused("5.4.4 this server sends no mail to other hosts".to_owned());
            let refused = |recipient| Outcome { recipient, offer: offer.clone() };
            return Ok(recipients.into_iter().map(refused).collect());
        };
        let (id, now) = (mail.id, self.clock().now());
        let users = self.users().filter(|_| relay.is_for_users());
        let whose = match users.map(|users| users.credential(mail.user, now)) {
            Some(Err(offer)) => {
                let waits = |recipient| Outcome { recipient, offer: offer.clone() };
                return Ok(recipients.into_iter().map(waits).collect());
            }
            whose => whose.and_then(Result::ok),
        };
        let named = recipients.clone();
        let (identity, withheld) = (mail.identity, self.0.withheld);
        // Whoever was withdrawn meanwhile is not offered.
        let mark = move |tx: &Tx<'_>| {
            let mut offered = Vec::new();
            if withheld(tx, identity, now)? {
                tx.execute(tables::WITHDRAW, params![id, now])?;
                tx.execute(tables::WITHHOLD, params![id])?;
                return Ok(offered);
            }
            for recipient in &named {
                if tx.execute(tables::SET_OFFERED, params![id, recipient, now])? > 0 {
                    offered.push(recipient.clone());
                }
            }
            Ok::<_, Error>(offered)
        };
        let offered = self.store().database().write(mark).await?;
        if offered.is_empty() {
            return Ok(Vec::new());
        }
        failpoint!("outbox.before_relay");
        let offers = relay.offer(whose.as_ref(), &mail.sender, &offered, raw).await;
        if let (Some(users), Some(credential)) = (users, &whose) {
            users.tried(mail.user, credential, &offers, now);
        }
        failpoint!("outbox.after_relay");
        let outcome = |(recipient, offer)| Outcome { recipient, offer };
        Ok(offered.into_iter().zip(offers).map(outcome).collect())
    }

    /// Writes down what an attempt came to, tells the sender what failed for good, and sets the next attempt: one commit.
    async fn settle(
        &self,
        mail: Due,
        outcomes: Vec<Outcome>,
        is_more: bool,
        raw: &[u8],
    ) -> Result<(), MailboxError> {
        let now = self.clock().now();
        let is_late = now.since(mail.submitted_at) >= self.0.settings.give_up_after;
        let outcomes: Vec<Outcome> =
            outcomes.into_iter().map(|outcome| given_up(outcome, is_late)).collect();
        let failures: Vec<Failure> = outcomes.iter().filter_map(failure).collect();
        let note = self.note(&mail, &failures, raw, now).await;
        let (user, wait) = (mail.user, self.wait(mail.attempts));
        let mut settlement = Settlement { mail, outcomes, next: now.after(wait), is_more, now };
        let awaits = settlement.awaits();
        if awaits == AWAITS_USER {
            settlement.next = now.after(self.longest_wait());
        } else if is_more {
            settlement.next = now;
        }
        self.write_down(Arc::new(settlement), note).await?;
        if awaits == AWAITS_USER { self.look_again_for(user).await } else { Ok(()) }
    }

    async fn write_down(
        &self,
        settlement: Arc<Settlement>,
        note: Option<(Kept, Parcel)>,
    ) -> Result<(), MailboxError> {
        let is_front = self.front().is_some();
        if let Some((kept, parcel)) = note {
            let what = Arc::clone(&settlement);
            let with_note = move |tx: &Tx<'_>, store: &Embedded, body| {
                what.record(tx, store)?;
                let (user, now) = (what.mail.user, what.now);
                match &parcel.once {
                    Some(token) if is_front => {
                        let copy = (body, &parcel.identity);
                        Ok(filing::owe(tx, user, To::Inbox, token, copy, now)?)
                    }
                    _ => put_in(tx, store, user, body, &parcel, now).map(drop),
                }
            };
            match self.store().write_with(kept, with_note).await {
                // What the relay took must be on record whether there is room for the note or not.
                Err(MailboxError::Full) => tracing::warn!("no room to tell a sender of a failure"),
                other => return other,
            }
        }
        let store = self.store().clone();
        let job = move |tx: &Tx<'_>| settlement.record(tx, &store);
        let settled: Result<(), Error> = self.store().database().write(job).await;
        failpoint!("outbox.after_commit");
        Ok(settled?)
    }

    /// The note about failures, kept, with its identity and its token; none without failures or a sender, or without room.
    async fn note(
        &self,
        mail: &Due,
        failures: &[Failure],
        raw: &[u8],
        now: Timestamp,
    ) -> Option<(Kept, Parcel)> {
        if failures.is_empty() || mail.sender.is_empty() {
            return None;
        }
        let token = format!("undelivered.{}.{}.{}", mail.id, mail.attempts, now.ms());
        let hostname = self.0.postman.hostname();
        let note = bounce::note(hostname, &mail.sender, failures, raw, &token, now);
        let identity = Identity::of_raw(&note);
        match self.store().keep(note.into()).await {
            Ok(kept) => Some((kept, Parcel { identity, conversation: None, once: Some(token) })),
            Err(error) => {
                tracing::warn!(%error, "a sender cannot be told of a failure");
                None
            }
        }
    }

    /// No mail waits longer than this from one attempt to the next.
    fn longest_wait(&self) -> Duration {
        self.0.settings.waits.iter().copied().max().unwrap_or(PAUSE_MAX)
    }

    fn wait(&self, attempts: u32) -> Duration {
        let waits = &self.0.settings.waits;
        let index =
            usize::try_from(attempts).unwrap_or(usize::MAX).min(waits.len().saturating_sub(1));
        waits.get(index).copied().unwrap_or(PAUSE_MAX)
    }

    /// Drops the records of mail that was done long ago, a few at a time.
    async fn forget_old(&self) -> Result<(), MailboxError> {
        let before = self.clock().now().before(self.0.settings.record_kept);
        let job = move |tx: &Tx<'_>| {
            let old: Vec<i64> =
                tx.all(tables::OLD_DONE, params![before, FORGET_ROWS], |row| row.get(0))?;
            for id in old {
                tx.execute(tables::DELETE_RECIPIENTS, params![id])?;
                tx.execute(tables::DELETE_OUTBOX, params![id])?;
            }
            Ok::<(), Error>(())
        };
        Ok(self.store().database().write(job).await?)
    }
}

/// Every recipient has a final state: the body is no longer needed here.
pub(super) fn finish(
    tx: &Tx<'_>,
    store: &Embedded,
    id: i64,
    body: BodyHash,
    now: Timestamp,
) -> Result<(), Error> {
    // A cancelled order sends it after all.
    if tx.execute(tables::PARK, params![id])? > 0 {
        return Ok(());
    }
    // A withdrawal may have been first.
    if tx.execute(tables::DONE, params![id, now])? > 0 {
        release(tx, store, body, Holder::Outbox)?;
    }
    Ok(())
}

fn note_outcome(
    tx: &Tx<'_>,
    id: i64,
    outcome: &Outcome,
    is_withheld: bool,
    now: Timestamp,
) -> Result<(), Error> {
    // A recall came while the relay was asked: there is no second time.
    let again = if is_withheld { "withdrawn" } else { "waiting" };
    let (state, reply, twice) = match &outcome.offer {
        Offer::Taken(reply) => ("relayed", reply.as_str(), 0),
        Offer::Later(reply) | Offer::NotSignedIn(reply) => (again, reply.as_str(), 0),
        Offer::AwaitsUser => (again, FOR_ITS_USER, 0),
        Offer::Refused(reply) => ("failed", reply.as_str(), 0),
        Offer::Unknown(reply) => (again, reply.as_str(), 1),
    };
    let row = params![id, &outcome.recipient, state, reply, twice, now];
    tx.execute(tables::SET_RECIPIENT, row).map(drop)
}

/// What has waited too long has failed.
fn given_up(outcome: Outcome, is_late: bool) -> Outcome {
    let offer = match outcome.offer {
        Offer::Later(why) | Offer::NotSignedIn(why) | Offer::Unknown(why) if is_late => {
            Offer::Refused(format!("4.4.7 given up: {why}"))
        }
        other => other,
    };
    Outcome { offer, ..outcome }
}

fn failure(outcome: &Outcome) -> Option<Failure> {
    let Offer::Refused(why) = &outcome.offer else { return None };
    let (recipient, status) = (outcome.recipient.clone(), bounce::status_of(why));
    Some(Failure { recipient, why: why.clone(), status })
}

fn read_due(row: &crate::database::Row<'_>) -> Result<Due, Error> {
    Ok(Due {
        id: row.get(0)?,
        user: row.get(1)?,
        sender: row.get(2)?,
        body: row.get(3)?,
        submitted_at: row.get(5)?,
        attempts: row.get(6)?,
        is_refused: row.get::<i64>(7)? == REFUSED,
        identity: row.get(8)?,
    })
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbox")
    }
}

/// Tells whoever works an outbox off that a transaction has made something due.
pub(super) fn work() {
    WORK.send_modify(|count| *count = count.wrapping_add(1));
}

/// Hears of it.
pub(super) fn listen() -> watch::Receiver<u64> {
    WORK.subscribe()
}

/// One bell for the whole process: a needless look does no harm.
static WORK: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

/// `awaits_user` of a mail that nobody is there to submit as.
const AWAITS_USER: i64 = 1;
/// `awaits_user` of a mail whose user's credential was refused.
const AWAITS_ANOTHER_CREDENTIAL: i64 = 2;
/// What stands in the books meanwhile.
const FOR_ITS_USER: &str = "it waits for its sender to sign in";
/// `held` of a mail that was looked at and refused.
const REFUSED: i64 = 3;
/// What its sender is told.
const NOT_LET_GO: &str = "5.7.1 it carries a message that has been recalled";
/// So that a clock that is set does not leave mail waiting for long.
const PAUSE_MAX: Duration = Duration::from_secs(60);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(10);
const RECIPIENTS_PER_OFFER: usize = 100;
const FORGET_ROWS: usize = 50;
