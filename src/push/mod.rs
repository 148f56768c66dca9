//! Who is waiting?
//!
//! A phone that waits has one [`Listener`]: a bell on each folder it named. Whatever happens in a folder rings it, after the
//! commit and never before; [`Wait`] decides which ring ends the wait, and when. One table serves all devices of a mailbox, so a
//! waiting phone costs an entry per folder and asks nobody anything.
//!
//! **Invariants.** A ring is never lost between the look at the state and the wait: listen first, look then. Waking proves nothing
//! about what a phone has. A device has at most one wait of each kind; a newer one ends the older.

mod bell;
#[doc(hidden)]
pub mod check;
mod wait;

pub use bell::{Bells, Kind, Listener, Ring};
pub use wait::{Ended, Wait, WaitLimits};
