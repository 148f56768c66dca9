//! The gate: the only door through which content reaches a phone.
//!
//! A [`Released`] value proves that no open order covered any item in it when it was committed, and that the ledger recorded every
//! exposure in that same transaction. Only [`release`] makes one, and the phone's edge writes nothing else that holds content.
//! While it drains, [`Released::may_continue`] compares the fence epoch before every chunk: an order committed meanwhile cuts it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::database::{Database, Error, Tx};
use crate::ids::{DeviceId, FolderId, IdentityId, ItemNumber, MailboxId, OrderId};
use crate::ledger::{self, DetailKind, Exposure, Place, holding, journal};

/// The fences that were committed since the process began, for answers that were committed before them and still drain. Cheap to
/// clone.
#[derive(Clone, Default)]
pub struct FenceBoard(Arc<Board>);

#[derive(Default)]
struct Board {
    epoch: AtomicU64,
    /// The orders of this process's lifetime that cover the pair. Older ones are not on it, so it is the orders that are kept and no
    /// count: lifting an older order must not lift a newer one's fence.
    fenced: RwLock<HashMap<(IdentityId, MailboxId), Vec<OrderId>>>,
}

impl FenceBoard {
    /// A board without fences.
    pub fn new() -> FenceBoard {
        FenceBoard::default()
    }

    /// Grows whenever a fence goes up.
    pub fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    /// The order's fence over these pairs has been committed.
    pub fn fence(&self, order: OrderId, pairs: impl IntoIterator<Item = (IdentityId, MailboxId)>) {
        let mut fenced = self.0.fenced.write();
        for pair in pairs {
            let orders = fenced.entry(pair).or_default();
            if !orders.contains(&order) {
                orders.push(order);
            }
        }
        self.0.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// The order over these pairs has been cancelled.
    pub fn lift(&self, order: OrderId, pairs: impl IntoIterator<Item = (IdentityId, MailboxId)>) {
        let mut fenced = self.0.fenced.write();
        for pair in pairs {
            if let Some(orders) = fenced.get_mut(&pair) {
                orders.retain(|other| *other != order);
                if orders.is_empty() {
                    fenced.remove(&pair);
                }
            }
        }
    }

    fn covers_any(&self, pairs: &[(IdentityId, MailboxId)]) -> bool {
        let fenced = self.0.fenced.read();
        !fenced.is_empty() && pairs.iter().any(|pair| fenced.contains_key(pair))
    }
}

impl fmt::Debug for FenceBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FenceBoard(epoch {})", self.epoch())
    }
}

/// One item's content in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The mailbox it is read from.
    pub mailbox: MailboxId,
    /// Its folder.
    pub folder: FolderId,
    /// Its number there.
    pub item: ItemNumber,
    /// The message it is.
    pub identity: IdentityId,
    /// What of it the answer holds.
    pub exposure: Exposure,
}

/// What an answer holds of one item, in words for the report: what was asked for by name, not what a Sync adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The message.
    pub identity: IdentityId,
    /// What of it.
    pub kind: DetailKind,
    /// Which file, which octets.
    pub detail: String,
}

/// An encoded answer that asks to leave.
#[derive(Clone, Debug)]
pub struct Answer {
    /// To which device.
    pub device: DeviceId,
    /// By which command.
    pub command: &'static str,
    /// The request it answers.
    pub request: u64,
    /// The encoded octets.
    pub bytes: Bytes,
    /// Every item of which it holds anything.
    pub contents: Arc<[Content]>,
    /// What of it is told one by one.
    pub told: Arc<[Told]>,
    /// The keys issued with it.
    pub keys: Arc<[Keyed]>,
}

/// What an answer says of a collection under a key of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Keyed {
    /// The collection.
    pub folder: FolderId,
    /// The sequence of the key.
    pub seq: u64,
    /// The items it adds there: the books have its offer already. What it fetches besides is not among them.
    pub adds: RoaringBitmap,
}

/// The gate's decision.
#[derive(Debug)]
pub enum Ruling {
    /// On the books; it may leave once the transaction is committed.
    Released(Released),
    /// These items are fenced: plan again without them. Nothing was written.
    Withheld(Vec<(FolderId, ItemNumber)>),
}

