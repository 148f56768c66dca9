//! A readable view: documents as XML and back, for people, tests and tools.
//!
//! Namespaces are those of the code pages; the root's is the default, others get their name in lower case as prefix. White
//! space between elements is layout, the text of an element without children is exact. An element whose content is not one
//! plain text carries its octets in an attribute: `<Mime opaque="0D0A"/>`; ActiveSync has no attributes, so nothing clashes.
//!
//! [`from_xml`] reads what [`to_xml`] writes and what a person would change in it, and is no XML parser beyond that.

mod parse;
mod render;

pub use parse::{XmlError, XmlErrorKind, from_xml};
pub use render::to_xml;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CodePage, CodePages, Limits, Reader};
    use std::string::String;

    pub(super) static PAGES: CodePages = CodePages::new(&[
        CodePage { number: 0, namespace: "AirSync", tags: &[(0x05, "Sync"), (0x0E, "Status")] },
        CodePage { number: 17, namespace: "AirSyncBase", tags: &[(0x0A, "Body"), (0x0B, "Data")] },
    ]);

    pub(super) fn rendered(octets: &[u8]) -> String {
        to_xml(Reader::new(octets, &PAGES, Limits::default()).unwrap()).unwrap()
    }

    #[test]
    fn a_document_and_its_xml_are_each_others_view() {
        let octets =
            b"\x03\x01\x6A\x00\x45\x0E\x4E\x03a<&\r\n \x00\x01\x00\x11\x4A\x4B\xC3\x02\x0D\xFF\x01\x01\x01";
        let xml = concat!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n",
            "<Sync xmlns=\"AirSync\" xmlns:airsyncbase=\"AirSyncBase\">\n",
            "  <Status/>\n",
            "  <Status>a&lt;&amp;&#13;\n </Status>\n",
            "  <airsyncbase:Body>\n",
            "    <airsyncbase:Data opaque=\"0DFF\"/>\n",
            "  </airsyncbase:Body>\n",
            "</Sync>\n",
        );
        assert_eq!(rendered(octets), xml);
        assert_eq!(from_xml(xml, &PAGES, Limits::default()).unwrap(), octets);
    }
}
