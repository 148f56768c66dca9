//! A message as an email item ([MS-ASEMAIL] 2.2.2), and what of it that exposes.

use activesync::ProtocolVersion;
use activesync::item::body::{
    Attachment, Attachments, Body, BodyPart, BodyPreference, BodyType, Content, MimeSupport,
};
use activesync::item::email::{Categories, Email, Flag};
use activesync::status::Status;
use activesync::types::DateTime;

use super::{AttachmentId, ItemOptions, meeting};
use crate::clock::Timestamp;
use crate::ids::CollectionNumber;
use crate::ledger::Exposure;
use crate::mailbox::{self, Item};
use crate::message::body::{self, Preference, Shaped};
use crate::message::{
    ADDRESS_LIST_OCTETS_MAX, Address, Message, Native, conversation_id, conversation_index,
};

/// The whole item, and what it exposes.
pub(super) fn shape(
    message: &Message,
    collection: CollectionNumber,
    item: &Item,
    options: &ItemOptions,
) -> (Email, Exposure) {
    let parts = body_parts(message, options);
    // [MS-ASCON] 3.2.5.7: who wants parts alone is given parts alone.
    let (body, mut exposure) = match options.body_preferences.is_empty() && !parts.is_empty() {
        true => (None, Exposure::NEVER),
        false => {
            let (body, exposure) = body_of(message, options);
            (Some(body), exposure)
        }
    };
    if parts.iter().any(|part| part.data.is_some() || part.preview.is_some()) {
        exposure |= Exposure::PART;
    }
    let mut email = envelope(message, item);
    email.attachments = attachments(message, collection, item);
    email.body = body;
    email.body_parts = parts;
    let request = meeting::request(message, item.received, options.version);
    email.meeting_request = request.map(Box::new);
    let state = state_of(item);
    email.read = state.read;
    email.flag = state.flag;
    email.categories = state.categories;
    (email, exposure | Exposure::HEADER)
}

/// Read, flag and categories: all that a Change of mail that did not change otherwise may hold ([MS-ASEMAIL] 3.2.5.4.1).
pub fn state_of(item: &Item) -> Email {
    Email {
        read: Some(item.read),
        flag: Some(item.flag.as_ref().map(flag).unwrap_or_default()),
        categories: Some(Categories { names: item.categories.clone() }),
        ..Email::default()
    }
}

fn envelope(message: &Message, item: &Item) -> Email {
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let from = message.from().map(|from| short(&from));
    let sender = message.sender().map(|sender| short(&sender));
    let has_verb = item.verb != 0;
    let native = match message.native_body_type() {
        Native::Plain => 1,
        Native::Html => 2,
    };
    Email {
        to: text(message.to_text()),
        cc: text(message.cc_text()),
        sender: sender.filter(|sender| !sender.is_empty() && Some(sender) != from.as_ref()),
        from: from.and_then(text),
        reply_to: text(message.reply_to_text()),
        subject: Some(message.subject()),
        date_received: Some(time(item.received)),
        display_to: text(message.display_to()),
        thread_topic: text(message.thread_topic()),
        importance: Some(message.importance()),
        message_class: Some(message.message_class().to_owned()),
        internet_cpid: Some(message.internet_cpid().to_string()),
        content_class: Some("urn:content-classes:message".to_owned()),
        native_body_type: Some(native),
        conversation_id: Some(conversation_id(message).to_vec()),
        conversation_index: Some(conversation_index(message)),
        last_verb_executed: has_verb.then_some(u32::from(item.verb)),
        last_verb_execution_time: item.verb_at.filter(|_| has_verb).map(time),
        is_draft: item.draft.then_some(true),
        bcc: text(bcc(message)).filter(|_| item.draft),
        ..Email::default()
    }
}

/// A name and an address; the address alone where the name makes it longer than From may be ([MS-ASEMAIL] 2.2.2.36).
fn short(address: &Address) -> String {
    let whole = address.formatted();
    if whole.len() <= ADDRESS_LIST_OCTETS_MAX {
        whole
    } else {
        address.address.chars().take(ADDRESS_LIST_OCTETS_MAX).collect()
    }
}

