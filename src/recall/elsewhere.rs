//! Carrying an order out in mailboxes that lie on another server: find, seal, remove, put back, each step durable before the next.
//!
//! A copy goes: octets in the vault and its seal committed, then removed there, then its row buried. Whatever a crash cuts off is taken
//! up where the books say it stands: a sealed copy is not sealed again, one that is gone there is done, one that may have been put
//! back is looked for before it is put back. The fence needs none of this and holds all the time.
//!
//! Each mailbox has at most one of each [`Kind`] of task, so many mailboxes at a time; a slow one holds up itself and no other.
//! What cannot be done now is put off with its reason, and tried at once when the owner's phone signs in.

pub(super) mod tables;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::reason::ReasonCode;
use super::run::back_off;
use super::tables::{self as books, PairRow, Work};
use super::{Recall, RecallError, cover, retraction, vault};
use crate::database::Tx;
use crate::failpoint;
use crate::ids::{IdentityId, ItemNumber, MailboxId, OrderId, UserId};
use crate::ledger;
use crate::mailbox::embedded::in_tx::RemovedCopy;
use crate::mailbox::embedded::{in_tx, mirrored};
use crate::mailbox::{Copy, Elsewhere, MailboxError};
use crate::message::{self, Identity};

/// What a task does in a mailbox, or for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Takes copies out and puts them back.
    Take,
    /// Looks for copies.
    Look,
    /// Reads who else an order's message went to.
    List,
}

/// Which tasks are under way, and how many may be.
#[derive(Clone)]
pub(super) struct Crew(Arc<Inner>);

struct Inner {
    busy: Mutex<HashSet<(Kind, i64)>>,
    taking: Semaphore,
    looking: Semaphore,
}

/// This task is the one; when it ends the worker looks again.
struct Claim {
    crew: Crew,
    key: (Kind, i64),
}

impl Default for Crew {
    fn default() -> Crew {
        let busy = Mutex::default();
        let (taking, looking) = (Semaphore::new(TAKING_MAX), Semaphore::new(LOOKING_MAX));
        Crew(Arc::new(Inner { busy, taking, looking }))
    }
}

impl Crew {
    fn claim(&self, kind: Kind, of: i64) -> Option<Claim> {
        let key = (kind, of);
        let is_free = self.0.busy.lock().insert(key);
        is_free.then(|| Claim { crew: self.clone(), key })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.crew.0.busy.lock().remove(&self.key);
        if self.key.0 != Kind::List {
            super::work();
        }
    }
}

impl Recall {
    /// Begins everything that is due in mailboxes elsewhere; gives how many mailboxes that are.
    pub(super) async fn begin_elsewhere(
        &self,
        tasks: &mut JoinSet<()>,
    ) -> Result<usize, RecallError> {
        let Some(at) = self.rooms.elsewhere.clone() else { return Ok(0) };
        for order in self.db.read(tables::orders_to_spread).await? {
            self.db.write_first(move |tx| tables::spread(tx, order)).await?;
        }
        let now = self.clock.now();
        let (due, looks, unlisted) = self
            .db
            .read(move |tx| {
                let due = tables::mailboxes_due(tx, now)?;
                Ok::<_, RecallError>((
                    due,
                    tables::mailboxes_to_look(tx, now)?,
                    books::orders_unlisted(tx)?,
                ))
            })
            .await?;
        let mut begun = 0;
        for mailbox in due {
            let Some(claim) = self.crew.claim(Kind::Take, mailbox.0) else { continue };
            let (this, at) = (self.clone(), Arc::clone(&at));
            begun += 1;
            tasks.spawn(async move {
                let _turn = this.crew.0.taking.acquire().await;
                this.take_turn(&*at, mailbox).await;
                drop(claim);
            });
        }
        for mailbox in looks {
            let Some(claim) = self.crew.claim(Kind::Look, mailbox.0) else { continue };
            let (this, at) = (self.clone(), Arc::clone(&at));
            begun += 1;
            tasks.spawn(async move {
                let _turn = this.crew.0.looking.acquire().await;
                this.look_turn(&*at, mailbox).await;
                drop(claim);
            });
        }
        for order in unlisted {
            let Some(claim) = self.crew.claim(Kind::List, order.0) else { continue };
            let this = self.clone();
            tasks.spawn(async move {
                let _turn = this.crew.0.looking.acquire().await;
                if let Err(error) = this.list_one(order).await {
                    tracing::warn!(order = order.0, %error, "who is outside could not be listed");
                }
                drop(claim);
            });
        }
        Ok(begun)
    }

