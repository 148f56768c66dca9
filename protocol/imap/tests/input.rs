//! Whatever a server sends: the promises of `check.rs`, over seeds, over lines cut and mixed at random, and over time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test whose rig does not stand has failed"
)]

use std::time::{Duration, Instant};

use imap_sans::check::{TIGHT, any_input};
use imap_sans::{
    Command, Connection, Data, Event, Fault, Ids, Limits, Lost, Mailbox, NumberSet, Outcome, Sasl,
    Secret, SelectSync, Untagged, Upgrade,
};
use proptest::prelude::*;

#[test]
fn the_seeds_of_the_fuzz_target_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/imap_client");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        any_input(&std::fs::read(file.path()).unwrap());
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} seeds");
}

/// Pieces that responses are made of.
const PIECES: &[&str] = &[
    "* OK hello\r\n",
    "* PREAUTH hi\r\n",
    "* ",
    "R1 ",
    "R2 OK done\r\n",
    "R3 NO [TRYCREATE] x\r\n",
    "+ go\r\n",
    "+\r\n",
    "1 FETCH (",
    "UID 5 ",
    "FLAGS (\\Seen a]b)",
    "BODY[]",
    " {20}\r\n",
    " {3}\r\n",
    "~{4+}\r\n",
    "abc",
    "\"q\\\"x\"",
    "(",
    ")",
    "((((((((((",
    "VANISHED (EARLIER) 1:4,9",
    "ESEARCH (TAG \"R1\") UID ALL 1:*",
    "SEARCH 1 2 3",
    "BYE\r\n",
    "\r\n",
    "\n",
    " ",
    "NIL",
    "BODYSTRUCTURE (\"mixed\" NIL)",
    "LIST () \"/\" \"&AOQ-\"",
    "[",
    "]",
    "<0>",
    "HEADER.FIELDS (A B)",
    "STATUS x (MESSAGES 1)",
    "OK [COPYUID 1 1:2 3:4] y\r\n",
    "R4 OK idle ended\r\n",
    "99999999999999999999",
    "\u{e4}",
    "\0",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn lines_mixed_at_random_hold(pieces in proptest::collection::vec(0..PIECES.len(), 0..60)) {
        let text: String = pieces.into_iter().map(|at| PIECES[at]).collect();
        any_input(text.as_bytes());
        any_input(format!("* PREAUTH hello\r\n{text}").as_bytes());
    }

    #[test]
    fn any_octets_hold(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        any_input(&octets);
    }

    /// No text becomes a command: what goes out is one line, or literals of the announced length.
    #[test]
    fn no_text_becomes_a_command(name: String, password in proptest::collection::vec(any::<u8>(), 0..30)) {
        let now = Instant::now();
        let mut imap = Connection::new(Limits::DEFAULT, now);
        imap.handle_input(b"* OK [CAPABILITY IMAP4rev1 LITERAL+] hi\r\n", now);
        let login = Command::Login { user: name.clone(), password: Secret::new(password.clone()) };
        let taken = imap.submit(login, now);
        prop_assert_eq!(taken.is_err(), name.contains('\0') || password.contains(&0));
        let sent: Vec<u8> = std::iter::from_fn(|| imap.poll_output(now)).flat_map(|o| o.to_vec()).collect();
        let mut rest = &sent[..];
        let mut lines = 0;
        while let Some(end) = rest.windows(2).position(|w| w == b"\r\n") {
            let line = &rest[..end];
            rest = &rest[end + 2..];
            let literal = line.strip_suffix(b"+}").and_then(|l| l.rsplit(|&c| c == b'{').next());
            let length = literal.map_or(0, |digits| std::str::from_utf8(digits).unwrap().parse().unwrap());
            rest = &rest[length..];
            lines += usize::from(literal.is_none());
        }
        prop_assert!(rest.is_empty() && lines <= 1);
    }
}

