//! Autodiscover ([MS-ASCMD] 2.2.1.1, [MS-OXDSCLI]): how a phone that knows an address finds us.
//!
//! The XML is for who signs in, and speaks of nobody but the one who did. The JSON is for everybody and looks nothing up: it answers
//! the same for an address that exists, one that does not, and none.

use std::collections::BTreeMap;
use std::sync::Arc;

use activesync::autodiscover::v2::{self, Answer as Endpoint};
use activesync::autodiscover::{
    Account, Action, ActionError, FrameworkError, JSON_PATH, MobileSync, Outlook, Protocol,
    Request, Response, Schema, XML_PATH,
};
use activesync::http::ENDPOINT;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Method, StatusCode};

use super::endpoint::{Answer, Incoming, Plain};
use super::gateway::Desk;
use super::session;
use super::status::Refusal;
use crate::clock::Timestamp;
use crate::directory::User;
use crate::mailbox::MailboxError;

/// What Autodiscover tells.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    /// How phones reach us, without a path: `https://mail.example.org`.
    pub base_url: String,
    /// Mail domains whose mailboxes live elsewhere, in lower case, and the mail domain to begin again with.
    pub moved: BTreeMap<String, String>,
    /// Where a GET of the XML is sent. One that came without TLS is sent to [`Discovery::base_url`] in any case.
    pub get_redirect: Option<String>,
}

impl Discovery {
    fn endpoint(&self) -> String {
        format!("{}{ENDPOINT}", self.base_url)
    }

    fn xml(&self) -> String {
        format!("{}{XML_PATH}", self.base_url)
    }

    /// The same address in the domain its mailbox lives in now.
    fn moved_to(&self, address: &str) -> Option<(String, &str)> {
        let (local, domain) = address.rsplit_once('@')?;
        let target = self.moved.get(&domain.to_ascii_lowercase())?;
        Some((format!("{local}@{target}"), target))
    }
}

/// The older Autodiscover.
pub(in crate::eas) async fn xml(desk: &Arc<Desk>, found: &Discovery, request: &Incoming) -> Answer {
    if request.method == Method::GET
        && let Some(to) = get_redirect(found, request)
    {
        return sent_to(&to);
    }
    match answer(desk, found, request).await {
        Ok(response) => document(StatusCode::OK, "text/xml; charset=utf-8", response.encode()),
        Err(refusal) => {
            session::note_refusal(request.peer.ip(), &request.query, None, &refusal);
            refusal.answer(None, None, &desk.limits.realm)
        }
    }
}

/// [MS-OXDSCLI] 3.1.5.3: a client that found nobody to post to asks by GET, without TLS and without a password, where it may.
fn get_redirect(found: &Discovery, request: &Incoming) -> Option<String> {
    let own = || (!request.secure).then(|| found.xml());
    found.get_redirect.clone().or_else(own)
}

async fn answer(
    desk: &Arc<Desk>,
    found: &Discovery,
    request: &Incoming,
) -> Result<Response, Refusal> {
    let user = session::sign_in(desk, request).await?;
    let now = desk.engine.clock.now();
    let error = |error: FrameworkError| {
        let (time, id) = (Some(time_of_day(now)), u32::try_from(desk.next_request() & NUMBER).ok());
        Ok(Response::Error(FrameworkError { time, id, ..error }))
    };
    let asked = match Request::decode(&request.body) {
        Ok(asked) => asked,
        Err(wrong) => return error(wrong.answer()),
    };
    let address = asked.email_address.clone().unwrap_or_else(|| user.address.clone());
    let moved = found.moved_to(&address).map(|(address, _)| address);
    let is_own = is_own(desk, &user, &address).await?;
    match asked.schema {
        Schema::MobileSync => Ok(Response::MobileSync(match moved {
            Some(address) => acted(Action::Redirect(address)),
            None if is_own => {
                MobileSync::settings(&user.display_name, &user.address, &found.endpoint())
            }
            None => acted(Action::Error(ActionError {
                status: Some(PROTOCOL_ERROR),
                message: Some(NOT_FOUND.to_owned()),
                debug_data: None,
                error_code: Some(NO_SUCH_ADDRESS),
            })),
        })),
        Schema::Outlook => match moved {
            Some(address) => Ok(outlook(&user, Account::RedirectAddress(address))),
            None if is_own => Ok(outlook(&user, settings(&user, found))),
            None => error(FrameworkError::new(ADDRESS_NOT_FOUND, NOT_FOUND)),
        },
        // [MS-ASCMD] 2.2.3.62: nobody here answers in that schema.
        Schema::Other(_) => error(FrameworkError::new(
            FrameworkError::PROVIDER_NOT_AVAILABLE,
            "Provider is not available",
        )),
    }
}

/// Whether an address is one of the user's own. Of others nothing is said, whether they exist or not.
async fn is_own(desk: &Desk, user: &User, address: &str) -> Result<bool, Refusal> {
    let own = desk.directory.addresses(user.id).await;
    let own = own.map_err(|error| MailboxError::Ours(error.to_string()))?;
    let is_it = |own: &String| own.eq_ignore_ascii_case(address.trim());
    Ok(user.address.eq_ignore_ascii_case(address.trim()) || own.iter().any(is_it))
}

fn acted(action: Action) -> MobileSync {
    let culture = Some("en:us".to_owned());
    MobileSync { culture, user: None, action: Some(action) }
}

