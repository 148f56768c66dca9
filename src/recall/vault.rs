//! The vault: copies taken out of the store, sealed whole, and put back exactly once.
//!
//! A copy is sealed and removed in one transaction, so it is never in neither place nor in both; and put back and marked in one
//! transaction, so a crash restores it once. Sealing is the condition of removal, copy by copy, never of the fence.

pub(super) mod tables;

use std::sync::Arc;

use super::tables::{PairRow, Work, any_fence, fenced, fenced_in, set_step};
use super::{RecallError, Rooms, retraction};
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::failpoint;
use crate::ids::OrderId;
use crate::mailbox::Copy;
use crate::mailbox::embedded::{OnDeparture, in_tx, mirrored};
use crate::mailbox::imap::Recalled;

/// Seals and removes every copy of the pair's message from every folder of its mailbox. Answers how many.
pub(super) fn take_out(
    tx: &Tx<'_>,
    rooms: &Rooms,
    pair: &PairRow,
    now: Timestamp,
) -> Result<usize, RecallError> {
    let mut taken = 0;
    for copy in in_tx::copies_in(tx, pair.identity, pair.mailbox)? {
        seal(tx, rooms, pair, &copy, now)?;
        note_sealed(tx, pair.order, &copy, now)?;
        taken += 1;
    }
    failpoint!("recall.copies_sealed");
    set_step(tx, pair, Work::Done)?;
    tx.on_commit(super::changed);
    Ok(taken)
}

/// Puts every copy of the pair's message back as a new item, with its flags, folder and date: those that were sealed, and those that the
/// order had not reached yet, since phones have passed over them or been told to delete them. Nothing while another order covers the pair.
pub(super) fn put_back(
    tx: &Tx<'_>,
    rooms: &Rooms,
    pair: &PairRow,
    now: Timestamp,
) -> Result<usize, RecallError> {
    set_step(tx, pair, Work::Restored)?;
    retraction::cancelled(tx, pair.order, pair.identity, pair.mailbox, now)?;
    tx.on_commit(super::changed);
    if fenced(tx, pair.identity, pair.mailbox)?.is_some() {
        return Ok(0);
    }
    for copy in in_tx::copies_in(tx, pair.identity, pair.mailbox)? {
        seal(tx, rooms, pair, &copy, now)?;
    }
    let mut restored = 0;
    for sealed in tables::sealed(tx, pair.identity, pair.mailbox)? {
        let to = in_tx::restore(tx, &rooms.store, &sealed)?;
        tables::unseal(tx, &sealed, (to.folder, to.item), now)?;
        note_restored(tx, pair, &to, now)?;
        restored += 1;
    }
    failpoint!("recall.copies_restored");
    Ok(restored)
}

/// The store's [`OnDeparture`] hook: what open orders cover in folders that somebody empties or deletes is sealed first, so
/// that a cancelled order has it to put back.
pub fn departures() -> OnDeparture {
    Arc::new(|tx, store, mailbox, folders, now| {
        if !any_fence(tx)? {
            return Ok(());
        }
        for (order, identity) in fenced_in(tx, mailbox)? {
            for copy in in_tx::copies_in(tx, identity, mailbox)? {
                // What lies elsewhere is gone there already, or its store has asked `recalled` before.
                if folders.contains(&copy.folder)
                    && !mirrored::is_mirrored(tx, copy.folder, copy.item)?
                {
                    let removed = in_tx::remove(tx, store, copy.folder, copy.item)?;
                    tables::seal(tx, &removed, order, now)?;
                    note_sealed(tx, order, &copy, now)?;
                }
            }
        }
        Ok(())
    })
}

/// What open orders cover in these folders: a store whose messages lie elsewhere asks before it removes anything for good.
pub fn recalled() -> Recalled {
    Arc::new(|tx, folders| {
        let mut covered = Vec::new();
        if !any_fence(tx)? {
            return Ok(covered);
        }
        let mut mailboxes = std::collections::BTreeSet::new();
        for folder in folders {
            mailboxes.extend(in_tx::mailbox_of_folder(tx, *folder)?);
        }
        for mailbox in mailboxes {
            for (_, identity) in fenced_in(tx, mailbox)? {
                let copies = in_tx::copies_in(tx, identity, mailbox)?;
                let there = copies.iter().filter(|copy| folders.contains(&copy.folder));
                covered.extend(there.map(|copy| (copy.folder, copy.item)));
            }
        }
        Ok(covered)
    })
}

/// The entry of a copy that is where it was again.
pub(super) fn note_restored(
    tx: &Tx<'_>,
    pair: &PairRow,
    to: &Copy,
    now: Timestamp,
) -> Result<(), Error> {
    let event = Event::new("copy.restored")
        .id("order", pair.order)
        .id("identity", pair.identity)
        .id("mailbox", pair.mailbox)
        .id("folder", to.folder)
        .id("item", to.item);
    audit::note(tx, now, &event).map(drop)
}

/// The entry of a copy that is in the vault.
pub(super) fn note_sealed(
    tx: &Tx<'_>,
    order: OrderId,
    copy: &Copy,
    now: Timestamp,
) -> Result<(), Error> {
    let event = Event::new("copy.sealed")
        .id("order", order)
        .id("identity", copy.identity)
        .id("mailbox", copy.mailbox)
        .id("folder", copy.folder)
        .id("item", copy.item);
    audit::note(tx, now, &event).map(drop)
}

/// Out of its folder and into the vault, in this transaction.
pub(super) fn seal(
    tx: &Tx<'_>,
    rooms: &Rooms,
    pair: &PairRow,
    copy: &Copy,
    now: Timestamp,
) -> Result<(), RecallError> {
    let removed = in_tx::remove(tx, &rooms.store, copy.folder, copy.item)?;
    tables::seal(tx, &removed, pair.order, now)?;
    Ok(())
}
