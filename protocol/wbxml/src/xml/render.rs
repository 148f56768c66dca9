//! From tokens to XML, in one pass, with nothing kept but the open elements and the text of the innermost.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use crate::error::Error;
use crate::reader::Reader;
use crate::token::{Tag, Token};
use crate::writer::forbidden;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
const INDENT: &str = "  ";

/// The document as indented XML.
///
/// Text beside child elements, which ActiveSync has no use for, is shown as a comment.
pub fn to_xml(mut reader: Reader<'_>) -> Result<String, Error> {
    let mut renderer = Renderer::default();
    while let Some(token) = reader.next_token()? {
        match token {
            Token::Start { tag, name, .. } => {
                let namespace = reader.pages().namespace(tag.page).unwrap_or_default();
                renderer.start(tag, name, namespace);
            }
            Token::End => renderer.end(),
            Token::Text(text) => renderer.content(text.bytes(), text.to_str().is_err()),
            Token::Opaque(bytes) => renderer.content(bytes, true),
            Token::Entity(character) => {
                renderer.content(character.encode_utf8(&mut [0; 4]).as_bytes(), false);
            }
        }
    }
    Ok(renderer.finish())
}

#[derive(Default)]
struct Renderer {
    body: String,
    /// Pages in the order of their first use, the root's first, each with its namespace.
    pages: Vec<(u8, &'static str)>,
    open: Vec<Open>,
    /// Content of the innermost open element that is not in `body` yet.
    content: Vec<u8>,
    /// Whether any of it came as octets.
    octets: bool,
}

struct Open {
    page: u8,
    name: &'static str,
    has_children: bool,
}

impl Renderer {
    fn start(&mut self, tag: Tag, name: &'static str, namespace: &'static str) {
        if let Some(parent) = self.open.last_mut() {
            if !parent.has_children {
                parent.has_children = true;
                self.body.push_str(">\n");
            }
            self.stray();
        }
        if !self.pages.iter().any(|(page, _)| *page == tag.page) {
            self.pages.push((tag.page, namespace));
        }
        self.indent();
        self.body.push('<');
        self.name(tag.page, name);
        if self.open.is_empty() {
            // The declarations of namespaces go here once all are known.
            self.body.push(DECLARATIONS_GO_HERE);
        }
        self.open.push(Open { page: tag.page, name, has_children: false });
    }

    fn content(&mut self, bytes: &[u8], octets: bool) {
        self.content.extend_from_slice(bytes);
        self.octets |= octets && !bytes.is_empty();
    }

    fn end(&mut self) {
        if self.open.last().is_some_and(|element| element.has_children) {
            self.stray();
        }
        let Some(element) = self.open.pop() else { return };
        if element.has_children {
            self.indent();
            self.close(&element);
        } else if self.content.is_empty() {
            self.body.push_str("/>\n");
        } else if self.octets {
            self.body.push_str(" opaque=\"");
            hex(&self.content, &mut self.body);
            self.body.push_str("\"/>\n");
        } else {
            self.body.push('>');
            escape(&String::from_utf8_lossy(&self.content), &mut self.body);
            self.close(&element);
        }
        self.content.clear();
        self.octets = false;
    }

    fn close(&mut self, element: &Open) {
        self.body.push_str("</");
        self.name(element.page, element.name);
        self.body.push_str(">\n");
    }

    /// Shows content that stands beside child elements.
    fn stray(&mut self) {
        if !self.content.is_empty() {
            self.indent();
            self.body.push_str("<!-- beside elements: ");
            hex(&self.content, &mut self.body);
            self.body.push_str(" -->\n");
        }
        self.content.clear();
        self.octets = false;
    }

    fn indent(&mut self) {
        for _ in 0..self.open.len() {
            self.body.push_str(INDENT);
        }
    }

    fn name(&mut self, page: u8, name: &str) {
        let prefixed = self.pages.iter().skip(1).find(|(known, _)| *known == page);
        if let Some((_, namespace)) = prefixed {
            self.body.extend(namespace.chars().map(|letter| letter.to_ascii_lowercase()));
            self.body.push(':');
        }
        self.body.push_str(name);
    }

    fn finish(self) -> String {
        let (before, behind) = self.body.split_once(DECLARATIONS_GO_HERE).unwrap_or_default();
        let mut xml = String::with_capacity(DECLARATION.len() + self.body.len());
        xml.push_str(DECLARATION);
        xml.push_str(before);
        for (index, (_, namespace)) in self.pages.iter().enumerate() {
            xml.push_str(" xmlns");
            if index > 0 {
                xml.push(':');
                xml.extend(namespace.chars().map(|letter| letter.to_ascii_lowercase()));
            }
            xml.push_str("=\"");
            xml.push_str(namespace);
            xml.push('"');
        }
        xml.push_str(behind);
        xml
    }
}

/// A character that texts cannot put before it: the root's name comes first.
const DECLARATIONS_GO_HERE: char = '\0';

fn hex(bytes: &[u8], to: &mut String) {
    for octet in bytes {
        write!(to, "{octet:02X}").expect("a String takes everything");
    }
}

fn escape(text: &str, to: &mut String) {
    for character in text.chars() {
        match character {
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '&' => to.push_str("&amp;"),
            // XML readers turn a bare CR into LF.
            '\r' => to.push_str("&#13;"),
            _ if forbidden(character) => {
                write!(to, "&#{};", u32::from(character)).expect("a String takes everything");
            }
            _ => to.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::xml::tests::rendered;

    #[test]
    fn pieces_of_one_element_are_joined() {
        assert!(rendered(b"\x03\x01\x6A\x00\x45\x03a\x00\x03b\x00\x01").contains(">ab</Sync>"));
        assert!(
            rendered(b"\x03\x01\x6A\x00\x45\x03a\x00\xC3\x01b\x01").contains(" opaque=\"6162\"/>")
        );
    }

    #[test]
    fn what_is_no_text_is_shown_as_octets() {
        assert!(rendered(b"\x03\x01\x6A\x00\x45\x03\xC3(\x00\x01").contains(" opaque=\"C328\"/>"));
        assert!(rendered(b"\x03\x01\x6A\x00\x45\x03\x01\x00\x01").contains(">&#1;</Sync>"));
    }

    #[test]
    fn text_beside_elements_is_a_comment() {
        let xml = rendered(b"\x03\x01\x6A\x00\x45\x03a\x00\x0E\x03b\x00\x01");
        let comments = ["<!-- beside elements: 61 -->", "<!-- beside elements: 62 -->"];
        assert!(comments.iter().all(|comment| xml.contains(comment)), "{xml}");
    }
}