fn outlook(user: &User, account: Account) -> Response {
    Response::Outlook(Outlook {
        display_name: Some(user.display_name.clone()),
        auto_discover_smtp_address: Some(user.address.clone()),
        account,
    })
}

/// Mail programs can reach us by this protocol alone.
fn settings(user: &User, found: &Discovery) -> Account {
    Account::Settings(vec![Protocol {
        kind: "MobileSync".to_owned(),
        server: Some(found.endpoint()),
        login_name: Some(user.name.clone()),
        ssl: Some(true),
        auth_required: Some(true),
        ..Protocol::default()
    }])
}

/// The newer Autodiscover: everybody is told, and nothing is looked up.
pub(in crate::eas) fn json(found: &Discovery, request: &Incoming) -> Answer {
    let rest = request.path.get(JSON_PATH.len()..).unwrap_or_default();
    let asked = v2::Query::decode(rest, &request.query);
    let moved = asked.email.as_deref().and_then(|address| found.moved_to(address));
    if let Some((address, domain)) = moved.filter(|_| asked.redirect_count < v2::REDIRECTS_MAX) {
        let (email, redirect_count) = (Some(address), asked.redirect_count + 1);
        let next = v2::Query { email, redirect_count, ..asked };
        return sent_to(&format!("https://autodiscover.{domain}{}", next.encode()));
    }
    let told = told(found, &asked);
    let status = StatusCode::from_u16(told.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
    document(status, "application/json; charset=utf-8", told.encode())
}

/// Where things are: nothing out of a mailbox.
fn document(status: StatusCode, kind: &'static str, text: String) -> Answer {
    Answer::plain(status, Plain::without_content(text.into_bytes()))
        .with(CONTENT_TYPE, HeaderValue::from_static(kind))
}

fn told(found: &Discovery, asked: &v2::Query) -> Endpoint {
    let endpoint = |protocol: &str, url| Endpoint::Endpoint { protocol: protocol.to_owned(), url };
    let error = |code: &str, message: String| Endpoint::Error { code: code.to_owned(), message };
    let Some(protocol) = asked.protocol.as_deref() else {
        let message = "A valid value must be provided for the query parameter 'Protocol'.";
        return error(v2::MANDATORY_PARAMETER_MISSING, message.to_owned());
    };
    if asked.wants(v2::ACTIVE_SYNC) {
        return endpoint(v2::ACTIVE_SYNC, found.endpoint());
    }
    if asked.wants(v2::AUTODISCOVER_V1) {
        return endpoint(v2::AUTODISCOVER_V1, found.xml());
    }
    // The word may be anything: it is said again in bounds.
    let word: String = protocol.chars().take(PROTOCOL_CHARS_MAX).collect();
    if KNOWN_PROTOCOLS.iter().any(|known| asked.wants(known)) {
        let message = format!("The protocol '{word}' is not served here.");
        return error(v2::PROTOCOL_NOT_SUPPORTED, message);
    }
    let message = format!(
        "The given protocol value '{word}' is invalid. Supported values are 'ActiveSync,AutodiscoverV1'."
    );
    error(v2::INVALID_PROTOCOL, message)
}

/// A target that no header can hold was configured by mistake; then there is nothing.
fn sent_to(url: &str) -> Answer {
    match HeaderValue::from_str(url) {
        Ok(url) => Answer::empty(StatusCode::FOUND).with(LOCATION, url),
        Err(_) => Answer::empty(StatusCode::NOT_FOUND),
    }
}

/// `hh:mm:ss.fffffff`, as the error of the framework has it.
fn time_of_day(now: Timestamp) -> String {
    let ms = now.ms().rem_euclid(24 * 60 * 60 * 1000);
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}0000", ms % 1000)
}

/// [MS-ASCMD] 2.2.3.177.1.
const PROTOCOL_ERROR: u16 = 2;
/// [MS-ASCMD] 2.2.3.62: the address is unknown here.
const NO_SUCH_ADDRESS: u16 = 1;
/// [MS-OXDSCLI] 2.2.4.1.1.1.2: the same for mail programs.
const ADDRESS_NOT_FOUND: u16 = 500;
const NOT_FOUND: &str = "The email address can't be found.";
/// Protocols of other servers that clients ask for.
const KNOWN_PROTOCOLS: [&str; 5] =
    ["EWS", "Rest", "MapiHttp", "Substrate", "OutlookMeetingScheduler"];
/// Characters of an unknown protocol that are said again.
const PROTOCOL_CHARS_MAX: usize = 64;
/// The bits of a request's number that name an error.
const NUMBER: u64 = u32::MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_has_seven_places() {
        assert_eq!(time_of_day(Timestamp(86_400_000 + 3_723_004)), "01:02:03.0040000");
    }

    #[test]
    fn a_moved_domain_is_found_in_any_case() {
        let moved = BTreeMap::from([("old.example".to_owned(), "new.example".to_owned())]);
        let found = Discovery { moved, ..Discovery::default() };
        let (address, domain) = found.moved_to("Ann@OLD.example").unwrap();
        assert_eq!((address.as_str(), domain), ("Ann@new.example", "new.example"));
        assert!(found.moved_to("ann").is_none() && found.moved_to("a@b.example").is_none());
    }
}
