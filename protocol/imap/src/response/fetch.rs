//! FETCH: what there is to know of one message (RFC 9051 7.5.2).
//!
//! Each item stands for itself: one that cannot be read is named in [`Fetch::unread`], and the others are as good as ever.

use super::{Body, Context, Envelope, body, envelope, flags};
use crate::date::DateTime;
use crate::flag::Flag;
use crate::value::Value;

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// By its place in the mailbox.
    Sequence(u32),
    /// By its UID (RFC 9586).
    Uid(u32),
}

/// What a server told of one message; what it did not tell is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetch {
    /// Which message.
    pub number: Number,
    /// Its UID.
    pub uid: Option<u32>,
    /// Its flags.
    pub flags: Option<Vec<Flag>>,
    /// The position of its latest change.
    pub modseq: Option<u64>,
    /// When it was received.
    pub internal_date: Option<DateTime>,
    /// When it came into this mailbox, if the server knows (RFC 8514).
    pub save_date: Option<Option<DateTime>>,
    /// Its octets.
    pub size: Option<u64>,
    /// Its envelope.
    pub envelope: Option<Box<Envelope>>,
    /// Its parts.
    pub body: Option<Box<Body>>,
    /// Octets of it.
    pub contents: Vec<Content>,
    /// Octets of decoded parts, counted.
    pub binary_sizes: Vec<(Vec<u32>, u64)>,
    /// The beginning of its text, or that the server has none to hand (RFC 8970).
    pub preview: Option<Option<String>>,
    /// The id of its octets (RFC 8474).
    pub email_id: Option<String>,
    /// The id of its conversation, if the server keeps one.
    pub thread_id: Option<Option<String>>,
    /// Items that could not be read.
    pub unread: Vec<String>,
}

/// Octets of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Of what.
    pub section: Section,
    /// Decoded from its transfer encoding (BINARY)?
    pub binary: bool,
    /// Where a partial answer begins.
    pub origin: Option<u64>,
    /// The octets.
    pub data: Data,
}

/// Octets, or where they went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// There is no such part.
    Nil,
    /// Here they are.
    Octets(Vec<u8>),
    /// They went by as pieces of this literal.
    Streamed {
        /// Its number on this connection.
        literal: u64,
        /// Its octets.
        length: u64,
    },
}

/// What of a message: the whole if the path is empty and the text is [`SectionText::All`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Section {
    /// The number of the part.
    pub path: Vec<u32>,
    /// What of the part.
    pub text: SectionText,
}

/// What of a part.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SectionText {
    /// All of it.
    All,
    /// The header of a message.
    Header,
    /// These fields of the header.
    Fields(Vec<String>),
    /// The fields of the header that are not these.
    FieldsNot(Vec<String>),
    /// The body of a message.
    Text,
    /// The header of a part.
    Mime,
}

impl Section {
    /// The whole message.
    pub fn whole() -> Section {
        Section { path: Vec::new(), text: SectionText::All }
    }

    /// The header of the message.
    pub fn header() -> Section {
        Section { path: Vec::new(), text: SectionText::Header }
    }

    /// A part by its number.
    pub fn part(path: &[u32]) -> Section {
        Section { path: path.to_vec(), text: SectionText::All }
    }
}

impl Fetch {
    fn new(number: Number) -> Fetch {
        let uid = match number {
            Number::Uid(uid) => Some(uid),
            Number::Sequence(_) => None,
        };
        Fetch {
            number,
            uid,
            flags: None,
            modseq: None,
            internal_date: None,
            save_date: None,
            size: None,
            envelope: None,
            body: None,
            contents: Vec::new(),
            binary_sizes: Vec::new(),
            preview: None,
            email_id: None,
            thread_id: None,
            unread: Vec::new(),
        }
    }

    /// The octets of a section, if they are here.
    pub fn octets(&self, section: &Section) -> Option<&[u8]> {
        self.contents.iter().find_map(|content| match &content.data {
            Data::Octets(octets) if content.section == *section => Some(&octets[..]),
            _ => None,
        })
    }

