//! Exchange ActiveSync commands as types, in both directions, without I/O.
//!
//! A server reads a query with [`http::Query`], decodes the body with [`command::Request`] and
//! encodes a response type; a client does the reverse with the same types. Nothing here opens a
//! socket, reads a clock or keeps state. Whatever octets a peer sends are decoded or refused with an
//! [`Error`] that names the place; nothing unknown passes unnoticed, and what the spoken version
//! does not have is neither taken nor written.
//!
//! ```
//! use activesync::command::{CommandName, Request, sync};
//! use activesync::http::Query;
//! use activesync::item::email::Email;
//! use activesync::status;
//! use activesync::types::ServerId;
//! use activesync::{Document, ProtocolVersion};
//!
//! let query = Query::decode("jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l")?;
//! let version = query.version.expect("base64 queries have it");
//! assert_eq!((query.command, version), (CommandName::Sync, ProtocolVersion::V14_0));
//!
//! let body = b"\x03\x01\x6A\x00\x45\x5C\x4F\x4B\x035\x00\x01\x52\x031\x00\x01\x01\x01\x01";
//! let Request::Sync(Some(request)) = Request::decode(query.command, version, body)? else {
//!     panic!("a Sync with a body");
//! };
//! let asked = &request.collections[0];
//! assert!(asked.wants_changes());
//!
//! let mut answer = sync::CollectionAnswer::new(
//!     asked.collection_id.clone(),
//!     "6".parse()?,
//!     status::sync::SUCCESS,
//! );
//! answer.commands.push(sync::ServerCommand::Add {
//!     server_id: ServerId::new("1:1")?,
//!     class: None,
//!     data: Email { subject: Some("Hello".into()), read: Some(false), ..Email::default() }.into(),
//! });
//! let response = sync::Response { collections: vec![answer], ..Default::default() };
//! let octets = response.encode(version);
//! assert_eq!(sync::Response::decode(version, &octets)?, response);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Chapters
//! 1. [Serving](guide::serving): from a request to its answer.
//! 2. [Asking](guide::asking): the other side, with the same types.
//! 3. [Versions](guide::versions): what an older phone does not have, and 12.1.
//! 4. [When something is wrong](guide::errors): errors, statuses, and items that fail alone.
//! 5. [Adding to it](guide::adding): elements, commands and classes that have no type yet.
//!
//! # Editions
//! Section numbers are those of the 2018 and later revisions of \[MS-ASCMD\], \[MS-ASWBXML\],
//! \[MS-ASHTTP\], \[MS-ASPROV\], \[MS-ASEMAIL\], \[MS-ASAIRS\], \[MS-ASCON\], \[MS-ASRM\] and
//! \[MS-ASDTYPE\], which describe protocol versions 2.5 to 16.1.
//!
//! # Support
//! | | requests | responses |
//! |---|---|---|
//! | Sync, Email class with drafts and meeting requests | typed | typed |
//! | Sync, other classes | kept as they came | kept as they came |
//! | FolderSync, FolderCreate, FolderDelete, FolderUpdate | typed | typed |
//! | GetItemEstimate, ItemOperations, MoveItems, Ping, Provision, Settings | typed | typed |
//! | Search and Find in the mailbox and the address list, ResolveRecipients | typed | typed |
//! | MeetingResponse, ValidateCert | typed | typed |
//! | SendMail, SmartForward, SmartReply from 14.0 | typed | typed |
//! | GetAttachment, and mail up to 12.1 | typed, from the query | no document |
//! | Autodiscover, XML and JSON (`autodiscover`) | typed | typed |
//! | GetHierarchy, up to 12.1 | no document | typed |

#![forbid(unsafe_code)]

#[cfg(feature = "autodiscover")]
pub mod autodiscover;
#[doc(hidden)]
pub mod check;
pub mod code_pages;
pub mod command;
pub mod document;
pub mod element;
pub mod encoder;
pub mod error;
mod fields;
pub mod guide;
pub mod http;
pub mod item;
pub mod multipart;
pub mod status;
pub mod types;
pub mod version;

pub use document::Document;
pub use error::Error;
pub use version::ProtocolVersion;

/// The examples of the README, which have to compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
