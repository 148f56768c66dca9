//! How does a device catch up?
//!
//! One Sync of one collection is a [`Turn`]: the claim is judged, the phone's own changes are carried out, a plan is made from the
//! store, the books and recall, its items are read and encoded, and one transaction puts it all on the books or nothing:
//!
//! ```text
//! open ─► (upload) ─► plan ─► read, convert, encode ─► commit ─► Released
//!                      ▲                                 │
//!                      └── withheld, or somebody wrote ──┘
//! ```
//!
//! **Invariants.** Nothing is written between `open` and `commit` but the phone's own uploads, whose intent is durable first. A
//! commit whose collection was written by somebody else since `open` does nothing. An error of the mailbox is an error of the
//! turn: it is never taken for an empty folder. A turn costs what changed, not what the folder holds.

#[doc(hidden)]
mod again;
pub mod check;
mod conflict;
mod error;
mod hierarchy;
mod looker;
mod moving;
mod news;
mod plan;
#[cfg(test)]
mod tests;
mod turn;
mod upload;
mod view;
pub mod window;

pub use conflict::Wins;
pub use error::SyncError;
pub use hierarchy::{FolderChanges, FolderDone, FolderTask, FoldersTold};
pub use moving::Moved;
pub use news::{Foreseen, News};
pub use plan::{Plan, Planner, View, What};
pub use turn::{Committed, Opened, Turn};
pub use upload::{Upload, Uploaded};

use std::sync::Arc;

use crate::clock::Clock;
use crate::database::Database;
use crate::ledger::Books;
use crate::mailbox::Mailbox;
use crate::recall::gate::FenceBoard;

/// What a turn works with. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    /// Where state lives.
    pub database: Database,
    /// Where mail lives.
    pub store: Arc<dyn Mailbox>,
    /// Who issues keys.
    pub books: Books,
    /// Fences committed while answers drain.
    pub board: FenceBoard,
    /// The time.
    pub clock: Clock,
}
