//! GetAttachment: a client of 12.1 or older asks for the bytes of an attachment ([MS-ASCMD] 2.2.1.7).
//!
//! The request is the query alone, the answer the bytes alone, with the attachment's media type. Newer versions have
//! [`super::item_operations`] for it.

use crate::command::CommandName;
use crate::http::Query;
use crate::status::{Status, common};
use crate::types::FileReference;

/// Asks for an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which: what the item calls its `FileReference`, or `AttName` where it came from 2.5.
    pub attachment: FileReference,
}

impl Request {
    /// What a query asks for; else the status that says that it asks for nothing.
    pub fn from_query(query: &Query) -> Result<Self, Status> {
        let name = query.attachment_name.as_deref().filter(|name| !name.is_empty());
        let name = name.ok_or(common::INVALID_CONTENT)?;
        let attachment = FileReference::new(name).map_err(|_| common::INVALID_IDS)?;
        Ok(Self { attachment })
    }

    /// The query of a device that asks for it.
    pub fn query(&self, device_id: &str, device_type: &str) -> Query {
        let mut query = Query::new(CommandName::GetAttachment, device_id, device_type);
        query.attachment_name = Some(self.attachment.to_string());
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_says_which() {
        let request = Request { attachment: FileReference::new("5:41:2 a&b").unwrap() };
        let query = request.query("dev", "phone");
        let raw = query.encode_plain();
        assert_eq!(
            raw,
            "Cmd=GetAttachment&DeviceId=dev&DeviceType=phone&AttachmentName=5%3A41%3A2%20a%26b"
        );
        assert_eq!(Request::from_query(&Query::decode(&raw).unwrap()), Ok(request));
    }

    #[test]
    fn a_query_without_a_usable_name_asks_for_nothing() {
        let mut query = Query::new(CommandName::GetAttachment, "dev", "phone");
        assert_eq!(Request::from_query(&query), Err(common::INVALID_CONTENT));
        query.attachment_name = Some(String::new());
        assert_eq!(Request::from_query(&query), Err(common::INVALID_CONTENT));
        query.attachment_name = Some("x".repeat(FileReference::CHARS_MAX + 1));
        assert_eq!(Request::from_query(&query), Err(common::INVALID_IDS));
    }
}
