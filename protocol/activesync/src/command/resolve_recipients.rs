//! ResolveRecipients: who is meant by a name, with certificates, free times and pictures ([MS-ASCMD] 2.2.1.15).

use wbxml::Tag;

use crate::code_pages::resolve_recipients::*;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::{Element, Field, fields, number_enum};
use crate::item::gal::{PictureOptions, PictureTags};
use crate::status::Status;
use crate::types::{Base64, DateTime, RecipientText};

/// Names one request may hold ([MS-ASCMD] 3.1.5.10).
pub const RECIPIENTS_MAX: usize = 100;

/// Asks who is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The names, at least one: of people or groups, or parts of them, or addresses.
    pub to: Vec<RecipientText>,
    /// What is to be told of them.
    pub options: Option<Options>,
}

/// What is to be told of those who are meant ([MS-ASCMD] 2.2.3.125.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Their certificates; none where absent.
    pub certificate_retrieval: Option<CertificateRetrieval>,
    /// No more certificates than this.
    pub max_certificates: Option<u16>,
    /// No more candidates for a name than this.
    pub max_ambiguous_recipients: Option<u16>,
    /// When they are free; since 14.0.
    pub availability: Option<AvailabilityOptions>,
    /// What they look like; since 14.1.
    pub picture: Option<PictureOptions>,
}

number_enum! {
    /// Which certificates are wanted ([MS-ASCMD] 2.2.3.22).
    pub enum CertificateRetrieval {
        /// None.
        Never = 1,
        /// Whole ones.
        Full = 2,
        /// Small ones.
        Mini = 3,
    }
}

fields! {
    /// The time of which it is to be told who is free; since 14.0.
    pub struct AvailabilityOptions {
        /// When it begins.
        start_time: Option<DateTime> = START_TIME,
        /// When it ends; seven days later where absent.
        end_time: Option<DateTime> = END_TIME,
    }
}

/// Who is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What came of the whole: [`crate::status::resolve_recipients`].
    pub status: Status,
    /// The answers, in the order of the names.
    pub responses: Vec<Resolved>,
}

/// Who is meant by one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The name, as the request had it.
    pub to: RecipientText,
    /// What came of it: [`crate::status::resolved_recipient`].
    pub status: Status,
    /// How many candidates there are, told or not.
    pub recipient_count: Option<u32>,
    /// The candidates.
    pub recipients: Vec<Recipient>,
}

/// One candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Where it was found.
    pub kind: RecipientKind,
    /// The name to show.
    pub display_name: String,
    /// The mail address.
    pub email_address: String,
    /// When the person is free; since 14.0.
    pub availability: Option<Availability>,
    /// The certificates.
    pub certificates: Option<Certificates>,
    /// The pictures; since 14.1.
    pub pictures: Vec<RecipientPicture>,
}

number_enum! {
    /// Where a candidate was found ([MS-ASCMD] 2.2.3.189.6).
    pub enum RecipientKind {
        /// In the address list.
        AddressList = 1,
        /// Among the user's contacts.
        Contacts = 2,
    }
}

fields! {
    /// When a person is free ([MS-ASCMD] 2.2.3.16).
    pub struct Availability {
        /// What came of it: [`crate::status::availability`].
        status: Option<Status> = STATUS,
        /// A digit for each half hour: 0 free, 1 tentative, 2 busy, 3 away, 4 unknown.
        merged_free_busy: Option<String> = MERGED_FREE_BUSY,
    }
}

fields! {
    /// The certificates of a person ([MS-ASCMD] 2.2.3.23.1).
    pub struct Certificates {
        /// What came of it: [`crate::status::recipient_certificates`].
        status: Option<Status> = STATUS,
        /// How many there are.
        certificate_count: Option<u32> = CERTIFICATE_COUNT,
        /// How many members a group has, told or not.
        recipient_count: Option<u32> = RECIPIENT_COUNT,
        /// Whole certificates, X.509 in DER.
        certificates: Vec<Base64> = CERTIFICATE,
        /// A small certificate.
        mini_certificate: Option<Base64> = MINI_CERTIFICATE,
    }
}

fields! {
    /// The picture of a person, or why there is none.
    pub struct RecipientPicture {
        /// What came of it: [`crate::status::picture`].
        status: Option<Status> = STATUS,
        /// The picture.
        data: Option<Vec<u8>> = DATA,
    }
}

