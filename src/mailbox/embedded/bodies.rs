//! Who needs a body: messages, the vault of recalled mail, and the outbox, each counted.
//!
//! The last one to let go has the file removed after the commit. A body that is passed on within one transaction never counts as
//! let go; one that comes from outside is pinned by [`Kept`] until its row is committed.

use super::{Embedded, tables};
use crate::database::{BodyHash, Error, Pin, Tx};
use crate::params;

/// On whose behalf a body is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A message in a folder.
    Message,
    /// A recalled message, sealed until it is restored or forgotten.
    Vault,
    /// A message on its way out.
    Outbox,
}

/// Octets that are on the disk, fsynced, and cannot be removed while this value lives: commit the row that names them, then drop it.
#[derive(Debug)]
#[must_use = "the body may be removed as soon as this is dropped"]
pub struct Kept {
    pin: Pin,
    size: u32,
}

/// A body by name, for use inside a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// The SHA-256 of its octets.
    pub hash: BodyHash,
    /// How many octets it has.
    pub size: u32,
}

impl Kept {
    pub(super) fn new(pin: Pin, size: u32) -> Kept {
        Kept { pin, size }
    }

    /// What to hand to the functions of [`in_tx`](super::in_tx).
    pub fn body(&self) -> Body {
        Body { hash: self.pin.hash(), size: self.size }
    }
}

impl Holder {
    fn word(self) -> &'static str {
        match self {
            Holder::Message => "message",
            Holder::Vault => "vault",
            Holder::Outbox => "outbox",
        }
    }
}

/// Counts one more need for a body.
pub fn hold(tx: &Tx<'_>, hash: BodyHash, holder: Holder) -> Result<(), Error> {
    tx.execute(tables::HOLD_BODY, params![hash, holder.word()]).map(drop)
}

/// Counts one need less; when nobody is left, the file goes after the commit.
pub fn release(tx: &Tx<'_>, store: &Embedded, hash: BodyHash, holder: Holder) -> Result<(), Error> {
    let key = params![hash, holder.word()];
    match tx.one(tables::COUNT_HOLDS, key, |row| row.get::<i64>(0))? {
        None => return Err(Error::Corrupt(format!("body {hash} was let go of twice"))),
        Some(1) => tx.execute(tables::DROP_HOLD, key)?,
        Some(_) => tx.execute(tables::LOWER_HOLD, key)?,
    };
    if tx.one(tables::IS_HELD, params![hash], |_| Ok(()))?.is_none() {
        remove_after(tx, store, hash);
    }
    Ok(())
}

/// Has a body's file removed after the commit, unless somebody has pinned it meanwhile.
pub(super) fn remove_after(tx: &Tx<'_>, store: &Embedded, hash: BodyHash) {
    let bodies = store.bodies().clone();
    tx.on_commit(move || {
        if let Err(error) = bodies.remove(hash) {
            tracing::warn!(%hash, %error, "a body nobody needs stays until the next start");
        }
    });
}

/// Passes a need on from one holder to another, so that the body is never without one.
pub fn pass_on(tx: &Tx<'_>, hash: BodyHash, from: Holder, to: Holder) -> Result<(), Error> {
    hold(tx, hash, to)?;
    let key = params![hash, from.word()];
    match tx.one(tables::COUNT_HOLDS, key, |row| row.get::<i64>(0))? {
        None => Err(Error::Corrupt(format!("body {hash} was not held by its {}", from.word()))),
        Some(1) => tx.execute(tables::DROP_HOLD, key).map(drop),
        Some(_) => tx.execute(tables::LOWER_HOLD, key).map(drop),
    }
}

/// Whether anybody needs the body.
pub fn is_held(tx: &Tx<'_>, hash: BodyHash) -> Result<bool, Error> {
    Ok(tx.one(tables::IS_HELD, params![hash], |_| Ok(()))?.is_some())
}
