//! Response lines of real servers and of the extensions we use, and imap-codec as the oracle where both can read them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test whose rig does not stand has failed"
)]

use std::time::Instant;

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use imap_sans::{Command, Connection, Event, Limits, Untagged};

/// The lines; 70 of them were measured against two other parsers, which read 48 and 52.
const LINES: &[&[u8]] = &[
    b"* VANISHED (EARLIER) 1:3,9\r\n",
    b"* VANISHED 4\r\n",
    b"* 1 FETCH (UID 1 MODSEQ (12) FLAGS (\\Seen $Forwarded))\r\n",
    b"* OK [CLOSED] Previous mailbox closed.\r\n",
    b"* OK [HIGHESTMODSEQ 9223372036854775807] Highest\r\n",
    b"* OK [NOMODSEQ] none\r\n",
    b"* OK [MODIFIED 7,9] Conditional STORE failed\r\n",
    b"* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1 HIGHESTMODSEQ 3)\r\n",
    b"* STATUS INBOX (MESSAGES 1 SIZE 20000000000)\r\n",
    b"* STATUS INBOX (MESSAGES 1 MAILBOXID (F6352ae03))\r\n",
    b"* STATUS INBOX (UNSEEN 1 DELETED 0 RECENT 0)\r\n",
    b"* 1 FETCH (UID 5 PREVIEW \"hello\")\r\n",
    b"* 1 FETCH (UID 5 PREVIEW {5}\r\nhello)\r\n",
    b"* 1 FETCH (UID 5 PREVIEW NIL)\r\n",
    b"* 1 FETCH (UID 5 SAVEDATE \"01-Jan-2026 00:00:00 +0000\")\r\n",
    b"* 1 FETCH (EMAILID (M6d99ac3275bb4e) THREADID (T64b478a75b7ea9))\r\n",
    b"* 1 FETCH (EMAILID (M6d) THREADID NIL)\r\n",
    b"* OK [MAILBOXID (F2212ea87)] Ok\r\n",
    b"* ESEARCH (TAG \"a\") UID ALL 1:5\r\n",
    b"* ESEARCH (TAG \"a\") UID ALL 1:5 MODSEQ 12\r\n",
    b"* ESEARCH (TAG \"a\") UID\r\n",
    b"* SEARCH 2 5 (MODSEQ 917162500)\r\n",
    b"* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n",
    b"* LIST (\\HasChildren) \"/\" A (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n",
    b"* LIST () \"/\" New (\"OLDNAME\" (\"Old\"))\r\n",
    b"* LIST (\\Subscribed \\NonExistent) \"/\" x\r\n",
    "* LIST () \"/\" \"Entwürfe\"\r\n".as_bytes(),
    b"* LIST () \"/\" {3}\r\na\"b\r\n",
    b"* OK [NOTIFICATIONOVERFLOW] too many\r\n",
    b"* METADATA \"\" (/shared/comment NIL)\r\n",
    b"* METADATA INBOX (/private/comment {5}\r\nhello)\r\n",
    b"* METADATA INBOX /private/comment\r\n",
    b"* NAMESPACE ((\"\" \"/\")) NIL ((\"Public/\" \"/\"))\r\n",
    b"* OK [APPENDUID 1795442417 5] done\r\n",
    b"* OK [COPYUID 1795442417 1:3,7 2:4,9] Moved\r\n",
    b"* ENABLED QRESYNC CONDSTORE\r\n",
    b"* 1 FETCH (BINARY[1] ~{5}\r\nhel\0o)\r\n",
    b"* 1 FETCH (BINARY.SIZE[1] 5)\r\n",
    b"* 1 FETCH (BODY[HEADER.FIELDS (FROM \"X-Y\")] {2}\r\n\r\n)\r\n",
    b"* 1 FETCH (BODY[]<0> \"abc\")\r\n",
    b"* 1 FETCH (X-GM-THRID 1278455344230334865 X-GM-MSGID 1278455344230334865 X-GM-LABELS (\\Inbox foo) UID 4)\r\n",
    b"* OK Still here\r\n",
    "* NO [ALERT] ünïcode\r\n".as_bytes(),
    b"* NO [X-FOO bar baz] nope\r\n",
    b"* XFOO bar\r\n",
    b"* NO [UIDNOTSTICKY] Non-persistent UIDs\r\n",
    b"* NO [OVERQUOTA] full\r\n",
    b"* NO [UNAVAILABLE] x\r\n",
    b"* QUOTA \"\" (STORAGE 10 512)\r\n",
    b"* QUOTAROOT INBOX \"User quota\"\r\n",
    b"* ID (\"name\" \"Dovecot\")\r\n",
    b"* CAPABILITY IMAP4rev1 UNSELECT IDLE X-GM-EXT-1 UTF8=ACCEPT APPENDLIMIT=35651584\r\n",
    b"* 1 FETCH (ENVELOPE (\"Mon, 7 Feb 1994 21:52:25 -0800 (PST)\" \"s\" ((\"A\" NIL \"a\" \"x.y\")) NIL NIL NIL NIL NIL NIL \"<m@x>\"))\r\n",
    "* 1 FETCH (ENVELOPE (\"d\" \"süb\" ((\"Ä\" NIL \"a\" \"x.y\")) NIL NIL NIL NIL NIL NIL \"<m@x>\"))\r\n".as_bytes(),
    b"* 1 FETCH (ENVELOPE (\"d\" \"s\xfcb\" ((\"A\" NIL \"a\" \"x.y\")) NIL NIL NIL NIL NIL NIL \"<m@x>\"))\r\n",
    b"* 1 FETCH (ENVELOPE (\"d\" \"s\" ((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL NIL NIL NIL))\r\n",
    b"* 1 FETCH (ENVELOPE (\"d\" \"s\" ((\"A\" NIL \"a\" \"x\") (\"B\" NIL \"b\" \"x\")) NIL NIL NIL NIL NIL NIL NIL))\r\n",
    b"* 1 FETCH (BODYSTRUCTURE ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 5 1 NIL NIL NIL NIL)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 100 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" NIL NIL NIL \"7bit\" 5 1) 4 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"x\") NIL NIL NIL))\r\n",
    b"* 1 FETCH (BODYSTRUCTURE (\"mixed\" (\"boundary\" \"x\") NIL NIL NIL))\r\n",
    b"* 1 FETCH (INTERNALDATE \" 1-Jan-2026 00:00:00 +0000\" RFC822.SIZE 4294967296)\r\n",
    b"* FLAGS (\\Answered foo]bar NonJunk $label1)\r\n",
    b"* OK [PERMANENTFLAGS (\\Answered \\*)] x\r\n",
    b"* 3 EXISTS\n",
    b"* 25996 UIDFETCH (FLAGS (\\Seen))\r\n",
    b"* 1 FETCH (FLAGS (foo[bar) UID 3)\r\n",
    b"* OK the text may end like {5}\r\n",
    b"* FLAGS ()\r\n",
    b"* 1 FETCH (THREADID () PREVIEW NIL UID 1)\r\n",
    b"* SEARCH\r\n",
    b"* LIST (\\Noselect) NIL NIL\r\n",
    b"* 7 EXPUNGE\r\n",
];

