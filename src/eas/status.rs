//! From error to answer: the one table that says with which HTTP status, and with which Status in the body, a request is refused.
//!
//! From 14.0 on a refusal travels as HTTP 200 with a Status in the command's own root ([MS-ASCMD] 2.2.2); older phones, and
//! requests whose command or version is unknown, get HTTP statuses ([MS-ASHTTP] 2.2.2.1.1) for what all commands share, and a
//! Status in the body for what the command says itself. Trouble behind us is 503 or 507 for
//! everybody: a phone that is told 401 or 500 for it forgets its password or looks for another server.

use std::time::Duration;

use activesync::command::CommandName;
use activesync::encoder::Encoder;
use activesync::http::QueryError;
use activesync::status::{Status, common};
use activesync::{ProtocolVersion, code_pages};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use wbxml::Tag;

use super::basic::{self, Realm};
use super::endpoint::{Answer, Plain};
use super::gateway::Admitted;
use crate::database;
use crate::directory::SignInError;
use crate::mailbox::MailboxError;
use crate::sync::SyncError;

/// Why a request is not served.
#[derive(Debug)]
pub(in crate::eas) enum Refusal {
    /// No credentials, or none that we read.
    Unauthorized,
    /// The directory does not let them in.
    SignIn(SignInError),
    /// The query is not one.
    Query(QueryError),
    /// A version that we do not announce.
    Version,
    /// A command that we do not serve.
    Command,
    /// The body is not of the type the command has.
    ContentType,
    /// The body is no document of the command.
    Body(activesync::Error),
    /// The body is beyond what the listener takes.
    TooLarge,
    /// Policy does not let the device in.
    Admission(Admitted),
    /// What the query names is not there: below 14.0 an attachment.
    NotThere,
    /// The user has too many devices.
    TooManyDevices,
    /// The command's own verdict, or a common one.
    Status(Status),
    /// The mail store.
    Mailbox(MailboxError),
    /// Our own state.
    State(database::Error),
    /// The same collection was written again and again meanwhile.
    Restless,
    /// The user, or all together, have too much at work already.
    Busy,
}

/// How it is said.
enum Saying {
    Challenge,
    Http(StatusCode),
    Later(StatusCode, Duration),
    Status(Status),
}

impl Refusal {
    /// Whether the disk is full.
    pub(in crate::eas) fn is_full(&self) -> bool {
        match self {
            Refusal::Mailbox(MailboxError::Full) => true,
            Refusal::State(error) => error.is_full(),
            _ => false,
        }
    }

    /// Whether the mail store cannot be reached: the same later may do.
    pub(in crate::eas) fn is_down(&self) -> bool {
        matches!(self, Refusal::Mailbox(MailboxError::Down(_)))
    }

