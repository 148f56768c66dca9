//! Requests and answers: versions of HTTP and TLS, framing, keep-alive, proxies.

use super::*;

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let gateway = Gateway::usual().await;
    let (mut plain, mut tls) = (gateway.phone().await, gateway.tls_phone().await);
    for round in 0..3 {
        plain.posts("", &format!("plain {round}")).await;
        tls.posts("", &format!("tls {round}")).await;
        assert_eq!(plain.hears_body().await, format!("plain {round}"));
        assert_eq!(tls.hears_body().await, format!("tls {round}"));
    }
    conforms!("MS-ASHTTP_R1", "MS-ASHTTP_R401", "MS-ASHTTP_R518", "MS-ASHTTP_R281");
    assert_eq!(gateway.endpoint.gauge().connections(), 2);
}

/// Every octet of an answer, and none before it is asked for ([MS-ASHTTP] 2.2.2).
#[tokio::test]
async fn an_answer_is_a_status_line_headers_and_a_body() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    for text in ["", "data", "Gr\u{fc}\u{df}e"] {
        phone.posts("", text).await;
        let (head, body) = phone.hears().await;
        assert_eq!(body, text);
        conforms!("MS-ASHTTP_R167", "MS-ASHTTP_R228", "MS-ASHTTP_R169");
        let (status_line, headers) = head.split_once("\r\n").unwrap();
        assert_eq!(status_line, "HTTP/1.1 200 OK");
        conforms!("MS-ASHTTP_R172", "MS-ASHTTP_R175");
        let headers = headers.strip_suffix("\r\n\r\n").unwrap();
        let headers: Vec<_> =
            headers.split("\r\n").map(|line| line.split_once(": ").unwrap()).collect();
        conforms!("MS-ASHTTP_R170");
        let header = |name: &str| {
            let mut found = headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
            let value = found.next().map(|(_, value)| *value);
            assert!(found.next().is_none(), "{name} twice");
            value
        };
        assert_eq!(header("Content-Length"), Some(text.len().to_string().as_str()));
        conforms!("MS-ASHTTP_R199", "MS-ASHTTP_R216", "MS-ASHTTP_R521", "MS-ASHTTP_R212");
        assert_eq!(header("Content-Type"), Some("application/vnd.ms-sync.wbxml"));
        conforms!("MS-ASHTTP_R201", "MS-ASHTTP_R218", "MS-ASHTTP_R522");
        assert_eq!(header("Content-Encoding"), None);
        conforms!("MS-ASHTTP_R412", "MS-ASHTTP_R215");
    }
    // What is heard after the last answer is nothing, until the end.
    phone.0.shutdown().await.unwrap();
    assert!(phone.hears_the_end().await.is_empty());
    conforms!("MS-ASHTTP_R261");
}

#[tokio::test]
async fn tls_1_2_and_1_3_speak_only_http_1_1() {
    let gateway = Gateway::usual().await;
    let versions = [&rustls::version::TLS12, &rustls::version::TLS13];
    for version in versions {
        let mut phone = gateway.handshake(version, &[b"h2", b"http/1.1"]).await.unwrap();
        assert_eq!(phone.0.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(phone.0.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
        phone.posts("", "hello").await;
        assert_eq!(phone.hears_body().await, "hello");
    }
    assert!(gateway.handshake(&rustls::version::TLS13, &[b"h2"]).await.is_err());
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.tls_phone().await;
    phone.says([post("", "", "one"), post("", "", "two"), post("", "", "three")].concat()).await;
    for expected in ["one", "two", "three"] {
        assert_eq!(phone.hears_body().await, expected);
    }
}

#[tokio::test]
async fn an_empty_answer_has_a_type_a_length_and_a_date() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    phone.posts("empty", "").await;
    let (head, _) = phone.hears().await;
    assert!(head.contains("Content-Length: 0\r\n"), "{head}");
    assert!(head.contains("Content-Type: application/vnd.ms-sync.wbxml\r\n"), "{head}");
    assert!(head.contains("Date: Tue, 24 Nov 2026 08:00:00 GMT\r\n"), "{head}");
}

#[tokio::test]
async fn connection_close_is_honoured() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.tls_phone().await;
    phone.says(post("", "Connection: close\r\n", "bye")).await;
    let (head, body) = phone.hears().await;
    assert_eq!((head.contains("Connection: close\r\n"), body.as_str()), (true, "bye"));
    let mut rest = Vec::new();
    assert_eq!(phone.0.read_to_end(&mut rest).await.unwrap(), 0, "an orderly close_notify");
}

#[tokio::test]
async fn http_1_0_closes_unless_asked_to_stay() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    let stay = post("", "Connection: keep-alive\r\n", "a").replace("HTTP/1.1", "HTTP/1.0");
    phone.says(stay).await;
    let (head, _) = phone.hears().await;
    assert!(head.contains("Connection: keep-alive\r\n"), "{head}");
    phone.says(post("", "", "b").replace("HTTP/1.1", "HTTP/1.0")).await;
    let (head, body) = phone.hears().await;
    assert_eq!((head.contains("Connection: close\r\n"), body.as_str()), (true, "b"));
    assert!(phone.hears_the_end().await.is_empty());
}

#[tokio::test]
async fn chunked_bodies_are_read() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    let head = "POST /microsoft-server-activesync/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    phone
        .says([head, "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n", &post("", "", "next")].concat())
        .await;
    assert_eq!(phone.hears_body().await, "hello, world");
    assert_eq!(phone.hears_body().await, "next");
}

