//! The structure of a message: one pass over the octets finds every part; nothing is decoded or copied on the way.
//!
//! Guarantees: at most [`PARTS_MAX`] parts and [`DEPTH_MAX`] levels, time linear in the size, no failure. What is broken
//! degrades: a multipart whose boundary never comes is plain text, a part without an end ends where its parent does,
//! deeper levels are one opaque part. A nested message is not entered; it is an attachment.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem::Finder;

use super::headers::{Header, Structured, text};
use super::transfer::Encoding;

/// One entity: the message itself (index 0) or a part of it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<usize>,
    pub(crate) header: Header,
    pub(crate) body: Range<usize>,
    /// Content-Type: type/subtype in lower case and its parameters.
    pub(crate) media: Structured,
    /// Whether `media` is what the header says, and not a default or what a limit made of it.
    pub(crate) media_is_stated: bool,
    /// Content-Disposition.
    pub(crate) disposition: Structured,
    pub(crate) encoding: Encoding,
}

impl Part {
    fn parse(raw: &[u8], header: Header, parent: Option<usize>, default_type: &str) -> Part {
        let structured = |name| header.find(raw, name).map(|value| Structured::parse(value, None));
        let mut media = structured("content-type").unwrap_or_default();
        let media_is_stated = media.token.contains('/');
        if !media_is_stated {
            media.token = default_type.to_owned();
        }
        let encoding = header.find(raw, "content-transfer-encoding");
        Part {
            parent,
            children: Vec::new(),
            body: header.body_start..raw.len(),
            media,
            media_is_stated,
            disposition: structured("content-disposition").unwrap_or_default(),
            encoding: encoding
                .map_or(Encoding::Identity, |value| Encoding::parse(&text(value, None))),
            header,
        }
    }

    pub(crate) fn is_multipart(&self) -> bool {
        self.media.token.starts_with("multipart/")
    }

    pub(crate) fn is(&self, media: &str) -> bool {
        self.media.token == media
    }

    pub(crate) fn charset(&self) -> Option<&str> {
        self.media.parameter("charset")
    }

    /// The file name, from either of the two places mailers put it.
    pub(crate) fn file_name(&self) -> Option<&str> {
        let name =
            self.disposition.parameter("filename").or_else(|| self.media.parameter("name"))?;
        Some(name.trim()).filter(|name| !name.is_empty())
    }

    pub(crate) fn body<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        &raw[self.body.clone()]
    }

    pub(crate) fn decoded<'a>(&self, raw: &'a [u8]) -> Cow<'a, [u8]> {
        self.encoding.decode(self.body(raw))
    }
}

/// Finds all parts; the first is the message itself.
pub(crate) fn scan(raw: &[u8]) -> Vec<Part> {
    let mut scanner = Scanner { raw, parts: Vec::new(), open: Vec::new(), leaf: None };
    scanner.run();
    let mut parts = scanner.parts;
    for part in &mut parts {
        if part.is_multipart() && part.children.is_empty() {
            part.media.token = "text/plain".to_owned();
            part.media_is_stated = false;
        }
    }
    parts
}

struct Scanner<'a> {
    raw: &'a [u8],
    parts: Vec<Part>,
    /// The multiparts we are in, outermost first, each with its boundary.
    open: Vec<(usize, Vec<u8>)>,
    /// The part whose end is not known yet.
    leaf: Option<usize>,
}

