//! A mail server that hands mail in by LMTP (RFC 2033) over a real socket.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Hands a mail in and gives the reply to each recipient: at RCPT where it is refused there, else after the mail.
pub(crate) async fn deliver(lmtp: SocketAddr, recipients: &[&str], raw: &str) -> Vec<String> {
    let mut stream = BufReader::new(TcpStream::connect(lmtp).await.unwrap());
    reply(&mut stream).await;
    say(&mut stream, "LHLO mx.b.example").await;
    say(&mut stream, "MAIL FROM:<bob@b.example>").await;
    let (mut replies, mut accepted) = (Vec::new(), Vec::new());
    for recipient in recipients {
        let told = say(&mut stream, &format!("RCPT TO:<{recipient}>")).await;
        if told.starts_with('2') {
            accepted.push(replies.len());
        }
        replies.push(told);
    }
    if accepted.is_empty() {
        return replies;
    }
    assert!(say(&mut stream, "DATA").await.starts_with("354"));
    let mut text = String::with_capacity(raw.len() + 64);
    for line in raw.split_inclusive("\r\n") {
        if line.starts_with('.') {
            text.push('.');
        }
        text.push_str(line);
    }
    text.push_str(".\r\n");
    stream.get_mut().write_all(text.as_bytes()).await.unwrap();
    for at in accepted {
        replies[at] = reply(&mut stream).await;
    }
    replies
}

async fn say(stream: &mut BufReader<TcpStream>, line: &str) -> String {
    stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    reply(stream).await
}

async fn reply(stream: &mut BufReader<TcpStream>) -> String {
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "LMTP hung up");
        if line.as_bytes().get(3) != Some(&b'-') {
            return line;
        }
    }
}
