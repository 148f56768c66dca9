//! A device that really caches what an Exchange ActiveSync server sends it.
//!
//! [`Phone`] is sans-IO: a verb such as [`Phone::sync`] gives an [`Exchange`] to be sent, and [`Phone::take`] takes the answer in.
//! An exchange whose answer was lost is simply not taken; one that was cut, or that the app died over, is taken with
//! [`Commit::Items`], which stores a prefix of the items and not the key, as real apps do that commit items in batches before they
//! store the key. What the phone shows afterwards, [`Phone::cache`], is the truth that a server's books are held against.
//!
//! With the feature `client` there is [`client::Connection`], a thin HTTP client over TCP or TLS.
//!
//! ```
//! use activesync_phone::{Commit, HttpAnswer, Phone, Profile};
//!
//! let mut phone = Phone::new(Profile::ios(), "alice", "secret", "PHONE1");
//! let exchange = phone.folder_sync();
//! assert!(exchange.target.contains("Cmd=FolderSync"));
//! // The answer is lost: nothing is taken, and the phone asks the same again.
//! assert_eq!(phone.folder_sync().body, exchange.body);
//! // A server that is down is a failure the caller hears of.
//! let down = HttpAnswer { status: 503, headers: Vec::new(), body: Vec::new() };
//! assert!(phone.take(&exchange, &down, Commit::All).is_err());
//! ```
#![forbid(unsafe_code)]

mod cache;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "client")]
pub mod driver;
mod exchange;
mod phone;
mod profile;
mod take;
mod verbs;

pub use cache::{Cache, CachedItem, Collection};
pub use exchange::{Commit, Exchange, HttpAnswer, Outcome, PhoneError};
pub use phone::{Phone, SearchCopy};
pub use profile::{Profile, Push};
pub use verbs::{SyncAsk, Waits};

pub use activesync;