/// What a greeted connection makes of the octets.
fn events(input: &[u8]) -> Vec<Event> {
    let now = Instant::now();
    let mut connection = Connection::new(Limits::DEFAULT, now);
    connection.handle_input(b"* PREAUTH hello\r\n", now);
    assert!(matches!(connection.poll_event(), Some(Event::Greeting(_))));
    connection.handle_input(input, now);
    std::iter::from_fn(|| connection.poll_event()).collect()
}

fn data(line: &[u8]) -> Untagged {
    match &events(line)[..] {
        [Event::Untagged(untagged)] => untagged.clone(),
        other => panic!("{}: {other:?}", String::from_utf8_lossy(line)),
    }
}

#[test]
fn every_line_is_read_and_none_is_half_read() {
    for line in LINES {
        if let Untagged::Fetch(fetch) = data(line) {
            assert_eq!(fetch.unread, [""; 0], "{}", String::from_utf8_lossy(line));
        }
    }
    assert!(matches!(
        &events(b"* BYE Disconnected for inactivity.\r\n")[..],
        [Event::Untagged(_), Event::Closed(imap_sans::Lost::Bye)]
    ));
}

#[test]
fn the_last_word_and_go_ahead_in_every_spelling() {
    let now = Instant::now();
    for (words, wanted) in [
        (&b"R1 OK\r\n"[..], "Ok"),
        (b"R1 OK [APPENDUID 1795442417 5] done\r\n", "Ok"),
        (b"R1 NO [X-FOO bar baz] nope\r\n", "No"),
        (b"R1 ok\n", "Ok"),
        (b"R1 BAD [\r\n", "Bad"),
        (b"R1 NO [OVERQUOTA] full\r\n", "No"),
    ] {
        let mut connection = Connection::new(Limits::DEFAULT, now);
        connection.handle_input(b"* PREAUTH hello\r\n", now);
        connection.submit(Command::Noop, now).unwrap();
        connection.handle_input(words, now);
        let Some(Event::Done(done)) = std::iter::from_fn(|| connection.poll_event()).last() else {
            panic!("{words:?}")
        };
        assert!(format!("{:?}", done.outcome).starts_with(wanted), "{done:?}");
    }
    for go_ahead in [&b"+ idling\r\n"[..], b"+ \r\n", b"+\r\n", b"+ OK {5}\r\n"] {
        let mut connection = Connection::new(Limits::DEFAULT, now);
        connection.handle_input(b"* PREAUTH hello\r\n", now);
        let id = connection.submit(Command::Idle, now).unwrap();
        connection.handle_input(go_ahead, now);
        let last = std::iter::from_fn(|| connection.poll_event()).last();
        assert_eq!(last, Some(Event::Idling(id)));
    }
}