    /// The owner has come; `None`: some may have.
    pub(super) async fn owner_came(&self, user: Option<UserId>) -> Result<(), RecallError> {
        let mailbox = user.map(|user| MailboxId(user.0));
        self.db.write_first(move |tx| tables::try_again(tx, mailbox)).await?;
        Ok(())
    }

    /// Everything of pairs that is due in one mailbox, one pair after the other.
    async fn take_turn(&self, at: &dyn Elsewhere, mailbox: MailboxId) {
        loop {
            let now = self.clock.now();
            let pairs = match self.db.read(move |tx| books::pairs_in(tx, mailbox, now)).await {
                Ok(pairs) if pairs.is_empty() => return,
                Ok(pairs) => pairs,
                Err(error) => return tracing::error!(%mailbox, %error, "recall cannot go on"),
            };
            for pair in pairs {
                let done = match pair.work() {
                    Some(Work::Restore) => self.put_back_there(at, pair).await,
                    _ => self.take_out_there(at, pair).await,
                };
                let Err(error) = done else { continue };
                let why = hindrance(at, mailbox, &error);
                tracing::warn!(%mailbox, %error, code = why.text(), "put off");
                if let Err(error) = self.put_off(pair, why).await {
                    return tracing::error!(%mailbox, %error, "recall cannot go on");
                }
            }
        }
    }

    async fn put_off(&self, pair: PairRow, why: ReasonCode) -> Result<(), RecallError> {
        let clock = self.clock.clone();
        self.db
            .write_first(move |tx| {
                tx.on_commit(super::changed);
                let until = clock.now().after(back_off(pair.tries));
                Ok::<_, RecallError>(books::put_off(tx, &pair, until, Some(why))?)
            })
            .await
    }

    /// Seals and removes every copy of the pair's message in its mailbox.
    async fn take_out_there(&self, at: &dyn Elsewhere, pair: PairRow) -> Result<(), RecallError> {
        for _ in 0..ROUNDS_MAX {
            let copies =
                self.db.read(move |tx| in_tx::copies_in(tx, pair.identity, pair.mailbox)).await?;
            let (mut is_less, mut failed) = (copies.is_empty(), None);
            for copy in &copies {
                match self.take_copy(at, pair, *copy).await {
                    Ok(true) => is_less = true,
                    // Cancelled meanwhile: what is sealed is put back.
                    Ok(false) => return Ok(()),
                    // One that cannot go alone may do after another has gone.
                    Err(error) => failed = Some(error),
                }
            }
            if let Some(error) = failed {
                match is_less {
                    true => continue,
                    false => return Err(error),
                }
            }
            if self.close(pair).await? {
                return Ok(());
            }
        }
        Err(MailboxError::Down("copies keep coming".to_owned()).into())
    }

    /// One copy; false when no order covers it any more.
    async fn take_copy(
        &self,
        at: &dyn Elsewhere,
        pair: PairRow,
        copy: Copy,
    ) -> Result<bool, RecallError> {
        let state = self.db.read(move |tx| {
            let is_mirrored = match mirrored::is_mirrored(tx, copy.folder, copy.item) {
                Err(MailboxError::NoSuchItem) => return Ok::<_, RecallError>(None),
                other => other?,
            };
            Ok(Some((is_mirrored, tables::is_sealed(tx, copy.folder, copy.item)?)))
        });
        let is_covered = match state.await? {
            None => return Ok(true),
            Some((false, _)) => return self.take_ours(pair, copy).await,
            Some((true, true)) => self.resume_removal(copy).await?,
            Some((true, false)) => match self.keep_copy(at, pair, copy).await? {
                Some(is_covered) => is_covered,
                None => return Ok(true),
            },
        };
        failpoint!("recall.copy_kept");
        if !is_covered {
            return Ok(false);
        }
        if let Err(error) = at.remove_for_good(copy.folder, copy.item).await {
            if matches!(error, MailboxError::NotAllowed(_)) {
                let place = (copy.folder, copy.item);
                self.db.write_first(move |tx| tables::set_removing(tx, place, None)).await?;
            }
            return Err(error.into());
        }
        failpoint!("recall.copy_removed");
        Ok(true)
    }

