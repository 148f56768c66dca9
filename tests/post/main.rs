//! The post survives: a process that takes mail in and sends mail out is killed at every place of that road. What it had answered
//! for is there afterwards, once in every Inbox of ours, and at the relay no more often than was counted. Ann is away: who wrote to her has
//! one automatic reply.
//!
//! The test runs itself as the victim; the relay lives in the parent and sees what really arrived.

// A test that finds something wrong is meant to panic.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use retract::clock::{Clock, Timestamp};
use retract::database::{Bodies, Database, Error, Options, Tx};
use retract::delivery::{
    Lmtp, LmtpSettings, Outbox, OutboxSettings, Postman, Relay, RelaySettings, Security, Submission,
};
use retract::directory::{
    Audience, Away, AwayText, AwayWhen, Directory, NewUser, Settings, set_away,
};
use retract::failpoint;
use retract::ids::{CollectionNumber, UserId};
use retract::mailbox::embedded::Embedded;
use retract::mailbox::{Floor, Mailbox};
use retract::secret::Secret;

const DIR: &str = "RETRACT_POST_DIR";
const PORT: &str = "RETRACT_POST_RELAY";
const MAILS: u32 = 4;
const PLACES: [&str; 4] = ["mailbox.", "delivery.", "outbox.", "away."];
const INBOX: u32 = 1;
const SENT_ITEMS: u32 = 4;

struct Post {
    store: Embedded,
    postman: Postman,
    outbox: Outbox,
}

async fn open(dir: &Path, relay: u16) -> Post {
    let clock = Clock::system();
    let options = Options { ballast_bytes: 0, ..Options::default() };
    let database = Database::open(dir, options).unwrap();
    let bodies = Bodies::beside(&database).unwrap();
    let directory = Directory::new(database.clone(), clock.clone(), Settings::quick()).unwrap();
    for name in ["ann", "bob"] {
        let user = NewUser {
            name: name.into(),
            address: format!("{name}@a.example"),
            password: Secret::new("correct horse".into()),
            ..NewUser::default()
        };
        // The second time they are there already.
        let _known = directory.add_user(user).await;
    }
    database.write(|tx: &Tx<'_>| leave(tx)).await.unwrap();
    let store = Embedded::new(database, bodies, clock, Arc::new(|_| ()));
    store.tidy().await.unwrap();
    let postman = Postman::new(store.clone(), directory, "mx.a.example");
    let relay = Relay::new(RelaySettings::new("127.0.0.1", relay, Security::Plain));
    let outbox = Outbox::new(postman.clone(), Some(relay), OutboxSettings::default());
    Post { store, postman, outbox }
}

/// Ann goes away, or is away already.
fn leave(tx: &Tx<'_>) -> Result<(), Error> {
    let mut away = Away { when: AwayWhen::Always, ..Away::default() };
    away.texts[Audience::Unknown.index()] =
        AwayText { is_enabled: true, text: Some("Gone fishing".into()), is_html: false };
    set_away(tx, UserId(1), &away, Timestamp(0))
}

/// Does nothing unless another test here started it: then it takes mail in and sends mail out until it is killed.
#[test]
fn victim() {
    let (Some(dir), Ok(relay)) = (std::env::var_os(DIR), std::env::var(PORT)) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let post = open(Path::new(&dir), relay.parse().unwrap()).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(Lmtp::new(post.postman.clone(), LmtpSettings::default()).serve(listener));
        for n in 0..MAILS {
            if tokio::task::spawn_blocking(move || hand_in(port, n)).await.unwrap() {
                say(&format!("in{n}"));
            }
            let submission = Submission {
                user: UserId(1),
                client: None,
                sender: "ann@a.example".into(),
                raw: mail(&format!("out{n}")).into(),
                recipients: vec!["bob@a.example".into(), "eve@x.example".into()],
                save_in_sent: true,
                judge: None,
            };
            post.outbox.submit(submission).await.unwrap();
            say(&format!("out{n}"));
            post.outbox.run_due().await.unwrap();
        }
    });
}

fn say(word: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\ntaken {word}").and_then(|()| out.flush()).unwrap();
}

fn mail(id: &str) -> String {
    format!(
        "Message-ID: <{id}@a.example>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\
         From: ann@a.example\r\nTo: ann@a.example\r\nSubject: {id}\r\n\r\nHello\r\n"
    )
}

