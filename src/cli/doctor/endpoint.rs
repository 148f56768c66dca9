//! The requests of a phone: Autodiscover, OPTIONS, a set-up with a sync, and a wait. Over trusted connections only.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use activesync_phone::activesync::autodiscover::v2::{ACTIVE_SYNC, Answer, Query};
use activesync_phone::activesync::autodiscover::{
    Action, JSON_PATH, MobileSync, Request, Response, XML_PATH,
};
use activesync_phone::activesync::http::{ENDPOINT, MS_AS_PROTOCOL_VERSIONS};
use activesync_phone::activesync::status::Status;
use activesync_phone::activesync::version::ProtocolVersion;
use activesync_phone::client::Server;
use activesync_phone::driver::{DriveError, Driver};
use activesync_phone::{Exchange, HttpAnswer, Phone, Profile};
use http::Uri;
use rustls::ClientConfig;
use tokio::time::timeout;

use super::Patient;
use super::finding::Chart;

/// Where requests go.
pub(super) struct Place {
    host: String,
    address: SocketAddr,
    server: Server,
}

impl Place {
    pub(super) fn new(host: &str, address: SocketAddr, client: Arc<ClientConfig>) -> Place {
        let server = Server::tls_with(address, host, client);
        Place { host: host.to_owned(), address, server }
    }

    async fn send(&self, exchange: &Exchange) -> io::Result<HttpAnswer> {
        let sending = async { self.server.connect().await?.send(exchange).await };
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
        timeout(PATIENCE, sending).await.map_err(late)?
    }
}

fn phone(patient: &Patient) -> Phone {
    let password = patient.password.as_deref().unwrap_or_default();
    Phone::new(Profile::ios(), &patient.user, password, DEVICE_ID)
}

fn exchange(method: &'static str, target: String, patient: &Patient, body: String) -> Exchange {
    let mut headers = vec![("content-type".to_owned(), "text/xml; charset=utf-8".to_owned())];
    if patient.password.is_some() && method != "GET" {
        headers.push(("authorization".to_owned(), phone(patient).authorization()));
    }
    Exchange { method, target, headers, body: body.into_bytes(), command: None }
}

/// Asks both Autodiscovers; gives the server they name.
pub(super) async fn discovery(
    patient: &Patient,
    place: &Place,
    chart: &mut Chart,
) -> Option<(String, u16)> {
    let by_xml = xml(patient, place, chart).await;
    let by_json = json(patient, place, chart).await;
    if let (Some(xml), Some(json)) = (&by_xml, &by_json)
        && xml != json
    {
        let what = format!("the XML names {xml}, the JSON {json}");
        chart.warning("autodiscover", what, "set `url` in [autodiscover], on every gateway alike");
    }
    let url = by_xml.or(by_json)?;
    let found = host_of(&url);
    if found.is_none() {
        let mend = "set `url` in [autodiscover] to https:// and the name of the gateway";
        chart.bad("autodiscover", format!("{url:?} is no address of HTTPS"), mend);
    }
    found
}

async fn xml(patient: &Patient, place: &Place, chart: &mut Chart) -> Option<String> {
    let body = Request::mobile_sync(patient.address.as_str()).encode();
    let asked = exchange("POST", XML_PATH.to_owned(), patient, body);
    let answer = match place.send(&asked).await {
        Ok(answer) => answer,
        Err(error) => {
            let mend = format!("see that {} answers on port {}", place.host, place.address.port());
            chart.bad(XML, error.to_string(), mend);
            return None;
        }
    };
    match (answer.status, patient.password.is_some()) {
        (200, _) => told(patient, &answer.body, chart),
        (401, false) => {
            chart.good(XML, "it asks for a password, as it should");
            None
        }
        (status, _) => {
            let (what, mend) = in_words(status, XML_PATH);
            chart.bad(XML, what, mend);
            None
        }
    }
}

