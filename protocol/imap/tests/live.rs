//! One conversation with real servers: Dovecot with its extensions, Dovecot without them, and Cyrus.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test whose rig does not stand has failed"
)]

#[path = "rig/client.rs"]
mod client;
mod rig;

use client::{Answer, Client};
use imap_sans::{
    Code, Command, Data, Event, FetchItem, Flag, Ids, ListReturn, Mailbox, NotifyEvent,
    NotifyFilter, NumberSet, Sasl, SearchKey, SearchReturn, Secret, Section, SelectSync,
    StatusItem, StoreMode, Untagged,
};

/// Octets of the large message: more than is kept in memory.
const LARGE_BYTES: usize = 300_000;

#[tokio::test]
async fn dovecot_with_its_extensions() {
    let Some(server) = rig::dovecot(true) else { return };
    converse(server.port).await;
}

#[tokio::test]
async fn dovecot_without_its_extensions() {
    let Some(server) = rig::dovecot(false) else { return };
    converse(server.port).await;
}

#[tokio::test]
async fn cyrus() {
    let Some(server) = rig::cyrus() else { return };
    converse(server.port).await;
}

/// The whole conversation; what a server does not offer is done without.
async fn converse(port: u16) {
    wrong_password(port).await;
    let mut anna = signed_in(port).await;
    let mut other = signed_in(port).await;
    folders(&mut anna).await;
    let uids = deliver(&mut anna).await;
    let (validity, modseq) = select(&mut anna).await;
    read(&mut anna, &uids).await;
    search(&mut anna, &uids).await;
    let gone = change(&mut other, &uids).await;
    catch_up(&mut anna, validity, modseq, &gone).await;
    wait(&mut anna, &mut other).await;
    pipelined(&mut anna, &uids).await;
    anna.run(Command::Logout).await;
    assert!(anna.imap.is_closed());
}

async fn wrong_password(port: u16) {
    let mut client = Client::connect(port).await;
    let sasl = Sasl::Plain { act_as: None, user: "anna".into(), password: Secret::new("wrong") };
    let id = client.submit(Command::Authenticate(sasl));
    loop {
        if let Event::Done(done) = client.next().await {
            assert!(done.id == id && matches!(done.outcome, imap_sans::Outcome::No(_)), "{done:?}");
            break;
        }
    }
    assert!(!client.imap.is_signed_in());
}

async fn signed_in(port: u16) -> Client {
    let mut client = Client::connect(port).await;
    let password = Secret::new("pw");
    client
        .run(Command::Authenticate(Sasl::Plain { act_as: None, user: "anna".into(), password }))
        .await;
    if client.imap.capabilities().is_none() {
        client.run(Command::Capability).await;
    }
    if client.offers("ID") {
        client.run(Command::Id(vec![("name".into(), "retract".into())])).await;
    }
    if client.offers("QRESYNC") {
        let answer = client.run(Command::Enable(vec!["QRESYNC".into()])).await;
        assert!(answer.data.iter().any(|one| matches!(one, Untagged::Enabled(_))));
    }
    client
}

impl Client {
    fn offers(&self, capability: &str) -> bool {
        self.imap.capabilities().is_some_and(|known| known.offers(capability))
    }
}

fn listed(answer: &Answer) -> Vec<(String, Vec<String>)> {
    let names = answer.data.iter().filter_map(|one| match one {
        Untagged::List(listed) => {
            Some((listed.mailbox.name().to_owned(), listed.attributes.clone()))
        }
        _ => None,
    });
    names.collect()
}