/// Rules on an answer and, where it may leave, records the exposure of every item in it. Call it inside the transaction that
/// records everything else about the answer; use the [`Released`] only after that transaction was committed.
pub fn release(
    tx: &Tx<'_>,
    board: &FenceBoard,
    answer: &Answer,
    now: Timestamp,
) -> Result<Ruling, Error> {
    let epoch = board.epoch();
    let withheld = fenced_among(tx, &answer.contents, now)?;
    if !withheld.is_empty() {
        return Ok(Ruling::Withheld(withheld));
    }
    record(tx, answer, now)?;
    crate::failpoint!("sync.after_gate");
    let pairs = answer.contents.iter().map(|c| (c.identity, c.mailbox)).collect();
    Ok(Ruling::Released(Released {
        bytes: answer.bytes.clone(),
        pairs,
        board: board.clone(),
        epoch: AtomicU64::new(epoch),
        cut: AtomicBool::new(false),
        receipt: Receipt {
            device: answer.device,
            request: answer.request,
            written: Arc::default(),
        },
    }))
}

/// Those of the items that an open order covers. Also asked when planning, so that fenced items are left out at once.
pub fn fenced_among(
    tx: &Tx<'_>,
    contents: &[Content],
    now: Timestamp,
) -> Result<Vec<(FolderId, ItemNumber)>, Error> {
    let mut fenced = Vec::new();
    if contents.is_empty() || !super::any_fence(tx)? {
        return Ok(fenced);
    }
    for content in contents {
        if super::covers(tx, content.identity, content.mailbox, now)?.is_some() {
            fenced.push((content.folder, content.item));
        }
    }
    Ok(fenced)
}

fn record(tx: &Tx<'_>, answer: &Answer, now: Timestamp) -> Result<(), Error> {
    for Told { identity, kind, detail } in answer.told.iter() {
        ledger::note_detail(tx, answer.device, *identity, *kind, detail, now)?;
    }
    let mut by_folder: BTreeMap<i64, BTreeMap<u16, RoaringBitmap>> = BTreeMap::new();
    for content in answer.contents.iter() {
        let Content { mailbox, folder, item, identity, mut exposure } = *content;
        ledger::note_copy(tx, ledger::Copy { identity, mailbox, folder, item })?;
        let mut keyed = answer.keys.iter();
        let is_added = keyed.any(|keyed| keyed.folder == folder && keyed.adds.contains(item.0));
        let place = Place { device: answer.device, folder };
        if !is_added && exposure.any_content() && !ledger::held(tx, place, item)?.open {
            // A copy beside the collection: no key will ever prove that it went.
            exposure |= Exposure::SEARCHED;
        }
        by_folder.entry(folder.0).or_default().entry(exposure.bits()).or_default().insert(item.0);
    }
    let hash: [u8; 32] =
        if by_folder.is_empty() { [0; 32] } else { Sha256::digest(&answer.bytes).into() };
    for (folder, exposures) in by_folder {
        let place = Place { device: answer.device, folder: FolderId(folder) };
        let (mut all, mut flags) = (RoaringBitmap::new(), Exposure::NEVER);
        for (bits, items) in exposures {
            holding::expose(tx, place, Exposure::from_bits(bits), &items)?;
            flags |= Exposure::from_bits(bits);
            all |= items;
        }
        let keyed = answer.keys.iter().find(|keyed| keyed.folder == place.folder);
        let seq = keyed.map(|keyed| keyed.seq);
        let entry = journal::Entry {
            at: now,
            place,
            seq,
            command: answer.command,
            request: answer.request,
            items: &all,
            exposure: flags,
            bytes: answer.bytes.len() as u64,
            hash,
        };
        journal::enter(tx, &entry)?;
    }
    Ok(())
}

/// Encoded octets that may leave for one device.
pub struct Released {
    bytes: Bytes,
    pairs: Arc<[(IdentityId, MailboxId)]>,
    board: FenceBoard,
    epoch: AtomicU64,
    cut: AtomicBool,
    receipt: Receipt,
}

