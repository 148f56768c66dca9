//! A message as the rest of the gateway sees it: an owned view over the raw octets.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::attachment::{self, Attachment};
use super::headers::{one_line, text, unfold};
use super::mime::{Part, scan};
use super::{Address, address, charset, class, date, html, thread};
use crate::clock::Timestamp;

/// A parsed message. Cheap to make, no larger than the raw octets and a few hundred bytes per part.
#[derive(Clone)]
pub struct Message {
    raw: Bytes,
    parts: Vec<Part>,
    bodies: Bodies,
    attachments: Vec<Attachment>,
}

/// The format a message was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Native {
    /// text/plain, or nothing readable at all.
    Plain,
    /// text/html.
    Html,
}

/// Why octets are no message for us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Larger than [`SIZE_MAX`].
    #[error("a message of {size} octets is over the limit of {SIZE_MAX}")]
    TooLarge {
        /// What it has.
        size: usize,
    },
}

/// The parts that are the text of a message, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bodies {
    pub(crate) plain: Vec<usize>,
    pub(crate) html: Vec<usize>,
}

impl Message {
    /// Reads a message in one pass. Nothing a stranger can write makes this fail or panic, except a size over [`SIZE_MAX`].
    pub fn parse(raw: Bytes) -> Result<Message, Unreadable> {
        if raw.len() > SIZE_MAX {
            return Err(Unreadable::TooLarge { size: raw.len() });
        }
        let parts = scan(&raw);
        let mut walk = Walk { parts: &parts, attached: Vec::new() };
        let bodies = walk.bodies(0);
        let attached = walk.attached;
        let attachments = attachment::list(&raw, &parts, &attached, &bodies);
        Ok(Message { raw, parts, bodies, attachments })
    }

    /// The octets as they came.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// How many octets the whole message has.
    pub fn size(&self) -> usize {
        self.raw.len()
    }

    /// The octets after the header.
    pub fn after_header(&self) -> &[u8] {
        &self.raw[self.parts[0].header.body_start..]
    }

    /// The subject, decoded; empty if there is none.
    pub fn subject(&self) -> String {
        self.header("subject").unwrap_or_default()
    }

    /// The first author.
    pub fn from(&self) -> Option<Address> {
        self.addresses("from").into_iter().next()
    }

    /// Who sent it on behalf of the author.
    pub fn sender(&self) -> Option<Address> {
        self.addresses("sender").into_iter().next()
    }

    /// The To addresses of all To fields.
    pub fn to(&self) -> Vec<Address> {
        self.addresses("to")
    }

    /// The Cc addresses of all Cc fields.
    pub fn cc(&self) -> Vec<Address> {
        self.addresses("cc")
    }

    /// The Bcc addresses of all Bcc fields.
    pub fn bcc(&self) -> Vec<Address> {
        self.addresses("bcc")
    }

    /// Where answers should go.
    pub fn reply_to(&self) -> Vec<Address> {
        self.addresses("reply-to")
    }

    /// The addresses as phones want them, `"Name" <a@b>` joined by commas below 32,768 characters ([MS-ASEMAIL] 2.2.2.79).
    pub fn to_text(&self) -> String {
        address::join(&self.to(), ", ", ADDRESS_LIST_OCTETS_MAX)
    }

    /// The same for Cc.
    pub fn cc_text(&self) -> String {
        address::join(&self.cc(), ", ", ADDRESS_LIST_OCTETS_MAX)
    }

    /// The same for Reply-To, joined by semicolons.
    pub fn reply_to_text(&self) -> String {
        address::join(&self.reply_to(), ";", ADDRESS_LIST_OCTETS_MAX)
    }

    /// The names of the To addresses, joined by semicolons.
    pub fn display_to(&self) -> String {
        let name = |address: &Address| address.display().to_owned();
        address::join_with(&self.to(), ";", ADDRESS_LIST_OCTETS_MAX, name)
    }

