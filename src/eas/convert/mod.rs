//! Between a message of the store and an item of the protocol, in both directions.
//!
//! ```text
//!   store ── octets ──> Shaper ──> (Email, Exposure) ──> encoder ──> the gate
//!   phone ── Email ──> state_change | draft ──> the store
//! ```
//!
//! Nothing here writes or decides what may leave. The [`Exposure`](crate::ledger::Exposure) a [`Shaper`] gives back is computed from what it put into the
//! item, so that the ledger records what the answer holds and not what was asked for.

mod calendar;
mod change;
pub(in crate::eas) mod check;
mod draft;
mod email;
mod invitation;
mod meeting;
mod shaper;
mod time_zone;

use activesync::ProtocolVersion;
use activesync::item::body::{BodyPreference, MimeSupport};
use activesync::types::FileReference;

use crate::ids::{CollectionNumber, ItemNumber, ServerId};

pub use change::state_change;
pub use draft::{Drafted, draft, drafted_answer};
pub use email::state_of;
pub(in crate::eas) use invitation::{Invitation, Said};
pub use shaper::{Leave, Shaper, Unshapable};

/// What a phone wants of mail, in Sync, ItemOperations or Search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemOptions {
    /// The version spoken: decides which properties exist.
    pub version: ProtocolVersion,
    /// BodyPreference, one per type.
    pub body_preferences: Vec<BodyPreference>,
    /// BodyPartPreference; only HTML parts are made.
    pub body_part_preferences: Vec<BodyPreference>,
    /// For which mail the whole message is wanted.
    pub mime_support: MimeSupport,
    /// MIMETruncation ([MS-ASCMD] 2.2.3.111), for a Type 4 preference without a size of its own.
    pub mime_truncation: Option<u8>,
    /// Whether no preference means the whole body, as in a Fetch, and not none of it.
    pub whole: bool,
}

impl ItemOptions {
    /// No wishes: what a Sync without Options gives.
    pub fn new(version: ProtocolVersion) -> ItemOptions {
        ItemOptions {
            version,
            body_preferences: Vec::new(),
            body_part_preferences: Vec::new(),
            mime_support: MimeSupport::Never,
            mime_truncation: None,
            whole: false,
        }
    }
}

/// Which attachment a FileReference names: `<collection>:<item>:<attachment>`, opaque to phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachmentId {
    /// The item.
    pub item: ServerId,
    /// The place of the attachment among those of the message.
    pub index: usize,
}

impl AttachmentId {
    /// The attachment of an item.
    pub fn new(collection: CollectionNumber, item: ItemNumber, index: usize) -> AttachmentId {
        AttachmentId { item: ServerId { collection, item }, index }
    }

    /// Reads the spelling we give out, and the percent-encoded one that some phones make of it.
    pub fn parse(text: &str) -> Option<AttachmentId> {
        let text = text.replace("%3a", ":").replace("%3A", ":");
        let (item, index) = text.rsplit_once(':')?;
        let plain = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
        let index = index.parse().ok().filter(|_| plain)?;
        Some(AttachmentId { item: ServerId::parse(item)?, index })
    }

    /// The spelling phones get: ASCII, no blanks, at most 32 characters.
    pub fn reference(&self) -> FileReference {
        FileReference::new(format!("{}:{}", self.item, self.index))
            .expect("three numbers are shorter than the limit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reference_names_its_attachment_again() {
        let id = AttachmentId::new(CollectionNumber(1), ItemNumber(41), 2);
        assert_eq!(id.reference().as_str(), "1:41:2");
        assert_eq!(AttachmentId::parse("1:41:2"), Some(id));
        assert_eq!(AttachmentId::parse("1%3a41%3A2"), Some(id));
        for wrong in ["", "1:41", "1:41:", "1:41:-1", "1:41:+1", "01:41:2", "1:41:2:3", "a:b:c"] {
            assert_eq!(AttachmentId::parse(wrong), None, "{wrong}");
        }
    }
}