async fn folders(client: &mut Client) {
    client.run(Command::Namespace).await;
    let special = client.offers("SPECIAL-USE");
    let mut returns = if special { vec![ListReturn::SpecialUse] } else { vec![] };
    if client.offers("LIST-STATUS") {
        returns.push(ListReturn::Status(vec![StatusItem::Messages, StatusItem::UidValidity]));
    }
    let name = Mailbox::new("Entwürfe & Mehr");
    client.run(Command::Create { mailbox: name.clone(), special_use: None }).await;
    client.run(Command::Subscribe(name.clone())).await;
    let list = Command::List { reference: String::new(), patterns: vec!["*".into()], returns };
    let answer = client.run(list).await;
    let names = listed(&answer);
    assert!(names.iter().any(|(listed, _)| listed == name.name()), "{names:?}");
    assert!(names.iter().any(|(listed, _)| listed == "INBOX"), "{names:?}");
    if special {
        let sent = names.iter().find(|(listed, _)| listed == "Sent").expect("a Sent folder");
        assert!(sent.1.iter().any(|one| one.eq_ignore_ascii_case("\\Sent")), "{sent:?}");
    }
    let status = Command::Status {
        mailbox: name.clone(),
        items: vec![StatusItem::Messages, StatusItem::UidNext],
    };
    let answer = client.run(status).await;
    let [Untagged::MailboxStatus(status)] = &answer.data[..] else { panic!("{answer:?}") };
    assert_eq!((&status.mailbox, status.messages), (&name, Some(0)));
    let new = Mailbox::new("Ablage");
    client.run(Command::Rename { from: name, to: new.clone() }).await;
    client.run(Command::Delete(new)).await;
}

fn message(number: usize, body: &str) -> Vec<u8> {
    format!(
        "From: Bob <bob@example.com>\r\nTo: anna@example.com\r\nSubject: Letter {number}\r\n\
         Message-ID: <{number}@example.com>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n--x\r\n\
         Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=a.bin\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n--x--\r\n"
    )
    .into_bytes()
}

fn append(octets: Vec<u8>) -> Command {
    Command::Append {
        mailbox: Mailbox::inbox(),
        flags: vec![Flag::Flagged],
        date: Some(imap_sans::DateTime::utc(1_795_000_000)),
        octets,
    }
}

/// Six small messages, pipelined, and a large one.
async fn deliver(client: &mut Client) -> Vec<u32> {
    let mut ids: Vec<_> =
        (1..=6).map(|number| client.submit(append(message(number, "short text")))).collect();
    ids.push(client.submit(append(message(7, &"0123456789abcde\r\n".repeat(LARGE_BYTES / 17)))));
    let mut uids = Vec::new();
    for id in ids {
        let answer = client.ended(id).await;
        let Some(Code::AppendUid { uids: one, .. }) = &answer.status.code else {
            panic!("UIDPLUS: {answer:?}")
        };
        uids.extend(one.numbers());
    }
    assert_eq!(uids.len(), 7);
    uids
}

async fn select(client: &mut Client) -> (u32, u64) {
    let sync = if client.offers("CONDSTORE") { SelectSync::CondStore } else { SelectSync::Plain };
    let answer =
        client.run(Command::Select { mailbox: Mailbox::inbox(), read_only: false, sync }).await;
    assert!(client.imap.is_selected());
    assert!(answer.data.contains(&Untagged::Exists(7)), "{answer:?}");
    let mut found = (0, 0);
    for code in answer.codes() {
        match code {
            Code::UidValidity(validity) => found.0 = *validity,
            Code::HighestModSeq(modseq) => found.1 = *modseq,
            _ => {}
        }
    }
    assert!(found.0 > 0);
    assert_eq!(found.1 > 0, client.offers("CONDSTORE"));
    found
}

fn fetch(uids: &[u32], items: Vec<FetchItem>) -> Command {
    let ids = Ids::Uids(uids.iter().copied().collect());
    Command::Fetch { ids, items, changed_since: None, vanished: false }
}

