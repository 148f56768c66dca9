//! From a Message-ID to the (identity, mailbox) pairs an order covers, with the verdict of each fixed at the fence.
//!
//! Loading and deciding are apart: [`load`] asks store, ledger and vault inside the order's transaction, [`decide`] is pure. A message
//! counts as lying in a mailbox when the store has a copy there, when a device was ever sent one from there, or when the vault took one
//! from there: what has been deleted from the mailbox may still be on the phone.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Rooms;
use super::facts::{Known, Stored};
use super::reason::ReasonCode;
use super::tables::{self, Verdict};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{IdentityId, MailboxId};

/// Whose messages an order may take back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// Only those this address wrote.
    pub(super) from: Option<String>,
    /// Only these bodies, by their verified hash in hex.
    pub(super) bodies: Option<Vec<String>>,
    /// Also from the sender's own mailbox.
    pub(super) include_sender: bool,
    /// The orderer is the sender: only bodies that lie in the own mailbox, which nobody else can forge.
    pub(super) own_mailbox: Option<MailboxId>,
}

/// One message under the Message-ID, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) known: Known,
    pub(super) copies: Vec<Stored>,
    pub(super) mailboxes: BTreeSet<MailboxId>,
    pub(super) sender_mailbox: Option<MailboxId>,
    pub(super) outside: Vec<String>,
}

/// One of the bodies that go by a Message-ID, for the dry run: when there is more than one, somebody rewrote or forged it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Body {
    /// The message.
    pub identity: IdentityId,
    /// Its verified hash in hex, by which an order can name it.
    pub body: String,
    /// Who it says wrote it.
    pub from: Option<String>,
    /// When it says it was written.
    pub sent_at: Option<Timestamp>,
    /// Copies in the store.
    pub copies: u64,
    /// Mailboxes it lies or lay in.
    pub mailboxes: u64,
    /// Whether the order covers it.
    pub is_covered: bool,
}

/// What an order covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) bodies: Vec<Body>,
    pub(super) identities: Vec<IdentityId>,
    pub(super) pairs: Vec<(IdentityId, MailboxId, Verdict)>,
    pub(super) outside: Vec<String>,
    /// Copies in the store that will be withdrawn.
    pub(super) copies: u64,
    /// Different mailboxes that will be withdrawn from.
    pub(super) mailboxes: u64,
    pub(super) delivered_at: Option<Timestamp>,
    pub(super) sender_mailbox: Option<MailboxId>,
    /// Set when something was found and nothing of it may be recalled.
    pub(super) refused: Option<ReasonCode>,
}

/// Everything known under a Message-ID, at this moment.
pub(super) fn load(tx: &Tx<'_>, rooms: &Rooms, message_id: &str) -> Result<Vec<Found>, Error> {
    let known = rooms.store.known(tx, message_id)?;
    known.into_iter().map(|known| load_one(tx, rooms, known)).collect()
}

fn load_one(tx: &Tx<'_>, rooms: &Rooms, known: Known) -> Result<Found, Error> {
    let copies = rooms.store.copies(tx, known.identity)?;
    let mut mailboxes: BTreeSet<MailboxId> = copies.iter().map(|copy| copy.mailbox).collect();
    mailboxes.extend(rooms.ledger.mailboxes(tx, known.identity)?);
    mailboxes.extend(tables::sealed_mailboxes(tx, known.identity)?);
    let sender_mailbox = match &known.from_address {
        Some(address) => rooms.store.mailbox_of(tx, address)?,
        None => None,
    };
    let outside = rooms.store.outside(tx, known.identity)?;
    Ok(Found { known, copies, mailboxes, sender_mailbox, outside })
}

/// Which of what was found the order covers, and how.
pub(super) fn decide(scope: &Scope, found: &[Found]) -> Selection {
    let mut selection = Selection::default();
    let mut outside = BTreeSet::new();
    let mut withdrawn: BTreeMap<MailboxId, ()> = BTreeMap::new();
    for one in found {
        let is_covered = covers(scope, one);
        selection.bodies.push(body(one, is_covered));
        if !is_covered {
            continue;
        }
        selection.identities.push(one.known.identity);
        selection.sender_mailbox = selection.sender_mailbox.or(one.sender_mailbox);
        outside.extend(one.outside.iter().cloned());
        for mailbox in &one.mailboxes {
            let verdict = verdict(*mailbox, one.sender_mailbox, scope.include_sender);
            if verdict == Verdict::Withdraw {
                withdrawn.insert(*mailbox, ());
            }
            selection.pairs.push((one.known.identity, *mailbox, verdict));
        }
        let is_withdrawn = |copy: &&Stored| {
            verdict(copy.mailbox, one.sender_mailbox, scope.include_sender) == Verdict::Withdraw
        };
        selection.copies += one.copies.iter().filter(is_withdrawn).count() as u64;
        let earliest = one.copies.iter().filter(is_withdrawn).map(|copy| copy.received).min();
        selection.delivered_at = [selection.delivered_at, earliest].into_iter().flatten().min();
    }
    selection.mailboxes = withdrawn.len() as u64;
    selection.outside = outside.into_iter().collect();
    if selection.identities.is_empty() && !found.is_empty() {
        selection.refused = Some(why_nothing(scope));
    }
    selection
}

