//! WBXML 1.3 as Exchange ActiveSync uses it: a pull reader and a writer, code pages handed in by the caller.
//!
//! [`Reader`] walks over a borrowed document and yields [`Token`]s that point into it; nothing is allocated on the way.
//! [`Writer`] makes the one spelling that Exchange writes: bare tags for empty elements, a page switch only when the page
//! changes, one inline string per text. The crate knows no element by name: the caller hands in [`CodePages`], so that the
//! tables stay data ([MS-ASWBXML] 2.1.2.1).
//!
//! What a peer sends can be wrong in many ways and never panics: each way is one [`ErrorKind`], with the offset of the octet
//! that shows it. [`Limits`] bound depth, number of elements and sizes before anything grows.
//!
//! ```
//! use wbxml::{CodePage, CodePages, Limits, Reader, Tag, Token, Writer};
//!
//! static PAGES: CodePages = CodePages::new(&[CodePage {
//!     number: 7,
//!     namespace: "FolderHierarchy",
//!     tags: &[(0x12, "SyncKey"), (0x16, "FolderSync")],
//! }]);
//!
//! let mut writer = Writer::new(&PAGES);
//! writer.start(Tag::new(7, 0x16));
//! writer.start(Tag::new(7, 0x12));
//! writer.text("0");
//! writer.end();
//! writer.end();
//! let octets = writer.finish();
//! assert_eq!(octets, b"\x03\x01\x6A\x00\x00\x07\x56\x52\x030\x00\x01\x01");
//!
//! let mut reader = Reader::new(&octets, &PAGES, Limits::default())?;
//! let Some(Token::Start { name, .. }) = reader.next_token()? else { panic!("a root") };
//! assert_eq!(name, "FolderSync");
//! # Ok::<(), wbxml::Error>(())
//! ```
//!
//! # Chapters
//! 1. [Reading](guide::reading): tokens, texts, and where one is.
//! 2. [Writing](guide::writing): what the writer sees to, and buffers that are used again.
//! 3. [Vocabularies](guide::vocabularies): code pages of your own, and documents that are not ActiveSync's.
//! 4. [What a peer can do](guide::peers): errors, limits, and what is refused on purpose.
//! 5. [Looking at documents](guide::looking): XML for people, both ways.
//!
//! # Features
//! `std`, on by default, turns an [`Error`] into a `std::io::Error`. Without it the crate needs `alloc` and nothing else.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

#[doc(hidden)]
pub mod check;
mod code_page;
mod error;
pub mod guide;
mod header;
mod limits;
mod mb_u32;
mod reader;
mod token;
mod writer;
pub mod xml;

pub use code_page::{CodePage, CodePages};
pub use error::{Error, ErrorKind};
pub use header::{Header, Profile};
pub use limits::Limits;
pub use reader::Reader;
pub use token::{Tag, Text, Token};
pub use writer::Writer;

/// The examples of the README, which have to compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
