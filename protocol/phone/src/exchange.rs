//! A request to be sent, and what its answer turned out to be.

use std::fmt;

use activesync::command::CommandName;
use activesync::error::Error;
use activesync::status::Status;

/// A request of the phone, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// OPTIONS, or POST.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// Header fields, Authorization among them.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// The command; none for OPTIONS.
    pub command: Option<CommandName>,
}

/// The answer to an [`Exchange`], as HTTP brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// The first header field of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// How much of an answer the app commits before it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// All of it, the key last.
    All,
    /// The first so many statements about items, and no key.
    Items(usize),
}

/// What an answer was.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// OPTIONS: versions and commands.
    Options {
        /// MS-ASProtocolVersions.
        versions: String,
        /// MS-ASProtocolCommands.
        commands: String,
    },
    /// Provision.
    Provision(Box<activesync::command::provision::Response>),
    /// FolderSync.
    FolderSync(activesync::command::folder_sync::Response),
    /// Sync; none for an empty answer: nothing to say.
    Sync(Option<activesync::command::sync::Response>),
    /// Ping.
    Ping(activesync::command::ping::Response),
    /// GetItemEstimate.
    GetItemEstimate(activesync::command::get_item_estimate::Response),
    /// MoveItems.
    MoveItems(activesync::command::move_items::Response),
    /// MeetingResponse.
    MeetingResponse(activesync::command::meeting_response::Response),
    /// ItemOperations.
    ItemOperations(activesync::command::item_operations::Response),
    /// Search.
    Search(activesync::command::search::Response),
    /// Find.
    Find(Box<activesync::command::find::Response>),
    /// ResolveRecipients.
    ResolveRecipients(activesync::command::resolve_recipients::Response),
    /// ValidateCert.
    ValidateCert(activesync::command::validate_cert::Response),
    /// Settings.
    Settings(activesync::command::settings::Response),
    /// SendMail, SmartReply or SmartForward: none is success.
    Sent(Option<Status>),
    /// FolderCreate, with the new folder's id.
    FolderCreate(activesync::command::folder_create::Response),
    /// FolderUpdate.
    FolderUpdate(activesync::command::folder_update::Response),
    /// FolderDelete.
    FolderDelete(activesync::command::folder_delete::Response),
    /// GetAttachment: the octets.
    Attachment(Vec<u8>),
    /// GetHierarchy.
    Hierarchy(activesync::command::get_hierarchy::Response),
    /// A common status, or the HTTP status that stands for it up to 12.1, instead of the command's answer: provision first, wipe, block ([MS-ASCMD] 2.2.2).
    Refused(Status),
}

/// Why an answer could not be taken.
#[derive(Debug)]
pub enum PhoneError {
    /// Another HTTP status than 200.
    Http(u16),
    /// The body is not what the command's answer should be.
    Undecodable(Error),
    /// An answer to a command this phone never sends.
    Unexpected(&'static str),
}

impl fmt::Display for PhoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PhoneError::Http(status) => write!(f, "HTTP {status}"),
            PhoneError::Undecodable(error) => write!(f, "undecodable answer: {error}"),
            PhoneError::Unexpected(what) => write!(f, "unexpected answer: {what}"),
        }
    }
}

impl std::error::Error for PhoneError {}

impl From<Error> for PhoneError {
    fn from(error: Error) -> PhoneError {
        PhoneError::Undecodable(error)
    }
}