/// The verdict on one mailbox.
pub(super) fn verdict(
    mailbox: MailboxId,
    sender_mailbox: Option<MailboxId>,
    include_sender: bool,
) -> Verdict {
    if Some(mailbox) == sender_mailbox && !include_sender {
        Verdict::LeaveSender
    } else {
        Verdict::Withdraw
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn covers(scope: &Scope, found: &Found) -> bool {
    let is_theirs = scope.from.is_none() || scope.from == found.known.from_address;
    let is_named =
        scope.bodies.as_ref().is_none_or(|bodies| bodies.contains(&hex(&found.known.verified)));
    let is_own = scope.own_mailbox.is_none_or(|own| found.mailboxes.contains(&own));
    is_theirs && is_named && is_own
}

fn why_nothing(scope: &Scope) -> ReasonCode {
    if scope.own_mailbox.is_some() || scope.from.is_some() {
        ReasonCode::NotOwner
    } else {
        ReasonCode::NotDelivered
    }
}

fn body(found: &Found, is_covered: bool) -> Body {
    Body {
        identity: found.known.identity,
        body: hex(&found.known.verified),
        from: found.known.from_address.clone(),
        sent_at: found.known.sent_at,
        copies: found.copies.len() as u64,
        mailboxes: found.mailboxes.len() as u64,
        is_covered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{FolderId, ItemNumber};

    fn found(identity: i64, from: &str, mailboxes: &[i64]) -> Found {
        let copy = |mailbox: &i64| Stored {
            mailbox: MailboxId(*mailbox),
            folder: FolderId(*mailbox * 10),
            item: ItemNumber(1),
            received: Timestamp(1_000 + *mailbox),
        };
        Found {
            known: Known {
                identity: IdentityId(identity),
                verified: [u8::try_from(identity).unwrap(); 32],
                from_address: Some(from.to_owned()),
                sent_at: None,
            },
            copies: mailboxes.iter().map(copy).collect(),
            mailboxes: mailboxes.iter().map(|mailbox| MailboxId(*mailbox)).collect(),
            sender_mailbox: Some(MailboxId(1)),
            outside: vec!["x@elsewhere.example".to_owned()],
        }
    }

    fn anyone() -> Scope {
        Scope { from: None, bodies: None, include_sender: false, own_mailbox: None }
    }

    #[test]
    fn the_senders_own_mailbox_is_out_unless_asked() {
        let all = [found(1, "ann@example.com", &[1, 2, 3])];
        let selection = decide(&anyone(), &all);
        assert_eq!((selection.copies, selection.mailboxes), (2, 2));
        assert!(selection.pairs.contains(&(IdentityId(1), MailboxId(1), Verdict::LeaveSender)));
        assert_eq!(selection.delivered_at, Some(Timestamp(1_002)));
        let asked = decide(&Scope { include_sender: true, ..anyone() }, &all);
        assert_eq!(asked.copies, 3);
    }

    #[test]
    fn differing_bodies_are_listed_one_by_one_and_can_be_chosen() {
        let all = [found(1, "ann@example.com", &[1, 2]), found(2, "ann@example.com", &[3])];
        let scope = Scope { bodies: Some(vec![hex(&[2; 32])]), ..anyone() };
        let selection = decide(&scope, &all);
        assert_eq!(selection.bodies.len(), 2);
        assert_eq!(selection.identities, [IdentityId(2)]);
    }

    #[test]
    fn a_sender_recalls_only_what_lies_in_the_own_mailbox() {
        let scope = Scope {
            from: Some("ann@example.com".to_owned()),
            own_mailbox: Some(MailboxId(1)),
            ..anyone()
        };
        let forged = [found(1, "ann@example.com", &[2, 3])];
        assert_eq!(decide(&scope, &forged).refused, Some(ReasonCode::NotOwner));
        let others = [found(1, "bob@example.com", &[1, 2])];
        assert_eq!(decide(&scope, &others).refused, Some(ReasonCode::NotOwner));
        let own = [found(1, "ann@example.com", &[1, 2])];
        assert_eq!(decide(&scope, &own).copies, 1);
    }
}
