//! What must hold for any octets at all: the bodies of the fuzz targets, which tests replay over seeds and fixtures.

use alloc::vec::Vec;

use crate::code_page::CodePages;
use crate::error::Error;
use crate::header::Profile;
use crate::limits::Limits;
use crate::reader::Reader;
use crate::token::{Tag, Token};
use crate::writer::Writer;
use crate::xml;

/// Reading ends, gives balanced tokens within the limits, and an error lies within the input and repeats itself.
///
/// # Panics
/// If any of that does not hold.
pub fn read(pages: &CodePages, input: &[u8]) {
    for profile in [Profile::ActiveSync, Profile::Wbxml] {
        match Reader::with_profile(input, pages, Limits::DEFAULT, profile) {
            Ok(reader) => walk(reader, input.len()),
            Err(error) => assert!(error.offset <= input.len(), "{error}"),
        }
    }
}

fn walk(mut reader: Reader<'_>, length: usize) {
    let mut depth = 0usize;
    loop {
        match reader.next_token() {
            Ok(Some(Token::Start { tag, name, .. })) => {
                assert_eq!(reader.pages().name(tag), Some(name));
                depth += 1;
            }
            Ok(Some(Token::End)) => depth = depth.checked_sub(1).expect("ends follow starts"),
            Ok(Some(_)) => assert!(depth > 0, "content stands in an element"),
            Ok(None) => return assert_eq!(depth, 0),
            Err(error) => {
                assert!(error.offset <= length, "{error}");
                assert_eq!(reader.next_token(), Err(error));
                return;
            }
        }
        assert_eq!(reader.depth(), depth);
        assert!(depth <= Limits::DEFAULT.depth_max && reader.offset() < length);
    }
}

/// What can be read can be written and read again as the same tree, and the second writing gives the same octets;
/// so it does by way of XML.
///
/// # Panics
/// If that does not hold.
pub fn round_trip(pages: &CodePages, input: &[u8]) {
    let Ok(tree) = parts(pages, input) else { return };
    let octets = written(pages, &tree);
    let again = parts(pages, &octets).expect("what we write can be read");
    assert_eq!(again, tree);
    assert_eq!(written(pages, &again), octets);

    let reader = Reader::new(&octets, pages, Limits::DEFAULT).expect("what we write can be read");
    let shown = xml::to_xml(reader).expect("what can be read can be shown");
    if !mixed(&tree) {
        let back = xml::from_xml(&shown, pages, Limits::DEFAULT).expect("what we show can be read");
        assert_eq!(parts(pages, &back).map(|parts| joined(&parts)), Ok(joined(&tree)));
    }
}

/// A token that owns its content, and does not tell how an empty element was spelt.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Start(Tag),
    End,
    Text(Vec<u8>),
    Opaque(Vec<u8>),
}

/// The parts of a document, with texts as the writer would write them.
fn parts(pages: &CodePages, input: &[u8]) -> Result<Vec<Part>, Error> {
    let mut reader = Reader::new(input, pages, Limits::DEFAULT)?;
    let mut parts = Vec::new();
    while let Some(token) = reader.next_token()? {
        let part = match token {
            Token::Start { tag, .. } => Part::Start(tag),
            Token::End => Part::End,
            Token::Text(text) => {
                let text = text.to_str_lossy();
                Part::Text(text.split(crate::writer::forbidden).flat_map(str::bytes).collect())
            }
            Token::Opaque(bytes) => Part::Opaque(bytes.into()),
            Token::Entity(_) => unreachable!("the profile has no entities"),
        };
        let empty = matches!(&part, Part::Text(bytes) | Part::Opaque(bytes) if bytes.is_empty());
        if !empty {
            parts.push(part);
        }
    }
    Ok(parts)
}

fn written(pages: &CodePages, parts: &[Part]) -> Vec<u8> {
    let mut writer = Writer::new(pages);
    for part in parts {
        match part {
            Part::Start(tag) => writer.start(*tag),
            Part::End => writer.end(),
            Part::Text(bytes) => writer.text(core::str::from_utf8(bytes).expect("made UTF-8")),
            Part::Opaque(bytes) => writer.opaque(bytes),
        }
    }
    writer.finish()
}

/// Whether any element has both children and other content.
fn mixed(parts: &[Part]) -> bool {
    let content = |part: &Part| matches!(part, Part::Text(_) | Part::Opaque(_));
    parts.windows(2).any(|pair| {
        (content(&pair[0]) && matches!(pair[1], Part::Start(_)))
            || (pair[0] == Part::End && content(&pair[1]))
    })
}

/// The parts with the pieces of each element joined, and no difference between texts and octets.
fn joined(parts: &[Part]) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::new();
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(Part::Opaque(before)), Part::Text(more) | Part::Opaque(more)) => {
                before.extend_from_slice(more);
            }
            (_, Part::Text(bytes)) => joined.push(Part::Opaque(bytes.clone())),
            _ => joined.push(part.clone()),
        }
    }
    joined
}
