//! Drafts: mail made of the fields a phone fills in, and taken apart again when only some of them change.

use sha2::{Digest, Sha256};

use super::super::{Address, Message, Native, date, html, write};
use super::entity::Entity;
use super::prepare::{Sender, author};
use crate::clock::Timestamp;

/// A mail that is being written ([MS-ASEMAIL] 2.2.2.42).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Whose draft it is.
    pub from: Sender,
    /// To; [`Address::parse_list`] reads what a phone sent.
    pub to: Vec<Address>,
    /// Cc.
    pub cc: Vec<Address>,
    /// Bcc; kept in a draft, removed on sending.
    pub bcc: Vec<Address>,
    /// Reply-To.
    pub reply_to: Vec<Address>,
    /// Subject.
    pub subject: String,
    /// 0 low, 1 normal, 2 high.
    pub importance: u8,
    /// The text.
    pub body: DraftBody,
    /// The same as a calendar object (RFC 6047), beside the text.
    pub calendar: Option<CalendarPart>,
    /// What is attached.
    pub files: Vec<File>,
    /// The conversation it belongs to: References, oldest first.
    pub references: Vec<String>,
}

/// The text of a draft in the format it was written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftBody {
    /// Plain text.
    Plain(String),
    /// HTML.
    Html(String),
}

/// A calendar object that is an alternative to the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarPart {
    /// What it is for.
    pub method: CalendarMethod,
    /// The object.
    pub object: String,
}

/// What a calendar object is for (RFC 5546 1.4), of what we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarMethod {
    /// It answers an invitation.
    Reply,
    /// It answers with another time.
    Counter,
}

impl CalendarMethod {
    /// As the object and the part both say it.
    pub fn as_str(self) -> &'static str {
        match self {
            CalendarMethod::Reply => "REPLY",
            CalendarMethod::Counter => "COUNTER",
        }
    }

    fn media(self) -> &'static str {
        match self {
            CalendarMethod::Reply => "text/calendar; method=REPLY",
            CalendarMethod::Counter => "text/calendar; method=COUNTER",
        }
    }
}

/// A file to attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The file name.
    pub name: String,
    /// Content-Type; anything that is none counts as application/octet-stream.
    pub content_type: String,
    /// Content-ID without angle brackets.
    pub content_id: Option<String>,
    /// Content-Location.
    pub content_location: Option<String>,
    /// Whether the HTML shows it in its place.
    pub inline: bool,
    /// The octets.
    pub data: Vec<u8>,
}

impl Draft {
    /// An empty draft of a user.
    pub fn new(from: Sender) -> Draft {
        Draft {
            from,
            to: Vec::new(),
            cc: Vec::new(),
            bcc: Vec::new(),
            reply_to: Vec::new(),
            subject: String::new(),
            importance: 1,
            body: DraftBody::Plain(String::new()),
            calendar: None,
            files: Vec::new(),
            references: Vec::new(),
        }
    }

    /// The fields of a message, so that a change of some of them leaves the others as they are.
    pub fn of(message: &Message, from: Sender) -> Draft {
        let body = match (message.native_body_type(), message.html()) {
            (Native::Html, Some(html)) => DraftBody::Html(html),
            _ => DraftBody::Plain(message.plain_text()),
        };
        let file = |attachment: &super::super::Attachment| File {
            name: attachment.display_name.clone(),
            content_type: attachment.content_type.clone(),
            content_id: attachment.content_id.clone(),
            content_location: attachment.content_location.clone(),
            inline: attachment.inline,
            data: message.attachment_bytes(attachment.index).unwrap_or_default(),
        };
        Draft {
            from,
            to: message.to(),
            cc: message.cc(),
            bcc: message.bcc(),
            reply_to: message.reply_to(),
            subject: message.subject(),
            importance: message.importance(),
            body,
            calendar: None,
            files: message.attachments().iter().map(file).collect(),
            references: message.references(),
        }
    }

