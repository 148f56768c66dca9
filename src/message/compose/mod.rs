//! Outgoing mail: what phones send becomes mail that relays take.
//!
//! ```text
//! SendMail ------------------------------> prepare -> Outgoing (outbox, Sent Items)
//! SmartReply, SmartForward -> smart_* ----^
//! a draft's fields -> Draft::build -------^  (or kept as a draft)
//! ```
//! Nothing here draws a random number or reads a clock: both come in as arguments.

mod draft;
mod entity;
mod prepare;
mod smart;

pub use draft::{CalendarMethod, CalendarPart, Draft, DraftBody, File};
pub use prepare::{Outgoing, RECIPIENTS_MAX, Sender, Unsendable, prepare};
pub use smart::{smart_forward, smart_reply};
