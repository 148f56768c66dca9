//! Limits: what a server may make us keep, and how long it may make us wait.
//!
//! The defaults stand far above what servers send (a BODYSTRUCTURE of 10,000 parts is some 2 MB of line) and far below what
//! hurts. What goes beyond a size is skipped and reported, never cut short in silence; what goes beyond a time ends the
//! connection, because after that nobody knows which answer belongs to which question.

use std::time::Duration;

/// Octets of literals that are kept in memory; a longer one is handed over piece by piece.
pub const LITERAL_KEPT_BYTES: usize = 64 * 1024;

/// What one connection may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of one response without its literals; 8 MiB unless told otherwise.
    pub line_bytes_max: usize,
    /// Octets of a literal that is kept; a longer one is streamed in pieces of at most this size. 64 KiB unless told otherwise.
    pub literal_kept_bytes: usize,
    /// Octets of all kept literals of one response; 16 MiB unless told otherwise.
    pub literals_bytes_max: usize,
    /// Lists within lists; what lies deeper is one unreadable value. 128 unless told otherwise.
    pub depth_max: usize,
    /// Values of one response; 262,144 unless told otherwise.
    pub values_max: usize,
    /// Ranges of one set of UIDs; 1,048,576 unless told otherwise.
    pub ranges_max: usize,
    /// Octets of events nobody has fetched yet before input is refused; 4 MiB unless told otherwise.
    pub queue_bytes_max: usize,
    /// Commands that are out or waiting to go; 1,024 unless told otherwise.
    pub commands_max: usize,
    /// The longest silence while an answer is due; 60 s unless told otherwise.
    pub silence_max: Duration,
    /// The longest a command may take from its first octet to its last word; 15 min unless told otherwise.
    pub command_max: Duration,
    /// When an IDLE is ended from our side; 28 min unless told otherwise (RFC 2177: a server may log off after 30).
    pub idle_max: Duration,
}

impl Limits {
    /// The defaults, as a constant.
    pub const DEFAULT: Limits = Limits {
        line_bytes_max: 8 << 20,
        literal_kept_bytes: LITERAL_KEPT_BYTES,
        literals_bytes_max: 16 << 20,
        depth_max: 128,
        values_max: 1 << 18,
        ranges_max: 1 << 20,
        queue_bytes_max: 4 << 20,
        commands_max: 1024,
        silence_max: Duration::from_secs(60),
        command_max: Duration::from_secs(15 * 60),
        idle_max: Duration::from_secs(28 * 60),
    };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}
