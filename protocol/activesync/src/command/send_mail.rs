//! SendMail: a client sends a mail ([MS-ASCMD] 2.2.1.17).
//!
//! Until 12.1 the request is the mail itself and parameters stand in the query; documents come with 14.0.
//! Success is an answer without a document.

use wbxml::Tag;

use crate::code_pages::compose_mail::*;
use crate::code_pages::rights_management::TEMPLATE_ID;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::Field;
use crate::status::Status;
use crate::types::ClientId;

/// Asks for a mail to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The id the client gave the mail: the same when it asks again.
    pub client_id: ClientId,
    /// The account to send from; since 14.1.
    pub account_id: Option<String>,
    /// Whether a copy goes into Sent Items.
    pub save_in_sent_items: bool,
    /// The mail, RFC 5322.
    pub mime: Vec<u8>,
    /// The rights to restrict it with; since 14.1.
    pub template_id: Option<String>,
}

/// Why the mail was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// Why: [`crate::status::common`].
    pub status: Status,
}

impl Document for Request {
    const ROOT: Tag = SEND_MAIL;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut client_id, mut account_id, mut mime) = (None, None, None);
        let (mut save_in_sent_items, mut template_id) = (false, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                CLIENT_ID => Field::read(&mut client_id, cursor)?,
                ACCOUNT_ID => Field::read(&mut account_id, cursor)?,
                SAVE_IN_SENT_ITEMS => cursor.flag(&mut save_in_sent_items)?,
                MIME => Field::read(&mut mime, cursor)?,
                TEMPLATE_ID => Field::read(&mut template_id, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            client_id: cursor.required(client_id, Self::ROOT, CLIENT_ID)?,
            account_id,
            save_in_sent_items,
            mime: cursor.required(mime, Self::ROOT, MIME)?,
            template_id,
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.text(CLIENT_ID, &self.client_id);
        encoder.opt_text(ACCOUNT_ID, self.account_id.as_ref());
        encoder.flag(SAVE_IN_SENT_ITEMS, self.save_in_sent_items);
        encoder.opaque(MIME, &self.mime);
        encoder.opt_text(TEMPLATE_ID, self.template_id.as_ref());
    }
}

impl Document for Response {
    const ROOT: Tag = SEND_MAIL;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        read_status(cursor, Self::ROOT).map(|status| Self { status })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
    }
}

/// Consumes what the three commands that send mail answer with.
pub(super) fn read_status(cursor: &mut Cursor<'_>, root: Tag) -> Result<Status> {
    let mut status = None;
    while let Some(tag) = cursor.next_child()? {
        match tag {
            STATUS => Field::read(&mut status, cursor)?,
            _ => return cursor.misplaced(),
        }
    }
    cursor.required(status, root, STATUS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::error::{Error, Problem};
    use crate::status::common;
    use crate::version::ProtocolVersion;

    const V12_1: ProtocolVersion = ProtocolVersion::V12_1;
    const V14_0: ProtocolVersion = ProtocolVersion::V14_0;
    const V14_1: ProtocolVersion = ProtocolVersion::V14_1;

    const MAIL: &str = "From: anat@contoso.example\r\nTo: chris@contoso.example\r\n\
        Subject: hello\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Message-ID: <m1@contoso.example>\r\n\r\nSchlüssel\r\n";

    fn request() -> Request {
        Request {
            client_id: ClientId::new("633916348086136194").unwrap(),
            account_id: None,
            save_in_sent_items: true,
            mime: MAIL.into(),
            template_id: None,
        }
    }

    #[test]
    fn request_and_response_are_known_answers() {
        both_ways("33", V14_0, request());
        both_ways("34", V14_0, Response { status: common::MESSAGE_HAS_NO_RECIPIENT });
    }

    #[test]
    fn accounts_and_rights_come_with_14_1() {
        let newer = Request {
            account_id: Some("2".into()),
            template_id: Some("confidential".into()),
            ..request()
        };
        comes_back(V14_1, &newer);
        assert_eq!(Request::decode(V14_0, &newer.encode(V14_0)), Ok(request()));
        let read = Request::decode(V14_0, &newer.encode(V14_1));
        assert!(matches!(read, Err(Error::Version { tag: ACCOUNT_ID, .. })));
    }

    #[test]
    fn before_14_0_there_is_no_document() {
        assert_eq!(request().encode(V12_1), b"");
        let read = Request::decode(V12_1, &request().encode(V14_0));
        assert!(matches!(read, Err(Error::Version { tag: SEND_MAIL, .. })));
    }

    #[test]
    fn a_mail_without_octets_or_id_is_none() {
        let xml = "<SendMail xmlns='ComposeMail'><ClientId>c</ClientId></SendMail>";
        let Err(Error::Schema { problem, .. }) = decoded::<Request>(V14_0, xml) else { panic!() };
        assert_eq!(problem, Problem::Missing(MIME));
        let xml = "<SendMail xmlns='ComposeMail'><Mime opaque='00'/></SendMail>";
        let Err(Error::Schema { problem, .. }) = decoded::<Request>(V14_0, xml) else { panic!() };
        assert_eq!(problem, Problem::Missing(CLIENT_ID));
    }
}