async fn read(client: &mut Client, uids: &[u32]) {
    let mut items = vec![
        FetchItem::Flags,
        FetchItem::InternalDate,
        FetchItem::Size,
        FetchItem::Envelope,
        FetchItem::BodyStructure,
        FetchItem::Content { section: Section::header(), partial: None },
        FetchItem::Content { section: Section::part(&[1]), partial: Some((6, 4)) },
    ];
    if client.offers("BINARY") {
        items.push(FetchItem::Binary { path: vec![2], partial: None });
        items.push(FetchItem::BinarySize { path: vec![2] });
    }
    if client.offers("PREVIEW") {
        items.push(FetchItem::Preview { lazy: false });
    }
    if client.offers("SAVEDATE") {
        items.push(FetchItem::SaveDate);
    }
    if client.offers("OBJECTID") {
        items.extend([FetchItem::EmailId, FetchItem::ThreadId]);
    }
    let answer = client.run(fetch(&uids[..6], items)).await;
    assert_eq!(answer.fetches().count(), 6);
    for (nth, one) in answer.fetches().enumerate() {
        assert_eq!(one.unread, [""; 0], "{one:?}");
        assert_eq!(one.uid, Some(uids[nth]));
        assert!(one.flags.as_ref().unwrap().contains(&Flag::Flagged));
        assert_eq!(one.internal_date.unwrap().unix_s, 1_795_000_000);
        let envelope = one.envelope.as_ref().unwrap();
        assert_eq!(envelope.subject.as_deref(), Some(format!("Letter {}", nth + 1).as_bytes()));
        let parts = one.body.as_ref().unwrap();
        let paths: Vec<_> = parts.parts().into_iter().map(|part| part.path).collect();
        assert_eq!(paths, [vec![], vec![1], vec![2]]);
        assert_eq!(one.octets(&Section::part(&[1])), Some(&b"text"[..]));
        if client.offers("BINARY") {
            assert_eq!(one.octets(&Section::part(&[2])), Some(&[0, 1, 2, 3][..]));
            assert_eq!(one.binary_sizes, [(vec![2], 4)]);
        }
        if client.offers("PREVIEW") {
            // Cyrus knows one only after its indexer has run.
            let preview = one.preview.as_ref().unwrap();
            assert!(preview.as_ref().is_none_or(|text| text.contains("short text")));
        }
        assert_eq!(one.save_date.is_some(), client.offers("SAVEDATE"));
        assert_eq!(one.email_id.is_some(), client.offers("OBJECTID"));
    }
    let whole = FetchItem::Content { section: Section::whole(), partial: None };
    let answer = client.run(fetch(&uids[6..], vec![FetchItem::Uid, whole])).await;
    let large = answer.fetches().next().unwrap();
    let Data::Streamed { literal, length } = large.contents[0].data else { panic!("{large:?}") };
    assert_eq!(answer.streamed[&literal].len() as u64, length);
    assert!(answer.streamed[&literal].ends_with(b"--x--\r\n") && length as usize > LARGE_BYTES);
}

async fn search(client: &mut Client, uids: &[u32]) {
    let key = SearchKey::And(vec![
        SearchKey::HasNot(Flag::Deleted),
        SearchKey::Header("Message-ID".into(), "<3@example.com>".into()),
    ]);
    let returns = if client.offers("ESEARCH") {
        vec![SearchReturn::All, SearchReturn::Count]
    } else {
        vec![]
    };
    let id = client.submit(Command::Search { uid: true, returns, key });
    let answer = client.ended(id).await;
    let found = answer.data.iter().find_map(|one| match one {
        Untagged::Search(search) => Some(search.found.clone()),
        Untagged::Esearch(search) => {
            assert!(search.uid && search.count == Some(1) && search.tag == Some(id.tag()));
            Some(search.all.clone())
        }
        _ => None,
    });
    assert_eq!(found, Some(NumberSet::from(uids[2])));
    let key = SearchKey::Or(
        Box::new(SearchKey::Subject("grüße".into())),
        Box::new(SearchKey::Text("nirgends \"zitiert\"".into())),
    );
    client.run(Command::Search { uid: true, returns: vec![], key }).await;
}

/// Another client reads one, deletes two and moves one away; which are gone from the Inbox.
async fn change(other: &mut Client, uids: &[u32]) -> NumberSet {
    let select = |mailbox| Command::Select { mailbox, read_only: false, sync: SelectSync::Plain };
    other.run(select(Mailbox::inbox())).await;
    let store = |uids: &[u32], flag| Command::Store {
        ids: Ids::Uids(uids.iter().copied().collect()),
        unchanged_since: None,
        mode: StoreMode::Add,
        silent: true,
        flags: vec![flag],
    };
    other.run(store(&uids[..1], Flag::Seen)).await;
    other.run(store(&uids[1..3], Flag::Deleted)).await;
    // Marked by somebody else, and to stay.
    other.run(store(&uids[4..5], Flag::Deleted)).await;
    other.run(Command::UidExpunge(uids[1..3].iter().copied().collect())).await;
    let mut gone: NumberSet = uids[1..3].iter().copied().collect();
    let one = Ids::Uids(NumberSet::from(uids[3]));
    let to = Mailbox::new("Trash");
    let moves = other.offers("MOVE");
    let command =
        if moves { Command::Move { ids: one, to } } else { Command::Copy { ids: one, to } };
    let answer = other.run(command).await;
    let map = answer.codes().into_iter().find_map(|code| match code {
        Code::CopyUid { map, .. } => map.get(uids[3]),
        _ => None,
    });
    assert!(map.is_some(), "COPYUID says where it went: {answer:?}");
    if moves {
        gone.insert(uids[3]);
    }
    gone
}