/// Where the oracle reads a line too, it finds the same in it.
#[test]
fn the_oracle_agrees() {
    use imap_codec::imap_types::response::{Data, Response};
    let mut agreed = 0;
    for line in LINES {
        let Ok((b"", theirs)) = ResponseCodec::new().decode(line) else { continue };
        let ours = data(line);
        let same = match (&ours, &theirs) {
            (Untagged::Exists(a), Response::Data(Data::Exists(b))) => a == b,
            (Untagged::Expunge(a), Response::Data(Data::Expunge(b))) => *a == b.get(),
            (
                Untagged::Vanished { earlier, uids },
                Response::Data(Data::Vanished { earlier: e, known_uids }),
            ) => {
                let theirs = format!("{known_uids:?}");
                earlier == e
                    && uids.ranges().all(|range| theirs.contains(&range.start().to_string()))
            }
            (Untagged::Fetch(fetch), Response::Data(Data::Fetch { seq, items })) => {
                fetch.number == imap_sans::Number::Sequence(seq.get())
                    && fetch_agrees(fetch, &format!("{items:?}"))
            }
            (Untagged::Search(found), Response::Data(Data::Search(theirs, _))) => {
                found.found.numbers().eq(theirs.iter().map(|n| n.get()))
            }
            (Untagged::List(listed), Response::Data(Data::List { items, .. })) => {
                listed.attributes.len() == items.len()
            }
            (Untagged::Capability(ours), Response::Data(Data::Capability(theirs))) => {
                ours.words().len() == theirs.as_ref().len()
            }
            (Untagged::Enabled(ours), Response::Data(Data::Enabled { capabilities })) => {
                ours.len() == capabilities.len()
            }
            (Untagged::Flags(ours), Response::Data(Data::Flags(theirs))) => {
                ours.len() == theirs.len()
            }
            (Untagged::Status(_), Response::Status(_)) => true,
            (Untagged::MailboxStatus(_), Response::Data(Data::Status { .. })) => true,
            (Untagged::Id(_), Response::Data(Data::Id { .. })) => true,
            (Untagged::Namespace(_), Response::Data(Data::Namespace { .. })) => true,
            (Untagged::Other(name), Response::Data(_)) => {
                ["METADATA", "QUOTA", "QUOTAROOT"].contains(&name.as_str())
            }
            _ => false,
        };
        assert!(same, "{}\n ours {ours:?}\n theirs {theirs:?}", String::from_utf8_lossy(line));
        agreed += 1;
    }
    assert!(agreed >= 40, "the oracle reads only {agreed} lines");
}

