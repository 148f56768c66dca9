//! An order: who recalls what, why, and until when; its brakes, its commit, its cancellation.
//!
//! [`place`] and [`cancel`] are jobs of one transaction: audit, order, fence, and nothing that grows with the number of devices. When
//! the transaction is committed the fence stands; everything else is carried out afterwards and taken up again after a crash.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::reason::ReasonCode;
use super::selector::{self, Scope, Selection};
use super::tables::{self, OrderRow, Verdict};
use super::{Limits, RecallError, Rooms};
use super::{cover, elsewhere, retraction};
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::delivery;
use crate::failpoint;
use crate::ids::{IdentityId, MailboxId, OrderId, UserId};

/// Who orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An administrator, by name.
    Admin(String),
    /// A bearer token, by name.
    Token(String),
    /// The machine's own shell, by the name of its user.
    Shell(String),
    /// A sender, for an own mail.
    Sender {
        /// The user.
        user: UserId,
        /// The address the mail was written from, in lower case.
        address: String,
    },
}

impl Actor {
    /// The name in audit entries and reports; different actors have different names.
    pub fn name(&self) -> String {
        match self {
            Actor::Admin(name) => format!("admin:{name}"),
            Actor::Token(name) => format!("token:{name}"),
            Actor::Shell(name) => format!("shell:{name}"),
            Actor::Sender { address, .. } => format!("sender:{address}"),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// The Message-ID, with or without angle brackets.
    pub message_id: String,
    /// Why; it is audited and shown.
    pub reason: String,
    /// Only what this address wrote.
    #[serde(default)]
    pub from: Option<String>,
    /// Only these bodies, by the hash the dry run shows.
    #[serde(default)]
    pub bodies: Option<Vec<String>>,
    /// Also from the sender's own mailbox.
    #[serde(default)]
    pub include_sender: bool,
    /// For how many days copies that arrive later are withheld too.
    #[serde(default)]
    pub stands_days: Option<u32>,
    /// The number of copies, typed; wanted above the brakes.
    #[serde(default)]
    pub confirm_count: Option<u64>,
    /// The second person or token; wanted above the brakes. Set by whoever verified the second token, never read from a request.
    #[serde(skip)]
    pub second: Option<SecondPerson>,
}

/// Proof that somebody else agreed; made by the room that checked the second token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondPerson(pub Actor);

/// Why an order was not given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct OrderRefused {
    /// The code.
    pub code: ReasonCode,
    /// The same for people.
    pub message: String,
    /// The number of copies, where the brakes want it typed.
    pub count: Option<u64>,
}

/// What becomes of an order request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) id: OrderId,
    pub(super) is_new: bool,
}

/// Commits an order: the transaction this runs in is the fence.
pub(super) fn place(
    tx: &Tx<'_>,
    rooms: &Rooms,
    limits: &Limits,
    ask: &Ask,
    now: Timestamp,
) -> Result<Placed, RecallError> {
    let by = ask.by.name();
    if let Some(key) = &ask.idempotency_key
        && let Some(earlier) = tables::order_by_key(tx, &by, key)?
    {
        return match earlier.fingerprint == fingerprint(&ask.request) {
            true => Ok(Placed { id: earlier.id, is_new: false }),
            false => {
                Err(refuse(ReasonCode::KeyReused, "this idempotency key belongs to another order"))
            }
        };
    }
    let message_id = check(ask, limits)?;
    let selection = survey(tx, ask, &message_id)?;
    if let Some(code) = selection.refused {
        return Err(refuse(code, why_refused(code)));
    }
    check_sender(tx, ask, limits, &message_id, &selection, now)?;
    let mailboxes = tables::mailboxes(tx)?;
    check_brakes(ask, limits, &selection, mailboxes)?;
    let id = record(tx, ask, limits, message_id, &selection, now)?;
    note(tx, id, ask, &selection, now)?;
    withdraw_from_outbox(tx, rooms, id, &selection, now)?;
    announce(tx, rooms, id, &selection);
    failpoint!("recall.order_written");
    Ok(Placed { id, is_new: true })
}

/// What still waits in the outbox does not leave any more: recipients who have not been served will not be.
fn withdraw_from_outbox(
    tx: &Tx<'_>,
    rooms: &Rooms,
    id: OrderId,
    selection: &Selection,
    now: Timestamp,
) -> Result<(), RecallError> {
    for body in selection.bodies.iter().filter(|body| body.is_covered) {
        let withdrawn = delivery::withdraw(tx, &rooms.store, body.identity, now)?;
        if withdrawn > 0 {
            let event = Event::new("order.withdrew_outgoing").id("order", id);
            let count = i64::try_from(withdrawn).unwrap_or(i64::MAX);
            audit::note(tx, now, &event.id("identity", body.identity).id("recipients", count))?;
        }
    }
    Ok(())
}

