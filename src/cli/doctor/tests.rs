//! The doctor on loopback: a gateway that is well, and the usual ways in which one is not. The DNS and the port are the test's own.

use std::collections::BTreeMap;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::dns::tests::{loopback, server as name_server, service};
use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::database::Options;
use crate::directory::{self, NewUser};
use crate::eas::tls::{Identity, self_signed, server_config};
use crate::policy::Access;
use crate::secret::Secret;
use crate::server::{Opening, Server};

const PASSWORD: &str = "correct horse";
/// The names the certificate is for.
const NAMES: [&str; 2] = ["mail.a.example", "autodiscover.a.example"];

/// A gateway on loopback, and whom phones are to trust.
struct Ward {
    server: Server,
    port: u16,
    roots: Vec<Vec<u8>>,
    _dir: TempDir,
}

impl Ward {
    async fn open() -> Ward {
        let dir = tempfile::tempdir().unwrap();
        // The address that Autodiscover tells has the port in it, so the port is chosen first.
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let mut config = Config::default();
        config.server.data_dir = dir.path().join("data");
        std::fs::create_dir_all(&config.server.data_dir).unwrap();
        config.server.domains = vec!["a.example".to_owned()];
        config.phones.listen = Some(SocketAddr::from(([127, 0, 0, 1], port)));
        let names = NAMES.map(str::to_owned);
        let (certificate, key) = self_signed(&names, Clock::system().now()).unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("cert.pem"), &certificate).unwrap();
        std::fs::write(path("key.pem"), key).unwrap();
        config.phones.certificate = Some(path("cert.pem"));
        config.phones.private_key = Some(path("key.pem"));
        config.autodiscover.url = Some(format!("https://mail.a.example:{port}"));
        (config.admin.listen, config.lmtp.listen) = (None, None);
        config.push.heartbeat_s_min = 1;
        let clock = Clock::system();
        let opening = Opening {
            database: Options::quick(&clock),
            sign_in: directory::Settings::quick(),
            ..Opening::default()
        };
        let server = Server::start(&config, clock, opening).await.unwrap();
        let ann = NewUser {
            name: "ann".to_owned(),
            address: "ann@a.example".to_owned(),
            password: Secret::new(PASSWORD.to_owned()),
            ..NewUser::default()
        };
        server.house.directory.add_user(ann).await.unwrap();
        Ward { server, port, roots: roots(&certificate), _dir: dir }
    }

    async fn patient(&self) -> Patient {
        patient_at(self.port, &self.roots, usual_names()).await
    }
}

fn roots(pem: &str) -> Vec<Vec<u8>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(|der| der.unwrap().to_vec()).collect()
}

type Names = BTreeMap<&'static str, (u16, Vec<u8>)>;

fn usual_names() -> Names {
    NAMES.into_iter().map(|name| (name, loopback())).collect()
}

async fn patient_at(port: u16, roots: &[Vec<u8>], names: Names) -> Patient {
    Patient {
        address: "ann@a.example".to_owned(),
        domain: "a.example".to_owned(),
        user: "ann".to_owned(),
        password: Some(PASSWORD.to_owned()),
        server: None,
        port,
        resolver: Resolver { named: Some(name_server(names).await) },
        trust: Trust::of(roots).unwrap(),
        hold_s: 0,
    }
}

/// How each check went, by name; of several of one name the worst.
async fn chart(patient: &Patient) -> BTreeMap<&'static str, (Outcome, String, String)> {
    let mut chart = BTreeMap::new();
    for Finding { check, outcome, what, mend } in examine(patient).await {
        let is_worse = outcome != Outcome::Good || !chart.contains_key(check);
        if is_worse {
            chart.insert(check, (outcome, what, mend.unwrap_or_default()));
        }
    }
    chart
}

#[track_caller]
fn is_bad(
    chart: &BTreeMap<&'static str, (Outcome, String, String)>,
    check: &str,
    what: &str,
    mend: &str,
) {
    let (outcome, said, how) = &chart[check];
    assert_eq!(*outcome, Outcome::Bad, "{chart:#?}");
    assert!(said.contains(what) && how.contains(mend), "{said} / {how}");
}

#[tokio::test]
async fn a_gateway_that_is_well() {
    let ward = Ward::open().await;
    let patient = Patient { hold_s: 1, ..ward.patient().await };
    let chart = chart(&patient).await;
    let checks: Vec<&str> = chart.keys().copied().collect();
    let all = [
        "autodiscover",
        "autodiscover2",
        "certificate",
        "dns",
        "endpoint",
        "hold",
        "sign-in",
        "sync",
    ];
    assert_eq!(checks, all, "{chart:#?}");
    assert!(chart.values().all(|(outcome, ..)| *outcome == Outcome::Good), "{chart:#?}");
    assert!(chart["sign-in"].1.contains("12.1,14.0,14.1,16.0,16.1"));
    ward.server.stop().await;
}

#[tokio::test]
async fn a_service_record_is_as_good_as_a_name() {
    let ward = Ward::open().await;
    let names = BTreeMap::from([
        ("mail.a.example", loopback()),
        ("_autodiscover._tcp.a.example", service(ward.port, "mail.a.example")),
    ]);
    let patient = patient_at(ward.port, &ward.roots, names).await;
    let found = examine(&patient).await;
    assert!(found.iter().all(|finding| finding.outcome == Outcome::Good), "{found:#?}");
    assert!(found[0].what.contains("_autodiscover._tcp.a.example names mail.a.example"));
}

