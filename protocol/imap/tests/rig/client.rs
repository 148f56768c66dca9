//! A client over TCP: the state machine, a socket, and the verbs a conversation is told in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use imap_sans::{Command, CommandId, Connection, Event, Fetch, Limits, Outcome, Status, Untagged};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to a server.
pub(crate) struct Client {
    pub(crate) imap: Connection,
    stream: TcpStream,
    events: VecDeque<Event>,
}

/// What a command brought.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) data: Vec<Untagged>,
    /// Octets of long literals, by number.
    pub(crate) streamed: std::collections::BTreeMap<u64, Vec<u8>>,
}

impl Answer {
    pub(crate) fn fetches(&self) -> impl Iterator<Item = &Fetch> {
        self.data.iter().filter_map(|one| match one {
            Untagged::Fetch(fetch) => Some(&**fetch),
            _ => None,
        })
    }

    pub(crate) fn codes(&self) -> Vec<&imap_sans::Code> {
        let untagged = self.data.iter().filter_map(|one| match one {
            Untagged::Status(status) => status.code.as_ref(),
            _ => None,
        });
        untagged.chain(self.status.code.as_ref()).collect()
    }
}

impl Client {
    pub(crate) async fn connect(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let imap = Connection::new(Limits::DEFAULT, Instant::now());
        let mut client = Client { imap, stream, events: VecDeque::new() };
        let greeting = client.next().await;
        assert!(matches!(greeting, Event::Greeting(_)), "{greeting:?}");
        client
    }

    pub(crate) fn submit(&mut self, command: Command) -> CommandId {
        self.imap.submit(command, Instant::now()).unwrap()
    }

    /// The next event, whatever it is.
    pub(crate) async fn next(&mut self) -> Event {
        tokio::time::timeout(PATIENCE, self.pump()).await.expect("the server answers in time")
    }

    /// Carries out a command and gathers what comes before its end.
    pub(crate) async fn run(&mut self, command: Command) -> Answer {
        let id = self.submit(command);
        self.ended(id).await
    }

    /// Gathers what comes before the end of a command.
    pub(crate) async fn ended(&mut self, id: CommandId) -> Answer {
        let mut data = Vec::new();
        let mut streamed: std::collections::BTreeMap<u64, Vec<u8>> = Default::default();
        loop {
            match self.next().await {
                Event::Untagged(untagged) => data.push(untagged),
                Event::LiteralPiece { literal, octets, .. } => {
                    streamed.entry(literal).or_default().extend(octets);
                }
                Event::Done(done) if done.id == id => match done.outcome {
                    Outcome::Ok(status) => {
                        assert_eq!(done.unread, 0, "everything was read");
                        return Answer { status, data, streamed };
                    }
                    other => panic!("{other:?} after {data:?}"),
                },
                Event::LiteralStart { .. } | Event::Idling(_) | Event::Upgrade(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits for news that fit.
    pub(crate) async fn news(&mut self, fits: impl Fn(&Untagged) -> bool) -> Untagged {
        loop {
            match self.next().await {
                Event::Untagged(untagged) if fits(&untagged) => return untagged,
                Event::Untagged(_) | Event::Idling(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn pump(&mut self) -> Event {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            while let Some(output) = self.imap.poll_output(Instant::now()) {
                self.stream.write_all(&output).await.unwrap();
            }
            self.events.extend(std::iter::from_fn(|| self.imap.poll_event()));
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            match self.stream.read(&mut buffer).await.unwrap() {
                0 => self.imap.handle_eof(),
                n => {
                    let mut taken = 0;
                    while taken < n {
                        taken += self.imap.handle_input(&buffer[taken..n], Instant::now());
                        self.events.extend(std::iter::from_fn(|| self.imap.poll_event()));
                    }
                }
            }
        }
    }
}
