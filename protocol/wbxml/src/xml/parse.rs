//! From XML to octets: elements, namespaces, texts, comments and the attribute `opaque`, and nothing else of XML.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::code_page::CodePages;
use crate::limits::Limits;
use crate::token::Tag;
use crate::writer::Writer;

/// Why a text is not the XML of a document, and where.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct XmlError {
    /// The fact.
    pub kind: XmlErrorKind,
    /// The offset, in octets, of the markup that shows it.
    pub offset: usize,
}

/// What is wrong with the XML.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum XmlErrorKind {
    /// The text ends inside an element or inside markup.
    UnexpectedEnd,
    /// Markup that is malformed, or that this notation does not have (CDATA, DOCTYPE).
    Syntax,
    /// An attribute other than `xmlns`, `xmlns:prefix` and `opaque`.
    UnknownAttribute,
    /// A prefix that no `xmlns` declares.
    UnknownPrefix,
    /// No code page has this element.
    UnknownElement,
    /// The end tag does not match the start tag.
    MismatchedEnd,
    /// A reference that is none of the five named ones and no character.
    BadReference,
    /// The value of `opaque` is not pairs of hex digits.
    BadHex,
    /// An element has child elements and text, or `opaque` and other content.
    MixedContent,
    /// Text outside the root element.
    TextOutsideRoot,
    /// A second root element.
    SecondRoot,
    /// There is no root element.
    EmptyDocument,
    /// More elements are open at once than [`Limits::depth_max`].
    TooDeep,
    /// There are more elements than [`Limits::elements_max`].
    TooManyElements,
    /// A text is longer than [`Limits::string_bytes_max`].
    StringTooLong,
    /// The whole is longer than [`Limits::total_bytes_max`].
    TooLong,
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fact = match self.kind {
            XmlErrorKind::UnexpectedEnd => "the text ends too early",
            XmlErrorKind::Syntax => "this is not markup we read",
            XmlErrorKind::UnknownAttribute => "only xmlns and opaque are attributes here",
            XmlErrorKind::UnknownPrefix => "the prefix is not declared",
            XmlErrorKind::UnknownElement => "no code page has this element",
            XmlErrorKind::MismatchedEnd => "the end tag does not match",
            XmlErrorKind::BadReference => "the reference is no character",
            XmlErrorKind::BadHex => "opaque takes pairs of hex digits",
            XmlErrorKind::MixedContent => "text beside other content",
            XmlErrorKind::TextOutsideRoot => "text outside the root element",
            XmlErrorKind::SecondRoot => "a second root element",
            XmlErrorKind::EmptyDocument => "there is no root element",
            XmlErrorKind::TooDeep => "elements are nested too deep",
            XmlErrorKind::TooManyElements => "there are too many elements",
            XmlErrorKind::StringTooLong => "a text is too long",
            XmlErrorKind::TooLong => "the text is too long",
        };
        write!(f, "octet {}: {fact}", self.offset)
    }
}

impl core::error::Error for XmlError {}

/// The octets of the document that `xml` shows.
pub fn from_xml(xml: &str, pages: &CodePages, limits: Limits) -> Result<Vec<u8>, XmlError> {
    if xml.len() > limits.total_bytes_max {
        return Err(XmlError { kind: XmlErrorKind::TooLong, offset: limits.total_bytes_max });
    }
    let mut parser = Parser {
        xml,
        at: xml.len() - xml.trim_start_matches('\u{FEFF}').len(),
        pages,
        limits,
        writer: Writer::new(pages),
        open: Vec::new(),
        namespaces: Vec::new(),
        elements: 0,
    };
    while parser.at < xml.len() {
        parser.step()?;
    }
    match (parser.open.is_empty(), parser.elements) {
        (false, _) => parser.fault(XmlErrorKind::UnexpectedEnd),
        (true, 0) => parser.fault(XmlErrorKind::EmptyDocument),
        (true, _) => Ok(parser.writer.finish()),
    }
}

struct Parser<'a> {
    xml: &'a str,
    at: usize,
    pages: &'a CodePages,
    limits: Limits,
    writer: Writer<'a>,
    open: Vec<Open<'a>>,
    /// Prefixes in force and their namespaces; the innermost last.
    namespaces: Vec<(&'a str, &'a str)>,
    elements: usize,
}

struct Open<'a> {
    /// The name as it is spelt, with its prefix.
    name: &'a str,
    text: String,
    has_children: bool,
    has_opaque: bool,
    /// How many namespaces were in force outside.
    namespaces: usize,
}

type Step = Result<(), XmlError>;

impl<'a> Parser<'a> {
    fn fault<T>(&self, kind: XmlErrorKind) -> Result<T, XmlError> {
        Err(XmlError { kind, offset: self.at })
    }

    fn step(&mut self) -> Step {
        let rest = self.rest();
        if rest.starts_with("<!--") {
            self.skip("-->")
        } else if rest.starts_with("<?") {
            self.skip("?>")
        } else if rest.starts_with("<!") {
            self.fault(XmlErrorKind::Syntax)
        } else if rest.starts_with("</") {
            self.end_tag()
        } else if rest.starts_with('<') {
            self.start_tag()
        } else {
            self.text()
        }
    }