/// Everything about a request that does not change when it is tried again.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) request: OrderRequest,
    pub(super) by: Actor,
    pub(super) idempotency_key: Option<String>,
    pub(super) asked_at: Timestamp,
}

/// What the request would cover now.
pub(super) fn survey(tx: &Tx<'_>, ask: &Ask, message_id: &str) -> Result<Selection, RecallError> {
    let own_mailbox =
        match &ask.by {
            Actor::Sender { address, .. } => {
                let own = cover::mailbox_of(tx, address)?;
                Some(own.ok_or_else(|| {
                    refuse(ReasonCode::NotOwner, "this address has no mailbox here")
                })?)
            }
            _ => None,
        };
    let scope = Scope {
        from: sender_of(ask),
        bodies: ask.request.bodies.clone(),
        include_sender: ask.request.include_sender,
        own_mailbox,
    };
    let mut selection = selector::decide(&scope, &selector::load(tx, message_id)?);
    if let (None, Some(from)) = (selection.sender_mailbox, &scope.from) {
        selection.sender_mailbox = cover::mailbox_of(tx, from)?;
    }
    Ok(selection)
}

/// The number that has to be typed, when the order is large for this installation.
pub(super) fn brake(
    limits: &Limits,
    copies: u64,
    mailboxes: u64,
    mailboxes_all: u64,
) -> Option<u64> {
    let many_copies = copies > limits.copies_unconfirmed_max;
    let share = mailboxes.saturating_mul(1_000)
        > mailboxes_all.saturating_mul(limits.mailboxes_unconfirmed_permille);
    let many_mailboxes = mailboxes > limits.mailboxes_always_allowed && share;
    (many_copies || many_mailboxes).then_some(copies)
}

/// The Message-ID without blanks and angle brackets; `None` when it cannot be one.
pub fn normal_message_id(text: &str) -> Option<String> {
    let text = text.trim();
    let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    let is_plain = inner.chars().all(|c| !c.is_control() && c != '<' && c != '>');
    (is_plain && !inner.is_empty() && inner.len() <= MESSAGE_ID_BYTES_MAX).then(|| inner.to_owned())
}

/// Ends an order: lifts its fences, ends its claims, cancels its copies, queues the restoration. Again: nothing.
pub(super) fn cancel(
    tx: &Tx<'_>,
    rooms: &Rooms,
    id: OrderId,
    by: &Actor,
    now: Timestamp,
) -> Result<(), RecallError> {
    let order = tables::order(tx, id)?.ok_or(RecallError::NoSuchOrder)?;
    if matches!(by, Actor::Sender { .. }) && order.asked_by != by.name() {
        return Err(RecallError::NoSuchOrder);
    }
    if !tables::cancel_order(tx, id, &by.name(), now)? {
        return Ok(());
    }
    let pairs = tables::pairs(tx, id)?;
    tables::delete_standing(tx, id, &order.message_id)?;
    tables::lift_pairs(tx, id)?;
    elsewhere::forget(tx, id)?;
    // Each copy has its entry: those of a small order with this commit, the others pair by pair before they are put back.
    for pair in pairs.iter().take(PAIRS_AT_ONCE) {
        retraction::cancelled(tx, id, pair.identity, pair.mailbox, now)?;
    }
    let copies = retraction::tables::count_of_order(tx, id)?;
    send_after_all(tx, id, now)?;
    let event = Event::new("order.cancelled").id("order", id).id("copies", copies);
    audit::note(tx, now, &event.personal("by", by.name()))?;
    failpoint!("recall.cancel_written");
    // What another order covers stays on the board.
    let board = rooms.board.clone();
    let is_withdrawn = |pair: &&tables::PairRow| pair.verdict == Verdict::Withdraw;
    let lifted: Vec<(IdentityId, MailboxId)> =
        pairs.iter().filter(is_withdrawn).map(|pair| (pair.identity, pair.mailbox)).collect();
    tx.on_commit(move || {
        board.lift(id, lifted);
        super::work();
    });
    Ok(())
}

/// What the order kept from leaving goes on its way, unless another order names it too.
fn send_after_all(tx: &Tx<'_>, id: OrderId, now: Timestamp) -> Result<(), Error> {
    for identity in tables::identities(tx, id)? {
        if tables::is_recalled(tx, identity)? {
            continue;
        }
        let resumed = delivery::resume(tx, identity, now)?;
        if resumed > 0 {
            let event = Event::new("order.resumed_outgoing").id("order", id);
            audit::note(tx, now, &event.id("identity", identity).id("recipients", resumed))?;
        }
    }
    Ok(())
}

