//! The disk is full: mail is refused clearly, phones are told to come again, recall still works, and everything recovers by itself.

use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::{Exchange, Outcome, Profile, SyncAsk, Waits};
use retract::clock::Clock;
use retract::database::{self, Database, Error};
use retract::recall::State;

use super::post;
use super::town::{CHANGES, Handset, LONG_S, Town, deletes, folder, raw};

/// Pages of 4 kB the database may have at most, ballast included: some 8 MB.
const PAGES_MAX: u32 = 2_048;
/// One filling row.
const ROW_OCTETS: usize = 64 << 10;
/// More orders than that, too.
const ORDERS_MAX: usize = 1_000;
/// More mails than what is left of the pages can hold.
const MAILS_MAX: usize = 500;

#[tokio::test]
async fn it_refuses_and_recovers() {
    let town = Town::with(Clock::system(), Some(PAGES_MAX), |_| {}).await;
    town.mail("secret").await;
    town.mail("other").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let database = town.server.house.database.clone();
    let rows = fill(&database).await;
    // Mail stays with the server that sent it.
    let refused = post_until_refused(&town).await;
    assert!(refused.starts_with('4'), "{refused}");
    // Recall works on its ballast.
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    until_only_recall_has_room(&town).await;
    // Room comes back.
    empty(&database, rows).await;
    town.mail("late").await;
    phone.catch_up().await;
    phone.sync().await;
    assert!(phone.holds("late") && phone.holds("other") && !phone.holds("secret"));
    town.until_state(order, "ann", State::Acknowledged).await;
}

/// The fence alone takes nothing off a phone: the Delete goes out, and is acknowledged, on recall's own room, and nothing else does.
#[tokio::test]
async fn a_recalled_mail_leaves_the_phone_all_the_same() {
    let town = Town::with(Clock::system(), Some(PAGES_MAX), |_| {}).await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let mut hangs = town.phone("ann", Profile::samsung()).await;
    // New mail that came while there was room, and that no phone has fetched.
    town.mail("waiting").await;
    hangs.catch_up().await;
    assert!(hangs.sync().await.is_none(), "its key is presented");
    let waiting = tokio::spawn(async move {
        let ask = SyncAsk::of(&hangs.inbox());
        let exchange = hangs.phone().sync(&[ask], Waits::Seconds(LONG_S));
        let told = hangs.ask(exchange).await;
        (hangs, told)
    });
    town.until_waiting(1).await;
    let database = town.server.house.database.clone();
    let rows = fill(&database).await;
    until_only_recall_has_room(&town).await;
    let order = town.recall("secret").await;
    let (mut hangs, told) = waiting.await.unwrap();
    let Outcome::Sync(Some(response)) = told else { panic!("nothing was said") };
    assert_eq!(deletes(&response.collections[0]).len(), 1);
    assert_eq!(phone.ping(LONG_S).await.status, CHANGES);
    let answer = phone.sync().await.expect("the Delete");
    assert_eq!((deletes(&answer).len(), answer.commands.len()), (1, 1));
    assert!(answer.more_available, "so that it presents the key at once");
    assert!(!phone.holds("secret") && !hangs.holds("secret"));
    // It presents the key. That is written down; the new mail is not given out, since that could not be.
    assert!(is_told_to_come_again(&mut phone).await);
    hangs.sync().await;
    let coverage = town.until(order, |coverage| coverage.covered == 2).await;
    assert!(coverage.devices.iter().all(|pair| pair.state == State::Acknowledged));
    assert!(database.is_full());
    let told = post::deliver(town.lmtp(), &["ben@a.example"], &raw("more", "More.\r\n")).await;
    assert!(told[0].starts_with("4") && told[0].contains("full"), "{told:?}");
    // Room comes back.
    empty(&database, rows).await;
    phone.catch_up().await;
    assert!(phone.holds("waiting") && !phone.holds("secret"));
    town.mail("late").await;
    phone.catch_up().await;
    assert!(phone.holds("late") && !database.is_full());
}

/// Orders until the ballast is off: from then on whatever is not recall's is refused.
async fn until_only_recall_has_room(town: &Town) {
    for number in 0..ORDERS_MAX {
        if town.server.house.database.is_full() {
            return;
        }
        town.recall(&format!("never-seen-{number}")).await;
    }
    panic!("the ballast is never needed")
}

async fn is_told_to_come_again(phone: &mut Handset) -> bool {
    let exchange = phone.phone().sync(&[SyncAsk::of(&phone.inbox())], Waits::No);
    matches!(phone.driver.send(&exchange).await.unwrap().status, 503 | 507)
}

#[tokio::test]
async fn a_mail_stays_where_it_is() {
    let town = Town::with(Clock::system(), Some(PAGES_MAX), |_| {}).await;
    town.mail("one").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let database = town.server.house.database.clone();
    let rows = fill(&database).await;
    // To and fro, until pages that are not full have no room for the books of another move either.
    let ways = [phone.inbox(), folder(phone.phone(), FolderType::DELETED_ITEMS)];
    let mut item = phone.id_of("one");
    let refused = 'full: {
        for step in 0..MAILS_MAX {
            let (from, to) = (&ways[step % 2], &ways[(step + 1) % 2]);
            let exchange = phone.phone().move_items(from, &[&item], to);
            match moved(&mut phone, &exchange).await {
                (3, Some(id)) => item = id,
                // What has no room is said of the move alone ([MS-ASCMD] 2.2.3.177.10).
                (status, None) => break 'full (status, exchange),
                other => panic!("{other:?}"),
            }
        }
        panic!("the disk is never full")
    };
    assert_eq!(refused.0, 5);
    empty(&database, rows).await;
    assert_eq!(moved(&mut phone, &refused.1).await.0, 3);
}

async fn moved(phone: &mut Handset, exchange: &Exchange) -> (u16, Option<String>) {
    match phone.ask(exchange.clone()).await {
        Outcome::MoveItems(response) => {
            let moved = &response.responses[0];
            (moved.status.0, moved.dst_msg_id.as_ref().map(ToString::to_string))
        }
        other => panic!("not moved: {other:?}"),
    }
}

/// Writes until nothing more fits; gives the number of rows.
async fn fill(database: &Database) -> usize {
    let mut octets = ROW_OCTETS;
    let mut rows = 0;
    loop {
        let (name, filling) = (format!("filling-{rows}"), "x".repeat(octets));
        let job = move |tx: &database::Tx<'_>| database::set_meta(tx, &name, &filling);
        match database.write(job).await {
            Ok(()) => rows += 1,
            Err(Error::Full) if octets > 1 => octets /= 4,
            Err(Error::Full) => return rows,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A few mails still find room in pages that are not full; gives the reply to the first that does not.
async fn post_until_refused(town: &Town) -> String {
    for number in 0..MAILS_MAX {
        let mail = raw(&format!("{number}"), "Is there room?\r\n");
        let told = post::deliver(town.lmtp(), &["ben@a.example"], &mail).await;
        if !told[0].starts_with("250") {
            return told[0].clone();
        }
    }
    panic!("the disk is never full");
}

async fn empty(database: &Database, rows: usize) {
    let job = move |tx: &database::Tx<'_>| {
        (0..rows).try_for_each(|row| database::clear_meta(tx, &format!("filling-{row}")))
    };
    database.write_first(job).await.unwrap();
}