    fn rest(&self) -> &'a str {
        self.xml.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, end: &str) -> Step {
        self.until(end).map(|_| ())
    }

    /// What stands before `end`; goes on behind it.
    fn until(&mut self, end: &str) -> Result<&'a str, XmlError> {
        let rest = self.rest();
        match rest.find(end) {
            Some(length) => {
                self.at += length + end.len();
                Ok(&rest[..length])
            }
            None => {
                self.at = self.xml.len();
                self.fault(XmlErrorKind::UnexpectedEnd)
            }
        }
    }

    fn text(&mut self) -> Step {
        let rest = self.rest();
        let piece = rest.split('<').next().unwrap_or_default();
        let blank = piece.bytes().all(|octet| octet.is_ascii_whitespace());
        match self.open.pop() {
            None if blank => {}
            None => return self.fault(XmlErrorKind::TextOutsideRoot),
            Some(mut element) => {
                self.unescape(piece, &mut element.text)?;
                self.open.push(element);
            }
        }
        self.at += piece.len();
        Ok(())
    }

    fn unescape(&self, piece: &str, to: &mut String) -> Step {
        let mut runs = piece.split('&');
        to.push_str(runs.next().unwrap_or_default());
        for run in runs {
            let reference = run.split_once(';');
            let known = reference.and_then(|(name, rest)| Some((character(name)?, rest)));
            let Some((character, rest)) = known else {
                return self.fault(XmlErrorKind::BadReference);
            };
            to.push(character);
            to.push_str(rest);
        }
        if to.len() > self.limits.string_bytes_max {
            return self.fault(XmlErrorKind::StringTooLong);
        }
        Ok(())
    }

    fn start_tag(&mut self) -> Step {
        let start = self.at;
        let markup = self.until(">")?;
        let behind = core::mem::replace(&mut self.at, start);
        self.room_for_an_element()?;
        let (inner, bare) = match markup.strip_suffix('/') {
            Some(inner) => (&inner[1..], true),
            None => (&markup[1..], false),
        };
        let outside = self.namespaces.len();
        let (name, attributes) =
            inner.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((inner, ""));
        let opaque = self.attributes(attributes)?;
        let tag = self.resolve(name)?;
        self.child_begins()?;
        self.writer.start(tag);
        if let Some(octets) = &opaque {
            self.writer.opaque(octets);
        }
        self.elements += 1;
        self.open.push(Open {
            name,
            text: String::new(),
            has_children: false,
            has_opaque: opaque.is_some(),
            namespaces: outside,
        });
        if bare {
            self.close()?;
        }
        self.at = behind;
        Ok(())
    }

    fn room_for_an_element(&self) -> Step {
        match (self.open.len(), self.elements) {
            (0, 1..) => self.fault(XmlErrorKind::SecondRoot),
            (depth, _) if depth >= self.limits.depth_max => self.fault(XmlErrorKind::TooDeep),
            (_, elements) if elements >= self.limits.elements_max => {
                self.fault(XmlErrorKind::TooManyElements)
            }
            _ => Ok(()),
        }
    }

    /// Takes note of namespaces; gives the octets of `opaque` if it is there.
    fn attributes(&mut self, attributes: &'a str) -> Result<Option<Vec<u8>>, XmlError> {
        let mut opaque = None;
        let mut rest = attributes.trim_ascii();
        while !rest.is_empty() {
            let Some((name, value, behind)) = attribute(rest) else {
                return self.fault(XmlErrorKind::Syntax);
            };
            // Older texts write namespaces with a colon at the end.
            let namespace = value.strip_suffix(':').unwrap_or(value);
            match name.strip_prefix("xmlns") {
                Some("") => self.namespaces.push(("", namespace)),
                Some(prefix) if prefix.starts_with(':') => {
                    self.namespaces.push((&prefix[1..], namespace));
                }
                _ if name == "opaque" => opaque = Some(self.unhex(value)?),
                _ => return self.fault(XmlErrorKind::UnknownAttribute),
            }
            rest = behind.trim_ascii_start();
        }
        Ok(opaque)
    }

    fn unhex(&self, value: &str) -> Result<Vec<u8>, XmlError> {
        let octet = |pair: &[u8]| {
            let digit = |at: usize| pair.get(at).and_then(|digit| (*digit as char).to_digit(16));
            Some((digit(0)? << 4 | digit(1)?) as u8)
        };
        let octets: Option<Vec<u8>> = value.as_bytes().chunks(2).map(octet).collect();
        octets.map_or_else(|| self.fault(XmlErrorKind::BadHex), Ok)
    }

    fn resolve(&self, name: &str) -> Result<Tag, XmlError> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let declared = self.namespaces.iter().rev().find(|(known, _)| *known == prefix);
        let Some((_, namespace)) = declared else {
            return self.fault(XmlErrorKind::UnknownPrefix);
        };
        let tag = self.pages.tag(namespace, local);
        tag.map_or_else(|| self.fault(XmlErrorKind::UnknownElement), Ok)
    }

    /// The innermost open element turns out to have children: what text it has must be layout.
    fn child_begins(&mut self) -> Step {
        let Some(parent) = self.open.last_mut() else { return Ok(()) };
        if parent.has_opaque || !parent.text.trim_ascii().is_empty() {
            return self.fault(XmlErrorKind::MixedContent);
        }
        parent.text.clear();
        parent.has_children = true;
        Ok(())
    }

    fn end_tag(&mut self) -> Step {
        let start = self.at;
        let markup = self.until(">")?;
        let behind = core::mem::replace(&mut self.at, start);
        let matches =
            self.open.last().is_some_and(|open| markup[2..].trim_ascii_end() == open.name);
        if !matches {
            return self.fault(XmlErrorKind::MismatchedEnd);
        }
        self.close()?;
        self.at = behind;
        Ok(())
    }

    fn close(&mut self) -> Step {
        let Some(element) = self.open.pop() else { return Ok(()) };
        if element.has_children || element.has_opaque {
            if !element.text.trim_ascii().is_empty() {
                return self.fault(XmlErrorKind::MixedContent);
            }
        } else {
            self.writer.text(&element.text);
        }
        self.writer.end();
        self.namespaces.truncate(element.namespaces);
        Ok(())
    }
}

