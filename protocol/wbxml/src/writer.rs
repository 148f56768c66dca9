//! The writer: makes the one spelling of a document that Exchange makes.
//!
//! Guarantees: an element without content is the bare tag, SWITCH_PAGE stands only where the page changes, a text holds no
//! character that XML 1.0 forbids (phones hand texts to XML parsers), and what [`Writer::finish`] gives is one document.
//! Misuse is ours and asserts; no text or octets from outside can cause it.

use alloc::vec::Vec;

use crate::code_page::CodePages;
use crate::header;
use crate::mb_u32;
use crate::token::{END, HAS_CONTENT, OPAQUE, STR_I, SWITCH_PAGE, Tag};

const CAPACITY_BYTES: usize = 1024;

/// A document being written.
#[derive(Clone, Debug)]
pub struct Writer<'p> {
    pages: &'p CodePages,
    octets: Vec<u8>,
    page: u8,
    depth: usize,
    /// The last octet is a tag without its content bit: whether the element is empty is not known yet.
    bare: bool,
    rooted: bool,
}

impl<'p> Writer<'p> {
    /// Begins a document: writes the header.
    pub fn new(pages: &'p CodePages) -> Self {
        Self::with_buffer(pages, Vec::with_capacity(CAPACITY_BYTES))
    }

    /// Begins a document in a buffer that is there already: what is in it goes, what it has reserved stays. As long as
    /// the document fits, nothing is allocated.
    pub fn with_buffer(pages: &'p CodePages, buffer: Vec<u8>) -> Self {
        Self::with_public_id(pages, buffer, header::PUBLIC_ID_UNKNOWN)
    }

    /// Begins a document of another vocabulary, which its public identifier names: 0x1201 is SyncML 1.2.
    ///
    /// # Panics
    /// If the identifier is 0, which would say that it stands in a string table.
    pub fn with_public_id(pages: &'p CodePages, buffer: Vec<u8>, public_id: u32) -> Self {
        let mut octets = buffer;
        octets.clear();
        header::encode(public_id, &mut octets);
        Self { pages, octets, page: 0, depth: 0, bare: false, rooted: false }
    }

    /// Begins an element.
    ///
    /// # Panics
    /// If the root element has ended already, or the code pages do not have the tag.
    #[inline]
    pub fn start(&mut self, tag: Tag) {
        assert!(self.depth > 0 || !self.rooted, "a document has one root");
        assert!(self.pages.name(tag).is_some(), "we write only tags of our code pages");
        self.content();
        if tag.page != self.page {
            self.octets.extend_from_slice(&[SWITCH_PAGE, tag.page]);
            self.page = tag.page;
        }
        self.octets.push(tag.token);
        self.depth += 1;
        self.bare = true;
        self.rooted = true;
    }

    /// Writes a text, less NUL and whatever else XML 1.0 forbids; an empty one writes nothing.
    ///
    /// # Panics
    /// If no element is open.
    pub fn text(&mut self, text: &str) {
        assert!(self.depth > 0, "text stands in an element");
        if !suspicious(text.as_bytes()) {
            return self.string(text.as_bytes());
        }
        let kept: Vec<u8> = text.split(forbidden).flat_map(str::bytes).collect();
        self.string(&kept);
    }

    /// Writes octets as they are; none at all write nothing.
    ///
    /// # Panics
    /// If no element is open, or there are more octets than a 32-bit length can say.
    pub fn opaque(&mut self, bytes: &[u8]) {
        assert!(self.depth > 0, "octets stand in an element");
        if bytes.is_empty() {
            return;
        }
        self.content();
        self.octets.push(OPAQUE);
        mb_u32::encode(
            u32::try_from(bytes.len()).expect("bodies are limited far below 4 GiB"),
            &mut self.octets,
        );
        self.octets.extend_from_slice(bytes);
    }

    /// Ends the innermost open element.
    ///
    /// # Panics
    /// If no element is open.
    #[inline]
    pub fn end(&mut self) {
        self.depth = self.depth.checked_sub(1).expect("an end follows its start");
        if self.bare {
            self.bare = false;
        } else {
            self.octets.push(END);
        }
    }

    /// Writes an element without content: the bare tag.
    ///
    /// # Panics
    /// As [`Writer::start`].
    pub fn empty(&mut self, tag: Tag) {
        self.start(tag);
        self.end();
    }

