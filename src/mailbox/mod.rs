//! Where mail lives: one trait, [`Mailbox`], that every store behind the gateway implements.
//!
//! ```text
//!   phone <- sync <- Delta  <- changes_since(cursor) <- a folder's change log <- append, move, delete, set_state
//! ```
//!
//! Guarantees, the same for every backend and held by one suite:
//! - **An error is an error.** A store that cannot be reached never looks like an empty folder and never like a deletion.
//! - **A number is never used again.** Neither a folder's [`CollectionNumber`](crate::ids::CollectionNumber) in its mailbox
//!   nor an item's [`ItemNumber`](crate::ids::ItemNumber) in its folder; a message that comes back has a new one.
//! - **Every change has a position of its own** in the log of its folder, so that a [`Cursor`] says exactly what was told.
//! - **No question costs what the folder holds**; only what has changed, or what was asked for.

mod elsewhere;
pub mod embedded;
pub mod imap;
pub(crate) mod store;
mod types;

pub use elsewhere::{Elsewhere, Original};
pub use store::{Freshness, Later, Mailbox, SearchIn, Watching, Word};
pub use types::{
    Arrival, Change, Copy, Cursor, Delta, Flag, Floor, Folder, FolderEvent, FolderEventKind,
    FolderKind, Item, MailboxError, StateChange,
};

/// The longest folder name, in characters ([MS-ASCMD] 2.2.3.48.3 sets no limit; Exchange's is 255).
pub const FOLDER_NAME_CHARS_MAX: usize = 255;

/// The most folders in a mailbox, deleted ones not counted.
pub const FOLDERS_MAX: usize = 2_000;

/// The deepest a folder may lie below the root.
pub const FOLDER_DEPTH_MAX: usize = 32;

/// The largest message taken in, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 50 * 1024 * 1024;

/// What one mailbox may hold unless its user has a quota of its own, in bytes.
pub const MAILBOX_QUOTA_BYTES: u64 = 50 * 1024 * 1024 * 1024;

/// The most categories a message carries ([MS-ASEMAIL] 2.2.2.16 allows 300).
pub const CATEGORIES_MAX: usize = 300;

/// For how long a repeated idempotency token gives the first item again, in days.
pub const ONCE_DAYS: u64 = 14;

#[cfg(test)]
pub(crate) mod suite;
