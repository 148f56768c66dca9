//! A tree of MIME entities and how it is written: the one writer of bodies for replies, forwards and drafts.

use sha2::{Digest, Sha256};

use super::super::write::{parameter, text_part};
use super::super::{Attachment, Message, html, transfer};
use super::File;

/// A node of the tree.
pub(super) enum Entity {
    /// A text part; the media type is `text/plain`, `text/html` or `text/calendar` with its method.
    Text(&'static str, String),
    /// An entity from another message, as it stands there: its Content fields, an empty line, its body.
    Verbatim(Vec<u8>),
    /// A multipart of that subtype.
    Multi(&'static str, Vec<Entity>),
}

impl Entity {
    /// The text of a message: one part, or both as alternatives when it is HTML.
    pub(super) fn text(plain: String, html: Option<String>) -> Entity {
        let plain = Entity::Text("text/plain", plain);
        match html {
            None => plain,
            Some(html) => {
                Entity::Multi("alternative", vec![plain, Entity::Text("text/html", html)])
            }
        }
    }

    /// This text, and one more form of it, the best last.
    pub(super) fn or_else(self, other: Entity) -> Entity {
        let mut forms = match self {
            Entity::Multi("alternative", forms) => forms,
            only => vec![only],
        };
        forms.push(other);
        Entity::Multi("alternative", forms)
    }

    /// This text with pictures it refers to, and with files beside it.
    pub(super) fn with_files(self, inline: Vec<Entity>, files: Vec<Entity>) -> Entity {
        let around = |kind, first: Entity, rest: Vec<Entity>| {
            if rest.is_empty() {
                return first;
            }
            Entity::Multi(kind, std::iter::once(first).chain(rest).collect())
        };
        around("mixed", around("related", self, inline), files)
    }

    /// An attachment of another message. What its place there said of it is stated, so that it means the same anywhere.
    pub(super) fn copy(message: &Message, attachment: &Attachment) -> Entity {
        let (raw, part) = (message.raw(), &message.parts()[attachment.part]);
        let is_attached = attachment.inline || part.disposition.token == "attachment";
        let mut copied = Vec::with_capacity(part.body.len() + 256);
        if !part.media_is_stated {
            copied.extend_from_slice(format!("Content-Type: {}\r\n", part.media.token).as_bytes());
        }
        for field in part.header.fields.iter().filter(|field| is_content(field.name(raw))) {
            let is_replaced = (field.is(raw, "content-type") && !part.media_is_stated)
                || (field.is(raw, "content-disposition") && !is_attached);
            if !is_replaced {
                copied.extend_from_slice(field.whole(raw));
                copied.extend_from_slice(b"\r\n");
            }
        }
        if !is_attached {
            let name = parameter("filename", &attachment.display_name);
            copied.extend_from_slice(
                format!("Content-Disposition: attachment;\r\n {name}\r\n").as_bytes(),
            );
        }
        copied.extend_from_slice(b"\r\n");
        copied.extend_from_slice(part.body(raw));
        Entity::Verbatim(copied)
    }

    /// A whole message as an attachment.
    pub(super) fn message(raw: &[u8], name: &str) -> Entity {
        let head = format!(
            "Content-Type: message/rfc822\r\nContent-Disposition: attachment; {}\r\n\r\n",
            parameter("filename", name)
        );
        Entity::Verbatim([head.as_bytes(), raw].concat())
    }

    /// A file, in base64.
    pub(super) fn file(file: &File) -> Entity {
        let media = Some(&file.content_type).filter(|media| is_media_type(media));
        let media = media.map_or("application/octet-stream", String::as_str);
        let disposition = if file.inline { "inline" } else { "attachment" };
        let mut head = format!(
            "Content-Type: {media};\r\n {}\r\nContent-Disposition: {disposition};\r\n {}\r\n\
             Content-Transfer-Encoding: base64\r\n",
            parameter("name", &file.name),
            parameter("filename", &file.name),
        );
        let stated = [
            ("Content-ID", &file.content_id, "<", ">"),
            ("Content-Location", &file.content_location, "", ""),
        ];
        for (name, value, before, after) in stated {
            if let Some(value) =
                value.as_deref().filter(|value| value.bytes().all(|b| b.is_ascii_graphic()))
            {
                head.push_str(&format!("{name}: {before}{value}{after}\r\n"));
            }
        }
        let mut part = head.into_bytes();
        part.extend_from_slice(b"\r\n");
        transfer::write_base64(&file.data, &mut part);
        Entity::Verbatim(part)
    }

    /// Appends the entity, its header first. The boundaries come from `seed`, which should cover all that goes in.
    pub(super) fn write(&self, seed: &[u8; 32], out: &mut Vec<u8>) {
        match self {
            Entity::Text(media, text) => text_part(media, text, out),
            Entity::Verbatim(octets) => out.extend_from_slice(octets),
            Entity::Multi(kind, children) => {
                let boundary = boundary(seed, kind);
                let head =
                    format!("Content-Type: multipart/{kind};\r\n boundary=\"{boundary}\"\r\n\r\n");
                out.extend_from_slice(head.as_bytes());
                for child in children {
                    out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                    child.write(seed, out);
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
            }
        }
    }
}

/// The inside of a plain text as the HTML of a new message.
pub(super) fn html_of(plain: &str) -> String {
    html::document(plain)
}

/// Whether a field belongs to an entity rather than to the message around it.
pub(super) fn is_content(name: &[u8]) -> bool {
    name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
}

/// A boundary nobody can have written before: a hash of everything in the message.
fn boundary(seed: &[u8; 32], kind: &str) -> String {
    let hash = Sha256::new().chain_update(seed).chain_update(kind).finalize();
    let digits: String = hash[..12].iter().map(|octet| format!("{octet:02x}")).collect();
    format!("=_{digits}_{kind}")
}

fn is_media_type(media: &str) -> bool {
    let valid = |piece: &str| {
        !piece.is_empty()
            && piece.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.+_".contains(&b))
    };
    let message_or_multipart = media.starts_with("multipart/") || media.starts_with("message/");
    media.split_once('/').is_some_and(|(kind, subtype)| valid(kind) && valid(subtype))
        && !message_or_multipart
}