#[tokio::test]
async fn a_domain_without_records() {
    let ward = Ward::open().await;
    let names = BTreeMap::from([("mail.a.example", loopback())]);
    let lost = patient_at(ward.port, &ward.roots, names).await;
    is_bad(&chart(&lost).await, "dns", "autodiscover.a.example has no address", "CNAME");
    // An owner who types the server by hand gets by.
    let server = Some(("mail.a.example".to_owned(), ward.port));
    let by_hand = chart(&Patient { server, ..lost }).await;
    assert_eq!(by_hand["dns"].0, Outcome::Warning);
    assert_eq!(by_hand["sync"].0, Outcome::Good, "{by_hand:#?}");
}

#[tokio::test]
async fn a_certificate_phones_do_not_trust() {
    let ward = Ward::open().await;
    let (other, _) = self_signed(&["x.example".to_owned()], Clock::system().now()).unwrap();
    let patient = patient_at(ward.port, &roots(&other), usual_names()).await;
    let chart_of = chart(&patient).await;
    is_bad(&chart_of, "certificate", "nobody phones trust", "whole chain");
    assert!(!chart_of.contains_key("sign-in"), "no password travels over it");
    let names = BTreeMap::from([("autodiscover.b.example", loopback())]);
    let patient = Patient {
        domain: "b.example".to_owned(),
        ..patient_at(ward.port, &ward.roots, names).await
    };
    is_bad(&chart(&patient).await, "certificate", "mail.a.example", "names autodiscover.b.example");
}

/// A server with this certificate that answers every request with this status.
async fn impostor(made_days_ago: u64, status: &'static str) -> (u16, Vec<Vec<u8>>) {
    let made = Clock::system().now().before(Duration::from_hours(24 * made_days_ago));
    let (certificate, key) = self_signed(&NAMES.map(str::to_owned), made).unwrap();
    let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(server_config(identity.into()).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut seen = vec![0; 8192];
            let _ = stream.read(&mut seen).await;
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, roots(&certificate))
}

#[tokio::test]
async fn a_certificate_that_ended_or_ends_soon() {
    let (port, roots) = impostor(900, "404 Not Found").await;
    let chart_of = chart(&patient_at(port, &roots, usual_names()).await).await;
    is_bad(&chart_of, "certificate", "is not trusted", "renew it");
    let (port, roots) = impostor(crate::eas::tls::SELF_SIGNED_DAYS - 5, "404 Not Found").await;
    let chart_of = chart(&patient_at(port, &roots, usual_names()).await).await;
    assert_eq!(chart_of["certificate"].0, Outcome::Warning, "{chart_of:#?}");
    assert!(chart_of["certificate"].1.contains("three weeks"));
}

#[tokio::test]
async fn another_web_server_and_a_proxy_without_a_gateway() {
    for (status, mend) in
        [("404 Not Found", "pass /autodiscover"), ("502 Bad Gateway", "does not reach")]
    {
        let (port, roots) = impostor(0, status).await;
        let server = Some(("mail.a.example".to_owned(), port));
        let patient = Patient { server, ..patient_at(port, &roots, usual_names()).await };
        let chart = chart(&patient).await;
        is_bad(&chart, "autodiscover", &status[..3], mend);
        is_bad(&chart, "endpoint", &status[..3], "");
        assert!(!chart.contains_key("sign-in"));
    }
}

#[tokio::test]
async fn nobody_listens() {
    let ward = Ward::open().await;
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let patient = patient_at(port, &ward.roots, usual_names()).await;
    is_bad(&chart(&patient).await, "connection", "autodiscover.a.example", "firewalls");
}

#[tokio::test]
async fn a_wrong_password_and_an_address_of_somebody_else() {
    let ward = Ward::open().await;
    let password = Some("wrong".to_owned());
    let chart_of = chart(&Patient { password, ..ward.patient().await }).await;
    is_bad(&chart_of, "autodiscover", "401", "name and password");
    is_bad(&chart_of, "sign-in", "401", "name and password");
    let address = "ben@a.example".to_owned();
    let chart_of = chart(&Patient { address, ..ward.patient().await }).await;
    is_bad(&chart_of, "autodiscover", "can't be found", "retract user alias");
    let patient = Patient { password: None, ..ward.patient().await };
    let chart_of = chart(&patient).await;
    assert_eq!(chart_of["endpoint"].0, Outcome::Good, "{chart_of:#?}");
    assert_eq!(chart_of["sign-in"].0, Outcome::Skipped);
}

#[tokio::test]
async fn a_device_that_waits_for_somebody_to_let_it_in() {
    let ward = Ward::open().await;
    ward.server.house.policies.set_default_access(Access::Quarantine, "root").await.unwrap();
    is_bad(&chart(&ward.patient().await).await, "sync", "129", "retract device allow");
}

#[test]
fn the_report_is_for_people_and_programs() {
    let mut chart = Chart::default();
    chart.good("dns", "autodiscover.a.example is 192.0.2.1");
    chart.bad("certificate", "it is for x", "get another");
    let checks: Vec<Value> = chart.findings.iter().map(Finding::document).collect();
    let words = in_words(&json!({ "well": false, "checks": checks }));
    assert!(words.contains("BAD      certificate   it is for x"), "{words}");
    assert!(words.contains("to mend it: get another") && words.contains("cannot be set up"));
}