/// An order refused, as an error.
pub(super) fn refuse(code: ReasonCode, message: &str) -> RecallError {
    RecallError::Refused(OrderRefused { code, message: message.to_owned(), count: None })
}

/// The shape of a request, before anything is looked up; answers the Message-ID.
pub(super) fn check(ask: &Ask, limits: &Limits) -> Result<String, RecallError> {
    let bad = |message| Err(refuse(ReasonCode::BadRequest, message));
    let request = &ask.request;
    if request.reason.trim().is_empty() {
        return bad("an order needs a reason");
    }
    if request.reason.len() > REASON_BYTES_MAX {
        return bad("the reason is too long");
    }
    if request.bodies.as_ref().is_some_and(|bodies| bodies.is_empty() || bodies.len() > BODIES_MAX)
    {
        return bad("name between 1 and 100 bodies, or none at all");
    }
    if request.stands_days.is_some_and(|days| days > limits.stands_days_max) {
        return bad("the order would stand too long");
    }
    if ask.idempotency_key.as_ref().is_some_and(|key| key.is_empty() || key.len() > KEY_BYTES_MAX) {
        return bad("an idempotency key has 1 to 200 bytes");
    }
    match normal_message_id(&request.message_id) {
        Some(message_id) => Ok(message_id),
        None => bad("this is no Message-ID"),
    }
}

fn sender_of(ask: &Ask) -> Option<String> {
    match &ask.by {
        Actor::Sender { address, .. } => Some(address.to_lowercase()),
        _ => ask.request.from.as_ref().map(|address| address.trim().to_lowercase()),
    }
}

/// What holds for senders only.
fn check_sender(
    tx: &Tx<'_>,
    ask: &Ask,
    limits: &Limits,
    message_id: &str,
    selection: &Selection,
    now: Timestamp,
) -> Result<(), RecallError> {
    let Actor::Sender { .. } = ask.by else { return Ok(()) };
    if !limits.senders_may_recall {
        return Err(refuse(ReasonCode::NotEnabled, "senders cannot recall mail here"));
    }
    let is_old = selection.met_at.is_some_and(|at| now.since(at) > limits.sender_age_max);
    if is_old {
        return Err(refuse(ReasonCode::TooOld, "the mail is older than senders may recall"));
    }
    if tables::open_order_of(tx, &ask.by.name(), message_id)?.is_some() {
        return Err(refuse(ReasonCode::AlreadyRecalled, "the mail is being recalled already"));
    }
    Ok(())
}

fn check_brakes(
    ask: &Ask,
    limits: &Limits,
    selection: &Selection,
    mailboxes_all: u64,
) -> Result<(), RecallError> {
    let Some(count) = brake(limits, selection.copies, selection.mailboxes, mailboxes_all) else {
        return Ok(());
    };
    let refused = |code, message: String| {
        Err(RecallError::Refused(OrderRefused { code, message, count: Some(count) }))
    };
    if ask.request.confirm_count != Some(count) {
        return refused(
            ReasonCode::CountNotConfirmed,
            format!("the order covers {count} copies; type that number to confirm it"),
        );
    }
    let is_other = |second: &SecondPerson| second.0.name() != ask.by.name();
    if !ask.request.second.as_ref().is_some_and(is_other) {
        return refused(
            ReasonCode::SecondPersonMissing,
            format!("the order covers {count} copies; a second person or token has to agree"),
        );
    }
    Ok(())
}

/// The rows: the order, its identities, its claim, its pairs.
fn record(
    tx: &Tx<'_>,
    ask: &Ask,
    limits: &Limits,
    message_id: String,
    selection: &Selection,
    now: Timestamp,
) -> Result<OrderId, Error> {
    let days = ask.request.stands_days.unwrap_or(limits.stands_days);
    let is_sender = matches!(ask.by, Actor::Sender { .. });
    let row = OrderRow {
        id: OrderId(0),
        asked_by: ask.by.name(),
        is_sender,
        second: ask.request.second.as_ref().map(|second| second.0.name()),
        idempotency_key: ask.idempotency_key.clone(),
        fingerprint: fingerprint(&ask.request),
        message_id,
        from_address: sender_of(ask),
        sender_mailbox: selection.sender_mailbox,
        reason: ask.request.reason.trim().to_owned(),
        include_sender: ask.request.include_sender,
        is_exact: ask.request.bodies.is_some() || (is_sender && !selection.identities.is_empty()),
        is_open: true,
        delivered_at: None,
        asked_at: ask.asked_at,
        fenced_at: now,
        stands_until: now.after(DAY * days),
        copies: selection.copies,
        cancelled_at: None,
        cancelled_by: None,
        is_listed: false,
        is_spread: false,
    };
    let id = tables::insert_order(tx, &row)?;
    for identity in &selection.identities {
        tables::insert_identity(tx, id, *identity)?;
    }
    tables::insert_standing(tx, &row, id)?;
    for (identity, mailbox, verdict) in &selection.pairs {
        tables::insert_pair(tx, id, *identity, *mailbox, *verdict, now)?;
    }
    Ok(id)
}

