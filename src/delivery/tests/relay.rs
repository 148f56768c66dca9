//! A relay for tests: a real SMTP server on loopback that behaves as it is told.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How the relay behaves from now on.
#[derive(Clone, Debug, Default)]
pub(super) struct Manners {
    /// Accepts the connection and says nothing.
    pub(super) never_greets: bool,
    /// The reply to MAIL, where it is not 250.
    pub(super) to_mail: Option<&'static str>,
    /// Replies to RCPT by what the address contains.
    pub(super) to_rcpt: Vec<(&'static str, &'static str)>,
    /// The reply after the data, where it is not 250.
    pub(super) to_data: Option<&'static str>,
    /// Takes the data and closes without a reply.
    pub(super) drops_after_data: bool,
}

/// A mail the relay has seen, taken or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) data: String,
}

pub(super) struct FakeRelay {
    pub(super) port: u16,
    pub(super) manners: Arc<Mutex<Manners>>,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
    pub(super) saw: Arc<Notify>,
}

impl FakeRelay {
    pub(super) async fn start() -> FakeRelay {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = FakeRelay {
            port: listener.local_addr().unwrap().port(),
            manners: Arc::default(),
            seen: Arc::default(),
            saw: Arc::default(),
        };
        let (manners, seen) = (Arc::clone(&relay.manners), Arc::clone(&relay.seen));
        let saw = Arc::clone(&relay.saw);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let manners = manners.lock().clone();
                let (seen, saw) = (Arc::clone(&seen), Arc::clone(&saw));
                tokio::spawn(async move {
                    // A client that goes away in the middle is part of the story.
                    let _story = serve(stream, manners, &seen, &saw).await;
                });
            }
        });
        relay
    }

    pub(super) fn behaves(&self, manners: Manners) {
        *self.manners.lock() = manners;
    }

    pub(super) fn saw(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }
}

async fn serve(
    stream: TcpStream,
    manners: Manners,
    seen: &Mutex<Vec<Seen>>,
    saw: &Notify,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    if manners.never_greets {
        let mut nothing = String::new();
        stream.read_line(&mut nothing).await?;
        return Ok(());
    }
    say(&mut stream, "220 relay").await?;
    let mut mail = Seen { from: String::new(), to: Vec::new(), data: String::new() };
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        let reply = match line.get(..4).unwrap_or("") {
            "EHLO" => "250-relay\r\n250 8BITMIME",
            "MAIL" => {
                mail.from = line;
                manners.to_mail.unwrap_or("250 ok")
            }
            "RCPT" => {
                let answer = manners.to_rcpt.iter().find(|(part, _)| line.contains(part));
                let reply = answer.map_or("250 ok", |(_, reply)| *reply);
                if reply.starts_with('2') {
                    mail.to.push(line);
                }
                reply
            }
            "DATA" => {
                say(&mut stream, "354 go").await?;
                mail.data = data(&mut stream).await?;
                seen.lock().push(mail.clone());
                saw.notify_one();
                if manners.drops_after_data {
                    return Ok(());
                }
                manners.to_data.unwrap_or("250 2.0.0 taken")
            }
            _ => "221 bye",
        };
        say(&mut stream, reply).await?;
    }
}

async fn data(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if line == ".\r\n" {
            return Ok(data);
        }
        data += line.strip_prefix('.').unwrap_or(&line);
    }
}

async fn say(stream: &mut BufReader<TcpStream>, line: &str) -> std::io::Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await
}