    /// A copy whose octets are ours after all: sealed and removed in one transaction.
    async fn take_ours(&self, pair: PairRow, copy: Copy) -> Result<bool, RecallError> {
        let (rooms, clock) = (self.rooms.clone(), self.clock.clone());
        self.db
            .write_first(move |tx| {
                if books::fenced(tx, pair.identity, pair.mailbox)?.is_none() {
                    return Ok(false);
                }
                vault::seal(tx, &rooms, &pair, &copy, clock.now())?;
                vault::note_sealed(tx, pair.order, &copy, clock.now())?;
                Ok(true)
            })
            .await
    }

    async fn resume_removal(&self, copy: Copy) -> Result<bool, RecallError> {
        let clock = self.clock.clone();
        self.db
            .write_first(move |tx| {
                let is_covered = books::fenced(tx, copy.identity, copy.mailbox)?.is_some();
                if is_covered {
                    let place = (copy.folder, copy.item);
                    tables::set_removing(tx, place, Some(clock.now()))?;
                }
                Ok(is_covered)
            })
            .await
    }

    /// The octets into the vault, then the seal. `None` where the copy is not there any more; false where nothing covers it.
    async fn keep_copy(
        &self,
        at: &dyn Elsewhere,
        pair: PairRow,
        copy: Copy,
    ) -> Result<Option<bool>, RecallError> {
        let original = match at.original(copy.folder, copy.item).await {
            Ok(original) => original,
            // Moved or deleted by somebody else; where it was moved to, a look meets it as a new one.
            Err(MailboxError::NoSuchItem | MailboxError::NoSuchFolder) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let store = &self.rooms.store;
        let kept = store.keep(original.octets).await?;
        let (marks, clock) = (original.marks, self.clock.clone());
        let sealed = store
            .write_with(kept, move |tx, _, body| {
                if books::fenced(tx, copy.identity, copy.mailbox)?.is_none() {
                    return Ok(Some(false));
                }
                if !in_tx::is_live(tx, copy.folder, copy.item)? {
                    return Ok(None);
                }
                if !tables::is_sealed(tx, copy.folder, copy.item)? {
                    let removed = mirrored::keep(tx, copy.folder, copy.item, body, &marks)?;
                    super::vault::tables::seal(tx, &removed, pair.order, clock.now())?;
                    vault::note_sealed(tx, pair.order, &copy, clock.now())?;
                }
                Ok(Some(true))
            })
            .await?;
        Ok(sealed)
    }

    /// The pair is done, unless another copy has come. A seal whose copy somebody else removed before we did is void: what they moved
    /// is sealed where it went, and what they deleted is theirs to delete.
    async fn close(&self, pair: PairRow) -> Result<bool, RecallError> {
        let rooms = self.rooms.clone();
        self.db
            .write_first(move |tx| {
                if !in_tx::copies_in(tx, pair.identity, pair.mailbox)?.is_empty() {
                    return Ok(false);
                }
                for sealed in super::vault::tables::sealed(tx, pair.identity, pair.mailbox)? {
                    if !tables::is_removing(tx, &sealed)? {
                        tables::drop_seal(tx, &sealed)?;
                        in_tx::forget(tx, &rooms.store, sealed.body.hash)?;
                    }
                }
                books::step_from(tx, &pair, Work::Remove, Work::Done)?;
                tx.on_commit(super::changed);
                Ok::<_, RecallError>(true)
            })
            .await
    }

    /// Everything of the pair's message goes back: what lies there still under a new number, what was removed by appending it.
    async fn put_back_there(&self, at: &dyn Elsewhere, pair: PairRow) -> Result<(), RecallError> {
        let (identity, mailbox) = (pair.identity, pair.mailbox);
        let is_fenced =
            self.db.read(move |tx| books::fenced(tx, identity, mailbox)).await?.is_some();
        if !is_fenced {
            for copy in self.db.read(move |tx| in_tx::copies_in(tx, identity, mailbox)).await? {
                self.show_again(at, pair, copy).await?;
            }
            for sealed in
                self.db.read(move |tx| super::vault::tables::sealed(tx, identity, mailbox)).await?
            {
                self.return_copy(at, pair, Arc::new(sealed)).await?;
            }
            failpoint!("recall.copies_restored");
        }
        let clock = self.clock.clone();
        self.db
            .write_first(move |tx| {
                books::step_from(tx, &pair, Work::Restore, Work::Restored)?;
                retraction::cancelled(tx, pair.order, identity, mailbox, clock.now())?;
                tx.on_commit(super::changed);
                Ok(())
            })
            .await
    }

    /// A copy that was never removed: phones may have let go of it, so it gets another number.
    async fn show_again(
        &self,
        at: &dyn Elsewhere,
        pair: PairRow,
        copy: Copy,
    ) -> Result<(), RecallError> {
        let sealed = self.sealed_at(copy).await?;
        if let Some(sealed) = &sealed {
            let marks = sealed.marks.clone().unwrap_or_default();
            at.keep_after_all(copy.folder, copy.item, marks).await?;
        }
        let Some(elsewhere) = self.rooms.elsewhere.clone() else { return Ok(()) };
        let (rooms, clock) = (self.rooms.clone(), self.clock.clone());
        self.db
            .write_first(move |tx| {
                let now = clock.now();
                if !in_tx::is_live(tx, copy.folder, copy.item)? {
                    return Ok(());
                }
                if !mirrored::is_mirrored(tx, copy.folder, copy.item)? {
                    return vault::seal(tx, &rooms, &pair, &copy, now);
                }
                let new = elsewhere.renumber(tx, &rooms.store, copy.folder, copy.item)?;
                match &sealed {
                    Some(sealed) => restored(tx, &rooms, &pair, sealed, new, now),
                    None => Ok(()),
                }
            })
            .await
    }

    async fn sealed_at(&self, copy: Copy) -> Result<Option<RemovedCopy>, RecallError> {
        let sealed = self
            .db
            .read(move |tx| super::vault::tables::sealed(tx, copy.identity, copy.mailbox))
            .await?;
        let is_it = |one: &RemovedCopy| (one.folder, one.item) == (copy.folder, copy.item);
        Ok(sealed.into_iter().find(is_it))
    }

    async fn return_copy(
        &self,
        at: &dyn Elsewhere,
        pair: PairRow,
        sealed: Arc<RemovedCopy>,
    ) -> Result<(), RecallError> {
        let (rooms, clock) = (self.rooms.clone(), self.clock.clone());
        if sealed.marks.is_none() {
            return self
                .db
                .write_first(move |tx| {
                    let to = in_tx::restore(tx, &rooms.store, &sealed)?;
                    super::vault::tables::unseal(tx, &sealed, (to.folder, to.item), clock.now())?;
                    vault::note_restored(tx, &pair, &to, clock.now())?;
                    Ok(())
                })
                .await;
        }
        let one = Arc::clone(&sealed);
        let left = move |tx: &Tx<'_>| {
            let is_void = !tables::is_removing(tx, &one)?;
            if is_void {
                tables::drop_seal(tx, &one)?;
                in_tx::forget(tx, &rooms.store, one.body.hash)?;
            }
            Ok::<_, RecallError>(is_void)
        };
        if self.db.write_first(left).await? {
            return Ok(());
        }
        let (to, first) = self.returns_to(at, &sealed).await?;
        let octets = self.rooms.store.octets(sealed.body.hash).await?;
        failpoint!("recall.copy_returning");
        let new = match at.put_back(Arc::clone(&sealed), to, first, octets).await {
            Ok(new) => new,
            Err(error) => {
                if matches!(error, MailboxError::NoSuchFolder | MailboxError::NotAllowed(_)) {
                    let gone = Arc::clone(&sealed);
                    self.db.write_first(move |tx| tables::set_returning(tx, &gone, None)).await?;
                }
                return Err(error.into());
            }
        };
        failpoint!("recall.copy_returned");
        let rooms = self.rooms.clone();
        self.db.write_first(move |tx| restored(tx, &rooms, &pair, &sealed, new, clock.now())).await
    }