    /// The answer, in the words of the command and version, as far as they are known.
    pub(in crate::eas) fn answer(
        &self,
        command: Option<CommandName>,
        version: Option<ProtocolVersion>,
        realm: &Realm,
    ) -> Answer {
        match self.saying(command, version) {
            Saying::Challenge => basic::challenge(realm),
            Saying::Http(status) => Answer::empty(status),
            Saying::Later(status, after) => {
                Answer::empty(status).with(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)))
            }
            Saying::Status(status) => status_answer(command, version, status),
        }
    }

    fn saying(&self, command: Option<CommandName>, version: Option<ProtocolVersion>) -> Saying {
        match self {
            // [MS-ASHTTP] 2.2.2.1.1: credentials are missing or wrong.
            Refusal::Unauthorized | Refusal::SignIn(SignInError::Wrong) => Saying::Challenge,
            // [MS-ASHTTP] 2.2.2.1.1: a known user who may not.
            Refusal::SignIn(SignInError::Disabled) => Saying::Http(StatusCode::FORBIDDEN),
            Refusal::SignIn(SignInError::LockedOut { after }) => {
                Saying::Later(StatusCode::SERVICE_UNAVAILABLE, *after)
            }
            // A 401 would make the phone ask its owner for a password that is right.
            Refusal::SignIn(SignInError::Down { after }) => {
                Saying::Later(StatusCode::SERVICE_UNAVAILABLE, *after)
            }
            Refusal::SignIn(SignInError::Busy) => {
                Saying::Later(StatusCode::SERVICE_UNAVAILABLE, BUSY_FOR)
            }
            Refusal::SignIn(SignInError::Ours(error)) | Refusal::State(error) => ours(error),
            // [MS-ASHTTP] 2.2.2.1.1 and 3.2.5.1: before a body is looked at.
            Refusal::Query(error) => Saying::Http(
                StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::BAD_REQUEST),
            ),
            Refusal::Version => Saying::Http(StatusCode::BAD_REQUEST),
            Refusal::Command => Saying::Http(StatusCode::NOT_IMPLEMENTED),
            // [MS-ASCMD] 2.2.2: InvalidContent.
            Refusal::ContentType => Saying::Status(common::INVALID_CONTENT),
            // [MS-ASCMD] 2.2.2: 101 to 103, or the command's own word for it.
            Refusal::Body(error) => {
                Saying::Status(command.map_or(common::INVALID_XML, |c| error.status(c)))
            }
            // RFC 9110, 15.5.14: below 14.0 the only word that does not make a phone send the same mail for ever.
            Refusal::TooLarge if version.is_some_and(|v| v < ProtocolVersion::V14_0) => {
                Saying::Http(StatusCode::PAYLOAD_TOO_LARGE)
            }
            // [MS-ASCMD] 2.2.2: without a Status phones send the same mail for ever.
            Refusal::TooLarge => Saying::Status(common::ATTACHMENT_IS_TOO_LARGE),
            Refusal::Admission(admitted) => Saying::Status(admission(*admitted)),
            Refusal::NotThere => Saying::Http(StatusCode::NOT_FOUND),
            // [MS-ASCMD] 2.2.2: MaximumDevicesReached.
            Refusal::TooManyDevices => Saying::Status(common::MAXIMUM_DEVICES_REACHED),
            Refusal::Status(status) => Saying::Status(*status),
            Refusal::Mailbox(error) => mailbox(error),
            // [MS-ASHTTP] 2.2.2.1.1: 503 with Retry-After.
            Refusal::Busy => Saying::Later(StatusCode::SERVICE_UNAVAILABLE, AT_WORK_FOR),
            // [MS-ASCMD] 2.2.2: ServerErrorRetryLater.
            Refusal::Restless => Saying::Status(match command {
                Some(CommandName::Sync) => activesync::status::sync::RETRY,
                _ => common::SERVER_ERROR_RETRY_LATER,
            }),
        }
    }

    /// One word for the log; never content, never credentials.
    pub(in crate::eas) fn reason(&self) -> String {
        match self {
            Refusal::Unauthorized => "no readable credentials".to_owned(),
            Refusal::SignIn(error) => error.to_string(),
            Refusal::Query(error) => error.to_string(),
            Refusal::Version => "a version that is not announced".to_owned(),
            Refusal::Command => "a command that is not served".to_owned(),
            Refusal::ContentType => "the wrong type of body".to_owned(),
            Refusal::Body(error) => error.to_string(),
            Refusal::TooLarge => "the body is too large".to_owned(),
            Refusal::Admission(admitted) => format!("not admitted: {admitted:?}"),
            Refusal::NotThere => "what it names is not there".to_owned(),
            Refusal::TooManyDevices => "too many devices".to_owned(),
            Refusal::Status(status) => format!("status {status}"),
            Refusal::Mailbox(error) => error.to_string(),
            Refusal::State(error) => error.to_string(),
            Refusal::Restless => "the collection would not stand still".to_owned(),
            Refusal::Busy => "too much at once".to_owned(),
        }
    }
}

/// [MS-ASPROV] 3.1.5.1 and [MS-ASCMD] 2.2.2.
fn admission(admitted: Admitted) -> Status {
    match admitted {
        Admitted::Yes => common::SERVER_ERROR_RETRY_LATER,
        Admitted::NotProvisioned => common::DEVICE_NOT_PROVISIONED,
        Admitted::PolicyRefresh => common::POLICY_REFRESH,
        Admitted::InvalidPolicyKey => common::INVALID_POLICY_KEY,
        Admitted::WipeRequested => common::REMOTE_WIPE_REQUESTED,
        Admitted::Blocked | Admitted::Quarantined => common::DEVICE_IS_BLOCKED_FOR_THIS_USER,
    }
}

/// [MS-ASHTTP] 2.2.2.1.1: 503 with Retry-After, 507 when there is no room.
fn mailbox(error: &MailboxError) -> Saying {
    match error {
        MailboxError::Full => Saying::Http(StatusCode::INSUFFICIENT_STORAGE),
        _ => Saying::Later(StatusCode::SERVICE_UNAVAILABLE, TROUBLE_FOR),
    }
}