fn bcc(message: &Message) -> String {
    crate::message::join(&message.bcc(), ", ", ADDRESS_LIST_OCTETS_MAX)
}

/// The body in the shape asked for, and what it exposes.
fn body_of(message: &Message, options: &ItemOptions) -> (Body, Exposure) {
    let preferences: Vec<Preference> =
        options.body_preferences.iter().filter_map(|wish| preference(wish, options)).collect();
    let mime_support = match options.mime_support {
        MimeSupport::Never => 0,
        MimeSupport::SmimeOnly => 1,
        MimeSupport::All => 2,
    };
    let make = if options.whole { body::fetch } else { body::choose };
    let shaped = make(message, &preferences, mime_support);
    let exposure = exposure_of(message, &shaped);
    let Shaped { kind, estimated_size, truncated, data, preview } = shaped;
    let body = Body {
        body_type: Some(wire_type(kind)),
        estimated_data_size: Some(estimated_size),
        // Some phones stop reading at `<Truncated>0</Truncated>`: absent means the same.
        truncated: truncated.then_some(true),
        data: data.map(content),
        part: None,
        preview,
    };
    (body, exposure)
}

fn exposure_of(message: &Message, shaped: &Shaped) -> Exposure {
    let mut exposure = match &shaped.data {
        Some(_) if !shaped.truncated => Exposure::BODY,
        Some(data) if !data.is_empty() => Exposure::PART,
        _ => Exposure::NEVER,
    };
    if shaped.preview.as_ref().is_some_and(|preview| !preview.is_empty()) {
        exposure |= Exposure::PART;
    }
    let has_mime = shaped.kind == body::BodyType::Mime && shaped.data.is_some();
    if has_mime && !message.attachments().is_empty() {
        exposure |= Exposure::ATTACHMENT;
    }
    exposure
}

/// The parts of the body that the conversation does not repeat ([MS-ASAIRS] 2.2.2.10); only HTML ones are made.
fn body_parts(message: &Message, options: &ItemOptions) -> Vec<BodyPart> {
    if options.version < ProtocolVersion::V14_1 {
        return Vec::new();
    }
    let html = options.body_part_preferences.iter().filter(|wish| wish.body_type == BodyType::Html);
    let wishes = html.filter_map(|wish| preference(wish, options));
    let shaped = wishes.map(|wish| body::body_part(message, &wish));
    shaped.map(body_part).collect()
}

fn body_part(shaped: Shaped) -> BodyPart {
    BodyPart {
        status: Some(Status(1)),
        body_type: Some(wire_type(shaped.kind)),
        estimated_data_size: Some(shaped.estimated_size),
        truncated: shaped.truncated.then_some(true),
        data: shaped.data.map(content),
        preview: shaped.preview,
    }
}

fn preference(wish: &BodyPreference, options: &ItemOptions) -> Option<Preference> {
    let kind = match wish.body_type {
        BodyType::Plain => body::BodyType::Plain,
        BodyType::Html => body::BodyType::Html,
        BodyType::Mime => body::BodyType::Mime,
        BodyType::Rtf => return None,
    };
    let of_mime = if kind == body::BodyType::Mime { options.mime_truncation } else { None };
    let has_preview = options.version >= ProtocolVersion::V14_0;
    Some(Preference {
        kind,
        truncation_size: wish.truncation_size.or(of_mime.and_then(mime_truncation)),
        all_or_none: wish.all_or_none == Some(true) && wish.truncation_size.is_some(),
        preview: wish.preview.filter(|_| has_preview).map(u32::from),
    })
}

/// MIMETruncation 0 to 7 as a size ([MS-ASCMD] 2.2.3.111).
fn mime_truncation(value: u8) -> Option<u32> {
    [0, 4_096, 5_120, 7_168, 10_240, 20_480, 51_200, 102_400].get(usize::from(value)).copied()
}

fn wire_type(kind: body::BodyType) -> BodyType {
    match kind {
        body::BodyType::Plain => BodyType::Plain,
        body::BodyType::Html => BodyType::Html,
        body::BodyType::Mime => BodyType::Mime,
    }
}