/// What we know is brought up to date: by QRESYNC, or by looking at everything.
async fn catch_up(client: &mut Client, uid_validity: u32, modseq: u64, gone: &NumberSet) {
    let mailbox = Mailbox::inbox();
    if client.offers("QRESYNC") {
        client.run(Command::Unselect).await;
        let sync = SelectSync::QResync { uid_validity, modseq, known: None };
        let answer = client.run(Command::Select { mailbox, read_only: false, sync }).await;
        let vanished = answer.data.iter().find_map(|one| match one {
            Untagged::Vanished { earlier: true, uids } => Some(uids),
            _ => None,
        });
        assert_eq!(vanished, Some(gone), "{answer:?}");
        assert!(answer.fetches().any(|one| one.flags.as_ref().unwrap().contains(&Flag::Seen)));
        return;
    }
    client.run(Command::Noop).await;
    let all = Command::Fetch {
        ids: Ids::Uids(NumberSet::all()),
        items: vec![FetchItem::Flags],
        changed_since: None,
        vanished: false,
    };
    let answer = client.run(all).await;
    let there: Vec<u32> = answer.fetches().filter_map(|one| one.uid).collect();
    assert_eq!(there.len() as u64 + gone.len(), 7);
    assert!(there.iter().all(|&uid| !gone.contains(uid)));
}

/// News come without asking: by NOTIFY, by IDLE, or on NOOP.
async fn wait(client: &mut Client, other: &mut Client) {
    let arrives = |one: &Untagged| matches!(one, Untagged::Exists(_) | Untagged::Fetch(_));
    if client.offers("IDLE") {
        let id = client.submit(Command::Idle);
        while !matches!(client.next().await, Event::Idling(_)) {}
        other.run(append(message(10, "more news"))).await;
        client.news(arrives).await;
        client.imap.done(std::time::Instant::now());
        client.ended(id).await;
    } else {
        other.run(append(message(10, "more news"))).await;
        let answer = client.run(Command::Noop).await;
        assert!(answer.data.iter().any(arrives), "{answer:?}");
    }
    // From here on IDLE tells only what NOTIFY was asked for (RFC 5465 3).
    if client.offers("NOTIFY") {
        let events = vec![
            NotifyEvent::MessageNew(vec![FetchItem::Uid, FetchItem::Flags]),
            NotifyEvent::MessageExpunge,
        ];
        let plain = vec![NotifyEvent::MessageNew(vec![]), NotifyEvent::MessageExpunge];
        let groups = vec![(NotifyFilter::Selected, events), (NotifyFilter::Personal, plain)];
        client.run(Command::NotifySet { status: true, groups }).await;
        other.run(append(message(8, "news"))).await;
        // Dovecot 2.3.19 tells nothing of a change to the selected mailbox that comes right after NOTIFY SET until the next one:
        // whoever relies on NOTIFY asks once more.
        let answer = client.run(Command::Noop).await;
        assert!(answer.data.iter().any(arrives), "{answer:?}");
        let mut elsewhere = append(message(9, "elsewhere"));
        if let Command::Append { mailbox, .. } = &mut elsewhere {
            *mailbox = Mailbox::new("Sent");
        }
        other.run(elsewhere).await;
        let sent = |one: &Untagged| matches!(one, Untagged::MailboxStatus(status) if status.mailbox.name() == "Sent");
        client.news(sent).await;
        client.run(Command::NotifyNone).await;
    }
}

/// Many questions at once are answered each.
async fn pipelined(client: &mut Client, uids: &[u32]) {
    let ids: Vec<_> =
        (0..20).map(|_| client.submit(fetch(&uids[..1], vec![FetchItem::Size]))).collect();
    for id in ids {
        client.ended(id).await;
    }
    assert!(client.imap.is_idle());
}