fn told(patient: &Patient, body: &[u8], chart: &mut Chart) -> Option<String> {
    let other = "see that /autodiscover/ is passed to the gateway, and to nothing else";
    let answer = match Response::decode(body) {
        Ok(Response::MobileSync(MobileSync { action: Some(action), .. })) => action,
        Ok(Response::Error(error)) => {
            chart.bad(XML, format!("error {}: {}", error.code, error.message), other);
            return None;
        }
        Ok(_) => {
            chart.bad(XML, "it answers in another schema than phones ask for", other);
            return None;
        }
        Err(error) => {
            chart.bad(XML, error.to_string(), other);
            return None;
        }
    };
    match answer {
        Action::Settings(servers) => {
            let url = servers.into_iter().find_map(|server| server.url);
            match &url {
                Some(url) => chart.good(XML, format!("it names {url}")),
                None => chart.bad(XML, "it names no server", other),
            }
            url
        }
        Action::Redirect(address) => {
            let mend = format!("check {address} instead, if that is meant");
            chart.warning(XML, format!("phones are to begin again with {address}"), mend);
            None
        }
        Action::Error(error) => {
            let mend = format!(
                "see that {} is an address of {} (`retract user alias`)",
                patient.address, patient.user
            );
            chart.bad(XML, error.message.unwrap_or_default(), mend);
            None
        }
    }
}

async fn json(patient: &Patient, place: &Place, chart: &mut Chart) -> Option<String> {
    let query = Query {
        email: Some(patient.address.clone()),
        protocol: Some(ACTIVE_SYNC.to_owned()),
        redirect_count: 0,
    };
    let asked = exchange("GET", query.encode(), patient, String::new());
    let mend = "see that /autodiscover/ is passed to the gateway; newer apps ask here first";
    match place.send(&asked).await {
        Ok(answer) if answer.status == 200 => match Answer::decode(&answer.body) {
            Ok(Answer::Endpoint { url, .. }) => {
                chart.good(JSON, format!("it names {url}"));
                return Some(url);
            }
            Ok(Answer::Error { code, message }) => {
                chart.warning(JSON, format!("{code}: {message}"), mend);
            }
            Err(error) => chart.warning(JSON, error.to_string(), mend),
        },
        Ok(answer) => chart.warning(JSON, in_words(answer.status, JSON_PATH).0, mend),
        Err(error) => chart.warning(JSON, error.to_string(), mend),
    }
    None
}

/// The name and port of an address of HTTPS.
fn host_of(url: &str) -> Option<(String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let is_https = uri.scheme_str() == Some("https");
    let host = uri.host().filter(|_| is_https)?;
    Some((host.trim_matches(['[', ']']).to_owned(), uri.port_u16().unwrap_or(443)))
}

/// What the server itself does.
pub(super) async fn examine(patient: &Patient, place: &Place, chart: &mut Chart) {
    if !stranger(patient, place, chart).await {
        return;
    }
    if patient.password.is_none() {
        chart.skipped("sign-in", "no password is given (--password-file)");
        return;
    }
    if !options(patient, place, chart).await {
        return;
    }
    let mut driver = Driver::new(phone(patient), place.server.clone());
    if sync(&mut driver, chart).await && patient.hold_s > 0 {
        hold(&mut driver, patient.hold_s, chart).await;
    }
}

/// Whoever brings no password is asked for one.
async fn stranger(patient: &Patient, place: &Place, chart: &mut Chart) -> bool {
    let mut asked = phone(patient).options();
    asked.headers.retain(|(name, _)| name != "authorization");
    match place.send(&asked).await {
        Ok(answer) if answer.status == 401 => {
            let offers = answer.header("www-authenticate").unwrap_or_default();
            if !offers.to_ascii_lowercase().contains("basic") {
                let mend = "let the gateway ask for the password itself: the proxy in front of it must not";
                chart.bad(SERVER, format!("it asks for {offers:?}, not for a password"), mend);
                return false;
            }
            chart.good(SERVER, format!("{} asks for a password, as it should", place.host));
            true
        }
        Ok(answer) if answer.status == 200 => {
            let mend = "see that nothing in front of the gateway answers for it";
            chart.warning(SERVER, "it answers OPTIONS without a password", mend);
            true
        }
        Ok(answer) => {
            let (what, mend) = in_words(answer.status, ENDPOINT);
            chart.bad(SERVER, what, mend);
            false
        }
        Err(error) => {
            let mend = format!("see that {} answers on port {}", place.host, place.address.port());
            chart.bad(SERVER, error.to_string(), mend);
            false
        }
    }
}

