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
use crate::mailbox::Mailbox;
use crate::mailbox::embedded::in_tx;
use crate::message::{self, Message};

/// Where the octets of a message can be read.
enum Source {
    Store(FolderId, ItemNumber),
    Vault(BodyHash),
}

impl Recall {
    /// Lists the recipients outside for every order that has none listed yet. What cannot be read is logged and passed over.
    pub(super) async fn list_outside(&self) -> Result<(), RecallError> {
        for order in self.db.read(tables::orders_unlisted).await? {
            let identities = self.db.read(move |tx| tables::identities(tx, order)).await?;
            let files = self.files_of(&identities).await?;
            let addresses = self.outside_of(identities).await?;
            self.write_outside(order, addresses, files).await?;
        }
        Ok(())
    }

    /// The recipients of these messages that are not served here.
    pub(super) async fn outside_of(
        &self,
        identities: Vec<IdentityId>,
    ) -> Result<Vec<String>, RecallError> {
        let mut outside = BTreeSet::new();
        for identity in identities {
            let mut named = self.db.read(move |tx| tables::sent_to(tx, identity)).await?;
            if let Some(raw) = self.octets(identity).await? {
                named.extend(recipients(raw));
            }
            let foreign = self.db.read(move |tx| not_served(tx, named)).await?;
            outside.extend(foreign);
        }
        Ok(outside.into_iter().take(OUTSIDE_MAX).collect())
    }

    /// The files by which each of these messages is known.
    async fn files_of(
        &self,
        identities: &[IdentityId],
    ) -> Result<Vec<(IdentityId, [u8; 32])>, RecallError> {
        let mut files = Vec::new();
        for &identity in identities {
            let Some(raw) = self.octets(identity).await? else { continue };
            // Many megabytes, perhaps: not on a thread that phones wait for.
            let hashed = tokio::task::spawn_blocking(move || likeness::files_of(raw)).await;
            let hashes = hashed.unwrap_or_default();
            files.extend(hashes.into_iter().map(|hash| (identity, hash)));
        }
        Ok(files)
    }

    async fn octets(&self, identity: IdentityId) -> Result<Option<Bytes>, RecallError> {
        let store = &self.rooms.store;
        let read = match self.db.read(move |tx| source(tx, identity)).await? {
            Some(Source::Store(folder, item)) => store.read(folder, item).await.map(|(_, raw)| raw),
            Some(Source::Vault(hash)) => store.octets(hash).await,
            None => return Ok(None),
        };
        match read {
            Ok(raw) => Ok(Some(raw)),
            Err(error) => {
                tracing::warn!(%identity, %error, "the recipients of a recalled message cannot be read");
                Ok(None)
            }
        }
    }

    async fn write_outside(
        &self,
        order: OrderId,
        addresses: Vec<String>,
        files: Vec<(IdentityId, [u8; 32])>,
    ) -> Result<(), RecallError> {
        let clock = self.clock.clone();
        self.db
            .write_first(move |tx| {
                let now = clock.now();
                for (identity, hash) in &files {
                    tables::insert_file(tx, *identity, hash)?;
                }
                for address in &addresses {
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
    if let Some(copy) = best {
        return Ok(Some(Source::Store(copy.folder, copy.item)));
    }
    Ok(tables::sealed_somewhere(tx, identity)?.map(|sealed| Source::Vault(sealed.body.hash)))
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