    /// Where a sealed copy goes, and the first number it can have there, written down before it goes.
    async fn returns_to(
        &self,
        at: &dyn Elsewhere,
        sealed: &Arc<RemovedCopy>,
    ) -> Result<(crate::ids::FolderId, ItemNumber), RecallError> {
        let one = Arc::clone(sealed);
        if let Some(known) = self.db.read(move |tx| tables::returning(tx, &one)).await? {
            return Ok(known);
        }
        let to = at.place_for(Arc::clone(sealed)).await?;
        let one = Arc::clone(sealed);
        self.db
            .write_first(move |tx| {
                let first = in_tx::next_item(tx, to)?;
                tables::set_returning(tx, &one, Some((to, first)))?;
                Ok((to, first))
            })
            .await
    }

    /// Looks into a mailbox for every order that has not, or not for [`LOOK_PERIOD`].
    async fn look_turn(&self, at: &dyn Elsewhere, mailbox: MailboxId) {
        let now = self.clock.now();
        let lookups = match self.db.read(move |tx| tables::lookups_due(tx, mailbox, now)).await {
            Ok(lookups) => lookups,
            Err(error) => return tracing::error!(%mailbox, %error, "recall cannot look"),
        };
        let looked = self.look(at, mailbox, &lookups).await;
        let why = looked.as_ref().err().map(|error| {
            tracing::info!(%mailbox, %error, "a mailbox could not be looked into");
            hindrance(at, mailbox, error)
        });
        let clock = self.clock.clone();
        let written = self.db.write_first(move |tx| {
            let now = clock.now();
            for one in &lookups {
                let (order, pause) = (one.order, back_off(one.tries));
                match why {
                    None => tables::looked(tx, order, mailbox, now, now.after(LOOK_PERIOD))?,
                    Some(why) => tables::look_later(tx, order, mailbox, now.after(pause), why)?,
                }
            }
            tx.on_commit(super::changed);
            Ok::<_, RecallError>(())
        });
        if let Err(error) = written.await {
            tracing::error!(%mailbox, %error, "a look could not be written down");
        }
    }

