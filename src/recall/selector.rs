//! From a Message-ID to the (identity, mailbox) pairs an order covers, with the verdict of each fixed at the fence.
//!
//! Loading and deciding are apart: [`load`] asks store, ledger and vault inside the order's transaction, [`decide`] is pure. A message
//! counts as lying in a mailbox when the store has a copy there, when a device was ever sent one from there, or when the vault took one
//! from there: what has been deleted from the mailbox may still be on the phone.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::cover;
use super::reason::ReasonCode;
use super::tables::{self, Verdict};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{IdentityId, MailboxId};
use crate::ledger;
use crate::mailbox::embedded::in_tx;
use crate::message;

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
    pub(super) identity: IdentityId,
    pub(super) verified: [u8; 32],
    /// Whether its octets have been seen; if not, it is what it claims to be or not.
    pub(super) is_read: bool,
    pub(super) from: Option<String>,
    pub(super) sent_at: Option<Timestamp>,
    /// When it first came into each mailbox.
    pub(super) delivered: BTreeMap<MailboxId, Timestamp>,
    /// The mailbox of every copy in the store.
    pub(super) copies: Vec<MailboxId>,
    pub(super) mailboxes: BTreeSet<MailboxId>,
    pub(super) sender_mailbox: Option<MailboxId>,
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
    /// Copies in the store that will be withdrawn.
    pub(super) copies: u64,
    /// Different mailboxes that will be withdrawn from.
    pub(super) mailboxes: u64,
    /// When any of it was first in any mailbox, the sender's own among them.
    pub(super) met_at: Option<Timestamp>,
    pub(super) sender_mailbox: Option<MailboxId>,
    /// Set when something was found and nothing of it may be recalled.
    pub(super) refused: Option<ReasonCode>,
}

/// Everything known under a Message-ID, at this moment.
pub(super) fn load(tx: &Tx<'_>, message_id: &str) -> Result<Vec<Found>, Error> {
    let identities = message::with_message_id(tx, message_id, IDENTITIES_MAX)?;
    identities.into_iter().map(|identity| load_one(tx, identity)).collect()
}

fn load_one(tx: &Tx<'_>, id: IdentityId) -> Result<Found, Error> {
    let known = message::identity(tx, id)?;
    let known = known.ok_or_else(|| Error::Corrupt(format!("identity {id} has no row")))?;
    let copies: Vec<MailboxId> =
        in_tx::copies_of(tx, id)?.into_iter().map(|copy| copy.mailbox).collect();
    let mut mailboxes: BTreeSet<MailboxId> = copies.iter().copied().collect();
    mailboxes.extend(ledger::copies(tx, id)?.into_iter().map(|copy| copy.mailbox));
    mailboxes.extend(super::vault::tables::sealed_mailboxes(tx, id)?);
    let sender_mailbox = match &known.from {
        Some(address) => cover::mailbox_of(tx, address)?,
        None => None,
    };
    Ok(Found {
        identity: id,
        is_read: !known.is_unread(),
        verified: known.verified,
        from: known.from,
        sent_at: known.date,
        delivered: tables::deliveries(tx, id)?,
        copies,
        mailboxes,
        sender_mailbox,
    })
}

/// Which of what was found the order covers, and how.
pub(super) fn decide(scope: &Scope, found: &[Found]) -> Selection {
    let mut selection = Selection::default();
    let mut withdrawn = BTreeSet::new();
    for one in found {
        let is_covered = covers(scope, one);
        selection.bodies.push(body(one, is_covered));
        if !is_covered {
            continue;
        }
        let verdict = |mailbox| verdict(mailbox, one.sender_mailbox, scope.include_sender);
        selection.identities.push(one.identity);
        selection.sender_mailbox = selection.sender_mailbox.or(one.sender_mailbox);
        for mailbox in &one.mailboxes {
            if verdict(*mailbox) == Verdict::Withdraw {
                withdrawn.insert(*mailbox);
            }
            selection.pairs.push((one.identity, *mailbox, verdict(*mailbox)));
        }
        let taken = one.copies.iter().filter(|mailbox| verdict(**mailbox) == Verdict::Withdraw);
        selection.copies += taken.count() as u64;
        selection.met_at =
            selection.met_at.into_iter().chain(one.delivered.values().copied()).min();
    }
    selection.mailboxes = withdrawn.len() as u64;
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
    let is_theirs = scope.from.is_none() || scope.from == found.from;
    let is_named =
        scope.bodies.as_ref().is_none_or(|bodies| bodies.contains(&hex(&found.verified)));
    let is_own =
        scope.own_mailbox.is_none_or(|own| found.is_read && found.mailboxes.contains(&own));
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
        identity: found.identity,
        body: hex(&found.verified),
        from: found.from.clone(),
        sent_at: found.sent_at,
        copies: found.copies.len() as u64,
        mailboxes: found.mailboxes.len() as u64,
        is_covered,
    }
}

/// Bodies that may go by one Message-ID.
const IDENTITIES_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(identity: i64, from: &str, mailboxes: &[i64]) -> Found {
        Found {
            identity: IdentityId(identity),
            verified: [u8::try_from(identity).unwrap(); 32],
            is_read: true,
            from: Some(from.to_owned()),
            sent_at: None,
            delivered: mailboxes.iter().map(|m| (MailboxId(*m), Timestamp(1_000 + m))).collect(),
            copies: mailboxes.iter().map(|mailbox| MailboxId(*mailbox)).collect(),
            mailboxes: mailboxes.iter().map(|mailbox| MailboxId(*mailbox)).collect(),
            sender_mailbox: Some(MailboxId(1)),
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
        assert_eq!(selection.met_at, Some(Timestamp(1_001)));
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
        let claimed = [Found { is_read: false, ..found(1, "ann@example.com", &[1, 2]) }];
        assert_eq!(
            decide(&scope, &claimed).refused,
            Some(ReasonCode::NotOwner),
            "it may be forged"
        );
    }
}
