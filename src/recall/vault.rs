//! The vault: copies taken out of the store, sealed whole, and put back exactly once.
//!
//! A copy is sealed and removed in one transaction, so it is never in neither place nor in both; and put back and marked in one
//! transaction, so a crash restores it once. Sealing is the condition of removal, copy by copy, never of the fence.

use super::Rooms;
use super::tables::{self, PairRow, Work};
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};

/// Seals and removes every copy of the pair's message from every folder of its mailbox. Answers how many.
pub(super) fn take_out(
    tx: &Tx<'_>,
    rooms: &Rooms,
    pair: &PairRow,
    now: Timestamp,
) -> Result<usize, Error> {
    let mut taken = 0;
    for copy in rooms.store.copies_in(tx, pair.identity, pair.mailbox)? {
        let Some(sealed) = rooms.store.take(tx, &copy, now)? else { continue };
        tables::seal(tx, &sealed, pair.order, now)?;
        let event = Event::new("copy.sealed")
            .id("order", pair.order)
            .id("identity", pair.identity)
            .id("mailbox", pair.mailbox)
            .id("folder", copy.folder)
            .id("item", copy.item);
        audit::note(tx, now, &event)?;
        taken += 1;
    }
    tables::set_step(tx, pair, Work::Done)?;
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
) -> Result<usize, Error> {
    tables::set_step(tx, pair, Work::Restored)?;
    tx.on_commit(super::changed);
    if tables::fenced(tx, pair.identity, pair.mailbox)?.is_some() {
        return Ok(0);
    }
    for copy in rooms.store.copies_in(tx, pair.identity, pair.mailbox)? {
        if let Some(sealed) = rooms.store.take(tx, &copy, now)? {
            tables::seal(tx, &sealed, pair.order, now)?;
        }
    }
    let mut restored = 0;
    for sealed in tables::sealed(tx, pair.identity, pair.mailbox)? {
        let to = rooms.store.put_back(tx, &sealed, now)?;
        if !tables::unseal(tx, &sealed, to, now)? {
            continue;
        }
        let event = Event::new("copy.restored")
            .id("order", pair.order)
            .id("identity", pair.identity)
            .id("mailbox", pair.mailbox)
            .id("folder", to.0)
            .id("item", to.1);
        audit::note(tx, now, &event)?;
        restored += 1;
    }
    Ok(restored)
}