fn content(data: Vec<u8>) -> Content {
    match String::from_utf8(data) {
        Ok(text) => Content::Text(text),
        Err(error) => Content::Octets(error.into_bytes()),
    }
}

fn attachments(
    message: &Message,
    collection: CollectionNumber,
    item: &Item,
) -> Option<Attachments> {
    let list: Vec<Attachment> =
        message.attachments().iter().map(|one| attachment(one, collection, item)).collect();
    (!list.is_empty()).then(|| Attachments { attachments: list, ..Attachments::default() })
}

pub(super) fn attachment(
    attachment: &crate::message::Attachment,
    collection: CollectionNumber,
    item: &Item,
) -> Attachment {
    let id = AttachmentId::new(collection, item.item, attachment.index);
    Attachment {
        display_name: Some(attachment.display_name.clone()),
        file_reference: Some(id.reference()),
        method: Some(attachment.method as u8),
        estimated_data_size: Some(u32::try_from(attachment.size).unwrap_or(u32::MAX)),
        content_id: attachment.content_id.clone(),
        content_location: attachment.content_location.clone(),
        is_inline: attachment.inline.then_some(true),
        ..Attachment::default()
    }
}

fn flag(flag: &mailbox::Flag) -> Flag {
    Flag {
        subject: flag.subject.clone(),
        status: Some(flag.status),
        flag_type: flag.flag_type.clone(),
        date_completed: flag.completed.map(time),
        complete_time: flag.complete_time.map(time),
        start_date: flag.start.map(time),
        utc_start_date: flag.utc_start.map(time),
        due_date: flag.due.map(time),
        utc_due_date: flag.utc_due.map(time),
        reminder_set: flag.reminder_set.map(u8::from),
        reminder_time: flag.reminder.map(time),
        ordinal_date: flag.ordinal.map(time),
        sub_ordinal_date: flag.sub_ordinal.clone(),
    }
}

pub(super) fn time(at: Timestamp) -> DateTime {
    DateTime::from_ms(at.ms())
}

#[cfg(test)]
pub(super) mod tests {
    use activesync::item::body::BodyPreference;
    use bytes::Bytes;

    use super::*;
    use crate::ids::{IdentityId, ItemNumber};

    pub(in super::super) fn item() -> Item {
        Item {
            item: ItemNumber(41),
            seq: 1,
            arrived: 1,
            received: Timestamp(1_772_442_900_000),
            size: 1,
            read: false,
            flag: None,
            categories: Vec::new(),
            verb: 0,
            verb_at: None,
            draft: false,
            identity: IdentityId(1),
        }
    }

    fn message(text: &str) -> Message {
        Message::parse(Bytes::from(text.replace('\n', "\r\n"))).unwrap()
    }

    const WITH_FILE: &str = "From: Chris Gray <chris@contoso.example>
To: Anat Kerry <anat@contoso.example>
Subject: RE: Quarterly numbers
Message-ID: <1@contoso.example>
Date: Mon, 2 Mar 2026 09:15:00 +0000
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html; charset=utf-8

<html><body>Hi Anat, the numbers are below</body></html>
--b
Content-Type: application/pdf; name=q1.pdf
Content-Disposition: attachment; filename=q1.pdf
Content-Transfer-Encoding: base64

aGVsbG8=
--b--
";

    fn options(version: ProtocolVersion, wishes: &[BodyPreference]) -> ItemOptions {
        ItemOptions { body_preferences: wishes.to_vec(), ..ItemOptions::new(version) }
    }

    fn shaped(text: &str, options: &ItemOptions) -> (Email, Exposure) {
        shape(&message(text), CollectionNumber(1), &item(), options)
    }