/// Hands a mail for Ann in over LMTP; answers whether the server answers for it now.
fn hand_in(port: u16, n: u32) -> bool {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let said = format!(
        "LHLO c\r\nMAIL FROM:<e{n}@x.example>\r\nRCPT TO:<ann@a.example>\r\nDATA\r\n{}.\r\nQUIT\r\n",
        mail(&format!("in{n}"))
    );
    stream.write_all(said.as_bytes()).unwrap();
    BufReader::new(stream).lines().any(|line| line.unwrap() == "250 2.0.0 delivered")
}

/// A relay that takes everything, and keeps count by Message-ID.
fn relay() -> (u16, Arc<Mutex<BTreeMap<String, u64>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let all = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let all = Arc::clone(&all);
            // A client that is killed in the middle is what this is about.
            std::thread::spawn(move || serve(stream.unwrap(), &all).ok());
        }
    });
    (port, seen)
}

fn serve(stream: TcpStream, seen: &Mutex<BTreeMap<String, u64>>) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    out.write_all(b"220 relay\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        if line == "DATA" {
            out.write_all(b"354 go\r\n")?;
            let mut id = String::new();
            for line in lines.by_ref() {
                let line = line?;
                if line == "." {
                    break;
                }
                if let Some(found) = line.strip_prefix("Subject: ") {
                    found.clone_into(&mut id);
                }
            }
            *seen.lock().unwrap().entry(id).or_default() += 1;
        }
        out.write_all(if line == "QUIT" { b"221 bye\r\n" } else { b"250 ok 1\r\n" })?;
    }
    Ok(())
}

/// How many mails of each subject lie in a standard folder.
async fn lying_in(post: &Post, user: UserId, folder: u32) -> BTreeMap<String, u64> {
    let mailbox = post.store.mailbox_of(user).await.unwrap();
    let folder = post.store.folder(mailbox, CollectionNumber(folder)).await.unwrap();
    let mut counted = BTreeMap::new();
    for item in post.store.below(folder.id, Floor::TOP, Timestamp(0), 999).await.unwrap() {
        let (_, raw) = post.store.read(folder.id, item.item).await.unwrap();
        let text = String::from_utf8(raw.to_vec()).unwrap();
        let subject = text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap();
        *counted.entry(subject.to_owned()).or_default() += 1;
    }
    counted
}

/// Kills the victim at a place, then opens the state again and lets the post go on. Answers how much had been taken, and whether
/// the victim lived.
async fn survives(place: &str, passage: u32) -> (usize, bool) {
    let dir = tempfile::tempdir().unwrap();
    let (port, relayed) = relay();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["victim", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, dir.path())
        .env(PORT, port.to_string())
        .env(failpoint::VARIABLE, format!("{place}:{passage}"))
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(child.stdout).unwrap();
    let taken: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("taken ")).collect();

    let post = open(dir.path(), port).await;
    post.outbox.recover().await.unwrap();
    post.outbox.run_due().await.unwrap();
    let counts = post.outbox.counts().await.unwrap();
    assert_eq!(counts.waiting, 0, "{place}:{passage}");
    let anns = lying_in(&post, UserId(1), INBOX).await;
    let bobs = lying_in(&post, UserId(2), INBOX).await;
    let sent = lying_in(&post, UserId(1), SENT_ITEMS).await;
    assert_eq!(bobs, sent, "{place}:{passage} every mail sent is at Bob's, and none else");
    assert!([&anns, &bobs].iter().all(|inbox| inbox.values().all(|&count| count == 1)));
    for word in &taken {
        assert!(anns.contains_key(*word) || sent.contains_key(*word), "{place}: {word} is lost");
    }
    let relayed = relayed.lock().unwrap();
    let answered = anns.keys().map(|subject| format!("Automatic reply: {subject}"));
    let expected: BTreeSet<String> = sent.keys().cloned().chain(answered).collect();
    assert!(relayed.keys().eq(expected.iter()), "{place}:{passage} {relayed:?} {expected:?}");
    let more: u64 = relayed.values().map(|count| count - 1).sum();
    assert!(more <= counts.maybe_twice, "{place}:{passage} twice without being counted");
    (taken.len(), child.status.success())
}

#[test]
fn mail_survives_a_kill_at_every_place_of_its_road() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ours = |name: &&&str| PLACES.iter().any(|room| name.starts_with(room));
    for place in failpoint::NAMES.iter().filter(ours) {
        for passage in [1, 3] {
            let (taken, lived) = runtime.block_on(survives(place, passage));
            assert!(!lived, "nobody passes {place} {passage} times");
            assert!(taken > 0 || passage == 1, "{place} proves nothing");
        }
    }
}