impl fmt::Debug for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Released({} octets, {} items)", self.bytes.len(), self.pairs.len())
    }
}

impl Released {
    /// The octets.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether the next chunk may leave: false from the moment an order covers one of the items, for ever.
    pub fn may_continue(&self) -> bool {
        if self.cut.load(Ordering::Acquire) {
            return false;
        }
        let epoch = self.board.epoch();
        if epoch == self.epoch.load(Ordering::Acquire) {
            return true;
        }
        if self.board.covers_any(&self.pairs) {
            self.cut.store(true, Ordering::Release);
            return false;
        }
        self.epoch.store(epoch, Ordering::Release);
        true
    }

    /// So many octets have been handed to the connection in all.
    pub fn wrote(&self, total: usize) {
        self.receipt.written.lock().octets = total as u64;
    }

    /// The answer was written whole, or was not.
    pub fn finished(&self, whole: bool) {
        self.receipt.written.lock().whole = Some(whole);
    }

    /// What tells later how much of it left.
    pub fn receipt(&self) -> Receipt {
        self.receipt.clone()
    }
}

/// How much of an answer left us; outlives the answer.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The device it was for.
    pub device: DeviceId,
    /// The request it answered.
    pub request: u64,
    written: Arc<Mutex<Written>>,
}

#[derive(Debug, Default)]
struct Written {
    octets: u64,
    whole: Option<bool>,
}

impl Receipt {
    /// Whether the answer was handed to the connection whole; `None` while it drains.
    pub fn whole(&self) -> Option<bool> {
        self.written.lock().whole
    }

    /// Notes in the journal how much left. What is not known stays counted as sent whole.
    pub async fn note(&self, database: &Database) -> Result<(), Error> {
        let (device, request, octets) = (self.device, self.request, self.written.lock().octets);
        database.write(move |tx| journal::written(tx, device, request, octets)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released(board: &FenceBoard, pairs: &[(IdentityId, MailboxId)]) -> Released {
        Released {
            bytes: Bytes::from_static(b"mail"),
            pairs: pairs.into(),
            board: board.clone(),
            epoch: AtomicU64::new(board.epoch()),
            cut: AtomicBool::new(false),
            receipt: Receipt { device: DeviceId(1), request: 1, written: Arc::default() },
        }
    }

    #[test]
    fn a_fence_cuts_the_answers_that_hold_the_message_and_no_other() {
        let board = FenceBoard::new();
        let recalled = (IdentityId(1), MailboxId(1));
        let with = released(&board, &[(IdentityId(2), MailboxId(1)), recalled]);
        let without = released(&board, &[(IdentityId(2), MailboxId(1))]);
        let elsewhere = released(&board, &[(IdentityId(1), MailboxId(2))]);
        assert!(with.may_continue());
        board.fence(OrderId(1), [recalled]);
        assert!(!with.may_continue());
        assert!(without.may_continue());
        assert!(elsewhere.may_continue(), "an order covers a message in a mailbox, not everywhere");
        board.lift(OrderId(1), [recalled]);
        assert!(!with.may_continue(), "what was cut stays cut");
    }

    #[test]
    fn two_orders_over_one_pair_need_two_cancellations() {
        let board = FenceBoard::new();
        let pair = (IdentityId(1), MailboxId(1));
        board.fence(OrderId(1), [pair]);
        board.fence(OrderId(2), [pair]);
        let answer = released(&board, &[pair]);
        board.lift(OrderId(1), [pair]);
        assert!(board.covers_any(&answer.pairs));
        board.lift(OrderId(2), [pair]);
        assert!(!board.covers_any(&answer.pairs));
    }

    #[test]
    fn cancelling_an_order_from_before_the_restart_leaves_a_newer_fence_up() {
        let board = FenceBoard::new();
        let pair = (IdentityId(1), MailboxId(1));
        let answer = released(&board, &[pair]);
        board.fence(OrderId(2), [pair]);
        board.lift(OrderId(1), [pair]);
        assert!(!answer.may_continue());
    }
}
