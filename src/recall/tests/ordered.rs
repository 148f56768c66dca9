//! Who may order what, and what an order covers from its first moment.

use super::*;

#[tokio::test]
async fn the_fence_stands_when_the_order_is_answered_and_the_sender_keeps_the_own_copy() {
    let house = House::new().await;
    let raw = mail("m", "oops");
    house.delivers(1, FolderKind::SentItems, &raw).await;
    house.delivers(2, FolderKind::Inbox, &raw).await;
    let epoch = house.board.epoch();
    let order = house.orders("m").await;
    assert!(house.board.epoch() > epoch, "answers that drain are told");
    let covered = house.write(|tx| {
        let identity = message::with_message_id(tx, "m@a.example", 9)?[0];
        let over = |user| covers(tx, identity, MailboxId(user), START);
        Ok([over(1)?, over(2)?, over(3)?])
    });
    assert_eq!(covered[0], None, "Ann keeps hers");
    assert_eq!(covered[1], Some(order));
    assert_eq!(covered[2], Some(order), "a copy still under way to Cam is covered");
    let coverage = house.recall.coverage(order).await.unwrap();
    assert_eq!((coverage.pending, coverage.covered, coverage.is_settled), (1, 0, false));
    assert_eq!(house.audited(order, "order.fenced"), 1);
}

