//! Servers that do not do what they say, and mail that no mail may be: alone, reported, and the rest works.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncWriteExt;

use super::House;
use super::faults::live;
use super::liar::{Letter, Liar, Truth};
use crate::ids::{FolderId, MailboxId};
use crate::mailbox::imap::Imap;
use crate::mailbox::suite::mail;
use crate::mailbox::{FolderKind, Freshness, Item, MESSAGE_BYTES_MAX, Mailbox, MailboxError};

/// A mirror of a liar, looked at once.
struct Met {
    liar: Liar,
    store: Imap,
    mailbox: MailboxId,
    inbox: FolderId,
    _house: House,
}

impl Met {
    async fn new(truth: Truth) -> Met {
        let liar = Liar::new(truth).await;
        let users = ["anna"];
        let house = House::with(liar.port, Arc::new(|_| ()), &users, |settings| {
            settings.limits.silence_max = Duration::from_secs(2);
        });
        let house = house.await;
        let store = house.store.clone();
        let mailbox = store.mailbox_of(house.users[0]).await.unwrap();
        let inbox = store.folders(mailbox).await.unwrap()[0].id;
        let met = Met { liar, store, mailbox, inbox, _house: house };
        met.look().await.unwrap();
        met
    }

    async fn with(capabilities: &'static str) -> Met {
        Met::new(Truth { capabilities, ..Truth::default() }).await
    }

    async fn with_letters(letters: Vec<Letter>) -> Met {
        Met::new(Truth { letters, ..Truth::default() }).await
    }

    async fn look(&self) -> Result<(), MailboxError> {
        self.store.refresh(self.mailbox, Freshness::Items(vec![self.inbox])).await
    }

    async fn items(&self) -> Vec<Item> {
        live(&self.store, self.inbox).await
    }

    async fn reads(&self, item: &Item) -> Result<(Item, Bytes), MailboxError> {
        self.store.read_message(self.inbox, item.item).await
    }

    async fn names(&self) -> Vec<String> {
        let folders = self.store.folders(self.mailbox).await.unwrap();
        folders.into_iter().map(|folder| folder.name).collect()
    }
}

const CHANGES: &str = "ENABLE CONDSTORE QRESYNC";