    async fn look(
        &self,
        at: &dyn Elsewhere,
        mailbox: MailboxId,
        lookups: &[tables::Lookup],
    ) -> Result<(), RecallError> {
        if !at.has_access(mailbox) {
            return Err(MailboxError::Down("the owner is not here".to_owned()).into());
        }
        let ids: HashSet<String> = lookups.iter().map(|one| one.message_id.clone()).collect();
        at.look_for(mailbox, ids.into_iter().collect()).await?;
        for one in lookups.iter().filter(|one| one.is_exact) {
            self.identify(at, mailbox, one.message_id.clone(), true).await?;
        }
        Ok(())
    }

    /// Reads what bears the Message-ID in a mailbox and has never been read, so that an order for single bodies can tell which it is.
    /// What turns out to be another message is withheld no more: it gets a number that phones have not passed over.
    async fn identify(
        &self,
        at: &dyn Elsewhere,
        mailbox: MailboxId,
        message_id: String,
        was_withheld: bool,
    ) -> Result<(), RecallError> {
        let unread = self.db.read(move |tx| unread_copies(tx, mailbox, &message_id)).await?;
        let Some(elsewhere) = self.rooms.elsewhere.clone() else { return Ok(()) };
        for copy in unread {
            let octets = match at.original(copy.folder, copy.item).await {
                Ok(original) => original.octets,
                Err(MailboxError::NoSuchItem | MailboxError::NoSuchFolder) => continue,
                Err(error) => return Err(error.into()),
            };
            let identity = Identity::of_raw(&octets);
            let (rooms, clock, elsewhere) =
                (self.rooms.clone(), self.clock.clone(), Arc::clone(&elsewhere));
            self.db
                .write_first(move |tx| {
                    if !in_tx::is_live(tx, copy.folder, copy.item)? {
                        return Ok::<_, RecallError>(());
                    }
                    let read = Copy { identity: message::register(tx, &identity)?, ..copy };
                    mirrored::identify(tx, copy.folder, copy.item, read.identity)?;
                    books::note_delivery(tx, &read)?;
                    // What a device was given of it, it was given of this message.
                    for known in ledger::copies_at(tx, copy.folder, copy.item)? {
                        ledger::note_copy(tx, ledger::Copy { identity: read.identity, ..known })?;
                    }
                    let now = clock.now();
                    if !cover::bind_late(tx, &rooms.board, read.identity, mailbox, now)?
                        && was_withheld
                    {
                        elsewhere.renumber(tx, &rooms.store, copy.folder, copy.item)?;
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }

    /// Before a sender's own order: what lies in the own mailbox under the Message-ID is found and read, as far as that can be done now.
    pub(super) async fn read_own(&self, address: String, message_id: String) {
        let Some(at) = self.rooms.elsewhere.clone() else { return };
        let own = self.db.read(move |tx| cover::mailbox_of(tx, &address)).await;
        let Ok(Some(own)) = own else { return };
        let ids: Arc<[String]> = [message_id.clone()].into();
        let read = async {
            at.look_for(own, ids).await?;
            self.identify(&*at, own, message_id, false).await
        };
        match tokio::time::timeout(OWN_PATIENCE, read).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::info!(%own, %error, "a sender's mailbox cannot be read"),
            Err(_) => tracing::info!(%own, "a sender's mailbox takes too long to read"),
        }
    }

    /// When anything elsewhere is due next.
    pub(super) async fn next_look(&self) -> Option<crate::clock::Timestamp> {
        self.rooms.elsewhere.as_ref()?;
        let now = self.clock.now();
        self.db.read(move |tx| tables::next_look(tx, now)).await.ok().flatten()
    }
}

/// The copy is back, or was never gone: the vault lets go of it. One that is covered anew meanwhile is to be taken out again.
fn restored(
    tx: &Tx<'_>,
    rooms: &super::Rooms,
    pair: &PairRow,
    sealed: &RemovedCopy,
    to: Copy,
    now: crate::clock::Timestamp,
) -> Result<(), RecallError> {
    if !super::vault::tables::unseal(tx, sealed, (to.folder, to.item), now)? {
        return Ok(());
    }
    in_tx::forget(tx, &rooms.store, sealed.body.hash)?;
    vault::note_restored(tx, pair, &to, now)?;
    if books::fenced(tx, pair.identity, pair.mailbox)?.is_some() {
        books::reopen_pairs(tx, pair.identity, pair.mailbox)?;
        tx.on_commit(super::work);
    }
    Ok(())
}

/// Copies in a mailbox that bear the Message-ID, were never read, and that no order takes out as they are.
fn unread_copies(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    message_id: &str,
) -> Result<Vec<Copy>, RecallError> {
    let mut unread = Vec::new();
    for identity in message::with_message_id(tx, message_id, IDENTITIES_MAX)? {
        if !is_unread(tx, identity)? || books::fenced(tx, identity, mailbox)?.is_some() {
            continue;
        }
        for copy in in_tx::copies_in(tx, identity, mailbox)? {
            if mirrored::is_mirrored(tx, copy.folder, copy.item)? {
                unread.push(copy);
            }
        }
    }
    Ok(unread)
}

fn is_unread(tx: &Tx<'_>, identity: IdentityId) -> Result<bool, RecallError> {
    Ok(message::identity(tx, identity)?.is_some_and(|known| known.is_unread()))
}

/// Why something could not be done in a mailbox.
fn hindrance(at: &dyn Elsewhere, mailbox: MailboxId, error: &RecallError) -> ReasonCode {
    match error {
        _ if !at.has_access(mailbox) => ReasonCode::WaitsForOwner,
        RecallError::Store(MailboxError::NotAllowed(_) | MailboxError::TooLarge) => {
            ReasonCode::StoreCannotRemove
        }
        _ => ReasonCode::MailServerDown,
    }
}

/// Nothing is to be looked for on behalf of this order any more.
pub(super) fn forget(tx: &Tx<'_>, order: OrderId) -> Result<(), RecallError> {
    Ok(tables::drop_lookups(tx, order)?)
}

/// How often a mailbox is looked into for the orders that stand, beside what its watcher tells: others move mail, and deliver it, where
/// nobody watches. Longer than a credential is usually kept, so that looking does not keep it.
pub const LOOK_PERIOD: Duration = Duration::from_mins(30);
/// Mailboxes that are emptied or filled again at a time.
const TAKING_MAX: usize = 32;
/// Mailboxes that are looked into at a time.
const LOOKING_MAX: usize = 32;
/// Times a mailbox's copies are listed again because more came meanwhile.
const ROUNDS_MAX: usize = 20;
/// How long a sender's order waits for the sender's own mailbox.
const OWN_PATIENCE: Duration = Duration::from_secs(10);
/// Bodies that may go by one Message-ID.
const IDENTITIES_MAX: usize = 1_000;