fn fetch_agrees(ours: &imap_sans::Fetch, theirs: &str) -> bool {
    let has = |known: bool, name: &str| known == theirs.contains(name);
    has(ours.uid.is_some(), "Uid(")
        && has(ours.flags.is_some(), "Flags(")
        && has(ours.modseq.is_some(), "ModSeq(")
        && has(ours.envelope.is_some(), "Envelope(")
        && has(ours.size.is_some(), "Rfc822Size(")
        && has(ours.internal_date.is_some(), "InternalDate(")
}

/// What we send is what the oracle understands, for the commands it knows.
#[test]
fn the_oracle_understands_our_commands() {
    use imap_codec::CommandCodec;
    use imap_sans::{
        DateTime, FetchItem, Flag, Ids, ListReturn, Mailbox, NumberSet, SearchKey, Secret, Section,
        SelectSync, StatusItem, StoreMode,
    };
    let uids = || Ids::Uids(NumberSet::from(2..=9));
    let mailbox = || Mailbox::new("Entwürfe \"alt\"");
    let commands = [
        (Command::Login { user: "a b".into(), password: Secret::new("p\"w\\") }, "Login"),
        (Command::Enable(vec!["QRESYNC".into()]), "Enable"),
        (Command::Id(vec![("name".into(), "retract".into())]), "Id"),
        (
            Command::Status {
                mailbox: mailbox(),
                items: vec![StatusItem::Messages, StatusItem::UidNext],
            },
            "Status",
        ),
        (
            Command::Select { mailbox: mailbox(), read_only: true, sync: SelectSync::CondStore },
            "Examine",
        ),
        (
            Command::Select {
                mailbox: Mailbox::inbox(),
                read_only: false,
                sync: SelectSync::QResync {
                    uid_validity: 7,
                    modseq: 9,
                    known: Some(NumberSet::from(1..=4)),
                },
            },
            "Select",
        ),
        (
            Command::List {
                reference: String::new(),
                patterns: vec!["*".into()],
                returns: Vec::<ListReturn>::new(),
            },
            "List",
        ),
        (Command::Create { mailbox: mailbox(), special_use: None }, "Create"),
        (Command::Rename { from: mailbox(), to: Mailbox::new("x/y") }, "Rename"),
        (
            Command::Append {
                mailbox: mailbox(),
                flags: vec![Flag::Seen, Flag::new("$Forwarded")],
                date: Some(DateTime::utc(1_795_000_000)),
                octets: b"Subject: x\r\n\r\nx\r\n".to_vec(),
            },
            "Append",
        ),
        (
            Command::Fetch {
                ids: uids(),
                items: vec![
                    FetchItem::Flags,
                    FetchItem::Envelope,
                    FetchItem::Content { section: Section::part(&[1, 2]), partial: Some((0, 10)) },
                ],
                changed_since: Some(12),
                vanished: true,
            },
            "Fetch",
        ),
        (
            Command::Store {
                ids: uids(),
                unchanged_since: Some(12),
                mode: StoreMode::Remove,
                silent: true,
                flags: vec![Flag::Deleted],
            },
            "Store",
        ),
        (Command::Move { ids: uids(), to: mailbox() }, "Move"),
        (Command::UidExpunge(NumberSet::from(3)), "Expunge"),
        (
            Command::Search {
                uid: true,
                returns: vec![],
                key: SearchKey::Or(
                    Box::new(SearchKey::HasNot(Flag::Seen)),
                    Box::new(SearchKey::Header("Message-ID".into(), "<a@b>".into())),
                ),
            },
            "Search",
        ),
    ];
    for (command, name) in commands {
        let now = Instant::now();
        let mut connection = Connection::new(Limits::DEFAULT, now);
        connection.handle_input(b"* OK [CAPABILITY IMAP4rev1 LITERAL+] hello\r\n", now);
        connection.submit(command, now).unwrap();
        let sent: Vec<u8> =
            std::iter::from_fn(|| connection.poll_output(now)).flat_map(|o| o.to_vec()).collect();
        match CommandCodec::new().decode(&sent) {
            Ok((b"", understood)) => {
                let body = format!("{:?}", understood.body);
                assert!(body.contains(name), "{}: {body}", String::from_utf8_lossy(&sent));
            }
            other => panic!("{}: {other:?}", String::from_utf8_lossy(&sent)),
        }
    }
}