    /// When it was written, if the Date field says so.
    pub fn date(&self) -> Option<Timestamp> {
        date::parse(&self.header("date")?)
    }

    /// The Message-ID without its angle brackets.
    pub fn message_id(&self) -> Option<String> {
        self.ids("message-id").into_iter().next()
    }

    /// The first id of In-Reply-To.
    pub fn in_reply_to(&self) -> Option<String> {
        self.ids("in-reply-to").into_iter().next()
    }

    /// The ids of References, oldest first.
    pub fn references(&self) -> Vec<String> {
        self.ids("references")
    }

    /// 0 low, 1 normal, 2 high: from Importance, X-Priority, X-MSMail-Priority or Priority, in this order.
    pub fn importance(&self) -> u8 {
        let fields = ["importance", "x-priority", "x-msmail-priority", "priority"];
        let stated = fields.iter().find_map(|name| self.header(name)).unwrap_or_default();
        match stated.trim().to_ascii_lowercase().as_str() {
            "high" | "urgent" => 2,
            "low" | "non-urgent" => 0,
            other => match other.as_bytes().first() {
                Some(b'1' | b'2') => 2,
                Some(b'4' | b'5') => 0,
                _ => 1,
            },
        }
    }

    /// The first field of that name as a person reads it: on one line, decoded, without control characters.
    pub fn header(&self, name: &str) -> Option<String> {
        self.raw_header(name).map(|value| text(value, self.hint()))
    }

    /// The first field of that name as it stands, folds included.
    pub(crate) fn raw_header(&self, name: &str) -> Option<&[u8]> {
        self.parts[0].header.find(&self.raw, name)
    }

    /// The subject without reply and forward prefixes.
    pub fn thread_topic(&self) -> String {
        thread::topic(&self.subject()).to_owned()
    }

    /// The class phones use to choose an icon and a view ([MS-ASEMAIL] 2.2.2.49).
    pub fn message_class(&self) -> &'static str {
        class::of(self)
    }

    /// Whether it is encrypted or signed with S/MIME, so that only the whole MIME is of use.
    pub fn is_smime(&self) -> bool {
        class::is_smime(&self.parts[0])
    }

    /// The code page the text was written in ([MS-ASEMAIL] 2.2.2.40).
    pub fn internet_cpid(&self) -> u32 {
        charset::code_page(self.hint())
    }

    /// The format the text was written in.
    pub fn native_body_type(&self) -> Native {
        let is_html = |index: &usize| self.parts[*index].is("text/html");
        if self.bodies.html.iter().any(is_html) { Native::Html } else { Native::Plain }
    }

    /// What is attached, inline pictures included.
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    /// The decoded octets of an attachment, by its index; a nested message is its own octets.
    pub fn attachment_bytes(&self, index: usize) -> Option<Vec<u8>> {
        let part = &self.parts[self.attachments.get(index)?.part];
        Some(part.decoded(&self.raw).into_owned())
    }

    /// The calendar object of a meeting mail, in UTF-8.
    pub fn calendar(&self) -> Option<String> {
        let part = self.parts.iter().find(|part| part.is("text/calendar"))?;
        Some(self.part_text(part))
    }

    /// The text without formatting: as written, or made from the HTML.
    pub fn plain_text(&self) -> String {
        self.joined(&self.bodies.plain, |part, text| {
            if part.is("text/html") { html::to_plain(&text) } else { text }
        })
    }

    /// The original HTML in UTF-8, its own charset statements corrected; `None` for mail without HTML. Not sanitised.
    pub fn html(&self) -> Option<String> {
        if self.native_body_type() == Native::Plain {
            return None;
        }
        Some(self.joined(&self.bodies.html, |part, text| {
            if part.is("text/html") { html::with_utf8_meta(text) } else { html::fragment(&text) }
        }))
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The text of one part in clean UTF-8.
    pub(crate) fn part_text(&self, part: &Part) -> String {
        let octets = part.decoded(&self.raw);
        let octets = &octets[..octets.len().min(TEXT_OCTETS_MAX)];
        let text = charset::clean(charset::decode(octets, part.charset()));
        if part
            .media
            .parameter("format")
            .is_some_and(|format| format.eq_ignore_ascii_case("flowed"))
        {
            let delete_space =
                part.media.parameter("delsp").is_some_and(|yes| yes.eq_ignore_ascii_case("yes"));
            return unflow(&text, delete_space);
        }
        text
    }

    fn joined(&self, indices: &[usize], shape: impl Fn(&Part, String) -> String) -> String {
        let mut texts = indices.iter().map(|index| {
            let part = &self.parts[*index];
            shape(part, self.part_text(part))
        });
        let mut joined = texts.next().unwrap_or_default();
        for text in texts {
            if !joined.is_empty() && !joined.ends_with('\n') {
                joined.push_str("\r\n");
            }
            joined.push_str(&text);
        }
        joined
    }

    /// The charset of the text: also the best guess for raw 8-bit headers.
    fn hint(&self) -> Option<&str> {
        let body = self.bodies.html.first().or(self.bodies.plain.first());
        self.parts[body.copied().unwrap_or(0)].charset()
    }

    fn addresses(&self, name: &str) -> Vec<Address> {
        let part = &self.parts[0];
        let values = part.header.fields.iter().filter(|field| field.is(&self.raw, name));
        let values = values.take(FIELDS_OF_ONE_NAME_MAX).map(|field| field.value(&self.raw));
        values.flat_map(|value| Address::parse_list(&unfold(value, self.hint()))).collect()
    }

    fn ids(&self, name: &str) -> Vec<String> {
        self.raw_header(name).map(ids).unwrap_or_default()
    }
}

