//! Phones that wait: woken, gone, impatient.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_waits_is_woken_and_asks_again() {
    const CROWD: usize = 60;
    let mut gateway = Gateway::usual().await;
    let mut phones = Vec::new();
    for _ in 0..CROWD {
        phones.push(gateway.tls_phone().await);
    }
    for round in 0..3 {
        for phone in &mut phones {
            phone.posts("wait", "").await;
        }
        let mut wakes = Vec::new();
        while wakes.len() < CROWD {
            wakes.push(gateway.parked.recv().await.unwrap());
        }
        for wake in wakes {
            wake.send(round.to_string()).unwrap();
        }
        for phone in &mut phones {
            assert_eq!(phone.hears_body().await, round.to_string());
        }
    }
    drop(phones);
    gateway
        .endpoint
        .stop(Stopping { spread: Duration::ZERO, patience: Duration::from_secs(30) })
        .await;
    assert_eq!(gateway.endpoint.gauge().connections(), 0);
}

#[tokio::test]
async fn a_waiting_phone_is_answered_by_its_wake() {
    let mut gateway = Gateway::usual().await;
    let mut phone = gateway.tls_phone().await;
    for round in ["first", "second"] {
        phone.posts("wait", "ping").await;
        let wake = gateway.parked.recv().await.unwrap();
        assert_eq!(gateway.endpoint.gauge().waiting(), 1);
        wake.send(round.to_owned()).unwrap();
        assert_eq!(phone.hears_body().await, round);
        assert_eq!(gateway.events.recv().await, Some("answered"));
    }
    phone.posts("", "after").await;
    assert_eq!(phone.hears_body().await, "after");
    assert_eq!(gateway.endpoint.gauge().waiting(), 0);
}

#[tokio::test]
async fn a_wait_on_a_closing_connection_is_answered_and_closed() {
    let mut gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    phone.says(post("wait", "Connection: close\r\n", "")).await;
    gateway.parked.recv().await.unwrap().send("now".to_owned()).unwrap();
    assert_eq!(phone.hears_body().await, "now");
    assert!(phone.hears_the_end().await.is_empty());
}

#[tokio::test]
async fn a_phone_that_goes_while_it_waits_is_noticed() {
    let mut gateway = Gateway::usual().await;
    let mut closes = gateway.phone().await;
    closes.posts("wait", "").await;
    let _wake = gateway.parked.recv().await.unwrap();
    drop(closes);
    assert_eq!(gateway.events.recv().await, Some("gone"));

    let mut resets = gateway.phone().await;
    resets.posts("wait", "").await;
    let _wake = gateway.parked.recv().await.unwrap();
    resets.0.set_zero_linger().unwrap();
    drop(resets);
    assert_eq!(gateway.events.recv().await, Some("gone"));

    let mut notifies = gateway.tls_phone().await;
    notifies.posts("wait", "").await;
    let _wake = gateway.parked.recv().await.unwrap();
    notifies.0.shutdown().await.unwrap();
    assert_eq!(gateway.events.recv().await, Some("gone"));

    let mut vanishes = gateway.tls_phone().await;
    vanishes.posts("wait", "").await;
    let _wake = gateway.parked.recv().await.unwrap();
    drop(vanishes.0.into_inner().0);
    assert_eq!(gateway.events.recv().await, Some("gone"));
}

#[tokio::test]
async fn a_request_begun_while_waiting_is_kept() {
    let mut gateway = Gateway::usual().await;
    let mut phone = gateway.tls_phone().await;
    phone.posts("wait", "").await;
    let wake = gateway.parked.recv().await.unwrap();
    let next = post("", "", "next");
    phone.says(&next[..9]).await;
    // Another phone's exchange: the bytes above have been looked at by then.
    let mut other = gateway.phone().await;
    other.posts("", "other").await;
    assert_eq!(other.hears_body().await, "other");
    wake.send("woken".to_owned()).unwrap();
    assert_eq!(phone.hears_body().await, "woken");
    phone.says(&next[9..]).await;
    assert_eq!(phone.hears_body().await, "next");
}

#[tokio::test]
async fn what_comes_while_waiting_is_kept_up_to_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut line = Line::plain(listener.accept().await.unwrap().0);
    peer.write_all(&[b'x'; 3000]).await.unwrap();
    drop(peer);
    line.gone().await;
    line.unread(b"ab");
    let mut kept = Vec::new();
    line.read_to_end(&mut kept).await.unwrap();
    assert_eq!((kept.len(), &kept[..3]), (3002, b"abx".as_slice()));
}

#[tokio::test]
async fn a_waiting_phone_may_change_its_keys() {
    let mut gateway = Gateway::usual().await;
    let mut phone = gateway.tls_phone().await;
    phone.posts("wait", "").await;
    let wake = gateway.parked.recv().await.unwrap();
    phone.0.get_mut().1.refresh_traffic_keys().unwrap();
    phone.0.flush().await.unwrap();
    let next = post("", "", "under new keys");
    phone.says(&next[..1]).await;
    wake.send("woken".to_owned()).unwrap();
    assert_eq!(phone.hears_body().await, "woken");
    phone.says(&next[1..]).await;
    assert_eq!(phone.hears_body().await, "under new keys");
}

#[tokio::test]
async fn a_wait_takes_no_turn_from_those_who_ask() {
    let mut gateway = Gateway::open(limits(|it| it.requests_max = 1)).await;
    let (mut waiting, mut asking) = (gateway.tls_phone().await, gateway.tls_phone().await);
    waiting.posts("wait", "").await;
    let wake = gateway.parked.recv().await.unwrap();
    for round in ["one", "two"] {
        asking.posts("", round).await;
        assert_eq!(asking.hears_body().await, round);
    }
    wake.send("news".to_owned()).unwrap();
    assert_eq!(waiting.hears_body().await, "news");
}

/// Who waits for a password to be checked waits in a turn. Strangers who try many must leave some to phones that are known already.
#[test]
fn strangers_at_the_door_do_not_take_every_turn() {
    let at_the_door = crate::directory::Settings::default().checks_waiting_max;
    assert!(at_the_door + 32 <= Limits::default().requests_max);
}