fn ours(error: &database::Error) -> Saying {
    if error.is_full() {
        Saying::Http(StatusCode::INSUFFICIENT_STORAGE)
    } else {
        Saying::Later(StatusCode::SERVICE_UNAVAILABLE, TROUBLE_FOR)
    }
}

/// A Status in the command's own root, or what HTTP says in its place.
pub(in crate::eas) fn status_answer(
    command: Option<CommandName>,
    version: Option<ProtocolVersion>,
    status: Status,
) -> Answer {
    if let Some(root) = command.and_then(CommandName::root)
        && let Some(version) = version.and_then(|version| words(root, version, status))
        && let Some(tag) = code_pages::PAGES.tag(code_pages::namespace(root.page), "Status")
    {
        let mut encoder = Encoder::new(version);
        encoder.container(root, |encoder| encoder.number(tag, status.0));
        return Answer::plain(StatusCode::OK, Plain::without_content(encoder.finish()));
    }
    Answer::empty(http_status(status))
}

/// The version in whose words a document says it; none where HTTP does. Up to 12.1 that is what all commands share.
fn words(root: Tag, version: ProtocolVersion, status: Status) -> Option<ProtocolVersion> {
    let knows = |version| code_pages::versions(root).contain(version);
    let is_old = version < ProtocolVersion::V14_0;
    match knows(version) {
        true => (!is_old || !status.is_common()).then_some(version),
        // A command of a later version is answered in that version's words: the phone used them first.
        false => Some(ProtocolVersion::V16_1).filter(|latest| !is_old && knows(*latest)),
    }
}

/// What HTTP says in place of a Status ([MS-ASCMD] 2.2.2).
fn http_status(status: Status) -> StatusCode {
    match status {
        // [MS-ASCMD] 2.2.2 leaves it open. Told 500, 403 or 404, apps send a reply to a recalled mail whole, from their own copy, or
        // look for another server.
        common::MESSAGE_REPLY_NOT_ALLOWED => StatusCode::BAD_REQUEST,
        // Newer than 12.1, and so without a word of its own there.
        common::MAXIMUM_DEVICES_REACHED => StatusCode::FORBIDDEN,
        _ => {
            let http = status.http_below_14().and_then(|http| StatusCode::from_u16(http).ok());
            http.unwrap_or(StatusCode::BAD_REQUEST)
        }
    }
}

impl From<MailboxError> for Refusal {
    fn from(error: MailboxError) -> Refusal {
        Refusal::Mailbox(error)
    }
}

impl From<database::Error> for Refusal {
    fn from(error: database::Error) -> Refusal {
        Refusal::State(error)
    }
}

impl From<SyncError> for Refusal {
    fn from(error: SyncError) -> Refusal {
        match error {
            SyncError::Mailbox(error) => Refusal::Mailbox(error),
            SyncError::State(error) => Refusal::State(error),
            SyncError::Restless => Refusal::Restless,
        }
    }
}

impl From<activesync::Error> for Refusal {
    fn from(error: activesync::Error) -> Refusal {
        Refusal::Body(error)
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Refusal {
        Refusal::Status(status)
    }
}

/// When to come again after trouble behind us.
const TROUBLE_FOR: Duration = Duration::from_secs(60);
/// When to come again while too much is at work.
const AT_WORK_FOR: Duration = Duration::from_secs(30);
/// When to come again while others are being signed in.
const BUSY_FOR: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use conformance::conforms;

    use super::*;
    use crate::eas::endpoint::Body;

    fn said(refusal: Refusal, command: CommandName, version: ProtocolVersion) -> (u16, Vec<u8>) {
        let answer = refusal.answer(Some(command), Some(version), &Realm::default());
        let bytes = match &answer.body {
            Body::Plain(plain) => plain.bytes().to_vec(),
            _ => Vec::new(),
        };
        (answer.status.as_u16(), bytes)
    }

    #[test]
    fn a_modern_phone_reads_the_status_in_its_own_root_and_an_old_one_in_http() {
        let refusal = || Refusal::Admission(Admitted::NotProvisioned);
        let (http, body) = said(refusal(), CommandName::Sync, ProtocolVersion::V14_0);
        let answer = <activesync::command::sync::Response as activesync::Document>::decode(
            ProtocolVersion::V14_0,
            &body,
        )
        .unwrap();
        assert_eq!((http, answer.status), (200, Some(common::DEVICE_NOT_PROVISIONED)));
        assert_eq!(said(refusal(), CommandName::Sync, ProtocolVersion::V12_1), (449, Vec::new()));
    }