/// With the password it says what it speaks.
async fn options(patient: &Patient, place: &Place, chart: &mut Chart) -> bool {
    let answer = match place.send(&phone(patient).options()).await {
        Ok(answer) => answer,
        Err(error) => {
            chart.bad("sign-in", error.to_string(), "try again, and look into the gateway's log");
            return false;
        }
    };
    if answer.status != 200 {
        let (what, mend) = in_words(answer.status, ENDPOINT);
        chart.bad("sign-in", what, mend);
        return false;
    }
    let said = answer.header(MS_AS_PROTOCOL_VERSIONS).unwrap_or_default();
    let spoken = said.split(',').filter(|version| version.parse::<ProtocolVersion>().is_ok());
    if spoken.count() == 0 {
        let mend = "let MS-ASProtocolVersions and MS-ASProtocolCommands pass the proxy, in both spellings of case";
        chart.bad("sign-in", format!("it says no version that phones speak: {said:?}"), mend);
        return false;
    }
    chart.good("sign-in", format!("it speaks {said}"));
    true
}

/// A whole set-up, and the Inbox until nothing more comes.
async fn sync(driver: &mut Driver, chart: &mut Chart) -> bool {
    let syncing = async {
        driver.set_up().await?;
        let inbox = driver.inbox();
        driver.catch_up(&inbox).await
    };
    match timeout(SYNC_PATIENCE, syncing).await {
        Ok(Ok(rounds)) => {
            let cache = &driver.phone.cache;
            let (folders, mails) = (cache.folders.len(), cache.items().count());
            let what = format!("{folders} folders, {mails} mails of the Inbox in {rounds} rounds");
            chart.good("sync", what);
            true
        }
        Ok(Err(error)) => {
            chart.bad("sync", error.to_string(), mend_of(&error));
            false
        }
        Err(_) => {
            let mend = "look at the load of the gateway, and at proxies that hold answers back";
            chart.bad("sync", "it does not end in time", mend);
            false
        }
    }
}

fn mend_of(error: &DriveError) -> &'static str {
    match error {
        DriveError::Refused(Status(129)) => {
            "the device is blocked or quarantined: `retract device list`, then `retract device allow`"
        }
        DriveError::Refused(Status(139..=145)) => {
            "the policy is not taken: `retract policy list`, and what is in front of the gateway must let X-MS-PolicyKey pass"
        }
        DriveError::Refused(Status(177)) => "the user has too many devices: remove old ones",
        DriveError::Wiped => {
            "somebody ordered this device to be wiped: `retract device clear-wipe`"
        }
        DriveError::Line(_) => {
            "something between cuts the connection: look at proxies and firewalls"
        }
        _ => "look into the gateway's log: it names the device retractdoctor",
    }
}

/// A wait as long as is asked for: proxies and firewalls that cut it make phones poll.
async fn hold(driver: &mut Driver, seconds: u32, chart: &mut Chart) {
    let inbox = driver.inbox();
    let begun = Instant::now();
    let exchange = driver.phone.ping(&[&inbox], seconds);
    let patience = Duration::from_secs(u64::from(seconds)) + PATIENCE;
    let waited = timeout(patience, driver.send(&exchange)).await;
    let after_s = begun.elapsed().as_secs();
    let mend = "let proxies and firewalls keep idle connections for an hour (nginx: proxy_read_timeout 3600s)";
    match waited {
        Ok(Ok(answer)) if answer.status == 200 => {
            chart.good("hold", format!("a wait of {after_s} s is answered"));
        }
        Ok(Ok(answer)) => {
            chart.bad("hold", format!("HTTP {} after {after_s} s", answer.status), mend);
        }
        Ok(Err(error)) => chart.bad("hold", format!("cut after {after_s} s: {error}"), mend),
        Err(_) => chart.bad("hold", format!("no answer after {after_s} s"), mend),
    }
}

/// A status that is not what it should be, and what it mostly means.
fn in_words(status: u16, path: &str) -> (String, String) {
    let mend = match status {
        401 => "see that name and password are right; some gateways want the whole address as name (--user)".to_owned(),
        403 => "the user is disabled, or may not sync: `retract user enable`".to_owned(),
        404 | 405 => format!("another web server answers: pass {path} to the gateway"),
        502 | 504 => "the proxy does not reach the gateway: see that it runs, and where it listens".to_owned(),
        503 => "the gateway asks for patience: too many wrong passwords, or too much to do; try again later".to_owned(),
        300..=399 => format!("it is sent elsewhere: let {path} be answered here"),
        _ => "look into the gateway's log".to_owned(),
    };
    (format!("HTTP {status} for {path}"), mend)
}

/// The device it is on the gateway's list.
const DEVICE_ID: &str = "retractdoctor";
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a set-up and a sync may take.
const SYNC_PATIENCE: Duration = Duration::from_secs(180);
const XML: &str = "autodiscover";
const JSON: &str = "autodiscover2";
const SERVER: &str = "endpoint";