fn note(
    tx: &Tx<'_>,
    id: OrderId,
    ask: &Ask,
    selection: &Selection,
    now: Timestamp,
) -> Result<(), Error> {
    let mut event = Event::new("order.fenced")
        .id("order", id)
        .id("identities", selection.identities.len())
        .id("pairs", selection.pairs.len())
        .id("copies", selection.copies)
        .personal("by", ask.by.name())
        .personal("message_id", &ask.request.message_id)
        .personal("reason", ask.request.reason.trim());
    if let Some(second) = &ask.request.second {
        event = event.personal("second", second.0.name());
    }
    for body in selection.bodies.iter().filter(|body| body.is_covered).take(BODIES_NOTED) {
        event = event.text("body", &body.body);
    }
    audit::note(tx, now, &event).map(drop)
}

/// After the commit: the board in memory, the worker, the watchers.
fn announce(tx: &Tx<'_>, rooms: &Rooms, id: OrderId, selection: &Selection) {
    let board = rooms.board.clone();
    let fenced: Vec<(IdentityId, MailboxId)> = selection
        .pairs
        .iter()
        .filter(|(_, _, verdict)| *verdict == Verdict::Withdraw)
        .map(|(identity, mailbox, _)| (*identity, *mailbox))
        .collect();
    tx.on_commit(move || {
        board.fence(id, fenced);
        super::work();
    });
}

/// What has to be the same when an idempotency key comes again.
fn fingerprint(request: &OrderRequest) -> [u8; 32] {
    let mut hash = Sha256::new();
    let bodies = request.bodies.as_ref().map(|bodies| bodies.join(","));
    let parts = [
        Some(request.message_id.as_str()),
        Some(request.reason.as_str()),
        request.from.as_deref(),
        bodies.as_deref(),
    ];
    for part in parts {
        hash.update([u8::from(part.is_some())]);
        hash.update((part.map_or(0, str::len) as u64).to_be_bytes());
        hash.update(part.unwrap_or_default());
    }
    hash.update([u8::from(request.include_sender)]);
    hash.update(request.stands_days.map_or(-1, i64::from).to_be_bytes());
    hash.finalize().into()
}

fn why_refused(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::NotOwner => "this sender wrote no message with this Message-ID",
        _ => "none of the bodies with this Message-ID is the one named",
    }
}

const DAY: std::time::Duration = std::time::Duration::from_hours(24);
/// A header line has 998 octets at most (RFC 5322 2.1.1).
const MESSAGE_ID_BYTES_MAX: usize = 998;
/// A reason is a sentence or two.
const REASON_BYTES_MAX: usize = 2_000;
/// Bodies one order names.
const BODIES_MAX: usize = 100;
/// Bodies named in the audit entry; an entry has room for 256 fields.
const BODIES_NOTED: usize = 100;
/// Idempotency keys are tokens, not documents.
const KEY_BYTES_MAX: usize = 200;
/// Pairs whose copies are cancelled with their order itself; the worker does the rest, so many a job.
const PAIRS_AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_installations_are_usable_and_large_orders_are_braked() {
        let limits = Limits::default();
        assert_eq!(brake(&limits, 20, 20, 25), None, "the floor");
        assert_eq!(brake(&limits, 21, 21, 25), Some(21));
        assert_eq!(brake(&limits, 100, 100, 10_000), None, "exactly one per cent");
        assert_eq!(brake(&limits, 101, 101, 10_000), Some(101));
        assert_eq!(brake(&limits, 1_000, 5, 10_000), None);
        assert_eq!(brake(&limits, 1_001, 5, 10_000), Some(1_001));
    }

    #[test]
    fn a_message_id_is_the_same_with_and_without_brackets() {
        assert_eq!(normal_message_id(" <a@b> ").as_deref(), Some("a@b"));
        assert_eq!(normal_message_id("a@b").as_deref(), Some("a@b"));
        for wrong in ["", "<>", "<a@b", "a\nb", "a<b>c"] {
            assert_eq!(normal_message_id(wrong), None, "{wrong:?}");
        }
    }
}
