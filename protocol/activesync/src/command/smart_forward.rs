//! SmartForward: a client forwards a mail or an appointment without having to send it back ([MS-ASCMD] 2.2.1.19).
//!
//! Since 16.0 an appointment is forwarded by naming people; the server writes the mail.

use wbxml::Tag;

pub use super::smart_reply::{Source, SourceItem};

use super::send_mail::read_status;
use crate::code_pages::air_sync_base as base;
use crate::code_pages::compose_mail::*;
use crate::code_pages::rights_management::TEMPLATE_ID;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::{Element, Field, fields};
use crate::status::Status;
use crate::types::ClientId;
use crate::version::ProtocolVersion;

/// Asks for an item to be forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The id the client gave the mail: the same when it asks again.
    pub client_id: ClientId,
    /// What is forwarded.
    pub source: Source,
    /// The account to send from; since 14.1.
    pub account_id: Option<String>,
    /// Whether a copy goes into Sent Items.
    pub save_in_sent_items: bool,
    /// Whether the mail is complete, and the server adds nothing.
    pub replace_mime: bool,
    /// Whom an appointment is forwarded to; since 16.0, and then there is no mail.
    pub forwardees: Vec<Forwardee>,
    /// What is said to them; since 16.0.
    pub body: Option<Body>,
    /// The mail, RFC 5322; absent where people are named.
    pub mime: Option<Vec<u8>>,
    /// The rights to restrict it with; since 14.1.
    pub template_id: Option<String>,
}

/// Somebody an appointment is forwarded to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwardee {
    /// The name.
    pub name: Option<String>,
    /// The address.
    pub email: String,
}

fields! {
    /// What is said to them ([MS-ASAIRS] 2.2.2.9).
    pub struct Body {
        /// 1 for plain text, 2 for HTML.
        body_type: Option<u8> = base::TYPE,
        /// The text.
        data: Option<String> = base::DATA,
    }
}

/// Why the item was not forwarded; success is an answer without a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// Why: [`crate::status::common`].
    pub status: Status,
}

impl Request {
    /// Whether both a mail and the elements that are for appointments are there, which exclude each other
    /// ([MS-ASCMD] 2.2.3.76): the answer is a status of its own.
    pub fn is_contradictory(&self) -> bool {
        let of_mail = self.mime.is_some()
            || self.save_in_sent_items
            || self.replace_mime
            || self.template_id.is_some();
        of_mail && (!self.forwardees.is_empty() || self.body.is_some())
    }
}

impl Document for Request {
    const ROOT: Tag = SMART_FORWARD;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut client_id, mut source, mut account_id) = (None, None, None);
        let (mut save_in_sent_items, mut replace_mime) = (false, false);
        let (mut forwardees, mut body) = (None, None);
        let (mut mime, mut template_id) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                CLIENT_ID => Field::read(&mut client_id, cursor)?,
                SOURCE => Field::read(&mut source, cursor)?,
                ACCOUNT_ID => Field::read(&mut account_id, cursor)?,
                SAVE_IN_SENT_ITEMS => cursor.flag(&mut save_in_sent_items)?,
                REPLACE_MIME => cursor.flag(&mut replace_mime)?,
                FORWARDEES => cursor.once(&mut forwardees, read_forwardees)?,
                base::BODY if has_body(cursor.version()) => Field::read(&mut body, cursor)?,
                MIME => Field::read(&mut mime, cursor)?,
                TEMPLATE_ID => Field::read(&mut template_id, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        if forwardees.is_none() {
            mime = Some(cursor.required(mime, Self::ROOT, MIME)?);
        }
        Ok(Self {
            client_id: cursor.required(client_id, Self::ROOT, CLIENT_ID)?,
            source: cursor.required(source, Self::ROOT, SOURCE)?,
            account_id,
            save_in_sent_items,
            replace_mime,
            forwardees: forwardees.unwrap_or_default(),
            body,
            mime,
            template_id,
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.text(CLIENT_ID, &self.client_id);
        self.source.write(encoder, SOURCE);
        encoder.opt_text(ACCOUNT_ID, self.account_id.as_ref());
        encoder.flag(SAVE_IN_SENT_ITEMS, self.save_in_sent_items);
        encoder.flag(REPLACE_MIME, self.replace_mime);
        if !self.forwardees.is_empty() {
            encoder.container(FORWARDEES, |encoder| self.forwardees.write(encoder, FORWARDEE));
        }
        if has_body(encoder.version()) {
            Field::write(&self.body, encoder, base::BODY);
        }
        encoder.opt_opaque(MIME, self.mime.as_deref());
        encoder.opt_text(TEMPLATE_ID, self.template_id.as_ref());
    }
}

/// Whether the version forwards appointments by naming people ([MS-ASCMD] 2.2.3.76).
fn has_body(version: ProtocolVersion) -> bool {
    version >= ProtocolVersion::V16_0
}

fn read_forwardees(cursor: &mut Cursor<'_>) -> Result<Vec<Forwardee>> {
    let mut forwardees = Vec::new();
    while let Some(tag) = cursor.next_child()? {
        match tag {
            FORWARDEE => Field::read(&mut forwardees, cursor)?,
            _ => return cursor.misplaced(),
        }
    }
    let some = (!forwardees.is_empty()).then_some(forwardees);
    cursor.required(some, FORWARDEES, FORWARDEE)
}

impl Element for Forwardee {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut name, mut email) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                NAME => Field::read(&mut name, cursor)?,
                EMAIL => Field::read(&mut email, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { name, email: cursor.required(email, FORWARDEE, EMAIL)? })
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            encoder.opt_text(NAME, self.name.as_ref());
            encoder.text(EMAIL, &self.email);
        });
    }
}