impl Document for Request {
    const ROOT: Tag = RESOLVE_RECIPIENTS;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut to, mut options) = (Vec::new(), None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                TO if to.len() == RECIPIENTS_MAX => return Err(cursor.over_limit("100 names")),
                TO => Field::read(&mut to, cursor)?,
                OPTIONS => Field::read(&mut options, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        let some = (!to.is_empty()).then_some(to);
        Ok(Self { to: cursor.required(some, Self::ROOT, TO)?, options })
    }

    fn write(&self, encoder: &mut Encoder) {
        Field::write(&self.to, encoder, TO);
        Field::write(&self.options, encoder, OPTIONS);
    }
}

impl Element for Options {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                CERTIFICATE_RETRIEVAL => Field::read(&mut options.certificate_retrieval, cursor)?,
                MAX_CERTIFICATES => Field::read(&mut options.max_certificates, cursor)?,
                MAX_AMBIGUOUS_RECIPIENTS => {
                    Field::read(&mut options.max_ambiguous_recipients, cursor)?;
                }
                AVAILABILITY => Field::read(&mut options.availability, cursor)?,
                PICTURE => {
                    cursor.once(&mut options.picture, |c| PictureOptions::read(c, &PICTURE_TAGS))?
                }
                _ => return cursor.misplaced(),
            }
        }
        Ok(options)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            Field::write(&self.certificate_retrieval, encoder, CERTIFICATE_RETRIEVAL);
            encoder.opt_number(MAX_CERTIFICATES, self.max_certificates);
            encoder.opt_number(MAX_AMBIGUOUS_RECIPIENTS, self.max_ambiguous_recipients);
            Field::write(&self.availability, encoder, AVAILABILITY);
            if let Some(picture) = self.picture {
                picture.write(encoder, PICTURE, &PICTURE_TAGS);
            }
        });
    }
}

impl Document for Response {
    const ROOT: Tag = RESOLVE_RECIPIENTS;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut status, mut responses) = (None, Vec::new());
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut status, cursor)?,
                RESPONSE => Field::read(&mut responses, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { status: cursor.required(status, Self::ROOT, STATUS)?, responses })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
        Field::write(&self.responses, encoder, RESPONSE);
    }
}

impl Element for Resolved {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut to, mut status) = (None, None);
        let (mut recipient_count, mut recipients) = (None, Vec::new());
        while let Some(tag) = cursor.next_child()? {
            match tag {
                TO => Field::read(&mut to, cursor)?,
                STATUS => Field::read(&mut status, cursor)?,
                RECIPIENT_COUNT => Field::read(&mut recipient_count, cursor)?,
                RECIPIENT => Field::read(&mut recipients, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            to: cursor.required(to, RESPONSE, TO)?,
            status: cursor.required(status, RESPONSE, STATUS)?,
            recipient_count,
            recipients,
        })
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            encoder.text(TO, &self.to);
            encoder.number(STATUS, self.status.0);
            encoder.opt_number(RECIPIENT_COUNT, self.recipient_count);
            Field::write(&self.recipients, encoder, RECIPIENT);
        });
    }
}

impl Element for Recipient {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut kind, mut display_name, mut email_address) = (None, None, None);
        let (mut availability, mut certificates, mut pictures) = (None, None, Vec::new());
        while let Some(tag) = cursor.next_child()? {
            match tag {
                TYPE => Field::read(&mut kind, cursor)?,
                DISPLAY_NAME => Field::read(&mut display_name, cursor)?,
                EMAIL_ADDRESS => Field::read(&mut email_address, cursor)?,
                AVAILABILITY => Field::read(&mut availability, cursor)?,
                CERTIFICATES => Field::read(&mut certificates, cursor)?,
                PICTURE => Field::read(&mut pictures, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            kind: cursor.required(kind, RECIPIENT, TYPE)?,
            display_name: cursor.required(display_name, RECIPIENT, DISPLAY_NAME)?,
            email_address: cursor.required(email_address, RECIPIENT, EMAIL_ADDRESS)?,
            availability,
            certificates,
            pictures,
        })
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            self.kind.write(encoder, TYPE);
            encoder.text(DISPLAY_NAME, &self.display_name);
            encoder.text(EMAIL_ADDRESS, &self.email_address);
            Field::write(&self.availability, encoder, AVAILABILITY);
            Field::write(&self.certificates, encoder, CERTIFICATES);
            Field::write(&self.pictures, encoder, PICTURE);
        });
    }
}

