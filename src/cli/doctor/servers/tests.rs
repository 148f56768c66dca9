//! The words for what servers can and cannot do, and lines that are not what they should be.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::finding::Outcome;
use super::*;
use crate::clock::Clock;
use crate::delivery::{Login, NotLetIn, RelaySurvey};
use crate::eas::tls::{Identity, self_signed, server_config};
use crate::keyring::{Credential, CredentialKind};
use crate::mailbox::imap::survey::Inside;

fn by_check(findings: Vec<Finding>) -> BTreeMap<&'static str, (Outcome, String)> {
    findings.into_iter().map(|one| (one.check, (one.outcome, one.what))).collect()
}

fn of_imap(inside: &Inside) -> BTreeMap<&'static str, (Outcome, String)> {
    let mut chart = Chart::default();
    imap::abilities(inside, &mut chart);
    by_check(chart.findings)
}

fn of_smtp(found: &RelaySurvey) -> BTreeMap<&'static str, (Outcome, String)> {
    let mut chart = Chart::default();
    smtp::abilities(found, &mut chart);
    by_check(chart.findings)
}

#[test]
fn a_server_that_can_everything() {
    let inside = Inside {
        uidplus: true,
        condstore: true,
        qresync: true,
        says_qresync: true,
        notify: true,
        idle: true,
        moves: true,
        special_use: true,
        object_id: true,
        keeps_keywords: true,
        uid_validity: [7, 7],
        ..Inside::default()
    };
    let chart = of_imap(&inside);
    assert!(chart.values().all(|(outcome, _)| *outcome == Outcome::Good), "{chart:#?}");
    let liar = Inside { qresync: false, ..inside.clone() };
    assert!(of_imap(&liar)["imap-looks"].1.contains("does not turn it on"));
    for uid_validity in [[0, 0], [7, 8]] {
        let chart = of_imap(&Inside { uid_validity, ..inside.clone() });
        assert_eq!(chart["imap-uids"].0, Outcome::Bad);
    }
}

#[test]
fn what_is_lacking_has_its_consequence() {
    let chart = of_imap(&Inside { uid_validity: [7, 7], ..Inside::default() });
    for (check, words) in [
        ("imap-recall", "store_cannot_remove"),
        ("imap-news", "within 30 s"),
        ("imap-looks", "cost much more"),
        ("imap-moves", "copied and then removed"),
        ("imap-keywords", "stay on the gateway"),
    ] {
        let (outcome, said) = &chart[check];
        assert_eq!(*outcome, Outcome::Warning, "{check}");
        assert!(said.contains(words), "{said}");
    }
    let idle = Inside { idle: true, condstore: true, ..Inside::default() };
    let chart = of_imap(&idle);
    assert!(chart["imap-news"].1.contains("within 60 s"));
    assert!(chart["imap-looks"].1.contains("looks cost more"));

    let chart = of_smtp(&RelaySurvey { octets_max: Some(5_250_000), ..RelaySurvey::default() });
    assert!(chart["smtp-utf8"].1.contains("non-ASCII letters bounces"));
    assert!(chart["smtp-8bit"].1.contains("8-bit text bounces"));
    assert!(chart["smtp-size"].1.contains("5.2 MB"));
    assert!(chart.values().all(|(outcome, _)| *outcome == Outcome::Warning));
    let able = RelaySurvey { eight_bit: true, utf8: true, ..RelaySurvey::default() };
    assert!(of_smtp(&able).values().all(|(outcome, _)| *outcome == Outcome::Good));
}

#[test]
fn who_signs_in_where_mail_leaves() {
    let secret = Secret::new("pw".to_owned());
    let ann = Credential { login: "ann".to_owned(), kind: CredentialKind::Password, secret };
    let said = |login: &Login, auth: &[&str], signed_in| {
        let mut chart = Chart::default();
        let auth = auth.iter().map(|way| (*way).to_owned()).collect();
        let found = RelaySurvey { auth, signed_in, ..RelaySurvey::default() };
        smtp::sign_in(login, Some(&ann), &found, &mut chart);
        let finding = chart.findings.remove(0);
        assert!(!format!("{finding:?}").contains("pw"), "no password in a report");
        (finding.outcome, finding.what)
    };
    let no = NotLetIn { is_no: true, why: "535 5.7.8 no".to_owned() };
    assert_eq!(said(&Login::User, &["PLAIN"], Some(Ok(()))).0, Outcome::Good);
    assert_eq!(said(&Login::User, &["PLAIN"], None).0, Outcome::Skipped);
    assert_eq!(said(&Login::Nobody, &[], None).0, Outcome::Good);
    let (outcome, what) = said(&Login::User, &["LOGIN"], Some(Err(no)));
    assert_eq!((outcome, what.contains("535")), (Outcome::Bad, true));
    assert_eq!(said(&Login::User, &["XOAUTH2"], None).0, Outcome::Bad);
    assert!(said(&Login::User, &[], None).1.contains("takes no passwords on this line"));
}

