//! What is slow, too large, too many or no HTTP at all.

use super::*;

#[tokio::test]
async fn a_slow_head_is_cut_and_an_idle_phone_is_not() {
    let gateway = Gateway::open(limits(|it| it.head = Duration::from_millis(60))).await;
    let (mut idle, mut slow) = (gateway.tls_phone().await, gateway.tls_phone().await);
    idle.posts("", "one").await;
    assert_eq!(idle.hears_body().await, "one");
    slow.says("POST /Microsoft-Serv").await;
    assert_eq!(slow.hears_status().await, 408);
    assert!(slow.hears_the_end().await.is_empty());
    idle.posts("", "two").await;
    assert_eq!(idle.hears_body().await, "two");
}

#[tokio::test]
async fn an_idle_phone_is_let_go_in_the_end() {
    let gateway = Gateway::open(limits(|it| it.idle = Duration::from_millis(60))).await;
    let mut phone = gateway.phone().await;
    phone.posts("", "one").await;
    assert_eq!(phone.hears_body().await, "one");
    assert!(phone.hears_the_end().await.is_empty());
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    let gateway = Gateway::open(limits(|it| it.body_stall = Duration::from_millis(60))).await;
    let mut phone = gateway.phone().await;
    let whole = post("", "", "0123456789");
    phone.says(&whole[..whole.len() - 1]).await;
    assert_eq!(phone.hears_status().await, 408);
    assert_eq!(gateway.desk.handled.load(Ordering::SeqCst), 0);
    assert_eq!(gateway.endpoint.gauge().body_bytes(), 0);
}