    #[test]
    fn a_mail_becomes_what_exchange_sends() {
        let wish = BodyPreference { preview: Some(7), ..BodyPreference::new(BodyType::Html) };
        let (email, exposure) = shaped(WITH_FILE, &options(ProtocolVersion::V16_1, &[wish]));
        assert_eq!(email.to.as_deref(), Some("\"Anat Kerry\" <anat@contoso.example>"));
        assert_eq!(email.from.as_deref(), Some("\"Chris Gray\" <chris@contoso.example>"));
        assert_eq!(email.display_to.as_deref(), Some("Anat Kerry"));
        assert_eq!(email.thread_topic.as_deref(), Some("Quarterly numbers"));
        assert_eq!(email.date_received.unwrap().to_string(), "2026-03-02T09:15:00.000Z");
        assert_eq!((email.importance, email.read), (Some(1), Some(false)));
        assert_eq!(email.message_class.as_deref(), Some("IPM.Note"));
        assert_eq!(email.internet_cpid.as_deref(), Some("65001"));
        assert_eq!(email.native_body_type, Some(2));
        assert_eq!(email.flag, Some(Flag::default()));
        assert_eq!(email.categories, Some(Categories::default()));
        assert_eq!(email.conversation_id.as_ref().map(Vec::len), Some(16));
        assert_eq!(email.conversation_index.as_ref().map(Vec::len), Some(5));
        assert_eq!((email.sender, email.is_draft, email.bcc), (None, None, None));
        let file = &email.attachments.unwrap().attachments[0];
        assert_eq!(file.display_name.as_deref(), Some("q1.pdf"));
        assert_eq!(file.file_reference.as_ref().unwrap().as_str(), "1:41:0");
        assert_eq!((file.method, file.estimated_data_size), (Some(1), Some(5)));
        let body = email.body.unwrap();
        assert_eq!(body.preview.as_deref(), Some("Hi Anat"));
        assert_eq!((body.body_type, body.truncated), (Some(BodyType::Html), None));
        assert_eq!(exposure, Exposure::HEADER | Exposure::BODY | Exposure::PART);
    }

    #[test]
    fn exposure_is_what_was_put_in() {
        let cut = |size| BodyPreference {
            truncation_size: Some(size),
            ..BodyPreference::new(BodyType::Html)
        };
        let of = |wishes: &[BodyPreference]| {
            shaped(WITH_FILE, &options(ProtocolVersion::V14_1, wishes)).1
        };
        assert_eq!(of(&[]), Exposure::HEADER);
        assert_eq!(of(&[cut(0)]), Exposure::HEADER);
        assert_eq!(of(&[cut(20)]), Exposure::HEADER | Exposure::PART);
        assert_eq!(of(&[cut(20_000)]), Exposure::HEADER | Exposure::BODY);
        let none = BodyPreference { all_or_none: Some(true), ..cut(20) };
        assert_eq!(of(&[none]), Exposure::HEADER);
        let mime = BodyPreference::new(BodyType::Mime);
        let mut wants = options(ProtocolVersion::V14_1, &[mime]);
        assert_eq!(shaped(WITH_FILE, &wants).1, Exposure::HEADER, "MIMESupport says never");
        wants.mime_support = MimeSupport::All;
        let all = Exposure::HEADER | Exposure::BODY | Exposure::ATTACHMENT;
        assert_eq!(shaped(WITH_FILE, &wants).1, all);
        wants.mime_truncation = Some(0);
        assert_eq!(shaped(WITH_FILE, &wants).1, Exposure::HEADER);
        let whole = ItemOptions { whole: true, ..options(ProtocolVersion::V14_1, &[]) };
        assert_eq!(shaped(WITH_FILE, &whole).1, Exposure::HEADER | Exposure::BODY);
    }

    #[test]
    fn versions_decide_what_there_is() {
        let wish = BodyPreference { preview: Some(7), ..BodyPreference::new(BodyType::Html) };
        let mut wants = options(ProtocolVersion::V12_1, &[wish]);
        wants.body_part_preferences = vec![BodyPreference::new(BodyType::Html)];
        let (email, exposure) = shaped(WITH_FILE, &wants);
        assert_eq!(email.body.unwrap().preview, None);
        assert!(email.body_parts.is_empty());
        assert_eq!(exposure, Exposure::HEADER | Exposure::BODY);
        wants.version = ProtocolVersion::V14_1;
        let (email, exposure) = shaped(WITH_FILE, &wants);
        assert_eq!(email.body_parts[0].status, Some(Status(1)));
        assert!(exposure.contains(Exposure::PART));
    }
}
