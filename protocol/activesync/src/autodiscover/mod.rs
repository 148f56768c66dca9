//! Autodiscover: how a client that knows a mail address finds the server ([MS-ASCMD] 2.2.1.1, [MS-OXDSCLI]).
//!
//! There are two of them. The older one is XML: a [`Request`] is posted to [`XML_PATH`] and answered with a
//! [`Response`] in the schema the client accepts. The newer one is JSON and no part of an open specification: a
//! [`v2::Query`] stands in the address, and a [`v2::Answer`] says where to go. Both are here in both directions, so
//! that a server can answer and a checking tool can ask.
//!
//! ```
//! use activesync::autodiscover::{MobileSync, Request, Response, Schema};
//!
//! let request = Request::decode(
//!     b"<Autodiscover xmlns='http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006'>
//!         <Request>
//!           <EMailAddress>anat@contoso.example</EMailAddress>
//!           <AcceptableResponseSchema>
//!             http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006
//!           </AcceptableResponseSchema>
//!         </Request>
//!       </Autodiscover>",
//! )?;
//! assert_eq!(request.schema, Schema::MobileSync);
//!
//! let endpoint = "https://eas.contoso.example/Microsoft-Server-ActiveSync";
//! let answer = MobileSync::settings("Anat Kerry", "anat@contoso.example", endpoint);
//! let xml = Response::MobileSync(answer.clone()).encode();
//! assert_eq!(Response::decode(xml.as_bytes())?, Response::MobileSync(answer));
//! # Ok::<(), activesync::autodiscover::Error>(())
//! ```

use std::fmt;

mod outlook;
mod request;
mod response;
pub mod v2;
mod xml;

pub use outlook::{Account, Outlook, Protocol};
pub use request::{Request, Schema};
pub use response::{Action, ActionError, FrameworkError, MobileSync, Response, Server, User};

/// Where the XML is posted to; the case varies among clients.
pub const XML_PATH: &str = "/autodiscover/autodiscover.xml";
/// Where the JSON is asked for; `/v1.0/{address}` may follow.
pub const JSON_PATH: &str = "/autodiscover/autodiscover.json";

/// The longest document that is read, in octets.
pub const DOCUMENT_OCTETS_MAX: usize = 64 * 1024;

/// Why a document is none of Autodiscover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// More than [`DOCUMENT_OCTETS_MAX`] octets, or more elements or deeper ones than any such document has.
    TooLarge,
    /// No well-formed XML in UTF-8, or XML with a document type.
    NotXml,
    /// XML of something else.
    NotAutodiscover,
    /// Something that has to stand there once is missing, or stands there again.
    Incomplete,
    /// No JSON, or JSON of something else.
    NotJson,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the document is too large",
            Self::NotXml => "the document is no plain XML in UTF-8",
            Self::NotAutodiscover => "the document is none of Autodiscover",
            Self::Incomplete => "something is missing in the document, or stands there twice",
            Self::NotJson => "the document is not the JSON of Autodiscover",
        })
    }
}

impl std::error::Error for Error {}
