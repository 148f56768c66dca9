//! The dictionary of the fuzz targets is what the code pages say.
//!
//! `RETRACT_WRITE_DICTIONARY=1 cargo test -p activesync --test dictionary` writes it anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its own tree has failed")]

use std::fmt::Write;
use std::path::Path;

use activesync::code_pages::PAGES;
use activesync::command::CommandName;

/// In a tag: it has content, and no attributes ([MS-ASWBXML] 2.1.2).
const CONTENT: u8 = 0x40;

/// A word for each token with its page, with content and without, and what stands between tags.
fn dictionary() -> String {
    let mut words =
        "# Made from the code pages by protocol/activesync/tests/dictionary.rs.\n".to_owned();
    let mut word = |name: &str, octets: &[u8]| {
        let octets: String = octets.iter().map(|octet| format!("\\x{octet:02X}")).collect();
        writeln!(words, "{name}=\"{octets}\"").unwrap();
    };
    word("header", &[0x03, 0x01, 0x6A, 0x00]);
    word("end", &[0x01]);
    word("ends", &[0x01, 0x01]);
    word("text_one", b"\x031\0\x01");
    word("text_zero", b"\x030\0\x01");
    word("opaque", b"\xC3\x02ab\x01");
    for page in PAGES.pages() {
        for (token, name) in page.tags {
            let called = format!("{}_{name}", page.namespace).replace(['-', '.'], "_");
            word(&called, &[0x00, page.number, token | CONTENT]);
            word(&format!("{called}_empty"), &[0x00, page.number, *token]);
        }
    }
    for command in CommandName::ALL {
        word(&format!("command_{command}"), command.as_str().as_bytes());
    }
    for parameter in ["Cmd=", "&User=", "&DeviceId=", "&DeviceType=", "&CollectionId=", "&ItemId="]
    {
        let name: String = parameter.chars().filter(char::is_ascii_alphabetic).collect();
        word(&format!("parameter_{name}"), parameter.as_bytes());
    }
    words
}

#[test]
fn the_dictionary_of_the_fuzz_targets_is_that_of_the_code_pages() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/wbxml.dict");
    if std::env::var_os("RETRACT_WRITE_DICTIONARY").is_some() {
        std::fs::write(&path, dictionary()).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(
        kept == dictionary(),
        "RETRACT_WRITE_DICTIONARY=1 cargo test -p activesync --test dictionary"
    );
}
