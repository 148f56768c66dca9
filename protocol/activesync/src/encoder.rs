//! Writes the elements of a document, in the spoken version.
//!
//! What the version does not have is left out: the element and all that would be in it. So a
//! command is written once, in the order of its newest version, and is right for all of them.

use wbxml::{Tag, Writer};

use crate::code_pages;
use crate::types::{DateTime, LONG_LENGTH};
use crate::version::ProtocolVersion;

/// Writes one document.
pub struct Encoder {
    writer: Writer<'static>,
    version: ProtocolVersion,
    /// How many elements are open that the version does not have.
    left_out: usize,
}

impl Encoder {
    /// Begins a document for a peer that speaks `version`.
    pub fn new(version: ProtocolVersion) -> Self {
        Self { writer: Writer::new(&code_pages::PAGES), version, left_out: 0 }
    }

    /// The version that is spoken.
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Writes a container; `children` writes what is in it.
    pub fn container(&mut self, tag: Tag, children: impl FnOnce(&mut Self)) {
        if self.leaves_out(tag) {
            self.left_out += 1;
            children(self);
            self.left_out -= 1;
        } else {
            self.writer.start(tag);
            children(self);
            self.writer.end();
        }
    }

    /// Writes a leaf with text; the bare tag if the text is empty.
    pub fn text(&mut self, tag: Tag, text: impl AsRef<str>) {
        let text = text.as_ref();
        if self.leaves_out(tag) {
            return;
        }
        if text.is_empty() {
            return self.writer.empty(tag);
        }
        self.writer.start(tag);
        self.writer.text(text);
        self.writer.end();
    }

    /// Writes a leaf with octets; the bare tag if there are none.
    pub fn opaque(&mut self, tag: Tag, octets: &[u8]) {
        if self.leaves_out(tag) {
            return;
        }
        if octets.is_empty() {
            return self.writer.empty(tag);
        }
        self.writer.start(tag);
        self.writer.opaque(octets);
        self.writer.end();
    }

    /// Writes a leaf with a number.
    pub fn number(&mut self, tag: Tag, number: impl Into<i64>) {
        let number = number.into();
        let mut digits = [0; DIGITS_MAX];
        let mut start = DIGITS_MAX;
        let mut rest = number.unsigned_abs();
        while rest > 0 || start == DIGITS_MAX {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        if number < 0 {
            start -= 1;
            digits[start] = b'-';
        }
        self.text(tag, std::str::from_utf8(&digits[start..]).expect("digits are ASCII"));
    }

    /// Writes a leaf with a boolean, `0` or `1`.
    pub fn boolean(&mut self, tag: Tag, value: bool) {
        self.text(tag, if value { "1" } else { "0" });
    }

    /// Writes a leaf with a time in the long spelling ([MS-ASDTYPE] 2.3).
    pub fn time(&mut self, tag: Tag, time: DateTime) {
        self.text(tag, time.write_long(&mut [0; LONG_LENGTH]));
    }

    /// Writes a leaf with a time in the compact spelling ([MS-ASDTYPE] 2.7.2).
    pub fn compact_time(&mut self, tag: Tag, time: DateTime) {
        self.text(tag, time.compact());
    }

    /// Writes an empty tag.
    pub fn empty(&mut self, tag: Tag) {
        if !self.leaves_out(tag) {
            self.writer.empty(tag);
        }
    }

    /// Writes an empty tag if it is `wanted`.
    pub fn flag(&mut self, tag: Tag, wanted: bool) {
        if wanted {
            self.empty(tag);
        }
    }

    /// Writes a leaf with text if there is one.
    pub fn opt_text(&mut self, tag: Tag, text: Option<impl AsRef<str>>) {
        if let Some(text) = text {
            self.text(tag, text);
        }
    }

    /// Writes a leaf with a number if there is one.
    pub fn opt_number(&mut self, tag: Tag, number: Option<impl Into<i64>>) {
        if let Some(number) = number {
            self.number(tag, number);
        }
    }

    /// Writes a leaf with a boolean if there is one.
    pub fn opt_boolean(&mut self, tag: Tag, value: Option<bool>) {
        if let Some(value) = value {
            self.boolean(tag, value);
        }
    }

    /// Writes a leaf with a time if there is one.
    pub fn opt_time(&mut self, tag: Tag, time: Option<DateTime>) {
        if let Some(time) = time {
            self.time(tag, time);
        }
    }

    /// Writes a leaf with octets if there are some.
    pub fn opt_opaque(&mut self, tag: Tag, octets: Option<&[u8]>) {
        if let Some(octets) = octets {
            self.opaque(tag, octets);
        }
    }

    /// The document; no octets at all if the version does not have its root element.
    pub fn finish(self) -> Vec<u8> {
        if self.writer.bytes_written() > HEADER_LENGTH { self.writer.finish() } else { Vec::new() }
    }

    /// Begins an element whatever the version; a subtree is written as it came.
    pub(crate) fn raw_start(&mut self, tag: Tag) {
        if self.left_out == 0 {
            self.writer.start(tag);
        }
    }

    /// Ends an element begun by [`Encoder::raw_start`].
    pub(crate) fn raw_end(&mut self) {
        if self.left_out == 0 {
            self.writer.end();
        }
    }

    /// Writes a text in an element begun by [`Encoder::raw_start`].
    pub(crate) fn raw_text(&mut self, text: &str) {
        if self.left_out == 0 && !text.is_empty() {
            self.writer.text(text);
        }
    }

    /// Writes octets in an element begun by [`Encoder::raw_start`].
    pub(crate) fn raw_opaque(&mut self, octets: &[u8]) {
        if self.left_out == 0 && !octets.is_empty() {
            self.writer.opaque(octets);
        }
    }

    /// Whether an element is left out: it stands in one that is, or the version has it not.
    fn leaves_out(&self, tag: Tag) -> bool {
        self.left_out > 0 || !code_pages::versions(tag).contain(self.version)
    }
}

/// Octets before the root element ([MS-ASWBXML] 2.1.1).
const HEADER_LENGTH: usize = 4;

/// Characters of the longest i64.
const DIGITS_MAX: usize = 20;
