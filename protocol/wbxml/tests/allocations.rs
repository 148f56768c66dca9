//! What is allocated: nothing while reading, and nothing while writing into a buffer that is large enough.
#![expect(unsafe_code, reason = "an allocator that counts is one")]

#[path = "documents/data.rs"]
mod data;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use data::PAGES;
use wbxml::{Limits, Reader, Token, Writer};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is left to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, octets: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.realloc(octets, layout, size) }
    }

    unsafe fn dealloc(&self, octets: *mut u8, layout: Layout) {
        unsafe { System.dealloc(octets, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations `work` makes.
fn allocations<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = COUNT.get();
    let result = work();
    (COUNT.get() - before, result)
}

/// Reads to the end, texts and octets included; how many octets of content there are.
fn read(octets: &[u8]) -> usize {
    let Ok(mut reader) = Reader::new(octets, &PAGES, Limits::DEFAULT) else { return 0 };
    let mut content = 0;
    while let Ok(Some(token)) = reader.next_token() {
        content += match token {
            Token::Start { name, .. } => name.len().min(1),
            Token::Text(text) => text.to_str().map_or(0, str::len),
            Token::Opaque(octets) => octets.len(),
            Token::End | Token::Entity(_) => 0,
        };
    }
    content
}

/// Writes again what `octets` hold.
fn write(octets: &[u8], buffer: Vec<u8>) -> Vec<u8> {
    let mut writer = Writer::with_buffer(&PAGES, buffer);
    let mut reader = Reader::new(octets, &PAGES, Limits::DEFAULT).expect("a fixture");
    while let Some(token) = reader.next_token().expect("a fixture") {
        match token {
            Token::Start { tag, .. } => writer.start(tag),
            Token::End => writer.end(),
            Token::Text(text) => writer.text(text.to_str().expect("a fixture")),
            Token::Opaque(octets) => writer.opaque(octets),
            Token::Entity(_) => unreachable!("ActiveSync has no entities"),
        }
    }
    writer.finish()
}

#[test]
fn the_count_counts() {
    assert_eq!(allocations(|| vec![0_u8; 10]).0, 1);
}

#[test]
fn reading_allocates_nothing_whatever_the_document() {
    std::sync::LazyLock::force(&PAGES);
    let corpus = data::files("corpus", "wbxml");
    let documents = corpus.iter().map(|name| data::octets(&format!("corpus/{name}")));
    let malformed = data::files("fixtures/malformed", "hex");
    let malformed = malformed.iter().map(|name| data::hex(&format!("fixtures/malformed/{name}")));
    let mut content = 0;
    for octets in documents.chain(malformed) {
        let (count, more) = allocations(|| read(&octets));
        assert_eq!(count, 0);
        content += more;
    }
    assert!(content > 50_000, "{content}");
}

#[test]
fn writing_into_a_large_enough_buffer_allocates_nothing() {
    std::sync::LazyLock::force(&PAGES);
    for name in data::names("fixtures") {
        let octets = data::hex(&format!("fixtures/{name}.hex"));
        let buffer = Vec::with_capacity(octets.len());
        let (count, written) = allocations(|| write(&octets, buffer));
        assert_eq!((count, written), (0, octets), "{name}");
    }
}

#[test]
fn one_buffer_does_for_many_documents() {
    std::sync::LazyLock::force(&PAGES);
    let documents: Vec<_> =
        data::names("fixtures").iter().map(|n| data::hex(&format!("fixtures/{n}.hex"))).collect();
    let longest = documents.iter().map(Vec::len).max().unwrap();
    let mut buffer = Vec::with_capacity(longest);
    let (count, ()) = allocations(|| {
        for octets in &documents {
            buffer = write(octets, std::mem::take(&mut buffer));
        }
    });
    assert_eq!(count, 0);
}