fn signed_in(limits: Limits, now: Instant) -> Connection {
    let mut imap = Connection::new(limits, now);
    imap.handle_input(b"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] hello\r\n", now);
    assert!(matches!(imap.poll_event(), Some(Event::Greeting(_))));
    imap
}

fn events(imap: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| imap.poll_event()).collect()
}

fn sent(imap: &mut Connection, now: Instant) -> String {
    let octets = std::iter::from_fn(|| imap.poll_output(now)).flat_map(|output| output.to_vec());
    String::from_utf8(octets.collect()).unwrap()
}

#[test]
fn silence_is_never_success() {
    let now = Instant::now();
    let mut imap = signed_in(Limits::DEFAULT, now);
    let out = imap.submit(Command::Noop, now).unwrap();
    let waiting = imap.submit(Command::Namespace, now).unwrap();
    assert_eq!(imap.poll_timeout(), Some(now + Limits::DEFAULT.silence_max));
    imap.handle_timeout(now + Limits::DEFAULT.silence_max);
    let ends: Vec<_> = events(&mut imap)
        .into_iter()
        .filter_map(|event| match event {
            Event::Done(done) => Some((done.id, done.outcome)),
            _ => None,
        })
        .collect();
    assert_eq!(
        ends,
        [(out, Outcome::Lost(Lost::Timeout)), (waiting, Outcome::Unsent(Lost::Timeout))]
    );
    assert!(imap.is_closed() && imap.submit(Command::Noop, now).is_err());
}

#[test]
fn a_server_that_trickles_is_given_up_too() {
    let now = Instant::now();
    let mut imap = signed_in(Limits::DEFAULT, now);
    imap.submit(Command::Noop, now).unwrap();
    let mut later = now;
    while !imap.is_closed() {
        later += Duration::from_secs(30);
        imap.handle_input(b"* OK Still here\r\n", later);
        imap.handle_timeout(later);
        assert!(later <= now + Limits::DEFAULT.command_max + Duration::from_secs(30));
    }
}

#[test]
fn an_idle_ends_before_the_server_tires_of_it() {
    let now = Instant::now();
    let mut imap = signed_in(Limits::DEFAULT, now);
    imap.submit(Command::Idle, now).unwrap();
    let after = imap.submit(Command::Noop, now).unwrap();
    imap.handle_input(b"+ idling\r\n", now);
    assert_eq!(sent(&mut imap, now), "R1 IDLE\r\n");
    let due = imap.poll_timeout().unwrap();
    assert_eq!(due, now + Limits::DEFAULT.idle_max);
    imap.handle_timeout(due);
    assert_eq!(sent(&mut imap, due), "DONE\r\n");
    imap.handle_input(b"R1 OK done\r\n", due);
    assert_eq!(sent(&mut imap, due), format!("{} NOOP\r\n", after.tag()));
}

#[test]
fn a_literal_waits_for_the_servers_word_or_falls_with_its_no() {
    let now = Instant::now();
    let append = || Command::Append {
        mailbox: Mailbox::new("Entwürfe"),
        flags: vec![imap_sans::Flag::Seen],
        date: Some(imap_sans::DateTime::utc(0)),
        octets: b"Subject: x\r\n\r\n".to_vec(),
    };
    let start = "APPEND Entw&APw-rfe (\\Seen) \" 1-Jan-1970 00:00:00 +0000\" {14}\r\n";
    let mut imap = signed_in(Limits::DEFAULT, now);
    imap.submit(append(), now).unwrap();
    imap.submit(append(), now).unwrap();
    assert_eq!(sent(&mut imap, now), format!("R1 {start}"));
    imap.handle_input(b"+ go\r\n", now);
    assert_eq!(sent(&mut imap, now), format!("Subject: x\r\n\r\n\r\nR2 {start}"));
    imap.handle_input(b"R1 OK [APPENDUID 7 9] done\r\nR2 NO [OVERQUOTA] full\r\n", now);
    assert_eq!(sent(&mut imap, now), "", "the second literal is not sent");
    assert!(imap.is_idle() && events(&mut imap).len() == 2);
}

