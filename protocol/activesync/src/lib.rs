//! Exchange ActiveSync commands as types, in both directions, without I/O.

#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod check;
pub mod code_pages;
pub mod command;
pub mod document;
pub mod element;
pub mod encoder;
pub mod error;
mod fields;
pub mod http;
pub mod item;
pub mod multipart;
pub mod status;
pub mod types;
pub mod version;

pub use document::Document;
pub use error::Error;
pub use version::ProtocolVersion;