#[tokio::test]
async fn the_same_key_answers_the_same_order_and_another_request_is_refused() {
    let house = House::new().await;
    house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let key = || Some("k1".to_owned());
    let first = house.recall.order(asks("m"), admin("root"), key()).await.unwrap();
    let again = house.recall.order(asks("m"), admin("root"), key()).await.unwrap();
    assert_eq!(first, again);
    let other = house.recall.order(asks("n"), admin("root"), key()).await;
    assert_eq!(refused(other).code, ReasonCode::KeyReused);
    let elsewhere = house.recall.order(asks("m"), admin("eve"), key()).await.unwrap();
    assert_ne!(first, elsewhere, "a key is the actor's own");
    assert_eq!(house.recall.orders(None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_large_order_wants_its_count_typed_and_a_second_person() {
    let names = ["ann", "bob", "cam", "dan", "eve"];
    let limits = Limits { mailboxes_always_allowed: 3, ..Limits::default() };
    let house = House::with(&names, limits).await;
    for user in 2..=5 {
        house.delivers(user, FolderKind::Inbox, &mail("m", "x")).await;
    }
    let order = |request| house.recall.order(request, admin("root"), None);
    let first = refused(order(asks("m")).await);
    assert_eq!((first.code, first.count), (ReasonCode::CountNotConfirmed, Some(4)));
    let typed = OrderRequest { confirm_count: Some(4), ..asks("m") };
    assert_eq!(refused(order(typed.clone()).await).code, ReasonCode::SecondPersonMissing);
    let same = OrderRequest { second: Some(SecondPerson(admin("root"))), ..typed.clone() };
    assert_eq!(refused(order(same).await).code, ReasonCode::SecondPersonMissing);
    let other = OrderRequest { second: Some(SecondPerson(admin("eve"))), ..typed };
    let id = order(other).await.unwrap();
    let shown = house.recall.show(id).await.unwrap();
    assert_eq!(shown.second.as_deref(), Some("admin:eve"));
}

#[tokio::test]
async fn nonsense_is_refused_with_a_word() {
    let house = House::new().await;
    for request in [
        OrderRequest { reason: "  ".into(), ..asks("m") },
        OrderRequest { message_id: "<>".into(), ..asks("m") },
        OrderRequest { bodies: Some(Vec::new()), ..asks("m") },
        OrderRequest { stands_days: Some(9_999), ..asks("m") },
    ] {
        let answer = house.recall.order(request, admin("root"), None).await;
        assert_eq!(refused(answer).code, ReasonCode::BadRequest);
    }
    let nothing = house.recall.cancel(OrderId(9), admin("root")).await;
    assert!(matches!(nothing, Err(RecallError::NoSuchOrder)));
}

#[tokio::test]
async fn a_dry_run_shows_exposure_and_differing_bodies_and_changes_nothing() {
    let house = House::new().await;
    let at = house.delivers(2, FolderKind::Inbox, &mail("m", "one")).await;
    house.delivers(3, FolderKind::Inbox, &mail("m", "another")).await;
    let phone = house.phone(2, "p");
    house.phone(3, "q");
    house.holds(phone, 2, at, whole() | Exposure::READ_CLAIMED);
    let run = house.recall.dry_run(asks("m"), admin("root")).await.unwrap();
    assert_eq!((run.bodies.len(), run.copies, run.mailboxes), (2, 2, 2));
    assert_eq!((run.devices, run.devices_exposed, run.devices_read), (2, 1, 1));
    assert_eq!(run.outside, ["far@elsewhere.example"]);
    assert_eq!(run.recipients[0].devices[0].exposure, "H B R");
    assert!(house.recall.orders(None, 10).await.unwrap().is_empty());
    assert_eq!(house.live("m").await.len(), 2);
    let sender = Actor::Sender { user: UserId(1), address: "ann@a.example".into() };
    assert!(house.recall.dry_run(asks("m"), sender).await.is_err());
    let chosen = OrderRequest { bodies: Some(vec![run.bodies[1].body.clone()]), ..asks("m") };
    house.recall.order(chosen, admin("root"), None).await.unwrap();
    house.recall.work_off().await.unwrap();
    assert_eq!(house.live("m").await.len(), 1, "only the body that was named");
}

#[tokio::test]
async fn a_sender_recalls_an_own_mail_once_and_nobody_elses() {
    let limits = Limits { senders_may_recall: true, ..Limits::default() };
    let house = House::with(&["ann", "bob", "cam"], limits).await;
    house.delivers(2, FolderKind::Inbox, &mail("forged", "x")).await;
    house.delivers(1, FolderKind::SentItems, &mail("m", "x")).await;
    house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let sender =
        |name: &str| Actor::Sender { user: UserId(1), address: format!("{name}@a.example") };
    let order = |id, name| house.recall.order(asks(id), sender(name), None);
    assert_eq!(refused(order("m", "bob").await).code, ReasonCode::NotOwner);
    assert_eq!(refused(order("forged", "ann").await).code, ReasonCode::NotOwner);
    let id = order("m", "ann").await.unwrap();
    assert_eq!(refused(order("m", "ann").await).code, ReasonCode::AlreadyRecalled);
    let stranger = house.recall.cancel(id, sender("bob")).await;
    assert!(matches!(stranger, Err(RecallError::NoSuchOrder)));
    let off = House::new().await;
    off.delivers(1, FolderKind::SentItems, &mail("m", "x")).await;
    let answer = off.recall.order(asks("m"), sender("ann"), None).await;
    assert_eq!(refused(answer).code, ReasonCode::NotEnabled);
}

#[tokio::test]
async fn a_message_not_seen_yet_is_bound_before_any_device_can_hear_of_it() {
    let house = House::new().await;
    let from = Some("ann@a.example".to_owned());
    let request = OrderRequest { from, ..asks("m") };
    let order = house.recall.order(request, admin("root"), None).await.unwrap();
    house.delivers(1, FolderKind::SentItems, &mail("m", "x")).await;
    let at = house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let fenced = house.write(move |tx| {
        let identity = in_tx::item(tx, at.0, at.1).unwrap().identity;
        Ok((
            tables::fenced(tx, identity, MailboxId(2))?,
            tables::fenced(tx, identity, MailboxId(1))?,
        ))
    });
    assert_eq!(fenced, (Some(order), None));
    assert_eq!(house.audited(order, "order.bound"), 1);
    house.recall.work_off().await.unwrap();
    assert_eq!(house.live("m").await.len(), 1, "only the sender's own copy is left");
    let others = Bytes::from(mail("m", "x").to_vec().replace_from("Ann@a", "Eve@b"));
    house.delivers(3, FolderKind::Inbox, &others).await;
    house.recall.work_off().await.unwrap();
    assert_eq!(house.live("m").await.len(), 2, "somebody else's mail with that id is not theirs");
    house.clock.advance(Duration::from_hours(24 * 31));
    house.delivers(3, FolderKind::Inbox, &mail("m", "y")).await;
    house.recall.work_off().await.unwrap();
    assert_eq!(house.live("m").await.len(), 3, "an order does not stand for ever");
}

#[tokio::test]
async fn a_copy_that_comes_back_into_a_fenced_mailbox_is_taken_out_again() {
    let house = House::new().await;
    house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.delivers(2, FolderKind::Junk, &mail("m", "x")).await;
    house.recall.work_off().await.unwrap();
    house.clock.advance(Duration::from_hours(24 * 31));
    house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    house.recall.work_off().await.unwrap();
    assert!(house.live("m").await.is_empty());
    assert_eq!(house.audited(order, "copy.sealed"), 3);
}

/// Replaces text in octets.
trait ReplaceFrom {
    fn replace_from(self, old: &str, new: &str) -> Vec<u8>;
}

impl ReplaceFrom for Vec<u8> {
    fn replace_from(self, old: &str, new: &str) -> Vec<u8> {
        String::from_utf8(self).unwrap().replace(old, new).into_bytes()
    }
}

#[tokio::test]
async fn recipients_outside_of_a_mail_that_came_late_are_counted() {
    let house = House::new().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    house.recall.work_off().await.unwrap();
    let coverage = house.recall.coverage(order).await.unwrap();
    assert_eq!(coverage.states.get("outside"), Some(&1), "{:?}", coverage.states);
}