/// The ids of a Message-ID, In-Reply-To or References field, without angle brackets.
pub(crate) fn ids(value: &[u8]) -> Vec<String> {
    let value = unfold(value, None);
    let mut ids = Vec::new();
    let mut rest: &str = &value;
    while let (Some(start), true) = (rest.find('<'), ids.len() < IDS_MAX) {
        let inner = &rest[start + 1..];
        let end = inner.find(['>', '<']).unwrap_or(inner.len());
        ids.push(bare_id(&inner[..end]));
        rest = &inner[end..];
    }
    if ids.is_empty() {
        ids.push(bare_id(value.split_whitespace().next().unwrap_or_default()));
    }
    ids.retain(|id| !id.is_empty());
    ids
}

/// The id without blanks and control characters; case matters in it.
fn bare_id(text: &str) -> String {
    let text = one_line(Cow::Borrowed(charset::prefix(text, ID_OCTETS_MAX)));
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '<' | '>')).collect()
}

impl fmt::Debug for Message {
    /// Says nothing of the contents, so that a message can stand in a log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} octets, {} parts)", self.raw.len(), self.parts.len())
    }
}

/// Sorts the parts of a message into text and attachments.
struct Walk<'a> {
    parts: &'a [Part],
    attached: Vec<usize>,
}