fn says(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

#[tokio::test]
async fn mail_is_there_though_the_server_does_not_understand_what_it_announces() {
    let met = Met::with(CHANGES).await;
    met.liar.says(|asked| {
        let is_extended = asked.contains("(QRESYNC") || asked.contains("(CONDSTORE");
        is_extended.then(|| b"{tag} BAD what?\r\n".to_vec())
    });
    met.liar.truth.lock().letters.push(Letter::new(4, mail("4", "x")));
    met.look().await.unwrap();
    assert_eq!(met.items().await.len(), 4);
}

#[tokio::test]
async fn changes_are_seen_though_the_server_tells_of_none() {
    let met = Met::with(CHANGES).await;
    {
        let mut truth = met.liar.truth.lock();
        truth.modseq += 1;
        truth.letters[1].flags = "";
    }
    met.look().await.unwrap();
    assert_eq!(met.items().await.iter().filter(|item| !item.read).count(), 1);
}

#[tokio::test]
async fn changes_are_seen_though_their_position_went_backwards() {
    let met = Met::with(CHANGES).await;
    {
        let mut truth = met.liar.truth.lock();
        truth.modseq = 50;
        truth.letters[1].flags = "";
        truth.letters.remove(0);
    }
    met.look().await.unwrap();
    assert_eq!(met.items().await.iter().map(|item| item.read).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn mail_keeps_its_place_when_its_generation_is_misspoken_once() {
    let met = Met::with("").await;
    let before = met.items().await;
    let said = std::sync::atomic::AtomicBool::new(false);
    let truth = Arc::clone(&met.liar.truth);
    met.liar.says(move |asked| {
        let first =
            asked.starts_with("SELECT") && !said.swap(true, std::sync::atomic::Ordering::SeqCst);
        first.then(|| {
            let other = Truth {
                uid_validity: 8,
                letters: truth.lock().letters.clone(),
                ..Truth::default()
            };
            other.says(asked)
        })
    });
    met.look().await.unwrap();
    assert_eq!(met.items().await, before);
}

#[tokio::test]
async fn another_generation_is_a_resync_of_that_folder_and_no_other() {
    let met = Met::with("").await;
    let before = met.items().await;
    let head = met.store.hierarchy_head(met.mailbox).await.unwrap();
    met.liar.truth.lock().uid_validity = 8;
    met.look().await.unwrap();
    let after = met.items().await;
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|item| item.item > before[2].item), "no number is used twice");
    assert_eq!(met.store.hierarchy_head(met.mailbox).await.unwrap(), head);
}

#[tokio::test]
async fn an_empty_answer_is_an_error_and_no_mail_is_lost() {
    let met = Met::with("").await;
    for lie in ["FETCH", "SELECT"] {
        met.liar.says(move |asked| asked.starts_with(lie).then(|| b"{tag} OK done\r\n".to_vec()));
        assert!(matches!(met.look().await, Err(MailboxError::Down(_))), "{lie}");
        assert_eq!(met.items().await.len(), 3);
    }
}

#[tokio::test]
async fn a_folder_that_says_it_is_smaller_than_it_is_loses_nothing() {
    let met = Met::with("").await;
    met.liar.says(|asked| {
        asked
            .starts_with("SELECT")
            .then(|| b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] yes\r\n{tag} OK done\r\n".to_vec())
    });
    assert!(met.look().await.is_err());
    assert_eq!(met.items().await.len(), 3);
    met.liar.repents();
    met.look().await.unwrap();
}

#[tokio::test]
async fn a_message_left_out_of_one_answer_does_not_vanish() {
    let met = Met::with("").await;
    // The numbers add up, and a search finds what they hide.
    met.liar.says(|asked| match asked.split(' ').next() {
        Some("SELECT") => says("* 2 EXISTS\r\n* OK [UIDVALIDITY 7] yes\r\n{tag} OK done\r\n"),
        Some("FETCH") => says(
            "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n{tag} OK done\r\n",
        ),
        _ => None,
    });
    assert!(met.look().await.is_err());
    assert_eq!(met.items().await.len(), 3);
}

#[tokio::test]
async fn folders_stay_when_a_list_lacks_them() {
    let folders = ["INBOX", "Drafts", "Trash", "Sent", "Junk", "A", "A/B", "C"];
    let folders = folders.map(str::to_owned).to_vec();
    let met = Met::new(Truth { folders, ..Truth::default() }).await;
    let before = met.names().await;
    assert!(before.contains(&"B".to_owned()));
    met.liar.says(|asked| {
        asked.starts_with("LIST").then(|| b"* LIST () \"/\" Drafts\r\n{tag} OK done\r\n".to_vec())
    });
    assert!(met.store.refresh(met.mailbox, Freshness::Folders).await.is_err(), "no INBOX");
    let half = "* LIST () \"/\" INBOX\r\n* LIST () \"/\" A/B\r\n{tag} OK done\r\n";
    met.liar.says(move |asked| if asked.starts_with("LIST") { says(half) } else { None });
    met.store.refresh(met.mailbox, Freshness::Folders).await.unwrap();
    assert_eq!(met.names().await, before, "the server knows them when asked for each");
    met.liar.says(move |asked| match asked {
        asked if asked.starts_with("LIST") => says(half),
        "STATUS C (MESSAGES UIDNEXT UIDVALIDITY)" | "STATUS A (MESSAGES UIDNEXT UIDVALIDITY)" => {
            says("{tag} NO [NONEXISTENT] none\r\n")
        }
        _ => None,
    });
    met.store.refresh(met.mailbox, Freshness::Folders).await.unwrap();
    let left = met.names().await;
    assert!(!left.contains(&"C".to_owned()) && left.contains(&"B".to_owned()), "{left:?}");
}

#[tokio::test]
async fn one_message_the_server_garbles_spoils_no_other() {
    let met = Met::with_letters(Vec::new()).await;
    met.liar.truth.lock().letters = Truth::default().letters;
    let truth = Arc::clone(&met.liar.truth);
    met.liar.says(move |asked| {
        let mut said = truth.lock().says(asked);
        if !asked.starts_with("UID FETCH") || !asked.contains("HEADER") {
            return None;
        }
        let at = said.windows(7).position(|part| part == b"(UID 2 ")?;
        said[at..at + 5].copy_from_slice(b"\"(((\x00");
        Some(said)
    });
    met.look().await.unwrap();
    assert_eq!(met.items().await.len(), 2);
    met.liar.repents();
    met.look().await.unwrap();
    assert_eq!(met.items().await.len(), 3, "it comes when it can be read");
}

#[tokio::test]
async fn one_message_the_server_refuses_to_give_spoils_no_other() {
    let met = Met::with("").await;
    met.liar.says(|asked| {
        let is_it = asked.starts_with("UID FETCH 2 ") && asked.contains("BODY.PEEK[]");
        is_it.then(|| b"{tag} NO [SERVERBUG] internal error\r\n".to_vec())
    });
    let items = met.items().await;
    assert!(matches!(met.reads(&items[1]).await, Err(MailboxError::Unreadable(_))));
    assert!(met.reads(&items[0]).await.is_ok() && met.reads(&items[2]).await.is_ok());
}

#[tokio::test]
async fn a_message_is_read_though_its_size_is_a_lie() {
    let octets = mail("small", "a body");
    let letter = |uid, size| Letter { size, ..Letter::new(uid, octets.clone()) };
    let met =
        Met::with_letters(vec![letter(1, 1), letter(2, 900_000), letter(3, 5_000_000_000)]).await;
    let items = met.items().await;
    for item in &items[..2] {
        let (found, read) = met.reads(item).await.unwrap();
        assert_eq!((found.size as usize, &read), (octets.len(), &octets));
    }
    assert!(met.items().await[..2].iter().all(|item| item.size as usize == octets.len()));
    assert!(matches!(met.reads(&items[2]).await, Err(MailboxError::TooLarge)), "alone");
}

#[tokio::test]
async fn a_mail_of_50_mb_is_read_and_a_larger_one_spoils_no_other() {
    let whole = [&mail("big", "")[..], &vec![b'x'; MESSAGE_BYTES_MAX]].concat();
    let fits = whole[..MESSAGE_BYTES_MAX].to_vec();
    let met = Met::with_letters(vec![
        Letter::new(1, fits),
        Letter { size: 10, ..Letter::new(2, whole) },
        Letter::new(3, mail("3", "x")),
    ])
    .await;
    let items = met.items().await;
    assert_eq!(items.len(), 3);
    assert_eq!(met.reads(&items[0]).await.unwrap().1.len(), MESSAGE_BYTES_MAX);
    assert!(matches!(met.reads(&items[1]).await, Err(MailboxError::TooLarge)));
    assert!(met.reads(&items[2]).await.is_ok());
}

#[tokio::test]
async fn mail_that_no_mail_may_be_is_listed_and_read() {
    let mut odd: Vec<Vec<u8>> = Vec::new();
    let head = "Message-ID: <odd@a.example>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\nFrom: a@a.example\r\n";
    odd.push(format!("{head}X: {}\r\n\r\nx", "y".repeat(1 << 20)).into());
    odd.push(format!("From: {}@a.example\r\n\r\nx", "y".repeat(1 << 20)).into());
    odd.push([head.as_bytes(), b"Subject: a\0b\r\n\r\n\0\0\0"].concat());
    odd.push([b"Subject: \xff\xfe\r\n\r\n\xc3".as_slice()].concat());
    odd.push(mail("twice", "x").to_vec());
    odd.push(mail("twice", "x").to_vec());
    odd.push(b"\r\nno header at all".to_vec());
    odd.push(b"no end of a header".to_vec());
    let part = "--b\r\n\r\nx\r\n";
    let multi = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    odd.push(format!("{head}{multi}{}--b--\r\n", part.repeat(10_000)).into());
    let deep: String = (0..100)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"))
        .collect();
    odd.push(format!("{head}{deep}\r\nx").into());
    let letters = (1..).zip(&odd).map(|(uid, octets)| Letter::new(uid, octets.clone()));
    let met = Met::with_letters(letters.collect()).await;
    let items = met.items().await;
    assert_eq!(items.len(), odd.len());
    let mut read = Vec::new();
    for item in &items {
        read.push(met.reads(item).await.unwrap().1.to_vec());
    }
    read.sort();
    odd.sort();
    assert!(read == odd);
}

#[tokio::test]
async fn folders_with_odd_names_are_shown_each_once() {
    let mut folders: Vec<String> =
        ["INBOX", "Drafts", "Trash", "Sent", "Junk"].map(str::to_owned).into();
    let long = "x".repeat(400);
    let odd = [
        "Inbox2",
        "Outbox",
        "Deleted Items",
        "Sent Items",
        "Junk Email",
        "work",
        "Work",
        "WORK",
        "a.b",
        "a%b",
        "a*b",
        "tab\tname",
        "bell\u{7}name",
        " ",
        &long,
        "Inbox/below",
        "A//B",
        "&bad-utf7",
        "back\\slash",
        "quo\"te",
    ];
    folders.extend(odd.map(str::to_owned));
    folders.push(vec!["d"; 60].join("/"));
    let met = Met::new(Truth { folders, ..Truth::default() }).await;
    let names = met.names().await;
    for shown in ["Outbox (2)", "Deleted Items (2)", "a.b", "a%b", "a*b", "below"] {
        assert!(names.contains(&shown.to_owned()), "{shown}: {names:?}");
    }
    assert_eq!(names.iter().filter(|name| name.to_lowercase().starts_with("work")).count(), 3);
    assert!(
        names.iter().all(|name| name.chars().count() <= 255 && !name.chars().any(char::is_control))
    );
    let head = met.store.hierarchy_head(met.mailbox).await.unwrap();
    met.store.refresh(met.mailbox, Freshness::Folders).await.unwrap();
    assert_eq!(met.store.hierarchy_head(met.mailbox).await.unwrap(), head, "nothing is made twice");
    met.look().await.unwrap();
}

#[tokio::test]
async fn a_standard_folder_that_cannot_be_made_keeps_nobody_from_the_inbox() {
    let liar = Liar::new(Truth { folders: vec!["INBOX".to_owned()], ..Truth::default() }).await;
    liar.says(|asked| {
        let refused = asked.starts_with("CREATE") || asked.starts_with("SUBSCRIBE");
        refused.then(|| b"{tag} NO permission denied\r\n".to_vec())
    });
    let house = House::with(liar.port, Arc::new(|_| ()), &["anna"], |_| ()).await;
    let mailbox = house.store.mailbox_of(house.users[0]).await.unwrap();
    let folders = house.store.folders(mailbox).await.unwrap();
    let inbox = folders.iter().find(|folder| folder.kind == FolderKind::Inbox).unwrap().id;
    house.store.refresh(mailbox, Freshness::Items(vec![inbox])).await.unwrap();
    assert_eq!(live(&house.store, inbox).await.len(), 3);
}

#[tokio::test]
async fn a_server_that_talks_without_end_is_hung_up_on() {
    let met = Met::with("").await;
    met.liar.says(|asked| asked.starts_with("SELECT").then(|| b"* 1 RECENT\r\n".repeat(1_000_000)));
    let error = met.look().await.unwrap_err().to_string();
    assert!(error.contains("without end"), "{error}");
    met.liar.repents();
    met.look().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_silent_or_drips_keeps_nobody_waiting_for_ever() {
    for drip in [None, Some(Duration::from_millis(20))] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let Some(pause) = drip else { return std::future::pending().await };
                    let _greeted = stream.write_all(b"* OK hi\r\n").await;
                    while stream.write_all(b"x").await.is_ok() {
                        tokio::time::sleep(pause).await;
                    }
                });
            }
        });
        let house = House::with(port, Arc::new(|_| ()), &["anna"], |settings| {
            settings.limits.silence_max = Duration::from_millis(300);
            settings.limits.command_max = Duration::from_millis(600);
        });
        let house = house.await;
        let began = Instant::now();
        let error = house.store.mailbox_of(house.users[0]).await;
        assert!(matches!(error, Err(MailboxError::Down(_))), "{drip:?}: {error:?}");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn an_idle_that_ends_at_once_is_not_asked_again_and_again() {
    let met = Met::with("IDLE").await;
    met.liar.says(|asked| (asked == "IDLE").then(|| b"* OK no\r\n{tag} OK done\r\n".to_vec()));
    let _waiting = met.store.watch(met.mailbox);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(met.liar.count("IDLE"), 1);
    assert!(met.liar.asked.lock().len() < 40, "{:?}", met.liar.asked.lock());
}

#[tokio::test]
async fn a_watch_that_fails_again_and_again_is_begun_more_and_more_rarely() {
    let met = Met::with("IDLE NOTIFY").await;
    met.liar.says(|asked| match asked.split(' ').next() {
        Some("NOTIFY") => says("{tag} BAD what?\r\n"),
        Some("IDLE") => says("* BYE no more\r\n"),
        _ => None,
    });
    let _waiting = met.store.watch(met.mailbox);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!((1..=4).contains(&met.liar.count("IDLE")), "{}", met.liar.count("IDLE"));
}

#[tokio::test]
async fn a_server_that_cries_wolf_is_looked_at_no_faster_than_its_pace() {
    let met = Met::with("IDLE").await;
    met.liar.says(|asked| {
        (asked == "IDLE").then(|| b"* OK\r\n* 3 EXISTS\r\n{tag} OK done\r\n".to_vec())
    });
    let _waiting = met.store.watch(met.mailbox);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(met.liar.count("IDLE") <= 20, "{}", met.liar.count("IDLE"));
}
