//! Answers with content on their way out, and the stop of the listener.

use super::*;

#[tokio::test]
async fn an_answer_is_cut_when_its_gate_closes() {
    let chunks = 5;
    let mut gateway = Gateway::with_drain(Settings::default(), 8 * 1024 * 1024, chunks).await;
    let mut phone = gateway.tls_phone().await;
    phone.posts("drain", "").await;
    let heard = phone.hears_the_end().await;
    assert_eq!(gateway.events.recv().await, Some("begun"));
    assert_eq!(gateway.events.recv().await, Some("partial"));
    let wrote = gateway.desk.drain.wrote.load(Ordering::SeqCst);
    let chunks = usize::try_from(chunks).unwrap();
    assert!(wrote < chunks * CHUNK_BYTES && wrote > (chunks - 1) * CHUNK_BYTES, "{wrote}");
    let body = heard.iter().filter(|&&byte| byte == b'm').count();
    assert!(body <= wrote + 20, "{body} heard, {wrote} written");
    assert_eq!(gateway.endpoint.gauge().cut(), 1);
}

#[tokio::test]
async fn a_stuck_answer_is_cut_when_its_gate_closes() {
    let mut gateway = Gateway::with_drain(Settings::default(), 64 * 1024 * 1024, i64::MAX).await;
    let mut phone = gateway.phone().await;
    phone.posts("drain", "").await;
    assert_eq!(gateway.events.recv().await, Some("begun"));
    gateway.desk.drain.leave.store(0, Ordering::SeqCst);
    assert_eq!(gateway.events.recv().await, Some("partial"));
    assert!(gateway.desk.drain.wrote.load(Ordering::SeqCst) < 64 * 1024 * 1024);
}

#[tokio::test]
async fn nothing_leaves_of_an_answer_fenced_before_it_begins() {
    let mut gateway = Gateway::with_drain(Settings::default(), 1000, 0).await;
    let mut phone = gateway.phone().await;
    phone.posts("drain", "").await;
    assert!(phone.hears_the_end().await.is_empty());
    assert_eq!(gateway.events.recv().await, Some("partial"));
    assert_eq!(gateway.desk.drain.wrote.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_that_went_out_whole_says_so() {
    let mut gateway = Gateway::with_drain(Settings::default(), 3_000_000, i64::MAX).await;
    let mut phone = gateway.tls_phone().await;
    phone.posts("drain", "").await;
    assert_eq!(phone.hears_body().await.len(), 3_000_000);
    assert_eq!(gateway.events.recv().await, Some("begun"));
    assert_eq!(gateway.events.recv().await, Some("whole"));
    assert_eq!(gateway.desk.drain.wrote.load(Ordering::SeqCst), 3_000_000);
}

#[tokio::test]
async fn an_answer_whose_phone_is_gone_was_not_written() {
    let mut gateway = Gateway::with_drain(Settings::default(), 64 * 1024 * 1024, i64::MAX).await;
    let mut phone = gateway.phone().await;
    phone.posts("drain", "").await;
    assert_eq!(gateway.events.recv().await, Some("begun"));
    drop(phone);
    assert_eq!(gateway.events.recv().await, Some("partial"));
}

#[tokio::test]
async fn a_stop_lets_everyone_go() {
    let mut gateway = Gateway::usual().await;
    let (mut waits, mut idles) = (gateway.tls_phone().await, gateway.phone().await);
    idles.posts("", "hello").await;
    assert_eq!(idles.hears_body().await, "hello");
    waits.posts("wait", "").await;
    let _wake = gateway.parked.recv().await.unwrap();
    let spread = Duration::from_millis(80);
    gateway.endpoint.stop(Stopping { spread, patience: Duration::from_secs(30) }).await;
    let (head, body) = waits.hears().await;
    assert_eq!((head.contains("Connection: close\r\n"), body.as_str()), (true, "farewell"));
    assert!(idles.hears_the_end().await.is_empty());
    assert_eq!(gateway.endpoint.gauge().connections(), 0);
    assert!(TcpStream::connect(gateway.plain).await.is_err(), "no longer accepting");
}

#[tokio::test]
async fn a_stop_cuts_what_does_not_end_in_time() {
    let mut gateway = Gateway::with_drain(Settings::default(), 64 * 1024 * 1024, i64::MAX).await;
    let mut phone = gateway.phone().await;
    phone.posts("drain", "").await;
    assert_eq!(gateway.events.recv().await, Some("begun"));
    gateway.endpoint.stop(Stopping { spread: Duration::ZERO, patience: Duration::ZERO }).await;
    assert_eq!(gateway.events.recv().await, Some("partial"));
    assert_eq!(gateway.endpoint.gauge().connections(), 0);
}
