//! A mail server that hands mail in by LMTP (RFC 2033) over a real socket, and one that takes what leaves.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::town::PATIENCE;

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

/// The world beyond: a relay that takes every mail and keeps it with its envelope.
pub(crate) struct World {
    pub(crate) port: u16,
    taken: Arc<Mutex<Vec<Letter>>>,
    came: Arc<Notify>,
}

/// A mail as the world has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Letter {
    /// `MAIL FROM:<..>` and `RCPT TO:<..>`, as they were said.
    pub(crate) envelope: Vec<String>,
    pub(crate) text: String,
}

impl World {
    pub(crate) async fn open() -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let world = World { port, taken: Arc::default(), came: Arc::default() };
        let (taken, came) = (world.taken.clone(), world.came.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (taken, came) = (taken.clone(), came.clone());
                // Whoever hangs up has said what there was to say.
                tokio::spawn(async move { take(stream, &taken, &came).await.ok() });
            }
        });
        world
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.taken.lock().unwrap().clone()
    }

    /// All letters, once there are so many.
    pub(crate) async fn until(&self, count: usize) -> Vec<Letter> {
        let waiting = async {
            loop {
                let came = self.came.notified();
                let letters = self.letters();
                if letters.len() >= count {
                    return letters;
                }
                came.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("a letter never left")
    }
}

async fn take(stream: TcpStream, taken: &Mutex<Vec<Letter>>, came: &Notify) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(b"220 world\r\n").await?;
    let mut letter = Letter::default();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        match line.get(..4).unwrap_or_default() {
            "DATA" => {
                stream.get_mut().write_all(b"354 go\r\n").await?;
                loop {
                    let mut line = String::new();
                    if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
                        break;
                    }
                    letter.text += &line;
                }
                taken.lock().unwrap().push(std::mem::take(&mut letter));
                came.notify_waiters();
            }
            "MAIL" | "RCPT" => letter.envelope.push(line.trim_end().to_owned()),
            _ => (),
        }
        let reply = match line.get(..4).unwrap_or_default() {
            "EHLO" => "250-world\r\n250 8BITMIME\r\n",
            _ => "250 ok 1\r\n",
        };
        stream.get_mut().write_all(reply.as_bytes()).await?;
    }
}
