//! What the codec takes, beside libwbxml: the same octets, read and written, in the same run.
//!
//!     cargo bench -p wbxml
//!
//! libwbxml is loaded at run time (Debian: `libwbxml2-1`); where it is missing, its rows are, too, and a line says so. It is
//! measured at its best: its parser runs without handlers, so it hands on nothing, and its encoder starts from its own tree.
#![expect(clippy::print_stdout, reason = "somebody waits for figures")]

mod documents;
mod libwbxml;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use wbxml::{Limits, Reader, Tag, Token, Writer};

use documents::{Document, PAGES, all, named};
use libwbxml::Library;

fn main() {
    if Library::get().is_none() {
        println!(
            "libwbxml is not on this machine (Debian: libwbxml2-1), so nothing is measured of it"
        );
    }
    divan::main();
}

fn names() -> Vec<&'static str> {
    all().iter().map(|document| document.name).collect()
}

/// No names where there is no library to measure.
fn names_of_libwbxml() -> Vec<&'static str> {
    if Library::get().is_some() { names() } else { Vec::new() }
}

fn count(document: &Document) -> BytesCount {
    BytesCount::new(document.parts.iter().map(Vec::len).sum::<usize>())
}

#[divan::bench(args = names())]
fn decode_wbxml(bencher: Bencher<'_, '_>, name: &str) {
    let document = named(name);
    bencher.counter(count(document)).bench(|| {
        for octets in &document.parts {
            let mut reader =
                Reader::new(octets, &PAGES, Limits::DEFAULT).expect("the documents are sound");
            while let Some(token) = reader.next_token().expect("the documents are sound") {
                black_box(token);
            }
        }
    });
}

#[divan::bench(args = names_of_libwbxml())]
fn decode_libwbxml(bencher: Bencher<'_, '_>, name: &str) {
    let document = named(name);
    let library = Library::get().expect("there are no names without it");
    bencher.counter(count(document)).bench_local(|| {
        for octets in &document.parts {
            library.parse(octets);
        }
    });
}

#[divan::bench(args = names())]
fn encode_wbxml(bencher: Bencher<'_, '_>, name: &str) {
    let document = named(name);
    let trees: Vec<Vec<Step<'_>>> = document.parts.iter().map(|part| steps(part)).collect();
    let mut buffer = Vec::new();
    bencher.counter(count(document)).bench_local(|| {
        for tree in &trees {
            let mut writer = Writer::with_buffer(&PAGES, std::mem::take(&mut buffer));
            for step in tree {
                match step {
                    Step::Start(tag) => writer.start(*tag),
                    Step::End => writer.end(),
                    Step::Text(text) => writer.text(text),
                    Step::Opaque(octets) => writer.opaque(octets),
                }
            }
            buffer = black_box(writer.finish());
        }
    });
}

#[divan::bench(args = names_of_libwbxml())]
fn encode_libwbxml(bencher: Bencher<'_, '_>, name: &str) {
    let document = named(name);
    let library = Library::get().expect("there are no names without it");
    let trees: Vec<_> = document.parts.iter().map(|octets| library.tree(octets)).collect();
    bencher.counter(count(document)).bench_local(|| {
        for tree in &trees {
            library.encode(tree);
        }
    });
}

/// One call of the writer.
enum Step<'d> {
    Start(Tag),
    End,
    Text(&'d str),
    Opaque(&'d [u8]),
}

/// The calls that write a document.
fn steps(octets: &[u8]) -> Vec<Step<'_>> {
    let mut reader = Reader::new(octets, &PAGES, Limits::DEFAULT).expect("the documents are sound");
    let mut steps = Vec::new();
    while let Some(token) = reader.next_token().expect("the documents are sound") {
        steps.push(match token {
            Token::Start { tag, .. } => Step::Start(tag),
            Token::End => Step::End,
            Token::Text(text) => Step::Text(text.to_str().expect("the documents are sound")),
            Token::Opaque(octets) => Step::Opaque(octets),
            Token::Entity(_) => unreachable!("ActiveSync has no entities"),
        });
    }
    steps
}