impl Walk<'_> {
    fn bodies(&mut self, index: usize) -> Bodies {
        let part = &self.parts[index];
        if !part.is_multipart() {
            return self.leaf(index);
        }
        let children = &part.children;
        match part.media.token.as_str() {
            "multipart/alternative" => self.alternative(children),
            "multipart/related" => {
                let root = related_root(self.parts, part);
                let bodies = self.bodies(root);
                self.attached
                    .extend(leaves(self.parts, children.iter().copied().filter(|c| *c != root)));
                bodies
            }
            "multipart/signed" | "multipart/report" => {
                let bodies = children.first().map(|first| self.bodies(*first)).unwrap_or_default();
                self.attached.extend(leaves(self.parts, children.iter().copied().skip(1)));
                bodies
            }
            _ => self.mixed(children),
        }
    }

    fn mixed(&mut self, children: &[usize]) -> Bodies {
        let mut bodies = Bodies::default();
        for child in children {
            let inner = self.bodies(*child);
            bodies.plain.extend(inner.plain);
            bodies.html.extend(inner.html);
        }
        bodies
    }

    /// The first alternative in plain text and the last in HTML; where one is missing the other stands in.
    fn alternative(&mut self, children: &[usize]) -> Bodies {
        let mut chosen = Bodies::default();
        for child in children {
            let inner = self.bodies(*child);
            let is_html = |index: &usize| self.parts[*index].is("text/html");
            if chosen.plain.is_empty() && inner.plain.iter().any(|index| !is_html(index)) {
                chosen.plain = inner.plain;
            }
            if inner.html.iter().any(is_html) {
                chosen.html = inner.html;
            }
        }
        if chosen.plain.is_empty() {
            chosen.plain.clone_from(&chosen.html);
        }
        if chosen.html.is_empty() {
            chosen.html.clone_from(&chosen.plain);
        }
        chosen
    }

    fn leaf(&mut self, index: usize) -> Bodies {
        let part = &self.parts[index];
        let attached = part.disposition.token == "attachment";
        let parent = part.parent.map(|parent| &self.parts[parent]);
        let in_alternative = parent.is_some_and(|p| p.is("multipart/alternative"));
        let first = parent.is_none_or(|p| p.children.first() == Some(&index));
        let is_text = part.is("text/plain") || part.is("text/html");
        if is_text && !attached && (first || part.file_name().is_none()) {
            return Bodies { plain: vec![index], html: vec![index] };
        }
        // The invitation beside its own description is no attachment.
        if !(in_alternative && part.is("text/calendar") && !attached) {
            self.attached.push(index);
        }
        Bodies::default()
    }
}

/// The part of a multipart/related that the others belong to: the one named by `start`, or the first.
fn related_root(parts: &[Part], related: &Part) -> usize {
    // Named roots that are not the first are so rare, and so often wrong, that text decides.
    let readable = |index: &&usize| {
        let token = parts[**index].media.token.as_str();
        token == "text/html" || token == "multipart/alternative"
    };
    related.children.iter().find(readable).or(related.children.first()).copied().unwrap_or(0)
}

fn leaves(parts: &[Part], from: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut found = Vec::new();
    for index in from {
        let part = &parts[index];
        if part.children.is_empty() {
            found.push(index);
        } else {
            found.extend(leaves(parts, part.children.iter().copied()));
        }
    }
    found
}

/// Joins the lines that format=flowed (RFC 3676) broke.
fn unflow(text: &str, delete_space: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\r', '\n']);
        let ending = &line[bare.len()..];
        let stuffed = bare.strip_prefix(' ').unwrap_or(bare);
        let flows = stuffed.ends_with(' ') && stuffed != "-- " && !stuffed.starts_with('>');
        match (flows, delete_space) {
            (true, true) => out.push_str(&stuffed[..stuffed.len() - 1]),
            (true, false) => out.push_str(stuffed),
            (false, _) => out.extend([stuffed, ending]),
        }
    }
    out
}

/// Octets of the largest message we read: 64 MiB.
pub const SIZE_MAX: usize = 64 * 1024 * 1024;
/// Octets of an address list that leaves for a phone: below 32,768 ([MS-ASEMAIL] 2.2.2.79).
pub const ADDRESS_LIST_OCTETS_MAX: usize = 32_767;
/// Octets of one text part that are decoded to text: 16 MiB.
const TEXT_OCTETS_MAX: usize = 16 * 1024 * 1024;
/// Fields of one name (To, Cc ...) that are read.
const FIELDS_OF_ONE_NAME_MAX: usize = 16;
/// Ids of one References field that are read.
const IDS_MAX: usize = 200;
/// Octets of one Message-ID.
const ID_OCTETS_MAX: usize = 998;