impl Scanner<'_> {
    fn run(&mut self) {
        let finder = Finder::new(b"\n--");
        let mut at = self.begin(0);
        let mut at_line_start = true;
        while !self.open.is_empty() {
            let line = if at_line_start && self.raw[at..].starts_with(b"--") {
                at
            } else {
                let Some(found) = finder.find(&self.raw[at..]) else { break };
                at + found + 1
            };
            let line_end =
                memchr::memchr(b'\n', &self.raw[line..]).map_or(self.raw.len(), |n| line + n);
            let Some((level, closes)) = delimiter(&self.open, &self.raw[line..line_end]) else {
                (at, at_line_start) = (line_end, false);
                continue;
            };
            self.end_above(level, line);
            if closes {
                self.open.truncate(level);
                (at, at_line_start) = (line_end, false);
            } else if self.parts.len() < PARTS_MAX {
                at = self.begin((line_end + 1).min(self.raw.len()));
                at_line_start = true;
            } else {
                break;
            }
        }
    }

    /// Begins the part whose header is at `start`; its parent is the innermost open multipart. Returns where its body is.
    fn begin(&mut self, start: usize) -> usize {
        let open = &self.open;
        let header = Header::parse(self.raw, start, |line| delimiter(open, line).is_some());
        let parent = open.last().map(|(part, _)| *part);
        let in_digest = parent.is_some_and(|parent| self.parts[parent].is("multipart/digest"));
        let default_type = if in_digest { "message/rfc822" } else { "text/plain" };
        let mut part = Part::parse(self.raw, header, parent, default_type);
        let body = part.body.start;
        let index = self.parts.len();
        let boundary = part.media.parameter("boundary").map(|b| b.trim_end().as_bytes().to_vec());
        self.leaf = None;
        match boundary.filter(|boundary| !boundary.is_empty()) {
            Some(boundary) if part.is_multipart() && self.open.len() < DEPTH_MAX => {
                self.open.push((index, boundary));
            }
            _ => {
                if part.is_multipart() && self.open.len() >= DEPTH_MAX {
                    part.media.token = "application/octet-stream".to_owned();
                    part.media_is_stated = false;
                }
                self.leaf = Some(index);
            }
        }
        if let Some(parent) = parent {
            self.parts[parent].children.push(index);
        }
        self.parts.push(part);
        body
    }

    /// A delimiter of `level` stands at `line`: what is open inside ends before it.
    fn end_above(&mut self, level: usize, line: usize) {
        let before = self.raw[..line].strip_suffix(b"\n").unwrap_or(&self.raw[..line]);
        let end = before.strip_suffix(b"\r").unwrap_or(before).len();
        let inner = self.open.drain(level + 1..).map(|(part, _)| part);
        for part in inner.chain(self.leaf.take()) {
            let body = &mut self.parts[part].body;
            body.end = end.max(body.start);
        }
    }
}

/// Whether `line` is a delimiter of one of the open multiparts: its level, and whether it closes.
fn delimiter(open: &[(usize, Vec<u8>)], line: &[u8]) -> Option<(usize, bool)> {
    let token = line.strip_prefix(b"--")?.trim_ascii_end();
    open.iter().enumerate().rev().find_map(|(level, (_, boundary))| {
        let rest = token.strip_prefix(boundary.as_slice())?;
        match rest {
            b"" => Some((level, false)),
            b"--" => Some((level, true)),
            _ => None,
        }
    })
}

/// Parts of one message; a real one has a few dozen at most, a digest a few hundred.
pub(crate) const PARTS_MAX: usize = 1_000;
/// Levels of multiparts.
pub(crate) const DEPTH_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(raw: &str) -> Vec<(String, String)> {
        let parts = scan(raw.as_bytes());
        let leaves = parts.iter().filter(|part| part.children.is_empty());
        leaves
            .map(|p| {
                let body = String::from_utf8_lossy(p.body(raw.as_bytes())).into_owned();
                (p.media.token.clone(), body)
            })
            .collect()
    }

    fn leaf(media: &str, body: &str) -> (String, String) {
        (media.to_owned(), body.to_owned())
    }

    #[test]
    fn parts_are_cut_at_their_boundaries() {
        let raw = "Content-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n--a\r\n\r\none\r\n\
                   --a\r\nContent-Type: multipart/alternative; boundary=\"b\"\r\n\r\n--b\r\n\r\ntwo\r\n--b\r\n\
                   Content-Type: text/html\r\n\r\nthree\r\n--b--\r\n\r\n--a\r\nContent-Type: image/png\r\n\r\n\
                   four\r\n--a--\r\nepilogue\r\n";
        let expected = [
            leaf("text/plain", "one"),
            leaf("text/plain", "two"),
            leaf("text/html", "three"),
            leaf("image/png", "four"),
        ];
        assert_eq!(shape(raw), expected);
    }

    #[test]
    fn a_missing_end_ends_with_the_parent() {
        let raw = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/related; boundary=b\n\n\
                   --b\n\none\n--a\n\ntwo\n";
        assert_eq!(shape(raw), [leaf("text/plain", "one"), leaf("text/plain", "two\n")]);
    }

    #[test]
    fn a_multipart_without_parts_is_text() {
        let raw = "Content-Type: multipart/mixed; boundary=a\n\nhello";
        assert_eq!(shape(raw), [leaf("text/plain", "hello")]);
        assert_eq!(shape("Content-Type: multipart/mixed\n\nhi"), [leaf("text/plain", "hi")]);
    }

    #[test]
    fn headers_that_run_into_a_boundary_end_there() {
        let raw = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\n--a\nno header\n--a--";
        assert_eq!(shape(raw), [leaf("text/html", ""), leaf("text/plain", "no header")]);
    }

    #[test]
    fn depth_and_parts_are_bounded() {
        let deep: String = (0..200)
            .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"))
            .collect();
        assert_eq!(scan(deep.as_bytes()).len(), DEPTH_MAX + 1);
        let wide = "Content-Type: multipart/mixed; boundary=a\n\n".to_owned()
            + &"--a\n\nx\n".repeat(10_000);
        assert_eq!(scan(wide.as_bytes()).len(), PARTS_MAX);
    }
}
