//! Submission: as the user whose mail it is, to servers that can much or little, and that fail at any line.

use std::time::Duration;

use super::relay::{FakeRelay, Fault, Manners};
use super::*;
use crate::keyring::Keyring;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a credential stays when nobody holds it.
const KEPT: Duration = Duration::from_secs(600);

struct Rig {
    house: House,
    relay: FakeRelay,
    outbox: Outbox,
    ring: Keyring,
}

fn settings(port: u16) -> RelaySettings {
    RelaySettings {
        command_timeout: Duration::from_millis(300),
        data_timeout: Duration::from_millis(300),
        ..RelaySettings::new("127.0.0.1", port, Security::Plain)
    }
}

async fn rig(login: Login) -> Rig {
    let (house, relay) = (House::new().await, FakeRelay::start().await);
    let ring = Keyring::new(house.clock.clone(), KEPT);
    let way = Relay::new(RelaySettings { login, ..settings(relay.port) });
    let outbox = Outbox::new(postman(&house), Some(way), OutboxSettings::default());
    Rig { house, relay, outbox: outbox.for_users(ring.clone()), ring }
}

impl Rig {
    async fn sends(&self, wanted: Submission) -> OutboxId {
        let submitted = self.outbox.submit(wanted).await.unwrap();
        self.outbox.run_due().await.unwrap();
        submitted.outbox
    }

    async fn later(&self, by: Duration) {
        self.house.clock.advance(by);
        self.outbox.run_due().await.unwrap();
    }

    async fn comes(&self, credential: Credential) {
        self.ring.present(ANN, credential);
        self.outbox.welcome_one(ANN).await.unwrap();
        self.outbox.run_due().await.unwrap();
    }

    async fn state(&self, mail: OutboxId) -> (String, String) {
        let state = self.outbox.states(mail).await.unwrap().remove(0);
        (state.state, state.reply.unwrap_or_default())
    }

    fn heard(&self, start: &str) -> Vec<String> {
        let heard = self.relay.heard.lock();
        heard.iter().filter(|line| line.starts_with(start)).cloned().collect()
    }
}

#[tokio::test]
async fn mail_waits_for_its_user_without_an_error_and_without_patience() {
    let rig = rig(Login::User).await;
    let id = rig.sends(submission("m", &["eve@x.example", "bob@a.example"])).await;
    let states = rig.outbox.states(id).await.unwrap();
    assert_eq!(states[0].state, "delivered", "Bob is here: nobody has to be asked");
    assert_eq!(states[1].state, "waiting");
    assert!(states[1].reply.as_deref().unwrap().contains("its sender to sign in"));
    rig.later(9 * DAY).await;
    assert!(rig.relay.heard.lock().is_empty() && inbox(&rig.house, ANN).await.is_empty());
    assert_eq!(rig.outbox.counts().await.unwrap().waiting, 1);
    rig.relay.behaves(Manners { to_mail: Some("451 4.3.0 soon"), ..Manners::default() });
    rig.comes(word("secret word")).await;
    assert_eq!(rig.outbox.states(id).await.unwrap()[1].state, "waiting", "patience begins now");
    rig.relay.behaves(Manners::default());
    rig.later(MINUTE).await;
    assert_eq!(rig.outbox.states(id).await.unwrap()[1].state, "relayed");
    assert_eq!(rig.heard("AUTH"), ["AUTH PLAIN AGFubgBzZWNyZXQgd29yZA=="; 2]);
}

#[tokio::test]
async fn the_worker_hears_who_comes() {
    let rig = rig(Login::User).await;
    rig.outbox.submit(submission("m", &["eve@x.example"])).await.unwrap();
    rig.outbox.run_due().await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let worker = tokio::spawn(rig.outbox.clone().run(stopped));
    rig.ring.present(ANN, word("secret word"));
    rig.relay.saw.notified().await;
    stop.send(true).unwrap();
    worker.await.unwrap();
    assert_eq!(rig.relay.saw().len(), 1);
}

#[tokio::test]
async fn who_came_while_nobody_listened_is_found_at_the_start() {
    let rig = rig(Login::User).await;
    rig.outbox.submit(submission("m", &["eve@x.example"])).await.unwrap();
    rig.outbox.run_due().await.unwrap();
    rig.ring.present(ANN, word("secret word"));
    rig.outbox.welcome_all().await.unwrap();
    rig.outbox.run_due().await.unwrap();
    assert_eq!(rig.relay.saw().len(), 1);
}