#[test]
fn tls_and_compression_take_the_octets_after_them() {
    let now = Instant::now();
    let mut imap = Connection::new(Limits::DEFAULT, now);
    imap.handle_input(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n", now);
    imap.submit(Command::StartTls, now).unwrap();
    imap.submit(Command::Capability, now).unwrap();
    assert_eq!(sent(&mut imap, now), "R1 STARTTLS\r\n");
    let input = b"R1 OK go\r\n* CAPABILITY injected\r\n";
    assert_eq!(imap.handle_input(input, now), 10, "what follows in the clear is not read");
    assert_eq!(events(&mut imap).last(), Some(&Event::Upgrade(Upgrade::Tls)));
    assert_eq!(sent(&mut imap, now), "");
    imap.upgraded(now);
    assert!(imap.capabilities().is_none(), "what was said before TLS is forgotten");
    assert_eq!(sent(&mut imap, now), "R2 CAPABILITY\r\n");
}

#[test]
fn signing_in_in_every_way() {
    let now = Instant::now();
    let user = || "anna".to_owned();
    let token = || Secret::new("tok");
    let plain =
        Sasl::Plain { act_as: Some("bob".into()), user: user(), password: Secret::new("pw") };
    let bearer = Sasl::OAuthBearer { user: user(), host: "h".into(), port: 993, token: token() };
    for (sasl, line, surrender) in [
        (plain, "AUTHENTICATE PLAIN Ym9iAGFubmEAcHc=", "*"),
        (
            bearer,
            "AUTHENTICATE OAUTHBEARER bixhPWFubmEsAWhvc3Q9aAFwb3J0PTk5MwFhdXRoPUJlYXJlciB0b2sBAQ==",
            "AQ==",
        ),
        (
            Sasl::XOAuth2 { user: user(), token: token() },
            "AUTHENTICATE XOAUTH2 dXNlcj1hbm5hAWF1dGg9QmVhcmVyIHRvawEB",
            "",
        ),
    ] {
        let shown = format!("{sasl:?}");
        assert!(shown.contains("Secret") && !shown.contains("tok\"") && !shown.contains("116"));
        for at_once in [true, false] {
            let mut imap = Connection::new(Limits::DEFAULT, now);
            let extra = if at_once { " SASL-IR" } else { "" };
            imap.handle_input(format!("* OK [CAPABILITY IMAP4rev1{extra}] hi\r\n").as_bytes(), now);
            imap.submit(Command::Authenticate(sasl.clone()), now).unwrap();
            let mut all = sent(&mut imap, now);
            if !at_once {
                imap.handle_input(b"+\r\n", now);
                all = format!("{} {}", all.trim_end(), sent(&mut imap, now));
            }
            assert_eq!(all, format!("R1 {line}\r\n"));
            imap.handle_input(b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n", now);
            assert_eq!(sent(&mut imap, now), format!("{surrender}\r\n"));
            imap.handle_input(b"R1 NO [AUTHENTICATIONFAILED] no\r\n", now);
            assert!(!imap.is_signed_in());
        }
    }
}

#[test]
fn a_select_that_fails_leaves_nothing_selected() {
    let now = Instant::now();
    let mut imap = signed_in(Limits::DEFAULT, now);
    let known = Some(NumberSet::from(41..=211));
    let sync = SelectSync::QResync { uid_validity: 67890007, modseq: 90060115194045001, known };
    imap.submit(Command::Select { mailbox: Mailbox::inbox(), read_only: false, sync }, now)
        .unwrap();
    // RFC 7162 3.2.5.1, but for the tag.
    assert_eq!(
        sent(&mut imap, now),
        "R1 SELECT INBOX (QRESYNC (67890007 90060115194045001 41:211))\r\n"
    );
    imap.handle_input(b"R1 OK [READ-WRITE] done\r\n", now);
    assert!(imap.is_selected());
    let select = Command::Select {
        mailbox: Mailbox::new("x"),
        read_only: true,
        sync: SelectSync::CondStore,
    };
    imap.submit(select, now).unwrap();
    assert_eq!(sent(&mut imap, now), "R2 EXAMINE x (CONDSTORE)\r\n");
    imap.handle_input(b"R2 NO no such mailbox\r\n", now);
    assert!(!imap.is_selected());
}

#[test]
fn what_cannot_be_read_spoils_nothing_else_and_is_counted() {
    let now = Instant::now();
    let mut imap = signed_in(Limits::DEFAULT, now);
    imap.submit(Command::Noop, now).unwrap();
    let deep = "(".repeat(100_000) + &")".repeat(100_000);
    let lines = format!(
        "* 1 FETCH (BODYSTRUCTURE {deep} UID 7 ENVELOPE (\"only one\") FLAGS (\\Seen))\r\n* VANISHED x\r\nR1 OK\r\n"
    );
    assert_eq!(imap.handle_input(lines.as_bytes(), now), lines.len());
    let events = events(&mut imap);
    let [Event::Untagged(Untagged::Fetch(fetch)), Event::Skipped { fault, .. }, Event::Done(done)] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (fetch.uid, &fetch.unread[..]),
        (Some(7), &["BODYSTRUCTURE".to_owned(), "ENVELOPE".to_owned()][..])
    );
    assert_eq!(fetch.flags.as_deref(), Some(&[imap_sans::Flag::Seen][..]));
    assert_eq!(*fault, Fault::Malformed("set"));
    assert_eq!(done.unread, 1);
}

#[test]
fn memory_stays_bounded_while_nobody_listens() {
    let now = Instant::now();
    let mut imap = signed_in(TIGHT, now);
    let line = b"* 3 EXISTS\r\n".repeat(1000);
    let taken = imap.handle_input(&line, now);
    assert!(taken < 500, "{taken} octets taken");
    assert!(!events(&mut imap).is_empty());
    assert!(imap.handle_input(&line[taken..], now) > 0, "and on it goes");
}

#[test]
fn a_long_literal_is_told_with_its_message() {
    let now = Instant::now();
    let mut imap = signed_in(TIGHT, now);
    imap.handle_input(b"* 4 FETCH (UID 9 BODY[1.2]<5> {20}\r\n0123456789", now);
    let all = events(&mut imap);
    let [Event::LiteralStart { literal: 1, length: 20, fetch: Some(fetch) }] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!((fetch.uid, fetch.contents[0].section.path.as_slice()), (Some(9), &[1, 2][..]));
    assert_eq!(fetch.contents[0].origin, Some(5));
    imap.handle_input(b"0123456789)\r\n", now);
    let all = events(&mut imap);
    let Some(Event::Untagged(Untagged::Fetch(fetch))) = all.last() else { panic!("{all:?}") };
    assert_eq!(fetch.contents[0].data, Data::Streamed { literal: 1, length: 20 });
}

#[test]
fn sequence_numbers_wait_for_what_could_move_them() {
    let now = Instant::now();
    let mut imap = signed_in(Limits::DEFAULT, now);
    let fetch = |ids| Command::Fetch {
        ids,
        items: vec![imap_sans::FetchItem::Flags],
        changed_since: Some(12),
        vanished: false,
    };
    imap.submit(fetch(Ids::Uids(NumberSet::all())), now).unwrap();
    imap.submit(fetch(Ids::AllNumbers), now).unwrap();
    assert_eq!(sent(&mut imap, now), "R1 UID FETCH 1:4294967295 (FLAGS) (CHANGEDSINCE 12)\r\n");
    imap.handle_input(b"R1 OK\r\n", now);
    assert_eq!(sent(&mut imap, now), "R2 FETCH 1:* (FLAGS) (CHANGEDSINCE 12)\r\n");
    assert!(imap.submit(fetch(Ids::Uids(NumberSet::new())), now).is_err(), "about no message");
}