#[tokio::test]
async fn a_half_closed_phone_still_gets_its_answer() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    phone.posts("", "last words").await;
    phone.0.shutdown().await.unwrap();
    assert_eq!(phone.hears_body().await, "last words");
    assert!(phone.hears_the_end().await.is_empty());
    let mut phone = gateway.tls_phone().await;
    phone.posts("", "last words").await;
    phone.0.shutdown().await.unwrap();
    assert_eq!(phone.hears_body().await, "last words");
}

#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body() {
    let gateway = Gateway::open(limits(|it| it.body_bytes_max = 100)).await;
    let mut phone = gateway.tls_phone().await;
    let whole = post("", "Expect: 100-continue\r\n", "invited");
    phone.says(&whole[..whole.len() - 7]).await;
    assert_eq!(phone.hears().await.0, "HTTP/1.1 100 Continue\r\n\r\n");
    phone.says("invited").await;
    assert_eq!(phone.hears_body().await, "invited");

    phone.says("POST /Microsoft-Server-ActiveSync HTTP/1.1\r\nExpect: 100-continue\r\n").await;
    phone.says("Content-Length: 101\r\n\r\n").await;
    assert_eq!(phone.hears_status().await, 413, "not invited");
}

#[tokio::test]
async fn a_proxy_speaks_for_its_phones() {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let gateway = Gateway::open(Settings { trusted_proxies, ..Settings::default() }).await;
    let mut proxy = gateway.phone().await;
    let fields = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n";
    proxy.says(post("", fields, "")).await;
    proxy.hears_body().await;
    let path = "/Microsoft-Server-ActiveSync";
    assert_eq!(*gateway.desk.last.lock(), format!("192.0.2.7 true {path}"));
    let mut phone = gateway.tls_phone().await;
    phone.says(post("", "X-Forwarded-For: 192.0.2.7\r\n", "")).await;
    phone.hears_body().await;
    assert_eq!(*gateway.desk.last.lock(), format!("127.0.0.1 true {path}"));
}

/// A gateway whose proxies say first whose connection it is.
async fn behind_balancers() -> Gateway {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let mut settings = limits(|it| it.connections_per_ip_max = 1);
    settings.trusted_proxies = trusted_proxies;
    (settings.proxy_protocol, settings.plain_proxy_protocol) = (true, true);
    Gateway::open(settings).await
}

const PATH: &str = "/Microsoft-Server-ActiveSync";

#[tokio::test]
async fn a_balancer_says_first_whose_connection_it_is() {
    let gateway = behind_balancers().await;
    let mut phone = gateway.phone().await;
    phone.says("PROXY TCP4 192.0.2.7 192.0.2.1 4000 80\r\n").await;
    for _ in 0..2 {
        phone.says(post("", "X-Forwarded-For: 198.51.100.1\r\n", "hello")).await;
        assert_eq!(phone.hears_body().await, "hello");
        assert_eq!(*gateway.desk.last.lock(), format!("192.0.2.7 false {PATH}"));
    }
    // One connection an address: the phone's, not the balancer's.
    let mut second = gateway.phone().await;
    second.says("PROXY TCP4 192.0.2.7 192.0.2.1 4001 80\r\n").await;
    assert_eq!(second.hears_status().await, 503);
    let mut other = gateway.phone().await;
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x14".to_vec();
    header.extend([192, 0, 2, 8, 192, 0, 2, 1, 0, 9, 0, 80, 0x20, 0, 5, 1, 0, 0, 0, 0]);
    other.says(&header).await;
    other.posts("", "secret").await;
    assert_eq!(other.hears_body().await, "secret");
    assert_eq!(*gateway.desk.last.lock(), format!("192.0.2.8 true {PATH}"));
}

#[tokio::test]
async fn a_balancer_passes_tls_on_behind_its_header() {
    let mut gateway = behind_balancers().await;
    let stream = TcpStream::connect(gateway.tls).await.unwrap();
    let mut line = Phone(stream);
    line.says("PROXY TCP6 2001:db8::1 2001:db8::2 4000 443\r\n").await;
    let mut phone = gateway.over(line.0, &rustls::version::TLS13, &[]).await.unwrap();
    phone.posts("wait", "").await;
    gateway.parked.recv().await.unwrap().send("woken".to_owned()).unwrap();
    assert_eq!(phone.hears_body().await, "woken");
    assert_eq!(*gateway.desk.last.lock(), format!("2001:db8::1 true {PATH}"));
}

#[tokio::test]
async fn a_balancer_without_its_header_is_closed() {
    let gateway = behind_balancers().await;
    let mut silent = gateway.phone().await;
    silent.posts("", "").await;
    assert!(silent.hears_the_end().await.is_empty());
    let mut broken = gateway.phone().await;
    broken.says("PROXY TCP4 here there 1 2\r\n").await;
    assert!(broken.hears_the_end().await.is_empty());
    assert!(gateway.handshake(&rustls::version::TLS13, &[]).await.is_err());
    assert_eq!(gateway.desk.handled.load(Ordering::SeqCst), 0);
    // Its own look whether we are there is none.
    let mut own = gateway.phone().await;
    own.says("PROXY UNKNOWN\r\n").await;
    own.says(post("", "X-Forwarded-For: 198.51.100.1\r\n", "")).await;
    own.hears_body().await;
    assert_eq!(*gateway.desk.last.lock(), format!("127.0.0.1 false {PATH}"));
}

#[tokio::test]
async fn a_header_of_somebody_else_is_no_header() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    phone.says("PROXY TCP4 192.0.2.7 192.0.2.1 4000 80\r\n").await;
    phone.posts("", "").await;
    assert_eq!(phone.hears_status().await, 400);
}
