//! What is learnt from a recalled message itself: the recipients this gateway does not serve, counted in every report and never a
//! success, and the files by which it is known when somebody sends them on.
//!
//! Recipients come from the outbox, where the message left through it (blind copies too), and from the header.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::cover::mailbox_of;
use super::{Recall, RecallError, likeness, tables};
use crate::audit::{self, Event};
use crate::database::{BodyHash, Error, Tx};
use crate::ids::{FolderId, IdentityId, ItemNumber, OrderId};
use crate::mailbox::embedded::{in_tx, mirrored};
use crate::mailbox::{Copy, Mailbox};
use crate::message::{self, Message};

/// Where the octets of a message can be read.
enum Source {
    Store(FolderId, ItemNumber),
    Vault(BodyHash),
    /// On another server, in any of these places.
    Elsewhere(Vec<Copy>),
}

/// What became of reading a message.
enum Read {
    Octets(Bytes),
    /// Nobody has it, or nobody can read it.
    Never,
    /// Its server does not give it now.
    Later,
}

/// What is learnt from the messages of an order.
#[derive(Default)]
struct Learnt {
    addresses: BTreeSet<String>,
    files: Vec<(IdentityId, [u8; 32])>,
    is_whole: bool,
}

impl Recall {
    /// Lists the recipients outside for every order that has none listed yet. What cannot be read is logged and passed over.
    pub(super) async fn list_outside(&self) -> Result<(), RecallError> {
        for order in self.db.read(tables::orders_unlisted).await? {
            self.list_one(order).await?;
        }
        Ok(())
    }

    /// The same for one order; where a message cannot be read now the order stays unlisted.
    pub(super) async fn list_one(&self, order: OrderId) -> Result<(), RecallError> {
        let identities = self.db.read(move |tx| tables::identities(tx, order)).await?;
        let learnt = self.learn(identities).await?;
        match learnt.is_whole {
            true => self.write_outside(order, learnt).await,
            false => Ok(()),
        }
    }

    /// The recipients of these messages that are not served here, as far as they can be read now.
    pub(super) async fn outside_of(
        &self,
        identities: Vec<IdentityId>,
    ) -> Result<Vec<String>, RecallError> {
        let learnt = self.learn(identities).await?;
        Ok(learnt.addresses.into_iter().take(OUTSIDE_MAX).collect())
    }

    async fn learn(&self, identities: Vec<IdentityId>) -> Result<Learnt, RecallError> {
        let mut learnt = Learnt { is_whole: true, ..Learnt::default() };
        for identity in identities {
            let mut named = self.db.read(move |tx| tables::sent_to(tx, identity)).await?;
            match self.octets(identity).await? {
                Read::Octets(raw) => {
                    named.extend(recipients(raw.clone()));
                    // Many megabytes, perhaps: not on a thread that phones wait for.
                    let hashed = tokio::task::spawn_blocking(move || likeness::files_of(raw)).await;
                    let hashes = hashed.unwrap_or_default();
                    learnt.files.extend(hashes.into_iter().map(|hash| (identity, hash)));
                }
                Read::Never => {}
                Read::Later => learnt.is_whole = false,
            }
            let foreign = self.db.read(move |tx| not_served(tx, named)).await?;
            learnt.addresses.extend(foreign);
        }
        Ok(learnt)
    }

    async fn octets(&self, identity: IdentityId) -> Result<Read, RecallError> {
        let store = &self.rooms.store;
        let read = match self.db.read(move |tx| source(tx, identity)).await? {
            Some(Source::Store(folder, item)) => store.read(folder, item).await.map(|(_, raw)| raw),
            Some(Source::Vault(hash)) => store.octets(hash).await,
            Some(Source::Elsewhere(copies)) => return Ok(self.read_there(&copies).await),
            None => return Ok(Read::Never),
        };
        match read {
            Ok(raw) => Ok(Read::Octets(raw)),
            Err(error) => {
                tracing::warn!(%identity, %error, "the recipients of a recalled message cannot be read");
                Ok(Read::Never)
            }
        }
    }

    /// From the first place that gives it.
    async fn read_there(&self, copies: &[Copy]) -> Read {
        let Some(at) = &self.rooms.elsewhere else { return Read::Never };
        let reachable = copies.iter().filter(|copy| at.has_access(copy.mailbox));
        for copy in reachable.take(PLACES_TRIED_MAX) {
            let read = at.original(copy.folder, copy.item);
            match tokio::time::timeout(READ_PATIENCE, read).await {
                Ok(Ok(original)) => return Read::Octets(original.octets),
                Ok(Err(error)) => {
                    tracing::info!(mailbox = %copy.mailbox, %error, "a recalled message is read later")
                }
                Err(_) => tracing::info!(mailbox = %copy.mailbox, "reading takes too long"),
            }
        }
        Read::Later
    }

    async fn write_outside(
        &self,
        order: OrderId,
        Learnt { addresses, files, .. }: Learnt,
    ) -> Result<(), RecallError> {
        let clock = self.clock.clone();
        self.db
            .write_first(move |tx| {
                let now = clock.now();
                for (identity, hash) in &files {
                    tables::insert_file(tx, *identity, hash)?;
                }
                for address in addresses.iter().take(OUTSIDE_MAX) {
                    if tables::insert_outside(tx, order, address, now)? {
                        let event = Event::new("order.outside").id("order", order);
                        audit::note(tx, now, &event.personal("recipient", address))?;
                    }
                }
                tx.on_commit(super::changed);
                tables::set_listed(tx, order)
            })
            .await?;
        Ok(())
    }
}

/// The sender's copy if it is there, any other, or what the vault sealed.
fn source(tx: &Tx<'_>, identity: IdentityId) -> Result<Option<Source>, Error> {
    let from = message::identity(tx, identity)?.and_then(|known| known.from);
    let sender = match &from {
        Some(address) => mailbox_of(tx, address)?,
        None => None,
    };
    let copies = in_tx::copies_of(tx, identity)?;
    let best = copies.iter().find(|copy| Some(copy.mailbox) == sender).or(copies.first());
    let sealed = super::vault::tables::sealed_somewhere(tx, identity)?;
    let Some(copy) = best else {
        return Ok(sealed.map(|sealed| Source::Vault(sealed.body.hash)));
    };
    match mirrored::is_mirrored(tx, copy.folder, copy.item) {
        Ok(false) => Ok(Some(Source::Store(copy.folder, copy.item))),
        _ => Ok(Some(match sealed {
            Some(sealed) if in_tx::is_held(tx, sealed.body.hash)? => {
                Source::Vault(sealed.body.hash)
            }
            _ => Source::Elsewhere(copies),
        })),
    }
}

fn recipients(raw: Bytes) -> BTreeSet<String> {
    let Ok(message) = Message::parse(raw) else { return BTreeSet::new() };
    let named = [message.to(), message.cc(), message.bcc()];
    let addresses = named.into_iter().flatten().map(|address| address.address.to_lowercase());
    addresses.filter(|address| address.contains('@')).take(OUTSIDE_MAX).collect()
}

fn not_served(tx: &Tx<'_>, named: BTreeSet<String>) -> Result<Vec<String>, Error> {
    let mut foreign = Vec::new();
    for address in named {
        if mailbox_of(tx, &address)?.is_none() {
            foreign.push(address);
        }
    }
    Ok(foreign)
}

/// Recipients of one message that are looked at.
const OUTSIDE_MAX: usize = 10_000;
/// Places one message is read from before it is read later.
const PLACES_TRIED_MAX: usize = 3;
/// How long one reading of it may take.
const READ_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