/// A server that speaks TLS from the first octet and says these words after each thing it reads; the PEM of who vouches for it.
async fn in_tls(names: &[&str], words: &'static [&'static str]) -> (u16, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let (certificate, key) = self_signed(&names, Clock::system().now()).unwrap();
    let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(server_config(identity.into()).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            for line in words {
                let _ = stream.write_all(line.as_bytes()).await;
                let _ = stream.read(&mut [0; 4096]).await;
            }
        }
    });
    (port, certificate)
}

const IMAP_WORDS: &[&str] = &[
    "* OK hello\r\n",
    "* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2\r\nR1 OK\r\n",
    "* BYE\r\nR2 OK\r\n",
];

/// Nobody is tried, and nothing takes long.
fn nobody() -> Trial {
    Trial { try_user: None, try_password_file: None, try_other: None, patience: 5 }
}

async fn found(text: &str, trial: &Trial) -> BTreeMap<&'static str, (Outcome, String)> {
    let config = Config::parse(text, "test", std::iter::empty()).unwrap();
    by_check(examine(&config, trial).await.unwrap())
}

fn imap_at(port: u16, more: &str) -> String {
    format!("[mailbox]\nbackend = \"imap\"\n[imap]\nhost = \"localhost\"\nport = {port}\n{more}")
}

#[tokio::test]
async fn a_certificate_is_vouched_for_or_no_word_goes_out() {
    let dir = tempfile::tempdir().unwrap();
    let (port, certificate) = in_tls(&["localhost"], IMAP_WORDS).await;
    let stranger = found(&imap_at(port, "security = \"tls\""), &nobody()).await;
    let (outcome, said) = &stranger["imap-tls"];
    assert_eq!(*outcome, Outcome::Bad, "{stranger:#?}");
    assert!(said.contains("nobody this host trusts vouches for it"), "{said}");
    assert!(!stranger.contains_key("imap-ways"), "nothing is said over it");
    let roots = dir.path().join("roots.pem");
    std::fs::write(&roots, certificate).unwrap();
    let known = format!("security = \"tls\"\nroots = {:?}", roots.display().to_string());
    let chart = found(&imap_at(port, &known), &nobody()).await;
    assert_eq!(chart["imap-tls"].0, Outcome::Good, "{chart:#?}");
    assert!(chart["imap"].1.contains("greets: hello"));
    assert_eq!(chart["imap-ways"].1, "takes PLAIN, XOAUTH2");
    assert_eq!(chart["imap-sign-in"].0, Outcome::Skipped);
    assert!(chart["imap-access"].1.contains("only when its owner's phone next connects"));
    assert!(chart["smtp"].1.contains("phones can read and cannot send"));
}

#[tokio::test]
async fn another_name_and_another_way() {
    let dir = tempfile::tempdir().unwrap();
    let (port, certificate) = in_tls(&["imap.a.example"], IMAP_WORDS).await;
    let roots = dir.path().join("roots.pem");
    std::fs::write(&roots, certificate).unwrap();
    let roots = format!("roots = {:?}", roots.display().to_string());
    let chart = found(&imap_at(port, &format!("security = \"tls\"\n{roots}")), &nobody()).await;
    assert!(chart["imap-tls"].1.contains("imap.a.example"), "{chart:#?}");
    // TLS is spoken where STARTTLS is waited for.
    let trial = Trial { patience: 1, ..nobody() };
    let chart = found(&imap_at(port, "security = \"starttls\""), &trial).await;
    assert_eq!(chart["imap"].0, Outcome::Bad, "{chart:#?}");
}