    fn take(&mut self, name: &str, value: &Value<'_>) -> Option<()> {
        match name {
            "UID" => self.uid = Some(value.number().filter(|&uid: &u32| uid > 0)?),
            "FLAGS" => self.flags = Some(flags(Some(value))?),
            "MODSEQ" => self.modseq = Some(value.list()?.first()?.number()?),
            "INTERNALDATE" => self.internal_date = Some(DateTime::parse(value.octets()?)?),
            "SAVEDATE" if value.is_atom("NIL") => self.save_date = Some(None),
            "SAVEDATE" => self.save_date = Some(Some(DateTime::parse(value.octets()?)?)),
            "RFC822.SIZE" => self.size = Some(value.number()?),
            "ENVELOPE" => self.envelope = Some(Box::new(envelope::read(value)?)),
            "BODYSTRUCTURE" | "BODY" => self.body = Some(Box::new(body::read(value)?)),
            "PREVIEW" => {
                let text = envelope::text(value)?;
                self.preview = Some(text.map(|text| String::from_utf8_lossy(&text).into_owned()));
            }
            "EMAILID" => self.email_id = Some(value.list()?.first()?.string()?),
            "THREADID" if value.is_atom("NIL") => self.thread_id = Some(None),
            // Cyrus without conversations says `()`.
            "THREADID" => self.thread_id = Some(value.list()?.first().and_then(Value::string)),
            "RFC822" => self.content(Section::whole(), false, None, value)?,
            "RFC822.HEADER" => self.content(Section::header(), false, None, value)?,
            "RFC822.TEXT" => {
                let text = Section { path: Vec::new(), text: SectionText::Text };
                self.content(text, false, None, value)?;
            }
            // Items of extensions we have not asked for.
            _ => {}
        }
        Some(())
    }

    fn content(
        &mut self,
        section: Section,
        binary: bool,
        origin: Option<u64>,
        value: &Value<'_>,
    ) -> Option<()> {
        let data = match value {
            Value::Streamed { id, length } => Data::Streamed { literal: *id, length: *length },
            value => envelope::text(value)?.map_or(Data::Nil, Data::Octets),
        };
        self.contents.push(Content { section, binary, origin, data });
        Some(())
    }

    fn take_section(
        &mut self,
        name: &[u8],
        parts: &[Value<'_>],
        origin: Option<u64>,
        value: &Value<'_>,
    ) -> Option<()> {
        let section = read_section(parts)?;
        if name.eq_ignore_ascii_case(b"BINARY.SIZE") {
            self.binary_sizes.push((section.path, value.number()?));
            return Some(());
        }
        let binary = name.to_ascii_uppercase().starts_with(b"BINARY");
        self.content(section, binary, origin, value)
    }
}

pub(super) fn read(number: Number, values: &[Value<'_>], _context: &Context) -> Fetch {
    let mut fetch = Fetch::new(number);
    let (pairs, odd) = values.as_chunks::<2>();
    for [name, value] in pairs {
        let (shown, taken) = match name {
            Value::Section { name, parts, origin } => {
                (String::from_utf8_lossy(name), fetch.take_section(name, parts, *origin, value))
            }
            Value::Atom(name) => {
                let name = String::from_utf8_lossy(name);
                let taken = fetch.take(&name.to_ascii_uppercase(), value);
                (name, taken)
            }
            _ => ("?".into(), None),
        };
        if taken.is_none() {
            fetch.unread.push(shown.chars().take(40).collect());
        }
    }
    if !odd.is_empty() {
        fetch.unread.push("?".to_owned());
    }
    fetch
}

fn read_section(parts: &[Value<'_>]) -> Option<Section> {
    let Some((first, fields)) = parts.split_first() else { return Some(Section::whole()) };
    let name = first.string()?.to_ascii_uppercase();
    let mut words = name.split('.').peekable();
    let mut path = Vec::new();
    while let Some(Ok(number)) = words.peek().map(|word| word.parse::<u32>()) {
        path.push(number);
        words.next();
    }
    let rest: Vec<&str> = words.collect();
    let names = || Some(super::strings(fields.first()?.list()?));
    let text = match rest.join(".").as_str() {
        "" => SectionText::All,
        "HEADER" => SectionText::Header,
        "HEADER.FIELDS" => SectionText::Fields(names()?),
        "HEADER.FIELDS.NOT" => SectionText::FieldsNot(names()?),
        "TEXT" => SectionText::Text,
        "MIME" => SectionText::Mime,
        _ => return None,
    };
    Some(Section { path, text })
}