#[tokio::test]
async fn a_huge_body_is_refused_and_never_held() {
    const HUGE: usize = 100 * 1024 * 1024;
    let gateway = Gateway::open(limits(|it| it.body_bytes_max = 1024 * 1024)).await;
    let declared = format!("Content-Length: {HUGE}\r\n\r\n");
    let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{HUGE:x}\r\n");
    for framing in [declared, chunked] {
        let phone = TcpStream::connect(gateway.plain).await.unwrap();
        let (read, mut write) = tokio::io::split(phone);
        let head = format!("POST /Microsoft-Server-ActiveSync?length HTTP/1.1\r\n{framing}");
        let sending = tokio::spawn(async move {
            write.write_all(head.as_bytes()).await.unwrap();
            let piece = vec![b'x'; 1024 * 1024];
            for _ in 0..HUGE / piece.len() {
                if write.write_all(&piece).await.is_err() {
                    break;
                }
            }
        });
        let mut phone = Phone(tokio::io::join(read, tokio::io::sink()));
        assert_eq!(phone.hears_status().await, 413);
        assert!(gateway.endpoint.gauge().body_bytes() <= 1024 * 1024);
        sending.await.unwrap();
    }
    assert_eq!(gateway.desk.handled.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_strangers_large_body_is_refused_before_it_is_taken_in() {
    let gateway = Gateway::usual().await;
    let body = "x".repeat(100_000);
    let head = "POST /Microsoft-Server-ActiveSync?stranger HTTP/1.1\r\n";
    for framing in ["Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n186a0\r\n"]
    {
        let mut phone = gateway.phone().await;
        phone.says([head, framing, &body].concat()).await;
        assert_eq!(phone.hears_status().await, 401);
    }
    assert_eq!(gateway.desk.handled.load(Ordering::SeqCst), 0);
    let mut phone = gateway.phone().await;
    phone.posts("length", &body).await;
    assert_eq!(phone.hears_body().await, "100000");
}

#[tokio::test]
async fn bodies_share_a_bounded_memory() {
    let gateway = Gateway::open(limits(|it| it.bodies_bytes_max = 1000)).await;
    let mut first = gateway.phone().await;
    let body = "x".repeat(900);
    let whole = post("length", "", &body);
    first.says(&whole[..whole.len() - 1]).await;
    while gateway.endpoint.gauge().body_bytes() < 899 {
        tokio::task::yield_now().await;
    }
    let mut second = gateway.phone().await;
    second.posts("length", &body).await;
    let (head, _) = second.hears().await;
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 60\r\n"), "{head}");
    first.says("x").await;
    assert_eq!(first.hears_body().await, "900");
    assert_eq!(gateway.endpoint.gauge().body_bytes(), 0);
}

#[tokio::test]
async fn garbage_is_refused_and_harms_nobody() {
    let gateway = Gateway::usual().await;
    for garbage in [b"\x16\x03\x01\x00\x05hello\r\n\r\n".as_slice(), b"GET\r\n\r\n", b"\0\0\0\0"] {
        let mut phone = gateway.phone().await;
        phone.says(garbage).await;
        phone.0.shutdown().await.unwrap();
        let answer = phone.hears_the_end().await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
        let mut phone = Phone(TcpStream::connect(gateway.tls).await.unwrap());
        phone.says(garbage).await;
        phone.0.shutdown().await.unwrap();
        assert!(!phone.hears_the_end().await.starts_with(b"HTTP"));
    }
    let mut phone = gateway.phone().await;
    let bad_chunk =
        "POST /Microsoft-Server-ActiveSync HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    phone.says(bad_chunk).await;
    assert_eq!(phone.hears_status().await, 400);
    let mut phone = gateway.tls_phone().await;
    phone.posts("", "fine").await;
    assert_eq!(phone.hears_body().await, "fine");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    let head = format!("POST /?{} HTTP/1.1\r\n", "a".repeat(60_000));
    let _ = phone.0.write_all(head.as_bytes()).await;
    let status = phone.hears_status().await;
    assert!(matches!(status, 414 | 431), "{status}");
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_given_up() {
    let gateway = Gateway::open(limits(|it| it.handshake = Duration::from_millis(60))).await;
    let mut phone = Phone(TcpStream::connect(gateway.tls).await.unwrap());
    assert!(phone.hears_the_end().await.is_empty());
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_so() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    phone.says("GET /Microsoft-Server-ActiveSync HTTP/1.1\r\n\r\n").await;
    let (head, _) = phone.hears().await;
    assert!(
        head.starts_with("HTTP/1.1 405 ") && head.contains("allow: OPTIONS,POST\r\n"),
        "{head}"
    );
    for method in ["BREW", "PUT", "DELETE", "PROPFIND"] {
        phone.says(format!("{method} /Microsoft-Server-ActiveSync HTTP/1.1\r\n\r\n")).await;
        assert_eq!(phone.hears_status().await, 501, "{method}");
    }
    conforms!("MS-ASHTTP_R187", "MS-ASHTTP_R443", "MS-ASHTTP_R465");
    phone.says("GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(phone.hears_status().await, 404);
    conforms!("MS-ASHTTP_R182");
    phone.says("OPTIONS //Microsoft-server-activesync/ HTTP/1.1\r\n\r\n").await;
    let (head, body) = phone.hears().await;
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && body.is_empty(),
        "still the same connection"
    );
    conforms!("MS-ASHTTP_R319", "MS-ASHTTP_R239", "MS-ASHTTP_R241", "MS-ASHTTP_R240");
}

#[tokio::test]
async fn a_panic_costs_one_answer() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    phone.posts("panic", "").await;
    assert_eq!(phone.hears_status().await, 503);
    phone.posts("", "well").await;
    assert_eq!(phone.hears_body().await, "well");
}

#[tokio::test]
async fn connections_too_many_are_refused_clearly() {
    let gateway = Gateway::open(limits(|it| it.connections_per_ip_max = 1)).await;
    let mut first = gateway.phone().await;
    first.posts("", "in").await;
    assert_eq!(first.hears_body().await, "in");
    let mut second = gateway.phone().await;
    assert_eq!(second.hears_status().await, 503);
    let mut third = Phone(TcpStream::connect(gateway.tls).await.unwrap());
    assert_eq!(third.hears_the_end().await, [21, 3, 3, 0, 2, 2, 80]);
    assert_eq!(gateway.endpoint.gauge().refused(), 2);
    drop(first);
    while gateway.endpoint.gauge().connections() > 0 {
        tokio::task::yield_now().await;
    }
    let mut fourth = gateway.phone().await;
    fourth.posts("", "in").await;
    assert_eq!(fourth.hears_body().await, "in");
}

#[tokio::test]
async fn a_turn_that_does_not_come_is_told_so() {
    let short = Duration::from_millis(60);
    let mut gateway = Gateway::open(limits(|it| (it.requests_max, it.turn) = (1, short))).await;
    let (mut first, mut second) = (gateway.phone().await, gateway.phone().await);
    first.posts("stuck", "").await;
    let go_on = gateway.parked.recv().await.unwrap();
    second.posts("", "mine").await;
    let (head, _) = second.hears().await;
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 60\r\n"), "{head}");
    conforms!("MS-ASHTTP_R273", "MS-ASHTTP_R287", "MS-ASHTTP_R288", "MS-ASHTTP_R190");
    go_on.send("at last".to_owned()).unwrap();
    assert_eq!(first.hears_body().await, "at last");
    second.posts("", "mine").await;
    assert_eq!(second.hears_body().await, "mine");
}

#[tokio::test]
async fn work_that_goes_on_without_its_phone_keeps_its_turn() {
    let short = Duration::from_millis(60);
    let mut gateway = Gateway::open(limits(|it| {
        (it.requests_max, it.turn, it.handle) = (1, short, short);
    }))
    .await;
    let mut phone = gateway.phone().await;
    phone.posts("stuck", "").await;
    let go_on = gateway.parked.recv().await.unwrap();
    assert_eq!(phone.hears_status().await, 503);
    phone.posts("", "more").await;
    assert_eq!(phone.hears_status().await, 503);
    assert_eq!(gateway.desk.handled.load(Ordering::SeqCst), 1);
    go_on.send(String::new()).unwrap();
    while gateway.desk.handled.load(Ordering::SeqCst) == 1 {
        phone.posts("", "more").await;
        phone.hears().await;
    }
}

/// Large bodies take their part of the memory before they are read, and never all of it.
#[tokio::test]
async fn large_bodies_wait_for_room_and_leave_some_to_small_ones() {
    let mut gateway = Gateway::open(limits(|it| {
        (it.bodies_bytes_max, it.turn) = (512 * 1024, Duration::from_millis(60));
    }))
    .await;
    let (large, small) = ("x".repeat(300_000), "x".repeat(60_000));
    let mut first = gateway.phone().await;
    let whole = post("length", "", &large);
    first.says(&whole[..whole.len() - 1]).await;
    while gateway.endpoint.gauge().body_bytes() < large.len() - 1 {
        tokio::task::yield_now().await;
    }
    let chunked = "POST /Microsoft-Server-ActiveSync?length HTTP/1.1\r\n\
        Transfer-Encoding: chunked\r\n\r\n186a0\r\n";
    for second in [post("length", "", &large), [chunked, &"x".repeat(100_000)].concat()] {
        let mut phone = gateway.phone().await;
        phone.says(second).await;
        let (head, _) = phone.hears().await;
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after"), "{head}");
        assert_eq!(gateway.events.recv().await, Some("gone"), "its pass is given back");
    }
    let mut phone = gateway.phone().await;
    phone.posts("length", &small).await;
    assert_eq!(phone.hears_body().await, "60000");
    first.says("x").await;
    assert_eq!(first.hears_body().await, "300000");
    assert_eq!(gateway.events.recv().await, Some("gone"));
    phone.posts("length", &large).await;
    assert_eq!(phone.hears_body().await, "300000");
}