impl Document for Response {
    const ROOT: Tag = SMART_FORWARD;

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
    use crate::error::{Error, Problem};
    use crate::status::common;
    use crate::types::{CollectionId, DateTime, ServerId};

    const V14_1: ProtocolVersion = ProtocolVersion::V14_1;
    const V16_0: ProtocolVersion = ProtocolVersion::V16_0;

    fn source(folder_id: &str, item_id: &str, instance_id: Option<&str>) -> Source {
        let item = SourceItem::Item {
            folder_id: CollectionId::new(folder_id).unwrap(),
            item_id: ServerId::new(item_id).unwrap(),
        };
        Source { item, instance_id: instance_id.map(|time| DateTime::parse(time).unwrap()) }
    }

    fn appointment() -> Request {
        let forwardee =
            Forwardee { name: Some("Chris Gray".into()), email: "chris@contoso.example".into() };
        Request {
            client_id: ClientId::new("C-2").unwrap(),
            source: source("5", "5:3", Some("2026-04-08T08:00:00.000Z")),
            account_id: None,
            save_in_sent_items: false,
            replace_mime: false,
            forwardees: vec![forwardee],
            body: Some(Body { body_type: Some(1), data: Some("FYI".into()) }),
            mime: None,
            template_id: None,
        }
    }

    fn mail() -> Request {
        Request {
            source: source("1", "1:41", None),
            save_in_sent_items: true,
            forwardees: vec![],
            body: None,
            mime: Some(b"To: a\r\n\r\nsee below".into()),
            ..appointment()
        }
    }

    #[test]
    fn an_appointment_is_a_known_answer() {
        both_ways("36", V16_0, appointment());
        assert!(!appointment().is_contradictory());
    }

    #[test]
    fn a_mail_comes_back_in_every_version() {
        for version in [ProtocolVersion::V14_0, V14_1, V16_0, ProtocolVersion::V16_1] {
            comes_back(version, &mail());
        }
        comes_back(V14_1, &Response { status: common::ITEM_NOT_FOUND });
    }

    #[test]
    fn people_are_named_since_16_0() {
        let read = Request::decode(V14_1, &appointment().encode(V16_0));
        assert!(matches!(read, Err(Error::Version { tag: FORWARDEES, .. })));
        let body = Request { body: appointment().body, ..mail() };
        let read = Request::decode(V14_1, &body.encode(V16_0));
        assert!(matches!(read, Err(Error::Schema { problem: Problem::Misplaced, .. })));
        assert_eq!(Request::decode(V14_1, &body.encode(V14_1)), Ok(mail()));
    }

    #[test]
    fn a_mail_and_people_contradict() {
        let both = Request { mime: mail().mime, ..appointment() };
        comes_back(V16_0, &both);
        assert!(both.is_contradictory());
        assert!(!mail().is_contradictory());

        let xml = "<SmartForward xmlns='ComposeMail'><ClientId>c</ClientId><Source><LongId>x</LongId>\
                   </Source></SmartForward>";
        let Err(Error::Schema { problem, .. }) = decoded::<Request>(V16_0, xml) else { panic!() };
        assert_eq!(problem, Problem::Missing(MIME));
    }
}
