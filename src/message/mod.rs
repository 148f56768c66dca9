//! What a message is: octets that came from anywhere, read without ever failing on their contents.
//!
//! Pure: no clock, no socket, no wire types, and no database but for the register of identities. [`Message::parse`] makes
//! one pass over the octets and keeps offsets; bodies and attachments are decoded when asked for. Whatever a stranger wrote,
//! what leaves here is clean UTF-8 within stated limits; broken MIME degrades, and only a size over [`SIZE_MAX`] is refused.
//!
//! [`Identity`] says whether two copies are the same message, [`body`] shapes content the way a phone asked for it,
//! [`compose`] makes mail out of what phones send.

mod address;
mod attachment;
pub mod body;
mod charset;
#[doc(hidden)]
pub mod check;
mod class;
pub mod compose;
mod date;
mod headers;
mod html;
mod identity;
mod mime;
mod quote;
mod register;
mod tables;
#[cfg(test)]
mod tests;
mod thread;
mod transfer;
mod utf8;
mod view;
mod write;

pub use address::{Address, join};
pub use attachment::{Attachment, Method};
pub(crate) use html::{document as html_of_plain, to_plain as plain_of_html};
pub use identity::Identity;
pub use register::{identity, register, registered, with_message_id};
pub use thread::{conversation_id, conversation_index, conversation_of_raw};
pub use view::{ADDRESS_LIST_OCTETS_MAX, Message, Native, SIZE_MAX, Unreadable};