/// How this command spells which pictures are wanted.
const PICTURE_TAGS: PictureTags = PictureTags { max_size: MAX_SIZE, max_pictures: MAX_PICTURES };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::error::{Error, Problem};
    use crate::status::{
        availability, picture, recipient_certificates, resolve_recipients, resolved_recipient,
    };
    use crate::version::ProtocolVersion;

    const V12_1: ProtocolVersion = ProtocolVersion::V12_1;
    const V14_0: ProtocolVersion = ProtocolVersion::V14_0;
    const V14_1: ProtocolVersion = ProtocolVersion::V14_1;

    fn name(text: &str) -> RecipientText {
        RecipientText::new(text).unwrap()
    }

    fn request() -> Request {
        let availability = AvailabilityOptions {
            start_time: DateTime::parse("2026-03-02T08:00:00.000Z").ok(),
            end_time: DateTime::parse("2026-03-02T10:30:00.000Z").ok(),
        };
        let options = Options {
            certificate_retrieval: Some(CertificateRetrieval::Full),
            max_certificates: Some(10),
            max_ambiguous_recipients: Some(5),
            availability: Some(availability),
            picture: Some(PictureOptions { max_size: Some(1024), max_pictures: None }),
        };
        Request { to: vec![name("anat@contoso.example"), name("chris")], options: Some(options) }
    }

    fn candidate(kind: RecipientKind, display_name: &str, email_address: &str) -> Recipient {
        Recipient {
            kind,
            display_name: display_name.into(),
            email_address: email_address.into(),
            availability: None,
            certificates: None,
            pictures: vec![],
        }
    }

    fn anat() -> Recipient {
        let availability = Availability {
            status: Some(availability::SUCCESS),
            merged_free_busy: Some("32201".into()),
        };
        let certificates = Certificates {
            status: Some(recipient_certificates::NO_CERTIFICATE),
            certificate_count: Some(0),
            ..Certificates::default()
        };
        Recipient {
            availability: Some(availability),
            certificates: Some(certificates),
            pictures: vec![RecipientPicture { status: Some(picture::NO_PICTURE), data: None }],
            ..candidate(RecipientKind::AddressList, "Anat Kerry", "anat@contoso.example")
        }
    }

    fn response() -> Response {
        let found = Resolved {
            to: name("anat@contoso.example"),
            status: resolved_recipient::RESOLVED,
            recipient_count: Some(1),
            recipients: vec![anat()],
        };
        let chris = RecipientKind::AddressList;
        let ambiguous = Resolved {
            to: name("chris"),
            status: resolved_recipient::AMBIGUOUS,
            recipient_count: Some(2),
            recipients: vec![
                candidate(chris, "Chris Gray", "chris@contoso.example"),
                candidate(RecipientKind::Contacts, "Chris Ashton", "chris.ashton@fabrikam.example"),
            ],
        };
        Response { status: resolve_recipients::SUCCESS, responses: vec![found, ambiguous] }
    }

    #[test]
    fn request_and_response_are_known_answers() {
        both_ways("54", V14_1, request());
        both_ways("55", V14_1, response());
        comes_back(
            V12_1,
            &Response { status: resolve_recipients::PROTOCOL_ERROR, responses: vec![] },
        );
    }

    #[test]
    fn certificates_come_back() {
        let certificates = Certificates {
            status: Some(recipient_certificates::SUCCESS),
            certificate_count: Some(1),
            recipient_count: Some(1),
            certificates: vec![Base64(vec![0x30, 0x82])],
            mini_certificate: Some(Base64(vec![0x30])),
        };
        let mut response = response();
        response.responses[0].recipients[0].certificates = Some(certificates);
        comes_back(V14_1, &response);
    }

    #[test]
    fn older_versions_know_no_times_and_pictures() {
        let read = Request::decode(V12_1, &request().encode(V12_1)).unwrap();
        let options = read.options.unwrap();
        assert_eq!((options.availability, options.picture), (None, None));
        assert_eq!(options.max_certificates, Some(10));
        let read = Response::decode(V14_0, &response().encode(V14_0)).unwrap();
        let anat = &read.responses[0].recipients[0];
        assert!(anat.availability.is_some() && anat.pictures.is_empty());
        let read = Request::decode(V14_0, &request().encode(V14_1));
        assert!(matches!(read, Err(Error::Version { tag: PICTURE, .. })));
    }

    #[test]
    fn names_have_limits() {
        let empty = decoded::<Request>(V14_1, "<ResolveRecipients xmlns='ResolveRecipients'/>");
        assert!(matches!(empty, Err(Error::Schema { problem: Problem::Missing(TO), .. })));
        let many = Request { to: vec![name("a"); RECIPIENTS_MAX + 1], options: None };
        let read = Request::decode(V14_1, &many.encode(V14_1));
        assert!(matches!(read, Err(Error::Limit { .. })));
        assert!(RecipientText::new("x".repeat(257)).is_err());
    }
}
