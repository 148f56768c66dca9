//! The mail people already have, behind IMAP.
//!
//! ```text
//!   link: one connection   ->   mirror: what a look at a folder means   ->   our own numbers and change log
//! ```
//!
//! What stands so far:
//! - [`link`]: a connection with a deadline for everything, TLS verified, each command's answer whole or an error.
//! - [`mirror`]: the judgement, without I/O, on what a server said of a folder. Nothing a server says or fails to say turns into
//!   a deletion unless it adds up; a large one is looked at twice.
//!
//! A UID is not an [`ItemNumber`](crate::ids::ItemNumber): numbers are ours and never used again, and (folder, UIDVALIDITY, UID)
//! maps to one.

pub mod link;
pub mod mirror;
