//! Sync ([MS-ASCMD] 2.2.1.21): how a device and a server tell each other what changed.
//!
//! A request with no body at all means "as last time" ([MS-ASCMD] 2.2.1.21.1) and an answer with no
//! body means "nothing new"; neither is a document, so neither has a type here.

mod request;
mod response;

pub use request::{Add, Change, ClientCommand, Collection, Delete, Options, Request};
pub use response::{CollectionAnswer, Reply, ReplyTo, Response, ServerCommand};

/// Changes a collection gets at most in one answer where the client does not say
/// ([MS-ASCMD] 2.2.3.199).
pub const WINDOW_SIZE_DEFAULT: u32 = 100;

/// Changes a collection gets at most in one answer whatever the client says.
pub const WINDOW_SIZE_MAX: u32 = 512;

/// Adds, changes, deletes and fetches a client may send for one collection
/// ([MS-ASCMD] 3.1.5.10).
pub const CLIENT_COMMANDS_MAX: usize = 200;

/// The window a `WindowSize` element asks for: 0 and what is above 512 stand for 512
/// ([MS-ASCMD] 2.2.3.199).
pub fn window(window_size: Option<u32>) -> u32 {
    match window_size {
        None => WINDOW_SIZE_DEFAULT,
        Some(0) => WINDOW_SIZE_MAX,
        Some(size) => size.min(WINDOW_SIZE_MAX),
    }
}

#[cfg(test)]
mod quirks;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_normalised() {
        let windows = [None, Some(0), Some(1), Some(512), Some(513), Some(u32::MAX)].map(window);
        assert_eq!(windows, [100, 512, 1, 512, 512, 512]);
    }
}