    /// The draft as MIME. The same fields, time and id give the same octets.
    pub fn build(&self, now: Timestamp, message_id: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write::address_field("From", &[author(&self.from)], &mut out);
        for (name, addresses) in
            [("To", &self.to), ("Cc", &self.cc), ("Bcc", &self.bcc), ("Reply-To", &self.reply_to)]
        {
            write::address_field(name, addresses, &mut out);
        }
        write::text_field("Subject", &self.subject, &mut out);
        write::text_field("Date", &date::format(now), &mut out);
        write::id_field("Message-ID", &[message_id.to_owned()], &mut out);
        write::id_field(
            "In-Reply-To",
            self.references.last().map(std::slice::from_ref).unwrap_or(&[]),
            &mut out,
        );
        write::id_field("References", &self.references, &mut out);
        match self.importance {
            0 => out.extend_from_slice(b"Importance: low\r\nX-Priority: 5\r\n"),
            2 => out.extend_from_slice(b"Importance: high\r\nX-Priority: 1\r\n"),
            _ => {}
        }
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
        self.entity().write(&self.seed(message_id), &mut out);
        out
    }

    fn entity(&self) -> Entity {
        let text = match &self.body {
            DraftBody::Plain(text) => Entity::text(text.clone(), None),
            DraftBody::Html(text) => {
                Entity::text(html::to_plain(text), Some(html::with_utf8_meta(text.clone())))
            }
        };
        let text = match &self.calendar {
            None => text,
            Some(part) => text.or_else(Entity::Text(part.method.media(), part.object.clone())),
        };
        let is_html = matches!(self.body, DraftBody::Html(_));
        let (inline, files): (Vec<&File>, Vec<&File>) =
            self.files.iter().partition(|file| file.inline && is_html);
        text.with_files(
            inline.into_iter().map(Entity::file).collect(),
            files.into_iter().map(Entity::file).collect(),
        )
    }

    fn seed(&self, message_id: &str) -> [u8; 32] {
        let mut hash = Sha256::new().chain_update(message_id).chain_update(&self.subject);
        match &self.body {
            DraftBody::Plain(text) | DraftBody::Html(text) => hash.update(text),
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        let sender = Sender { address: "ann@x.example".into(), display_name: "Ann".into() };
        Draft {
            to: Address::parse_list("Jürgen <j@x.example>; k@x.example"),
            bcc: Address::parse_list("l@x.example"),
            subject: "Grüße".into(),
            importance: 2,
            body: DraftBody::Html("<p>Hallo <img src=\"cid:i1\"> Jürgen</p>".into()),
            files: vec![
                File {
                    name: "Bild.png".into(),
                    content_type: "image/png".into(),
                    content_id: Some("i1".into()),
                    content_location: None,
                    inline: true,
                    data: vec![1, 2, 3],
                },
                File {
                    name: "Übersicht \"neu\".pdf".into(),
                    content_type: "x\r\nBcc: y".into(),
                    content_id: None,
                    content_location: None,
                    inline: false,
                    data: vec![0; 200],
                },
            ],
            references: vec!["1@x.example".into(), "2@x.example".into()],
            ..Draft::new(sender)
        }
    }

    #[test]
    fn a_draft_is_read_back_as_it_was_written() {
        let raw = draft().build(Timestamp(1_795_507_200_000), "d@x.example");
        let message = Message::parse(raw.into()).unwrap();
        assert_eq!(message.subject(), "Grüße");
        assert_eq!((message.to(), message.bcc()), (draft().to, draft().bcc));
        assert_eq!((message.importance(), message.date()), (2, Some(Timestamp(1_795_507_200_000))));
        assert_eq!(message.in_reply_to().as_deref(), Some("2@x.example"));
        assert!(message.html().unwrap().contains("Hallo <img"));
        assert_eq!(message.plain_text().trim_end(), "Hallo Jürgen");
        let [picture, file] = message.attachments() else { panic!("two files") };
        assert!(picture.inline && !file.inline);
        assert_eq!(file.content_type, "application/octet-stream");
        assert_eq!(file.display_name, "Übersicht _neu_.pdf");
        assert_eq!(message.attachment_bytes(file.index), Some(vec![0; 200]));
    }

    #[test]
    fn one_changed_field_leaves_the_others() {
        let raw = draft().build(Timestamp(0), "d@x.example");
        let message = Message::parse(raw.into()).unwrap();
        let changed = Draft { subject: "Neu".into(), ..Draft::of(&message, draft().from) };
        assert_eq!((&changed.to, &changed.references), (&draft().to, &draft().references));
        let again = Message::parse(changed.build(Timestamp(0), "d@x.example").into()).unwrap();
        assert_eq!((again.subject().as_str(), again.html()), ("Neu", message.html()));
        assert_eq!(again.attachments().len(), 2);
    }
}
