//! Attachments: what a phone can fetch beside the text, each with a name a file system can live with.

use super::headers::{Header, text};
use super::mime::Part;
use super::view::Bodies;

/// How an attachment is to be treated ([MS-ASAIRS] 2.2.2.31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// An ordinary file.
    Normal = 1,
    /// A message; its name ends in `.eml`.
    EmbeddedMessage = 5,
    /// An OLE object.
    Ole = 6,
}

/// One attachment of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its place in [`super::Message::attachments`]; stable for the same octets.
    pub index: usize,
    /// A file name: never empty, no path, no control characters.
    pub display_name: String,
    /// Content-Type, type/subtype in lower case.
    pub content_type: String,
    /// How many octets it has when decoded.
    pub size: usize,
    /// Content-ID without angle brackets, which `cid:` links of the HTML name.
    pub content_id: Option<String>,
    /// Content-Location, which links of the HTML may name.
    pub content_location: Option<String>,
    /// Whether the HTML shows it in its place.
    pub inline: bool,
    /// Its kind.
    pub method: Method,
    pub(crate) part: usize,
}

/// Describes the parts `attached` in the order they have in the message.
pub(crate) fn list(
    raw: &[u8],
    parts: &[Part],
    attached: &[usize],
    bodies: &Bodies,
) -> Vec<Attachment> {
    let mut attached = attached.to_vec();
    attached.sort_unstable();
    attached.dedup();
    let has_html = bodies.html.iter().any(|index| parts[*index].is("text/html"));
    let describe = |(index, part)| describe(raw, parts, index, part, has_html);
    attached.into_iter().enumerate().map(describe).collect()
}

fn describe(raw: &[u8], parts: &[Part], index: usize, at: usize, has_html: bool) -> Attachment {
    let part = &parts[at];
    let field = |name| part.header.find(raw, name).map(|value| text(value, None));
    let content_id =
        field("content-id").map(|id| id.trim().trim_matches(['<', '>']).trim().to_owned());
    let content_id = content_id.filter(|id| !id.is_empty());
    let content_location = field("content-location").filter(|location| !location.is_empty());
    let referable = content_id.is_some() || content_location.is_some();
    let in_related = part.parent.is_some_and(|parent| parts[parent].is("multipart/related"));
    let inline = has_html && referable && (in_related || part.disposition.token == "inline");
    let method = if part.is("message/rfc822") { Method::EmbeddedMessage } else { Method::Normal };
    Attachment {
        index,
        display_name: display_name(raw, part, index),
        content_type: part.media.token.clone(),
        size: part.encoding.decoded_size(part.body(raw)),
        content_id,
        content_location,
        inline,
        method,
        part: at,
    }
}

fn display_name(raw: &[u8], part: &Part, index: usize) -> String {
    let stated = part.file_name().map(safe_name).filter(|name| !name.is_empty());
    if part.is("message/rfc822") {
        let name = stated.unwrap_or_else(|| nested_subject(raw, part));
        return if name.to_ascii_lowercase().ends_with(".eml") { name } else { name + ".eml" };
    }
    stated.unwrap_or_else(|| {
        let (stem, extension) = default_name(&part.media.token);
        match stem {
            "" => format!("attachment-{}.{extension}", index + 1),
            stem => format!("{stem}.{extension}"),
        }
    })
}

fn nested_subject(raw: &[u8], part: &Part) -> String {
    let nested = part.body(raw);
    let header = Header::parse(nested, 0, |_| false);
    let subject = header.find(nested, "subject").map(|value| safe_name(&text(value, None)));
    subject.filter(|subject| !subject.is_empty()).unwrap_or_else(|| "message".to_owned())
}

/// The last component of a path, without characters that file systems refuse or that hide an extension.
fn safe_name(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).find(|piece| !piece.trim().is_empty()).unwrap_or("");
    let hides = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    let refused = |c: char| c.is_control() || hides(c);
    let name: String = file
        .chars()
        .filter(|c| !refused(*c))
        .map(|c| if "<>:\"|?*".contains(c) { '_' } else { c })
        .take(NAME_CHARACTERS_MAX)
        .collect();
    name.trim().trim_start_matches('.').trim().to_owned()
}

fn default_name(media: &str) -> (&'static str, &'static str) {
    match media {
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => ("smime", "p7m"),
        "application/pkcs7-signature" | "application/x-pkcs7-signature" => ("smime", "p7s"),
        "application/pgp-signature" => ("signature", "asc"),
        "application/ms-tnef" => ("winmail", "dat"),
        "application/pdf" => ("", "pdf"),
        "image/jpeg" => ("", "jpg"),
        "image/png" => ("", "png"),
        "image/gif" => ("", "gif"),
        "message/delivery-status" => ("delivery-status", "txt"),
        "message/disposition-notification" => ("disposition-notification", "txt"),
        "text/rfc822-headers" => ("headers", "txt"),
        "text/calendar" => ("invite", "ics"),
        "text/html" => ("", "html"),
        "text/plain" => ("", "txt"),
        "text/vcard" | "text/x-vcard" => ("", "vcf"),
        _ => ("", "bin"),
    }
}

/// Characters of a file name.
const NAME_CHARACTERS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe() {
        assert_eq!(safe_name("C:\\temp\\re:port?.pdf"), "re_port_.pdf");
        assert_eq!(safe_name("../../etc/passwd"), "passwd");
        assert_eq!(safe_name("..hidden"), "hidden");
        assert_eq!(safe_name("invoice\u{202e}fdp.exe"), "invoicefdp.exe");
        assert_eq!(safe_name("///"), "");
    }
}
