//! SendMail, SmartForward and SmartReply of 12.1 and older: the body is the mail itself, `message/rfc822`, and what
//! else there is to say stands in the query ([MS-ASCMD] 2.2.1.17, 2.2.1.19, 2.2.1.20; [MS-ASHTTP] 2.2.1.1.1).
//!
//! Success is an answer without a body, failure an HTTP status ([`Status::http_below_14`]).

use super::smart_reply::{Source, SourceItem};
use crate::command::CommandName;
use crate::http::Query;
use crate::status::{Status, common};
use crate::types::{CollectionId, DateTime, LongId, ServerId};

/// Asks for a mail to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whether it stands alone, answers an item or forwards one.
    pub purpose: Purpose,
    /// Whether a copy goes into Sent Items.
    pub save_in_sent_items: bool,
    /// The mail, RFC 5322.
    pub mime: Vec<u8>,
}

/// What a mail is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It stands alone.
    Send,
    /// It answers this item, which the server quotes.
    Reply(Source),
    /// It forwards this item, which the server adds.
    Forward(Source),
}

impl Request {
    /// What a query and a body ask for; else the status that says what is wrong with the query.
    pub fn from_query(query: &Query, mime: Vec<u8>) -> Result<Self, Status> {
        let purpose = match query.command {
            CommandName::SendMail => Purpose::Send,
            CommandName::SmartReply => Purpose::Reply(source(query)?),
            CommandName::SmartForward => Purpose::Forward(source(query)?),
            _ => return Err(common::COMMAND_NOT_SUPPORTED),
        };
        if mime.is_empty() {
            return Err(common::INVALID_CONTENT);
        }
        Ok(Self { purpose, save_in_sent_items: query.save_in_sent, mime })
    }

    /// The query of a device that asks for it; the body is the mail.
    pub fn query(&self, device_id: &str, device_type: &str) -> Query {
        let (command, source) = match &self.purpose {
            Purpose::Send => (CommandName::SendMail, None),
            Purpose::Reply(source) => (CommandName::SmartReply, Some(source)),
            Purpose::Forward(source) => (CommandName::SmartForward, Some(source)),
        };
        let mut query = Query::new(command, device_id, device_type);
        query.save_in_sent = self.save_in_sent_items;
        let Some(source) = source else { return query };
        match &source.item {
            SourceItem::Item { folder_id, item_id } => {
                query.collection_id = Some(folder_id.to_string());
                query.item_id = Some(item_id.to_string());
            }
            SourceItem::Found(long_id) => query.long_id = Some(long_id.to_string()),
        }
        query.occurrence = source.instance_id.map(|time| time.to_string());
        query
    }
}

/// The item a query names; a search result where it has a `LongId`.
fn source(query: &Query) -> Result<Source, Status> {
    let item = match &query.long_id {
        Some(long_id) => {
            SourceItem::Found(LongId::new(long_id.as_str()).map_err(|_| common::INVALID_IDS)?)
        }
        None => {
            let folder = query.collection_id.as_deref().ok_or(common::INVALID_CONTENT)?;
            let item = query.item_id.as_deref().ok_or(common::INVALID_CONTENT)?;
            SourceItem::Item {
                folder_id: CollectionId::new(folder).map_err(|_| common::INVALID_IDS)?,
                item_id: ServerId::new(item).map_err(|_| common::INVALID_IDS)?,
            }
        }
    };
    let occurrence = query.occurrence.as_deref().filter(|text| !text.is_empty());
    let instance_id = occurrence.map(DateTime::parse).transpose();
    Ok(Source { item, instance_id: instance_id.map_err(|_| common::INVALID_DATE_TIME)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &[u8] = b"To: chris@contoso.example\r\n\r\nhello\r\n";

    fn item() -> Source {
        let folder_id = CollectionId::new("5").unwrap();
        let item_id = ServerId::new("5:41").unwrap();
        Source { item: SourceItem::Item { folder_id, item_id }, instance_id: None }
    }

    fn found() -> Source {
        let item = SourceItem::Found(LongId::new("RgAAAA==").unwrap());
        Source { item, instance_id: DateTime::parse("2026-04-08T08:00:00.000Z").ok() }
    }

    #[test]
    fn query_and_body_say_it_both_ways() {
        for purpose in [Purpose::Send, Purpose::Reply(item()), Purpose::Forward(found())] {
            let request = Request { purpose, save_in_sent_items: true, mime: MAIL.into() };
            let mut query = request.query("dev", "phone");
            let raw = query.encode_plain();
            let read = Query::decode(&raw).unwrap();
            assert_eq!(Request::from_query(&read, MAIL.into()).as_ref(), Ok(&request), "{raw}");
            query.version = Some(crate::ProtocolVersion::V12_1);
            let read = Query::decode(&query.encode_base64().unwrap()).unwrap();
            assert_eq!(Request::from_query(&read, MAIL.into()), Ok(request));
        }
    }

    #[test]
    fn what_is_wrong_has_a_status_that_has_an_http_status() {
        let ask = |raw: &str, mime: &[u8]| {
            let query = Query::decode(&format!("{raw}&DeviceId=dev&DeviceType=phone")).unwrap();
            Request::from_query(&query, mime.into()).unwrap_err()
        };
        let long = format!("Cmd=SmartReply&CollectionId={}&ItemId=2", "x".repeat(65));
        for (raw, mime, status) in [
            ("Cmd=SendMail", &b""[..], common::INVALID_CONTENT),
            ("Cmd=SmartReply&CollectionId=5", MAIL, common::INVALID_CONTENT),
            ("Cmd=SmartForward&ItemId=5", MAIL, common::INVALID_CONTENT),
            (&long, MAIL, common::INVALID_IDS),
            ("Cmd=SmartReply&LongId=a&Occurrence=noon", MAIL, common::INVALID_DATE_TIME),
        ] {
            assert_eq!(ask(raw, mime), status, "{raw}");
            assert_eq!(status.http_below_14(), Some(400));
        }
    }
}