#[tokio::test]
async fn a_refused_credential_is_left_alone_for_a_while_and_another_one_is_not() {
    let rig = rig(Login::User).await;
    rig.ring.present(ANN, word("wrong"));
    let one = rig.sends(submission("m", &["eve@x.example"])).await;
    let two = rig.sends(submission("n", &["eve@x.example"])).await;
    for id in [one, two] {
        let (state, reply) = rig.state(id).await;
        assert!(state == "waiting" && reply.starts_with("535 5.7.8"), "{reply}");
    }
    rig.later(5 * MINUTE).await;
    rig.comes(word("wrong")).await;
    assert_eq!(rig.heard("AUTH").len(), 1, "whichever mail, however often they come");
    rig.later(15 * MINUTE).await;
    assert_eq!(rig.heard("AUTH").len(), 2, "until some time has passed");
    rig.comes(word("secret word")).await;
    assert_eq!(
        (rig.state(one).await.0, rig.state(two).await.0),
        ("relayed".into(), "relayed".into())
    );
    assert!(inbox(&rig.house, ANN).await.is_empty());
}

#[tokio::test]
async fn a_credential_that_never_works_is_told_of_in_the_end() {
    let rig = rig(Login::User).await;
    let id = rig.sends(submission("m", &["eve@x.example"])).await;
    rig.later(9 * DAY).await;
    rig.comes(word("wrong")).await;
    let _held = rig.ring.hold(ANN);
    rig.later(3 * DAY).await;
    assert_eq!(rig.state(id).await.0, "failed");
    assert!(inbox(&rig.house, ANN).await[0].contains("535 5.7.8 wrong"));
}

#[tokio::test]
async fn the_credential_is_held_while_mail_is_under_way_and_no_longer() {
    let rig = rig(Login::User).await;
    rig.ring.present(ANN, word("secret word"));
    rig.relay.behaves(Manners { to_mail: Some("451 4.7.1 greylisted"), ..Manners::default() });
    let id = rig.sends(submission("m", &["eve@x.example"])).await;
    rig.house.clock.advance(KEPT * 3);
    rig.ring.tidy();
    rig.relay.behaves(Manners::default());
    rig.outbox.run_due().await.unwrap();
    assert_eq!(rig.state(id).await.0, "relayed");
    rig.house.clock.advance(KEPT);
    rig.ring.tidy();
    assert_eq!(rig.ring.count(), 0);
}

/// Sends once with a credential to a relay that says this, and gives what it heard after EHLO, before MAIL.
async fn signs_in(
    kind: CredentialKind,
    secret: &str,
    script: Vec<(&'static str, &'static str)>,
) -> (Vec<String>, String) {
    let rig = rig(Login::User).await;
    rig.relay.behaves(Manners { script, ..Manners::default() });
    rig.ring.present(ANN, Credential { kind, ..word(secret) });
    let id = rig.sends(submission("m", &["eve@x.example"])).await;
    let mut heard = rig.relay.heard.lock().clone();
    // Said again after the sign-in.
    heard.retain(|line| !line.starts_with("EHLO"));
    let until = heard.iter().position(|line| line.starts_with("MAIL") || line == "QUIT");
    (heard[..until.unwrap_or(heard.len())].to_vec(), rig.state(id).await.0)
}

