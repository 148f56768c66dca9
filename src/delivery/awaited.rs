//! Mail that is submitted as the user whose mail it is: it needs what they signed in with, and waits for them where that is not here.
//!
//! - **The user sees no error:** the mail is in the outbox, and leaves when they come ([`Keyring::subscribe`]), however late that is.
//! - **A credential that was refused is not tried again and again:** not within [`LOGIN_PAUSE`], by whichever mail of the user's; another
//!   credential is tried at once.
//! - While mail of theirs is under way, their credential is held.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::outbox::Outbox;
use super::relay::Offer;
use super::tables;
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::UserId;
use crate::keyring::{Credential, Held, Keyring};
use crate::mailbox::MailboxError;
use crate::params;

/// The credentials mail is submitted with.
pub(super) struct Users {
    ring: Keyring,
    held: Mutex<HashMap<UserId, Held>>,
    refused: Mutex<HashMap<UserId, Refusal>>,
    /// Tells credentials apart without keeping them.
    marks: RandomState,
}

/// A credential that the service did not accept.
struct Refusal {
    mark: u64,
    until: Timestamp,
    why: String,
}

impl Users {
    pub(super) fn new(ring: Keyring) -> Users {
        let (held, refused) = (Mutex::default(), Mutex::default());
        Users { ring, held, refused, marks: RandomState::new() }
    }

    /// What to submit a user's mail with, or why it cannot be.
    pub(super) fn credential(&self, user: UserId, now: Timestamp) -> Result<Credential, Offer> {
        let credential = self.ring.of(user).ok_or(Offer::AwaitsUser)?;
        let refused = self.refused.lock();
        match refused.get(&user) {
            Some(refusal) if refusal.until > now && refusal.mark == self.mark(&credential) => {
                Err(Offer::NotSignedIn(refusal.why.clone()))
            }
            _ => Ok(credential),
        }
    }

    /// What the service said of a credential.
    pub(super) fn tried(
        &self,
        user: UserId,
        credential: &Credential,
        offers: &[Offer],
        now: Timestamp,
    ) {
        let mut refused = self.refused.lock();
        let Some(Offer::NotSignedIn(why)) = offers.first() else {
            refused.remove(&user);
            return;
        };
        tracing::warn!(%user, %why, "the relay does not accept what a user signed in with");
        refused.retain(|_, refusal| refusal.until > now);
        let (mark, until) = (self.mark(credential), now.after(LOGIN_PAUSE));
        refused.insert(user, Refusal { mark, until, why: why.clone() });
    }

    fn mark(&self, credential: &Credential) -> u64 {
        self.marks.hash_one((&credential.login, credential.secret.reveal()))
    }

    fn hold_all(&self, users: &[UserId]) {
        let users: HashSet<UserId> = users.iter().copied().collect();
        let mut held = self.held.lock();
        held.retain(|user, _| users.contains(user));
        for user in users {
            held.entry(user).or_insert_with(|| self.ring.hold(user));
        }
    }
}

impl Outbox {
    /// Sets what waits for a user going when the user comes, until it is told to stop.
    pub(super) async fn welcome(&self, mut stop: watch::Receiver<bool>) {
        let Some(users) = self.users() else { return };
        let mut came = users.ring.subscribe();
        let mut look = self.welcome_all().await;
        while !*stop.borrow() {
            if let Err(error) = look {
                tracing::error!(%error, "mail that waits for its user cannot be set going");
            }
            look = tokio::select! {
                user = came.recv() => match user {
                    Ok(user) => self.welcome_one(user).await,
                    Err(RecvError::Lagged(_)) => self.welcome_all().await,
                    Err(RecvError::Closed) => return,
                },
                changed = stop.changed() => if changed.is_err() { return } else { Ok(()) },
            };
        }
    }

    /// Whoever is here of those something waits for.
    pub(super) async fn welcome_all(&self) -> Result<(), MailboxError> {
        let Some(users) = self.users() else { return Ok(()) };
        let job = |tx: &Tx<'_>| tx.all(tables::AWAITED, params![], |row| row.get(0));
        let awaited: Result<Vec<UserId>, Error> = self.store().database().read(job).await;
        for user in awaited? {
            if users.ring.knows(user) {
                self.welcome_one(user).await?;
            }
        }
        Ok(())
    }

    /// What waits for this user is due.
    pub(super) async fn welcome_one(&self, user: UserId) -> Result<(), MailboxError> {
        let asked = move |tx: &Tx<'_>| tx.one(tables::IS_AWAITED, params![user], |_| Ok(()));
        let is_awaited: Result<Option<()>, Error> = self.store().database().read(asked).await;
        if is_awaited?.is_none() {
            return Ok(());
        }
        let now = self.clock().now();
        let job = move |tx: &Tx<'_>| {
            tx.execute(tables::USER_IS_BACK, params![user, now])?;
            tx.execute(tables::FILINGS_OF_USER_ARE_DUE, params![user, now])?;
            tx.on_commit(super::outbox::work);
            Ok::<(), Error>(())
        };
        Ok(self.store().database().write(job).await?)
    }

    /// A mail has been left to wait for its user, who may have come in between.
    pub(super) async fn look_again_for(&self, user: UserId) -> Result<(), MailboxError> {
        match self.users() {
            Some(users) if users.ring.knows(user) => self.welcome_one(user).await,
            _ => Ok(()),
        }
    }

    /// Keeps the credentials of those whose mail is under way, and lets go of the others.
    pub(super) async fn hold_credentials(&self) -> Result<(), MailboxError> {
        let Some(users) = self.users() else { return Ok(()) };
        let job =
            |tx: &Tx<'_>| tx.all(tables::UNDER_WAY, params![HELD_MAX], |row| row.get::<UserId>(0));
        let under_way: Result<Vec<UserId>, Error> = self.store().database().read(job).await;
        users.hold_all(&under_way?);
        Ok(())
    }
}

/// How long a credential that the service refused is not tried again.
const LOGIN_PAUSE: Duration = Duration::from_secs(15 * 60);
/// Users whose credentials are held because mail of theirs is under way.
const HELD_MAX: usize = 10_000;
