//! As much XML as Autodiscover needs: a small tree read with limits, and a writer that indents nothing.
//!
//! Prefixes are passed over and names compared as they stand: clients write any prefix, and mix the namespaces.

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_xml_entity};
use quick_xml::events::{BytesStart, Event};

use super::{DOCUMENT_OCTETS_MAX, Error};

/// An element: its name without a prefix, its namespace as declared on itself, its text without blanks around it,
/// and its children.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) attributes: Vec<(String, String)>,
    text: String,
    pub(super) children: Vec<Node>,
}

impl Node {
    /// Reads a document: its root.
    pub(super) fn read(document: &[u8]) -> Result<Self, Error> {
        if document.len() > DOCUMENT_OCTETS_MAX {
            return Err(Error::TooLarge);
        }
        let text = std::str::from_utf8(document).map_err(|_| Error::NotXml)?;
        let mut reader = Reader::from_str(text.trim_start_matches('\u{FEFF}'));
        let (mut open, mut elements) = (vec![Self::default()], 0);
        loop {
            match reader.read_event().map_err(|_| Error::NotXml)? {
                Event::Start(tag) => {
                    open.push(Self::begin(&tag)?);
                    elements += 1;
                }
                Event::Empty(tag) => {
                    innermost(&mut open).children.push(Self::begin(&tag)?);
                    elements += 1;
                }
                Event::End(_) => {
                    let done = open.pop().ok_or(Error::NotXml)?;
                    open.last_mut().ok_or(Error::NotXml)?.children.push(done);
                }
                Event::Text(text) => innermost(&mut open).text.push_str(&text.xml10_content()),
                Event::CData(text) => innermost(&mut open).text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = reference.resolve_char_ref().map_err(|_| Error::NotXml)?;
                    let text = &mut innermost(&mut open).text;
                    match character {
                        Some(character) => text.push(character),
                        None => {
                            let known = resolve_xml_entity(&reference.into_inner());
                            text.push_str(known.ok_or(Error::NotXml)?);
                        }
                    }
                }
                Event::DocType(_) => return Err(Error::NotXml),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
            if open.len() > DEPTH_MAX || elements > ELEMENTS_MAX {
                return Err(Error::TooLarge);
            }
        }
        match (open.pop(), open.is_empty()) {
            (Some(mut document), true) if document.children.len() == 1 => {
                document.children.pop().ok_or(Error::NotXml)
            }
            _ => Err(Error::NotXml),
        }
    }

    fn begin(tag: &BytesStart<'_>) -> Result<Self, Error> {
        let mut node = Self { name: tag.local_name().as_ref().to_owned(), ..Self::default() };
        let prefix = tag.name().prefix().map(|prefix| prefix.as_ref().to_owned());
        let declaration = prefix.map_or("xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| Error::NotXml)?;
            let value = quick_xml::escape::unescape(&attribute.value).map_err(|_| Error::NotXml)?;
            let name = attribute.key.as_ref();
            if name == declaration {
                node.namespace = Some(value.trim().to_owned());
            } else {
                node.attributes.push((name.to_owned(), value.into_owned()));
            }
        }
        Ok(node)
    }

    /// The text, without the blanks around it.
    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }

    /// The children of this name.
    pub(super) fn all<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The child of this name, which must not stand twice.
    pub(super) fn child(&self, name: &str) -> Result<Option<&Self>, Error> {
        let mut children = self.children.iter().filter(|child| child.name == name);
        let child = children.next();
        if children.next().is_some() { Err(Error::Incomplete) } else { Ok(child) }
    }

    /// The text of the child of this name.
    pub(super) fn child_text(&self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.child(name)?.map(|child| child.text().to_owned()))
    }

    /// An attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The innermost open element; the document itself is always open.
fn innermost(open: &mut [Node]) -> &mut Node {
    open.last_mut().expect("the document is never popped before its end")
}

/// A document being written.
pub(super) struct Writer(String);

impl Writer {
    /// Begins a document.
    pub(super) fn new() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n".to_owned())
    }

    /// Writes an element with children. `head` is the name with what belongs into the tag.
    pub(super) fn container(&mut self, head: &str, children: impl FnOnce(&mut Self)) {
        let name = head.split(' ').next().unwrap_or(head);
        self.0 += &format!("<{head}>");
        children(self);
        self.0 += &format!("</{name}>");
    }

    /// Writes an element with text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        let text: String = text.chars().filter(|one| !one.is_control() || *one == '\t').collect();
        self.0 += &format!("<{name}>{}</{name}>", escape(&*text));
    }

    /// Writes an element with text, if there is one.
    pub(super) fn opt_text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// The document.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Elements in each other; real documents have six.
const DEPTH_MAX: usize = 32;
/// Elements of a document; real ones have some twenty.
const ELEMENTS_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_entities_and_blanks_make_no_difference() {
        let xml = "\u{FEFF}<?xml version='1.0'?><!-- x --><a:A xmlns:a=' urn:a '><a:B q='1'>\n c&amp;d &#x65;\
                   <![CDATA[<f>]]></a:B><B/></a:A>";
        let root = Node::read(xml.as_bytes()).unwrap();
        assert_eq!((root.name.as_str(), root.namespace.as_deref()), ("A", Some("urn:a")));
        let texts: Vec<_> = root.all("B").map(Node::text).collect();
        assert_eq!(texts, ["c&d e<f>", ""]);
        assert_eq!(root.children[0].attribute("q"), Some("1"));
        assert_eq!(root.child("B").err(), Some(Error::Incomplete));
        assert!(root.child("C").unwrap().is_none());
    }

    #[test]
    fn what_is_no_plain_xml_is_refused() {
        for xml in [
            "",
            "text",
            "<A>",
            "</A>",
            "<A></B>",
            "<A/><B/>",
            "<A>&unknown;</A>",
            "<A>&#xD800;</A>",
            "<!DOCTYPE A [<!ENTITY b 'c'>]><A>&b;</A>",
        ] {
            assert!(Node::read(xml.as_bytes()).is_err(), "{xml}");
        }
        assert_eq!(Node::read(b"<A>\xFF</A>").err(), Some(Error::NotXml));
        assert_eq!(Node::read("<A>".repeat(40).as_bytes()).err(), Some(Error::TooLarge));
        let wide = format!("<A>{}</A>", "<B/>".repeat(1001));
        assert_eq!(Node::read(wide.as_bytes()).err(), Some(Error::TooLarge));
        let long = format!("<A>{}</A>", " ".repeat(DOCUMENT_OCTETS_MAX));
        assert_eq!(Node::read(long.as_bytes()).err(), Some(Error::TooLarge));
    }

    #[test]
    fn what_is_written_is_escaped() {
        let mut writer = Writer::new();
        writer.container("A xmlns=\"urn:a\"", |writer| writer.text("B", "a<b>&\"\u{7}c"));
        let xml = writer.finish();
        assert!(xml.ends_with("<A xmlns=\"urn:a\"><B>a&lt;b&gt;&amp;&quot;c</B></A>"), "{xml}");
        assert_eq!(Node::read(xml.as_bytes()).unwrap().children[0].text(), "a<b>&\"c");
    }
}