#[tokio::test]
async fn each_way_to_sign_in_says_what_its_document_has() {
    let login = vec![
        ("EHLO", "250-relay\r\n250 AUTH LOGIN"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
        ("YW5u", "334 UGFzc3dvcmQ6"),
        ("c2VjcmV0", "235 2.7.0 yes"),
    ];
    let (heard, state) = signs_in(CredentialKind::Password, "secret", login).await;
    assert_eq!((heard.join("|").as_str(), state.as_str()), ("AUTH LOGIN|YW5u|c2VjcmV0", "relayed"));
    let bearer = vec![("EHLO", "250-x\r\n250 auth xoauth2 oauthbearer"), ("AUTH", "235 2.7.0 yes")];
    let (heard, state) = signs_in(CredentialKind::Bearer, "t.o.k", bearer).await;
    // n,a=ann,^Aauth=Bearer t.o.k^A^A
    let wanted = "AUTH OAUTHBEARER bixhPWFubiwBYXV0aD1CZWFyZXIgdC5vLmsBAQ==";
    assert_eq!((heard.join("|").as_str(), state.as_str()), (wanted, "relayed"));
    let xoauth2 = vec![("EHLO", "250-x\r\n250 AUTH XOAUTH2"), ("AUTH", "235 2.7.0 yes")];
    let (heard, _) = signs_in(CredentialKind::Bearer, "t.o.k", xoauth2).await;
    // user=ann^Aauth=Bearer t.o.k^A^A
    assert_eq!(heard, ["AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgdC5vLmsBAQ=="]);
    let expired = vec![
        ("EHLO", "250-x\r\n250 AUTH OAUTHBEARER"),
        ("AUTH", "334 eyJzdGF0dXMiOiI0MDEifQ=="),
        ("AQ==", "535 5.7.8 expired"),
    ];
    let (heard, state) = signs_in(CredentialKind::Bearer, "t.o.k", expired).await;
    assert_eq!((heard.len(), heard[1].as_str(), state.as_str()), (2, "AQ==", "waiting"));
    let long = "x".repeat(2_000);
    let apart = vec![
        ("EHLO", "250-x\r\n250 AUTH PLAIN"),
        ("AUTH PLAIN", "334 "),
        ("AGFubgB4", "235 2.7.0 yes"),
    ];
    let (heard, state) = signs_in(CredentialKind::Password, &long, apart).await;
    assert_eq!(
        (heard[0].as_str(), state.as_str()),
        ("AUTH PLAIN", "relayed"),
        "too long for a line"
    );
    let none = vec![("EHLO", "250-x\r\n250 AUTH GSSAPI")];
    let (heard, state) = signs_in(CredentialKind::Password, "secret", none).await;
    assert_eq!((heard.len(), state.as_str()), (0, "waiting"), "nothing we know is offered");
}

#[tokio::test]
async fn starttls_is_brought_up_and_nothing_said_before_it_is_believed() {
    let (relay, authority) = FakeRelay::start_starttls().await;
    let way = RelaySettings {
        authority_pem: Some(authority),
        host: "localhost".to_owned(),
        security: Security::StartTls,
        ..settings(relay.port)
    };
    let to = ["eve@x.example".to_owned()];
    let send = async || {
        let relay = Relay::new(way.clone());
        relay.offer(None, "ann@a.example", &to, &mail("m")).await.remove(0)
    };
    assert_eq!(send().await, Offer::Taken("2.0.0 taken".into()));
    assert_eq!(relay.saw()[0].data.as_bytes(), mail("m"));
    relay.behaves(Manners {
        script: vec![("STARTTLS", "220 go\r\n250 me too")],
        ..Manners::default()
    });
    assert!(matches!(send().await, Offer::Later(why) if why.contains("before TLS")));
    assert_eq!(relay.saw().len(), 1);
}

#[tokio::test]
async fn a_mail_that_is_too_large_is_refused_where_it_is_handed_in() {
    let rig = rig(Login::Nobody).await;
    let script = vec![("EHLO", "250-relay\r\n250-8BITMIME\r\n250 SIZE 5000000")];
    rig.relay.behaves(Manners { script, ..Manners::default() });
    let large = |to: &[&str]| {
        let raw = [&mail("m")[..], &b"0123456789\r\n".repeat(450_000)].concat();
        Submission { raw: raw.into(), ..submission("m", to) }
    };
    let refused = rig.outbox.submit(large(&["eve@x.example"])).await;
    assert!(matches!(refused, Err(SubmitError::TooLarge)), "it was asked");
    rig.outbox.submit(large(&["bob@a.example"])).await.unwrap();
    rig.sends(submission("n", &["eve@x.example"])).await;
    assert_eq!(rig.heard("MAIL"), [format!("MAIL FROM:<ann@a.example> SIZE={}", mail("n").len())]);
    // What it says may change: then it is the relay that refuses, and its sender is told.
    let script = vec![("EHLO", "250-relay\r\n250 SIZE 100")];
    rig.relay.behaves(Manners { script, ..Manners::default() });
    let id = rig.sends(submission("o", &["eve@x.example"])).await;
    assert_eq!(rig.state(id).await.0, "failed");
    assert!(inbox(&rig.house, ANN).await.iter().any(|note| note.contains("Status: 5.3.4\r\n")));
    assert_eq!(rig.heard("MAIL").len(), 1);
}

#[tokio::test]
async fn what_the_relay_cannot_take_as_it_is_comes_back_with_the_reason() {
    let rig = rig(Login::Nobody).await;
    let of = |id: &str, header: &str, body: &str, to: &[&str]| {
        let raw = format!("Message-ID: <{id}@a.example>\r\nX: {header}\r\n\r\n{body}\r\n");
        Submission { raw: raw.into(), ..submission(id, to) }
    };
    let fates = async |wanted: Submission| {
        let id = rig.sends(wanted).await;
        let states = rig.outbox.states(id).await.unwrap();
        let fate = |state: RecipientState| {
            let reply = state.reply.unwrap_or_default();
            format!("{} {}", state.state, reply.split(' ').next().unwrap_or_default())
        };
        states.into_iter().map(fate).collect::<Vec<_>>()
    };
    rig.relay.behaves(Manners { script: vec![("EHLO", "250 relay")], ..Manners::default() });
    assert_eq!(fates(of("a", "x", "hätte", &["eve@x.example"])).await, ["failed 5.6.3"]);
    assert_eq!(fates(of("b", "x", "ascii", &["eve@x.example"])).await, ["relayed 2.0.0"]);
    rig.relay.behaves(Manners::default());
    assert_eq!(fates(of("c", "Größe", "x", &["eve@x.example"])).await, ["failed 5.6.7"]);
    let both = ["eve@x.example", "jürgen@x.example"];
    assert_eq!(fates(of("d", "x", "hätte", &both)).await, ["relayed 2.0.0", "failed 5.6.7"]);
    let script = vec![("EHLO", "250-relay\r\n250-8BITMIME\r\n250 SMTPUTF8")];
    rig.relay.behaves(Manners { script, ..Manners::default() });
    assert_eq!(fates(of("e", "Größe", "x", &both)).await, ["relayed 2.0.0"; 2]);
    let mails = rig.heard("MAIL");
    let wanted = ["", " BODY=8BITMIME", " BODY=8BITMIME SMTPUTF8"];
    assert_eq!(mails, wanted.map(|rest| format!("MAIL FROM:<ann@a.example>{rest}")));
    assert_eq!(rig.heard("RCPT TO:<j"), ["RCPT TO:<jürgen@x.example>"]);
    let notes = inbox(&rig.house, ANN).await;
    assert!(notes.len() == 3 && notes.iter().any(|note| note.contains("SMTPUTF8")));
}

#[tokio::test]
async fn the_octets_arrive_as_they_were() {
    let rig = rig(Login::Nobody).await;
    let long = "x".repeat(3_000);
    let odd = format!(".\r\n..\r\n.dot\r\n{long}\r\n\r\nhätte\r\n.\r\n\r\n");
    let lines = ".0123456789 0123456789\r\n".repeat(20_000);
    for (id, body) in [("odd", odd.as_str()), ("large", &lines), ("open", "no end of line")] {
        let raw = [&mail(id)[..], body.as_bytes()].concat();
        rig.sends(Submission { raw: raw.clone().into(), ..submission(id, &["eve@x.example"]) })
            .await;
        let seen = rig.relay.saw().pop().unwrap();
        let data: Vec<u8> =
            seen.data.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let ended = if raw.ends_with(b"\r\n") { raw } else { [&raw[..], b"\r\n"].concat() };
        assert!(data == ended, "{id}");
    }
}

/// The replies: greeting, EHLO, AUTH, EHLO, MAIL, RCPT, DATA, the mail's, QUIT's.
#[tokio::test]
async fn a_relay_that_fails_at_any_line_loses_nothing_and_doubles_nothing_uncounted() {
    for fault in [Fault::Cut, Fault::Hang, Fault::Drip] {
        for line in 1..=9 {
            let rig = rig(Login::Service(word("secret word"))).await;
            rig.relay.behaves(Manners { fails_at: Some((line, fault)), ..Manners::default() });
            let begun = std::time::Instant::now();
            let id = rig.sends(submission("m", &["eve@x.example"])).await;
            assert!(begun.elapsed() < Duration::from_secs(20), "{fault:?} at {line}");
            let state = rig.state(id).await.0;
            assert_eq!(state, if line == 9 { "relayed" } else { "waiting" }, "{fault:?} at {line}");
            rig.relay.behaves(Manners::default());
            rig.later(MINUTE).await;
            assert_eq!(rig.state(id).await.0, "relayed", "{fault:?} at {line}");
            let twice = rig.outbox.counts().await.unwrap().maybe_twice;
            let seen = rig.relay.saw();
            assert!(seen.iter().all(|seen| seen.data.as_bytes() == mail("m")));
            assert_eq!(
                (seen.len(), twice),
                if line == 8 { (2, 1) } else { (1, 0) },
                "{fault:?} at {line}"
            );
        }
    }
}

/// Dovecot's submission service offers 8BITMIME to strangers, and after the sign-in what the server behind it can do.
#[tokio::test]
async fn what_counts_is_what_the_relay_can_do_after_the_sign_in() {
    let rig = rig(Login::Service(word("secret word"))).await;
    rig.relay
        .behaves(Manners { then_can: Some("250-relay\r\n250 SIZE 1000000"), ..Manners::default() });
    let raw = [&mail("m")[..], "hätte\r\n".as_bytes()].concat();
    let id = rig.sends(Submission { raw: raw.into(), ..submission("m", &["eve@x.example"]) }).await;
    let (state, reply) = rig.state(id).await;
    assert!(state == "failed" && reply.starts_with("5.6.3"), "{reply}");
    rig.sends(submission("n", &["eve@x.example"])).await;
    assert_eq!(rig.heard("MAIL"), [format!("MAIL FROM:<ann@a.example> SIZE={}", mail("n").len())]);
}
