//! A line between the mirror and a real server that does one thing wrong: at the server's k-th response line.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// How long the server is away after [`Fault::Refuse`].
pub(super) const AWAY: Duration = Duration::from_millis(700);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The line breaks before the response.
    Cut,
    /// It breaks, and nobody listens for a while.
    Refuse,
    /// The response comes, late.
    Delay(Duration),
    /// Half of it comes, and then nothing.
    Truncate,
    /// It comes with octets changed.
    Garble,
    /// The next last word of a command is a NO, whatever the server did.
    No,
    /// The same, a BAD.
    Bad,
    /// The server says goodbye instead of the next last word.
    Bye,
}

/// The line.
pub(super) struct Proxy {
    pub(super) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    lines: AtomicUsize,
    fault: Mutex<Option<(usize, Fault)>>,
    away_until: Mutex<Option<Instant>>,
}

impl Proxy {
    pub(super) async fn new(server: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (lines, fault, away_until) = (AtomicUsize::new(0), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { server, lines, fault, away_until });
        let weak = Arc::downgrade(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Some(shared) = weak.upgrade() else { return };
                if !shared.is_away() {
                    tokio::spawn(carry(client, shared));
                }
            }
        });
        Proxy { port, shared }
    }

    /// From now on: this at the k-th line.
    pub(super) fn arm(&self, k: usize, fault: Fault) {
        self.shared.lines.store(0, Ordering::SeqCst);
        *self.shared.fault.lock() = Some((k, fault));
    }

    /// Nothing goes wrong any more; gives whether something did.
    pub(super) fn disarm(&self) -> bool {
        *self.shared.away_until.lock() = None;
        self.shared.fault.lock().take().is_none()
    }

    pub(super) fn is_away(&self) -> bool {
        self.shared.is_away()
    }

    /// Lines the server has said since it was armed.
    pub(super) fn lines(&self) -> usize {
        self.shared.lines.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn is_away(&self) -> bool {
        self.away_until.lock().is_some_and(|until| Instant::now() < until)
    }

    /// The fault that this line has, once.
    fn fault_of(&self, line: &[u8]) -> Option<Fault> {
        let nth = self.lines.fetch_add(1, Ordering::SeqCst) + 1;
        let mut fault = self.fault.lock();
        let (k, what) = (*fault)?;
        let fits = match what {
            Fault::No | Fault::Bad | Fault::Bye => line.starts_with(b"R"),
            // A body that is changed on the way is no fault of the protocol: TLS is against that.
            Fault::Garble => line.starts_with(b"R") || line.starts_with(b"* "),
            _ => true,
        };
        (nth >= k && fits).then(|| {
            *fault = None;
            what
        })
    }
}

async fn carry(client: TcpStream, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", shared.server)).await else { return };
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let there = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
    tokio::select! {
        _ = there => {}
        () = back(from_server, to_client, &shared) => {}
    }
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared) {
    let mut buffer = vec![0; 16 * 1024];
    let mut line = Vec::new();
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        line.extend_from_slice(&buffer[..n]);
        while let Some(end) = line.iter().position(|&octet| octet == b'\n') {
            let whole: Vec<u8> = line.drain(..=end).collect();
            let said = match shared.fault_of(&whole) {
                None => whole,
                Some(fault) => match spoil(fault, whole, &mut to, shared).await {
                    Some(said) => said,
                    None => return,
                },
            };
            if to.write_all(&said).await.is_err() {
                return;
            }
        }
    }
}

/// What is said instead; nothing if the line is over.
async fn spoil(
    fault: Fault,
    line: Vec<u8>,
    to: &mut OwnedWriteHalf,
    shared: &Shared,
) -> Option<Vec<u8>> {
    let tag =
        String::from_utf8_lossy(line.split(|&octet| octet == b' ').next().unwrap()).into_owned();
    match fault {
        Fault::Cut => None,
        Fault::Refuse => {
            *shared.away_until.lock() = Some(Instant::now() + AWAY);
            None
        }
        Fault::Delay(time) => {
            tokio::time::sleep(time).await;
            Some(line)
        }
        Fault::Truncate => {
            to.write_all(&line[..line.len() / 2]).await.ok()?;
            std::future::pending().await
        }
        Fault::Garble => {
            let mut line = line;
            let (from, to) = (line.len() / 3, line.len() * 2 / 3);
            line[from..to].iter_mut().step_by(3).for_each(|octet| *octet = 0);
            Some(line)
        }
        Fault::No => Some(format!("{tag} NO not now\r\n").into_bytes()),
        Fault::Bad => Some(format!("{tag} BAD what?\r\n").into_bytes()),
        Fault::Bye => {
            to.write_all(b"* BYE shutting down\r\n").await.ok()?;
            None
        }
    }
}
