//! How phones talk to us: the listener, the requests on it, and what each command does.
//!
//! A connection is in one of these states, and only the two at rest last long:
//!
//! ```text
//!  accepted ─ handshake ─> idle ──first byte──> reading ──whole──> handled ──> writing ─┐
//!                           ^  (bare stream)    (hyper)               │                 │
//!                           │                                         v                 │
//!                           └──────────<── writing <──answer── waiting (bare stream)    │
//!                           └──────────────────────────────<────────────────────────────┘
//! ```
//!
//! Invariants: an idle or waiting phone costs its socket, its TLS state and one small task, no HTTP machinery; content leaves
//! only as [`Body::Released`], and its gate is asked before every chunk; every read, write, wait and buffer has a limit.

mod autodiscover;
pub mod basic;
mod budget;
#[doc(hidden)]
pub mod check;
mod command;
pub mod convert;
mod dispatch;
mod endpoint;
mod fresh;
mod gateway;
mod gzip;
mod hang;
mod look;
mod outgoing;
mod parking;
mod presence;
mod quirks;
mod session;
mod status;
mod telling;
pub mod tls;
mod trust;

#[cfg(test)]
mod tests;

pub use autodiscover::Discovery;
pub use basic::Realm;
pub use endpoint::{
    Answer, Body, BoxFuture, ConnectionId, Content, Endpoint, Forwarding, Gauge, Handler, Incoming,
    Limits, Outcome, Pass, Place, Plain, REQUESTS_MAX, Settings, Stopping, Waiting,
};
pub use gateway::{
    Admission, Admitted, Asks, COMMANDS, Everybody, Gateway, GatewayLimits, MailName, NotSubmitted,
    Outgoing, Rooms, Submission, VERSIONS,
};
pub use quirks::Quirks;
pub use trust::{NotTrust, Trust};
