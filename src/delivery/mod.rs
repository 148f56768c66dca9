//! How mail comes and goes, durable on both sides.
//!
//! ```text
//!   mail server ─LMTP─► Lmtp ─► Postman ─► Inbox            (250 only after the commit)
//!   phone ─► Outbox (row + Sent Items, one commit) ─► worker ─┬─► Postman ─► Inbox of a local recipient
//!                                                             └─► Relay ─► the world;   for good refused ─► a note in the Inbox
//!   an Inbox whose user is away ─► what is owed ─► Outbox           (an automatic reply, once for each sender)
//! ```
//!
//! In front of mailboxes that are not ours ([`Outbox::in_front_of`]) every recipient goes to the relay, and Sent Items and Inbox are written
//! by the store, from a row that is committed with the cause (`filing`).
//!
//! - **No mail is lost:** what was answered with 250, or accepted from a phone, is on the disk.
//! - **A local copy is delivered once:** recipient's state and Inbox change in one transaction.
//! - **A relayed mail is sent twice only if we cannot know:** the relay took it and its answer, or our commit, was lost. It has the
//!   same Message-ID then, and is counted.
//! - **A mail that is submitted as its user waits for them** where they have not signed in since we started, and nobody is told no.
//! - A phone that repeats a ClientId is told the first result for 14 days.
//! - **What a recall withdrew** keeps its body and goes on its way again when the order is cancelled; nothing is offered again meanwhile.

mod awaited;
mod away;
mod bounce;
mod filing;
mod lines;
mod lmtp;
mod outbox;
mod postman;
mod relay;
mod submit;
mod tables;
mod withheld;

pub use away::Covers;
pub use lmtp::{Lmtp, LmtpSettings};
pub use outbox::{Outbox, OutboxCounts, OutboxId, OutboxSettings, RecipientState, Withheld};
pub use postman::Postman;
pub use relay::{
    Hand, Login, NotLetIn, Offer, Relay, RelaySettings, RelaySurvey, Security, survey,
};
pub use submit::{Against, ClientKey, Judge, Judged, Submission, SubmitError, Submitted};
pub use withheld::{HeldMail, Hold, resume, withdraw};

/// The most recipients of one mail, in either direction.
pub const RECIPIENTS_MAX: usize = 500;

#[cfg(test)]
mod tests;
