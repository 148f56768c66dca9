//! SmartReply and SmartForward: the phone sends what is new, the original is put below it here ([MS-ASCMD] 2.2.1.19, 2.2.1.20).

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::super::{Address, Message, Native, address, date, html, thread, write};
use super::Unsendable;
use super::entity::{Entity, html_of, is_content};
use crate::clock::Timestamp;

/// The new mail with the original quoted below its text; attachments of the original stay away.
pub fn smart_reply(raw: &[u8], source: &Message, now: Timestamp) -> Result<Vec<u8>, Unsendable> {
    merge(raw, source, Kind::Reply, now)
}

/// The new mail with the original below its text, and with all its attachments.
pub fn smart_forward(raw: &[u8], source: &Message, now: Timestamp) -> Result<Vec<u8>, Unsendable> {
    merge(raw, source, Kind::Forward, now)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Reply,
    Forward,
}

fn merge(raw: &[u8], source: &Message, kind: Kind, now: Timestamp) -> Result<Vec<u8>, Unsendable> {
    let new = Message::parse(Bytes::copy_from_slice(raw))?;
    if new.parts()[0].header.fields.is_empty() {
        return Err(Unsendable::NotMime);
    }
    let mut out = Vec::with_capacity(raw.len() + source.size() + 4096);
    copy_header(&new, source, now, &mut out);
    if new.is_smime() {
        // Signed or encrypted on the phone: nothing can be added without breaking it.
        write_untouched(&new, &mut out);
        return Ok(out);
    }
    out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    let seed = Sha256::new().chain_update(raw).chain_update(source.raw()).finalize().into();
    body(&new, source, kind).write(&seed, &mut out);
    Ok(out)
}

/// The header of the new mail without what the new body replaces, tied to the conversation of the source.
fn copy_header(new: &Message, source: &Message, now: Timestamp, out: &mut Vec<u8>) {
    let raw = new.raw();
    let source_id = source.message_id();
    for field in &new.parts()[0].header.fields {
        let name = String::from_utf8_lossy(field.name(raw)).to_ascii_lowercase();
        let tie = matches!(name.as_str(), "in-reply-to" | "references" | "thread-index");
        if name.starts_with("content-") || name == "mime-version" || (tie && source_id.is_some()) {
            continue;
        }
        out.extend_from_slice(field.whole(raw));
        out.extend_from_slice(b"\r\n");
    }
    let Some(id) = source_id else { return };
    let mut references = source.references();
    if references.is_empty() {
        references.extend(source.in_reply_to());
    }
    references.retain(|known| *known != id);
    if references.len() > REFERENCES_MAX {
        // The root and the latest tie a thread together; what lies between may go.
        references.drain(1..references.len() - (REFERENCES_MAX - 1));
    }
    references.push(id.clone());
    write::id_field("In-Reply-To", &[id], out);
    write::id_field("References", &references, out);
    out.extend_from_slice(
        format!("Thread-Index: {}\r\n", thread::answer_index(source, now)).as_bytes(),
    );
}

