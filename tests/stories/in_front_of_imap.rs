//! Mail that lies on an IMAP server: phones see what other clients do there, and the other way round.

#[expect(dead_code, reason = "the verbs of another test's conversation")]
#[path = "../../protocol/imap/tests/rig/client.rs"]
mod client;
#[path = "../../protocol/imap/tests/rig/mod.rs"]
mod rig;

use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::driver::Driver;
use activesync_phone::{Outcome, Phone, Profile, SyncAsk};
use client::Client;
use imap_sans::{
    Command, FetchItem, Flag, Ids, Mailbox, NumberSet, Sasl, Secret, SelectSync, StoreMode,
};
use retract::clock::Clock;
use retract::config::{Backend, Config, Security, SignIn};

use super::post::World;
use super::town::{CHANGES, Handset, LONG_S, PATIENCE, Town, deletes, folder, raw};

/// The password of everybody on the servers of the rig.
const PASSWORD: &str = "pw";

/// A gateway in front of this server, where the phone's password is the server's to judge.
async fn town_before(port: u16) -> Town {
    town_with(port, |_| {}).await
}

async fn town_with(port: u16, change: impl FnOnce(&mut Config)) -> Town {
    Town::with(Clock::system(), None, |config: &mut Config| {
        change(config);
        config.mailbox.backend = Backend::Imap;
        config.imap.host = Some("127.0.0.1".to_owned());
        config.imap.port = Some(port);
        config.imap.security = Security::Plain;
        config.directory.sign_in = SignIn::Imap;
    })
    .await
}

fn phone_of(town: &Town, user: &str, profile: Profile) -> Handset {
    let id = format!("{user}{}", profile.name.len());
    Handset::new(Driver::new(Phone::new(profile, user, PASSWORD, &id), town.tls_line()))
}

/// Another client of the same mailbox, with INBOX open.
struct Desktop(Client);

impl Desktop {
    async fn of(port: u16, user: &str) -> Desktop {
        let mut client = Client::connect(port).await;
        let password = Secret::new(PASSWORD);
        let sasl = Sasl::Plain { act_as: None, user: user.to_owned(), password };
        client.run(Command::Authenticate(sasl)).await;
        Desktop(client)
    }

    async fn open(&mut self, mailbox: &str) {
        let (mailbox, sync) = (Mailbox::new(mailbox), SelectSync::Plain);
        self.0.run(Command::Select { mailbox, read_only: false, sync }).await;
    }

    async fn deliver(&mut self, name: &str) {
        let octets = raw(name, &format!("The body of {name}.\r\n")).into_bytes();
        let mailbox = Mailbox::inbox();
        self.0.run(Command::Append { mailbox, flags: Vec::new(), date: None, octets }).await;
    }

    /// The flags of every message of the mailbox that is open, in order.
    async fn flags(&mut self) -> Vec<Vec<Flag>> {
        let items = vec![FetchItem::Uid, FetchItem::Flags];
        // By UID: an empty mailbox has no message 1.
        let (ids, changed_since) = (Ids::Uids(NumberSet::all()), None);
        let fetch = Command::Fetch { ids, items, changed_since, vanished: false };
        let answer = self.0.run(fetch).await;
        answer.fetches().filter_map(|fetch| fetch.flags.clone()).collect()
    }

    async fn expunge_all(&mut self) {
        let (ids, mode) = (Ids::Numbers(NumberSet::from(1..=1)), StoreMode::Add);
        let flags = vec![Flag::Deleted];
        let store = Command::Store { ids, unchanged_since: None, mode, silent: true, flags };
        self.0.run(store).await;
        self.0.run(Command::Expunge).await;
    }
}

async fn told_before(port: u16) {
    let town = town_before(port).await;
    let mut desktop = Desktop::of(port, "anna").await;
    desktop.deliver("first").await;
    let mut phone = phone_of(&town, "anna", Profile::ios());
    phone.driver.set_up().await.unwrap();
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["first"]);

    // Another client's mail ends the wait.
    let (ping, ()) = tokio::join!(phone.ping(LONG_S), async {
        town.until_waiting(1).await;
        desktop.deliver("second").await;
    });
    assert_eq!(ping.status, CHANGES);
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["first", "second"]);

    // What the phone reads is read for everybody.
    let read = Phone::read(&phone.id_of("first"), true);
    phone.sync_with(SyncAsk::of(&phone.inbox()).with(read)).await;
    desktop.open("INBOX").await;
    assert!(desktop.flags().await[0].contains(&Flag::Seen));

    // What the phone throws away lies in Trash.
    let (inbox, trash) = (phone.inbox(), folder(phone.phone(), FolderType::DELETED_ITEMS));
    let exchange = phone.phone().move_items(&inbox, &[&phone.id_of("first")], &trash);
    phone.ask(exchange).await;
    desktop.open("Trash").await;
    assert_eq!(desktop.flags().await.len(), 1);

    // What another client removes goes from the phone.
    let second = phone.id_of("second");
    desktop.open("INBOX").await;
    desktop.expunge_all().await;
    let answer = phone.sync().await.expect("the Delete");
    let gone = deletes(&answer);
    assert!(gone.contains(&second), "{answer:?}");
    assert_eq!(phone.subjects(), Vec::<String>::new(), "{answer:?}");
}

/// What a phone sends leaves by the relay, whoever it is for, and lies in Sent once.
#[tokio::test]
async fn what_a_phone_sends_leaves_and_lies_in_sent() {
    let Some(server) = rig::dovecot(true) else { return };
    let world = World::open().await;
    let town = town_with(server.port, |config| {
        config.relay.host = Some("127.0.0.1".to_owned());
        config.relay.port = Some(world.port);
        config.relay.security = Security::Plain;
    })
    .await;
    let mut phone = phone_of(&town, "anna", Profile::ios());
    phone.driver.set_up().await.unwrap();
    let sent = folder(phone.phone(), FolderType::SENT_ITEMS);
    let client_id = phone.driver.phone.next_client_id();
    let letter =
        "From: anna@a.example\r\nTo: ben@a.example\r\nSubject: hello\r\n\r\nHello Ben.\r\n";
    let exchange = phone.phone().send_mail(&client_id, letter.as_bytes());
    for _ in 0..2 {
        assert_eq!(phone.ask(exchange.clone()).await, Outcome::Sent(None));
    }
    let arrived = world.until(1).await;
    assert!(arrived[0].text.contains("Subject: hello"));
    let mut desktop = Desktop::of(server.port, "anna").await;
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        desktop.open("Sent").await;
        match &desktop.flags().await[..] {
            [] => assert!(tokio::time::Instant::now() < end, "nothing lies in Sent"),
            [flags] => break assert!(flags.contains(&Flag::Seen), "{flags:?}"),
            more => panic!("it lies in Sent {} times", more.len()),
        }
    }
    phone.driver.catch_up(&sent).await.unwrap();
    assert_eq!(phone.subjects_in(&sent), ["hello"]);
}

#[tokio::test]
async fn a_phone_and_a_desktop_share_a_mailbox_on_dovecot() {
    let Some(server) = rig::dovecot(true) else { return };
    told_before(server.port).await;
}

#[tokio::test]
async fn a_phone_and_a_desktop_share_a_mailbox_on_a_dovecot_without_extensions() {
    let Some(server) = rig::dovecot(false) else { return };
    told_before(server.port).await;
}

#[tokio::test]
async fn a_phone_and_a_desktop_share_a_mailbox_on_cyrus() {
    let Some(server) = rig::cyrus() else { return };
    told_before(server.port).await;
}