    /// How many octets there are so far.
    pub fn bytes_written(&self) -> usize {
        self.octets.len()
    }

    /// The document.
    ///
    /// # Panics
    /// If an element is still open, or there was none.
    pub fn finish(self) -> Vec<u8> {
        assert!(self.depth == 0 && self.rooted, "every element is ended, and there is a root");
        self.octets
    }

    /// The open element turns out to have content.
    #[inline]
    fn content(&mut self) {
        if self.bare
            && let Some(tag) = self.octets.last_mut()
        {
            *tag |= HAS_CONTENT;
        }
        self.bare = false;
    }

    #[inline]
    fn string(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.content();
        self.octets.reserve(bytes.len() + 2);
        self.octets.push(STR_I);
        self.octets.extend_from_slice(bytes);
        self.octets.push(0);
    }
}

/// Whether a text may hold a forbidden character: U+FFFE and U+FFFF begin with 0xEF, as a few others do.
#[inline]
fn suspicious(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .fold(false, |found, &octet| found | (octet < 0x20 && !is_layout(octet)) | (octet == 0xEF))
}

fn is_layout(octet: u8) -> bool {
    matches!(octet, b'\t' | b'\n' | b'\r')
}

/// What the `Char` production of XML 1.0 leaves out of what a `char` can be.
pub(crate) fn forbidden(character: char) -> bool {
    matches!(character, '\0'..='\x08' | '\x0B' | '\x0C' | '\x0E'..='\x1F' | '\u{FFFE}' | '\u{FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_page::CodePage;

    static PAGES: CodePages = CodePages::new(&[
        CodePage { number: 0, namespace: "AirSync", tags: &[(0x05, "Sync"), (0x0E, "Status")] },
        CodePage { number: 21, namespace: "ComposeMail", tags: &[(0x10, "Mime")] },
    ]);
    const SYNC: Tag = Tag::new(0, 0x05);
    const STATUS: Tag = Tag::new(0, 0x0E);
    const MIME: Tag = Tag::new(21, 0x10);

    fn body(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut writer = Writer::new(&PAGES);
        write(&mut writer);
        let octets = writer.finish();
        let (header, body) = octets.split_at(4);
        assert_eq!(header, header::ACTIVESYNC);
        body.to_vec()
    }

    #[test]
    fn the_content_bit_is_set_when_content_comes() {
        let octets = body(|w| {
            w.start(SYNC);
            w.empty(STATUS);
            w.start(STATUS);
            w.text("");
            w.opaque(b"");
            w.end();
            w.start(STATUS);
            w.text("1");
            w.end();
            w.end();
        });
        assert_eq!(octets, b"\x45\x0E\x0E\x4E\x031\x00\x01\x01");
        assert_eq!(body(|w| w.empty(SYNC)), b"\x05");
    }

    #[test]
    fn a_page_switch_stands_only_where_the_page_changes() {
        let octets = body(|w| {
            w.start(SYNC);
            w.start(MIME);
            w.opaque(b"ab");
            w.end();
            w.empty(MIME);
            w.empty(STATUS);
            w.end();
        });
        assert_eq!(octets, b"\x45\x00\x15\x50\xC3\x02ab\x01\x10\x00\x00\x0E\x01");
    }

    #[test]
    fn what_xml_forbids_is_dropped_from_texts() {
        let text = |text: &str| {
            body(|w| {
                w.start(SYNC);
                w.text(text);
                w.end();
            })
        };
        assert_eq!(text("a\0b\x1Bc\t\r\nd\u{FFFF}"), b"\x45\x03abc\t\r\nd\x00\x01");
        assert_eq!(text("\0\x07"), b"\x05");
        assert_eq!(text("！\u{FEFF}😀"), "\u{45}\u{3}！\u{FEFF}😀\0\u{1}".as_bytes());
    }

    #[test]
    #[should_panic(expected = "every element is ended")]
    fn an_open_element_is_our_mistake() {
        body(|w| w.start(SYNC));
    }

    #[test]
    #[should_panic(expected = "one root")]
    fn a_second_root_is_our_mistake() {
        body(|w| {
            w.empty(SYNC);
            w.empty(SYNC);
        });
    }
}
