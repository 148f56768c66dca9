//! SmartReply: a client answers a mail without having to send it back ([MS-ASCMD] 2.2.1.20).

use wbxml::Tag;

use super::send_mail::read_status;
use crate::code_pages::compose_mail::*;
use crate::code_pages::rights_management::TEMPLATE_ID;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::{Element, Field};
use crate::status::Status;
use crate::types::{ClientId, CollectionId, DateTime, LongId, ServerId};

/// Asks for an answer to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The id the client gave the mail: the same when it asks again.
    pub client_id: ClientId,
    /// What is answered.
    pub source: Source,
    /// The account to send from; since 14.1.
    pub account_id: Option<String>,
    /// Whether a copy goes into Sent Items.
    pub save_in_sent_items: bool,
    /// Whether the mail is complete, and the server quotes nothing.
    pub replace_mime: bool,
    /// The mail, RFC 5322.
    pub mime: Vec<u8>,
    /// The rights to restrict it with; since 14.1.
    pub template_id: Option<String>,
}

/// The item that is answered or forwarded: either by folder and item, or by the id of a search result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Which item.
    pub item: SourceItem,
    /// Which occurrence of it, if it recurs.
    pub instance_id: Option<DateTime>,
}

/// How an item is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceItem {
    /// By its folder and its id there.
    Item {
        /// The folder.
        folder_id: CollectionId,
        /// The item.
        item_id: ServerId,
    },
    /// By the id of a search result.
    Found(LongId),
}

/// Why the mail was not sent; success is an answer without a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// Why: [`crate::status::common`].
    pub status: Status,
}

impl Element for Source {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut folder_id, mut item_id) = (None, None);
        let (mut long_id, mut instance_id) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                FOLDER_ID => Field::read(&mut folder_id, cursor)?,
                ITEM_ID => Field::read(&mut item_id, cursor)?,
                LONG_ID => Field::read(&mut long_id, cursor)?,
                INSTANCE_ID => Field::read(&mut instance_id, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        let item = match (folder_id, item_id, long_id) {
            (Some(folder_id), Some(item_id), None) => SourceItem::Item { folder_id, item_id },
            (None, None, Some(long_id)) => SourceItem::Found(long_id),
            (_, _, Some(_)) => return Err(cursor.problem(Problem::Combination)),
            (folder_id, item_id, None) => SourceItem::Item {
                folder_id: cursor.required(folder_id, SOURCE, FOLDER_ID)?,
                item_id: cursor.required(item_id, SOURCE, ITEM_ID)?,
            },
        };
        Ok(Self { item, instance_id })
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            match &self.item {
                SourceItem::Item { folder_id, item_id } => {
                    encoder.text(FOLDER_ID, folder_id);
                    encoder.text(ITEM_ID, item_id);
                }
                SourceItem::Found(long_id) => encoder.text(LONG_ID, long_id),
            }
            encoder.opt_time(INSTANCE_ID, self.instance_id);
        });
    }
}

impl Document for Request {
    const ROOT: Tag = SMART_REPLY;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut client_id, mut source, mut account_id) = (None, None, None);
        let (mut save_in_sent_items, mut replace_mime) = (false, false);
        let (mut mime, mut template_id) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                CLIENT_ID => Field::read(&mut client_id, cursor)?,
                SOURCE => Field::read(&mut source, cursor)?,
                ACCOUNT_ID => Field::read(&mut account_id, cursor)?,
                SAVE_IN_SENT_ITEMS => cursor.flag(&mut save_in_sent_items)?,
                REPLACE_MIME => cursor.flag(&mut replace_mime)?,
                MIME => Field::read(&mut mime, cursor)?,
                TEMPLATE_ID => Field::read(&mut template_id, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            client_id: cursor.required(client_id, Self::ROOT, CLIENT_ID)?,
            source: cursor.required(source, Self::ROOT, SOURCE)?,
            account_id,
            save_in_sent_items,
            replace_mime,
            mime: cursor.required(mime, Self::ROOT, MIME)?,
            template_id,
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.text(CLIENT_ID, &self.client_id);
        self.source.write(encoder, SOURCE);
        encoder.opt_text(ACCOUNT_ID, self.account_id.as_ref());
        encoder.flag(SAVE_IN_SENT_ITEMS, self.save_in_sent_items);
        encoder.flag(REPLACE_MIME, self.replace_mime);
        encoder.opaque(MIME, &self.mime);
        encoder.opt_text(TEMPLATE_ID, self.template_id.as_ref());
    }
}

impl Document for Response {
    const ROOT: Tag = SMART_REPLY;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        read_status(cursor, Self::ROOT).map(|status| Self { status })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::error::Error;
    use crate::status::common;
    use crate::version::ProtocolVersion;

    const V14_0: ProtocolVersion = ProtocolVersion::V14_0;

    fn request() -> Request {
        let item = SourceItem::Item {
            folder_id: CollectionId::new("1").unwrap(),
            item_id: ServerId::new("1:41").unwrap(),
        };
        Request {
            client_id: ClientId::new("C-1").unwrap(),
            source: Source { item, instance_id: None },
            account_id: None,
            save_in_sent_items: true,
            replace_mime: false,
            mime: b"To: a\r\n\r\nok".into(),
            template_id: None,
        }
    }

    #[test]
    fn an_answer_is_a_known_answer() {
        both_ways("35", V14_0, request());
        comes_back(V14_0, &Response { status: common::ITEM_NOT_FOUND });
    }

    #[test]
    fn a_search_result_can_be_answered() {
        let item = SourceItem::Found(LongId::new("RgAAA").unwrap());
        let instance_id = DateTime::parse("2026-04-08T08:00:00.000Z").ok();
        let source = Source { item, instance_id };
        comes_back(V14_0, &Request { source, replace_mime: true, ..request() });
    }

    fn problem(source: &str) -> Problem {
        let xml = format!(
            "<SmartReply xmlns='ComposeMail'><ClientId>c</ClientId><Source>{source}</Source>\
             <Mime opaque='00'/></SmartReply>"
        );
        match decoded::<Request>(V14_0, &xml) {
            Err(Error::Schema { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_source_is_named_in_one_way() {
        let (folder, item) = ("<FolderId>1</FolderId>", "<ItemId>2</ItemId>");
        let found = "<LongId>x</LongId>";
        assert_eq!(problem(&format!("{folder}{found}")), Problem::Combination);
        assert_eq!(problem(folder), Problem::Missing(ITEM_ID));
        assert_eq!(problem(item), Problem::Missing(FOLDER_ID));
        assert_eq!(problem(""), Problem::Missing(FOLDER_ID));
        assert_eq!(problem("<InstanceId>soon</InstanceId>"), Problem::DateTime);
    }
}
