//! The demo's mail server: hands mail in by LMTP (RFC 2033) over a real socket.

use std::net::SocketAddr;

use anyhow::bail;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::mails::Mail;

/// A connection to the LMTP listener.
pub(super) struct Post {
    stream: BufReader<TcpStream>,
}

impl Post {
    /// Connects and greets.
    pub(super) async fn connect(address: SocketAddr) -> anyhow::Result<Post> {
        let mut post = Post { stream: BufReader::new(TcpStream::connect(address).await?) };
        post.expect('2').await?;
        post.say("LHLO demo.example.org", '2').await?;
        Ok(post)
    }

    /// Hands a mail in; every recipient must be accepted.
    pub(super) async fn deliver(&mut self, mail: &Mail) -> anyhow::Result<()> {
        self.say(&format!("MAIL FROM:<{}>", mail.from), '2').await?;
        for recipient in &mail.to {
            self.say(&format!("RCPT TO:<{recipient}>"), '2').await?;
        }
        self.say("DATA", '3').await?;
        let mut text = String::with_capacity(mail.raw.len() + 64);
        for line in mail.raw.split_inclusive("\r\n") {
            if line.starts_with('.') {
                text.push('.');
            }
            text.push_str(line);
        }
        text.push_str(".\r\n");
        self.stream.get_mut().write_all(text.as_bytes()).await?;
        // One answer for each recipient.
        for _ in &mail.to {
            self.expect('2').await?;
        }
        Ok(())
    }

    async fn say(&mut self, line: &str, first: char) -> anyhow::Result<()> {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await?;
        self.expect(first).await
    }

    async fn expect(&mut self, first: char) -> anyhow::Result<()> {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).await?;
            if !line.starts_with(first) {
                bail!("LMTP answered: {}", line.trim_end());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }
}