    #[test]
    fn every_command_we_serve_has_a_root_with_a_status() {
        for command in super::super::gateway::COMMANDS {
            let (http, body) = said(Refusal::Status(Status(110)), *command, ProtocolVersion::V16_1);
            // Commands that 16.1 does not have are never refused in their own words.
            let is_old = matches!(command, CommandName::GetAttachment | CommandName::GetHierarchy);
            assert!(is_old || http == 200 && !body.is_empty(), "{command}");
            assert!(!is_old || http == 500 && body.is_empty(), "{command}");
        }
    }

    #[test]
    fn an_old_phone_hears_what_all_commands_share_in_http() {
        for (status, http) in [
            (common::INVALID_CONTENT, 400),
            (common::INVALID_XML, 400),
            (common::INVALID_IDS, 400),
            (common::SERVER_ERROR, 500),
            (common::SERVER_ERROR_RETRY_LATER, 503),
            (common::MAILBOX_QUOTA_EXCEEDED, 507),
            (common::COMMAND_NOT_SUPPORTED, 501),
            (common::VERSION_NOT_SUPPORTED, 400),
            (common::MAXIMUM_DEVICES_REACHED, 403),
        ] {
            let said = said(Refusal::Status(status), CommandName::Sync, ProtocolVersion::V12_1);
            assert_eq!(said, (http, Vec::new()), "{status}");
        }
        conforms!("MS-ASCMD_R7545", "MS-ASCMD_R7546", "MS-ASCMD_R7547", "MS-ASCMD_R7548");
        conforms!("MS-ASCMD_R7550", "MS-ASCMD_R7551", "MS-ASCMD_R7553", "MS-ASCMD_R7558");
        conforms!("MS-ASCMD_R7559", "MS-ASHTTP_R184");
        for (admitted, http) in [
            (Admitted::NotProvisioned, 449),
            (Admitted::PolicyRefresh, 449),
            (Admitted::InvalidPolicyKey, 449),
            (Admitted::WipeRequested, 449),
            (Admitted::Blocked, 403),
            (Admitted::Quarantined, 403),
        ] {
            let refusal = Refusal::Admission(admitted);
            let said = said(refusal, CommandName::FolderSync, ProtocolVersion::V12_1);
            assert_eq!(said, (http, Vec::new()), "{admitted:?}");
        }
        conforms!("MS-ASCMD_R7562", "MS-ASCMD_R7564", "MS-ASCMD_R7565", "MS-ASCMD_R7566");
    }

    #[test]
    fn an_old_phone_reads_the_commands_own_status_in_the_body() {
        let refusal = || Refusal::Status(activesync::status::ping::FOLDER_SYNC_REQUIRED);
        let (http, body) = said(refusal(), CommandName::Ping, ProtocolVersion::V12_1);
        let answer = <activesync::command::ping::Response as activesync::Document>::decode(
            ProtocolVersion::V12_1,
            &body,
        );
        assert_eq!((http, answer.unwrap().status), (200, Status(7)));
        let recalled = Refusal::Status(common::MESSAGE_REPLY_NOT_ALLOWED);
        let (http, body) = said(recalled, CommandName::SmartReply, ProtocolVersion::V12_1);
        assert_eq!((http, body), (400, Vec::new()));
        let (http, _) = said(Refusal::TooLarge, CommandName::SendMail, ProtocolVersion::V12_1);
        assert_eq!(http, 413);
    }

    #[test]
    fn trouble_behind_us_is_never_the_phones_fault() {
        let down = Refusal::Mailbox(MailboxError::Down("imap".to_owned()));
        assert_eq!(said(down, CommandName::Sync, ProtocolVersion::V16_1).0, 503);
        conforms!("MS-ASHTTP_R190");
        let full = Refusal::Mailbox(MailboxError::Full);
        assert_eq!(said(full, CommandName::Sync, ProtocolVersion::V16_1).0, 507);
        conforms!("MS-ASHTTP_R192");
        let wrong = Refusal::SignIn(SignInError::Wrong);
        assert_eq!(said(wrong, CommandName::Sync, ProtocolVersion::V16_1).0, 401);
    }
}