fn write_untouched(new: &Message, out: &mut Vec<u8>) {
    let raw = new.raw();
    out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    for field in new.parts()[0].header.fields.iter().filter(|field| is_content(field.name(raw))) {
        out.extend_from_slice(field.whole(raw));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(new.after_header());
}

fn body(new: &Message, source: &Message, kind: Kind) -> Entity {
    let rich = new.native_body_type() == Native::Html || source.native_body_type() == Native::Html;
    let plain = merged_plain(new, source, kind);
    let text = Entity::text(plain, rich.then(|| merged_html(new, source)));
    let (mut inline, mut files) = (Vec::new(), Vec::new());
    collect(new, &mut inline, &mut files);
    if kind == Kind::Forward {
        if source.is_smime() {
            let name = source.subject();
            let name = if name.is_empty() { "message" } else { name.as_str() };
            files.push(Entity::message(source.raw(), &format!("{name}.eml")));
        } else {
            collect(source, &mut inline, &mut files);
        }
    }
    if rich {
        return text.with_files(inline, files);
    }
    text.with_files(Vec::new(), inline.into_iter().chain(files).collect())
}

fn collect(message: &Message, inline: &mut Vec<Entity>, files: &mut Vec<Entity>) {
    for attachment in message.attachments() {
        let entity = Entity::copy(message, attachment);
        if attachment.inline { inline.push(entity) } else { files.push(entity) }
    }
}

fn merged_plain(new: &Message, source: &Message, kind: Kind) -> String {
    let mut merged = new.plain_text().trim_end().to_owned();
    merged.push_str("\r\n\r\n-----Original Message-----\r\n");
    for (name, value) in facts(source) {
        merged.push_str(&format!("{name}: {value}\r\n"));
    }
    merged.push_str("\r\n");
    for line in source.plain_text().lines() {
        if kind == Kind::Reply {
            merged.push_str(if line.starts_with('>') { ">" } else { "> " });
        }
        merged.push_str(line.trim_end_matches('\r'));
        merged.push_str("\r\n");
    }
    merged
}

fn merged_html(new: &Message, source: &Message) -> String {
    let mut merged = new.html().unwrap_or_else(|| html_of(&new.plain_text()));
    let lower = merged.to_ascii_lowercase();
    let end = lower.rfind("</body").or_else(|| lower.rfind("</html")).unwrap_or(merged.len());
    merged.truncate(end);
    merged.push_str("<br>\r\n<hr>\r\n<div>");
    for (name, value) in facts(source) {
        merged.push_str(&format!("<b>{name}:</b> {}<br>\r\n", html::fragment(&value)));
    }
    merged.push_str("</div><br>\r\n<div>");
    match source.html() {
        Some(original) => merged.push_str(&original),
        None => merged.push_str(&html::fragment(&source.plain_text())),
    }
    merged.push_str("</div></body></html>\r\n");
    merged
}

/// What a reader wants to know of the original, above its text.
fn facts(source: &Message) -> Vec<(&'static str, String)> {
    let list = |addresses: Vec<Address>| address::join(&addresses, ", ", FACT_OCTETS_MAX);
    let facts = [
        ("From", source.from().map(|from| from.formatted()).unwrap_or_default()),
        ("Sent", source.date().map(date::format).unwrap_or_default()),
        ("To", list(source.to())),
        ("Cc", list(source.cc())),
        ("Subject", source.subject()),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// Ids in a References field that we write.
const REFERENCES_MAX: usize = 40;
/// Octets of an address list above quoted text.
const FACT_OCTETS_MAX: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &[u8]) -> Message {
        Message::parse(Bytes::copy_from_slice(raw)).unwrap()
    }

    fn source() -> Message {
        parse(
            b"From: Ann <ann@x.example>\r\nTo: bob@x.example\r\nSubject: Plan\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\
              Message-ID: <2@x.example>\r\nReferences: <1@x.example>\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n\
              --a\r\nContent-Type: text/plain\r\n\r\nSee the plan.\r\n--a\r\nContent-Type: application/pdf; name=plan.pdf\r\n\
              Content-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--a--\r\n",
        )
    }

    const NEW: &[u8] = b"To: ann@x.example\r\nSubject: Re: Plan\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nI agree.\r\n";

    #[test]
    fn a_reply_quotes_the_text_and_leaves_the_files() {
        let reply = parse(&smart_reply(NEW, &source(), Timestamp(0)).unwrap());
        let text = reply.plain_text();
        assert!(
            text.starts_with("I agree.\r\n\r\n-----Original Message-----\r\nFrom: \"Ann\""),
            "{text}"
        );
        assert!(text.contains("\r\n> See the plan.\r\n"));
        assert!(reply.attachments().is_empty());
        assert_eq!(reply.in_reply_to().as_deref(), Some("2@x.example"));
        assert_eq!(reply.references(), ["1@x.example", "2@x.example"]);
        assert_eq!(reply.subject(), "Re: Plan");
    }

    #[test]
    fn a_forward_takes_the_files_along_octet_for_octet() {
        let forward = parse(&smart_forward(NEW, &source(), Timestamp(0)).unwrap());
        assert!(forward.plain_text().contains("\r\nSee the plan.\r\n"));
        assert_eq!(forward.attachments()[0].display_name, "plan.pdf");
        assert_eq!(forward.attachment_bytes(0), source().attachment_bytes(0));
    }

    #[test]
    fn a_forwarded_digest_stays_messages() {
        let digest = parse(
            b"Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: One\r\n\r\n1\r\n--a\r\n\r\n\
              Subject: Two\r\n\r\n2\r\n--a--\r\n",
        );
        let forward = parse(&smart_forward(NEW, &digest, Timestamp(0)).unwrap());
        let names: Vec<_> = forward.attachments().iter().map(|a| a.display_name.as_str()).collect();
        assert_eq!(names, ["One.eml", "Two.eml"]);
    }

    #[test]
    fn html_on_either_side_makes_html() {
        let original = parse(b"Content-Type: multipart/related; boundary=a\r\n\r\n--a\r\nContent-Type: text/html\r\n\r\n\
                               <html><body><img src=\"cid:1\">Old</body></html>\r\n--a\r\nContent-Type: image/png\r\n\
                               Content-ID: <1>\r\n\r\nPNG\r\n--a--\r\n");
        let forward = parse(&smart_forward(NEW, &original, Timestamp(0)).unwrap());
        let html = forward.html().unwrap();
        assert!(
            html.contains("I agree.")
                && html.contains("Old")
                && html.trim_end().ends_with("</div></body></html>")
        );
        assert!(forward.attachments()[0].inline);
        assert!(forward.plain_text().contains("I agree."));
    }

    #[test]
    fn what_the_phone_signed_stays_as_it_is() {
        let signed = b"To: a@x.example\r\nContent-Type: multipart/signed; boundary=s;\r\n protocol=\"application/pkcs7-signature\"\r\n\r\n\
                       --s\r\n\r\nhi\r\n--s\r\nContent-Type: application/pkcs7-signature\r\n\r\nAA==\r\n--s--\r\n";
        let reply = parse(&smart_reply(signed, &source(), Timestamp(0)).unwrap());
        assert_eq!(reply.after_header(), parse(signed).after_header());
        assert_eq!(reply.in_reply_to().as_deref(), Some("2@x.example"));
        assert!(reply.is_smime());
    }

    #[test]
    fn an_encrypted_original_is_forwarded_whole() {
        let sealed = parse(b"Subject: Secret\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nMIIB\r\n");
        let forward = parse(&smart_forward(NEW, &sealed, Timestamp(0)).unwrap());
        assert_eq!(forward.attachments()[0].display_name, "Secret.eml");
        assert_eq!(forward.attachment_bytes(0).unwrap(), &sealed.raw()[..]);
    }
}