/// Splits `name="value"` off; either kind of quote.
fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('=')?;
    let rest = rest.trim_ascii_start();
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (value, behind) = rest[1..].split_once(quote)?;
    Some((name.trim_ascii_end(), value, behind))
}

/// The character behind `&name;`.
fn character(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let number = match digits.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            char::from_u32(number.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::tests::PAGES;

    fn parsed(xml: &str) -> Result<Vec<u8>, XmlError> {
        from_xml(xml, &PAGES, Limits::default())
    }

    fn body(xml: &str) -> Vec<u8> {
        parsed(xml).unwrap().split_off(4)
    }

    #[test]
    fn what_people_write_is_read() {
        let expected = b"\x45\x0E\x00\x11\x4B\x03'\xC3\xA9\x00\x01\x01";
        let xml = "\u{FEFF}<?xml version='1.0'?><!-- > --><Sync xmlns = 'AirSync:' >\n <Status />\n\
                   <Data xmlns=\"AirSyncBase\">&apos;&#xe9;</Data >\n</Sync>\n";
        assert_eq!(body(xml), expected);
        assert_eq!(body("<s:Sync xmlns:s='AirSync' opaque='0a0B'/>"), b"\x45\xC3\x02\x0A\x0B\x01");
        assert_eq!(body("<Sync xmlns='AirSync'> </Sync>"), b"\x45\x03 \x00\x01");
    }

    #[test]
    fn every_fault_has_its_name_and_offset() {
        use XmlErrorKind::*;
        for (xml, kind, offset) in [
            ("", EmptyDocument, 0),
            ("<Sync xmlns='AirSync'>", UnexpectedEnd, 22),
            ("<Sync xmlns='AirSync'", UnexpectedEnd, 21),
            ("<!DOCTYPE x>", Syntax, 0),
            ("<Sync xmlns=AirSync/>", Syntax, 0),
            ("<Sync xmlns='AirSync' a='b'/>", UnknownAttribute, 0),
            ("<Sync/>", UnknownPrefix, 0),
            ("<Sink xmlns='AirSync'/>", UnknownElement, 0),
            ("<Sync xmlns='AirSync'></Status>", MismatchedEnd, 22),
            ("</Sync>", MismatchedEnd, 0),
            ("<Sync xmlns='AirSync'>&nbsp;</Sync>", BadReference, 22),
            ("<Sync xmlns='AirSync'>&#xD800;</Sync>", BadReference, 22),
            ("<Sync xmlns='AirSync' opaque='0'/>", BadHex, 0),
            ("<Sync xmlns='AirSync' opaque='00'>x</Sync>", MixedContent, 35),
            ("<Sync xmlns='AirSync'>x<Status/></Sync>", MixedContent, 23),
            ("<Sync xmlns='AirSync'><Status/>x</Sync>", MixedContent, 32),
            ("x", TextOutsideRoot, 0),
            ("<Sync xmlns='AirSync'/><Sync xmlns='AirSync'/>", SecondRoot, 23),
        ] {
            assert_eq!(parsed(xml), Err(XmlError { kind, offset }), "{xml}");
        }
    }

    #[test]
    fn limits_hold_here_too() {
        let xml = "<Sync xmlns='AirSync'><Status>abc</Status></Sync>";
        let default = Limits::default();
        let fault = |limits| from_xml(xml, &PAGES, limits).unwrap_err().kind;
        assert_eq!(fault(Limits { depth_max: 1, ..default }), XmlErrorKind::TooDeep);
        assert_eq!(fault(Limits { elements_max: 1, ..default }), XmlErrorKind::TooManyElements);
        assert_eq!(fault(Limits { string_bytes_max: 2, ..default }), XmlErrorKind::StringTooLong);
        assert_eq!(fault(Limits { total_bytes_max: 9, ..default }), XmlErrorKind::TooLong);
    }
}
