//! A server that answers as the test wants: honest unless told otherwise, and told otherwise in each test.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the server says to a command instead of the truth: everything, its last word too. `{tag}` stands for the tag.
pub(super) type Lie = Box<dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync>;

/// A message of the server's INBOX.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) uid: u32,
    pub(super) flags: &'static str,
    pub(super) octets: Vec<u8>,
    /// What the server says its size is.
    pub(super) size: u64,
}

impl Letter {
    pub(super) fn new(uid: u32, octets: impl Into<Vec<u8>>) -> Letter {
        let octets = octets.into();
        Letter { uid, flags: "\\Seen", size: octets.len() as u64, octets }
    }
}

/// What the server has.
pub(super) struct Truth {
    pub(super) capabilities: &'static str,
    pub(super) folders: Vec<String>,
    pub(super) letters: Vec<Letter>,
    pub(super) uid_validity: u32,
    pub(super) modseq: u64,
}

impl Default for Truth {
    fn default() -> Truth {
        let folders = ["INBOX", "Drafts", "Trash", "Sent", "Junk"].map(str::to_owned).to_vec();
        let letters =
            (1..=3).map(|uid| Letter::new(uid, super::suite::mail(&uid.to_string(), "x")));
        let (uid_validity, modseq) = (7, 100);
        Truth { capabilities: "", folders, letters: letters.collect(), uid_validity, modseq }
    }
}

/// The server.
#[derive(Clone)]
pub(super) struct Liar {
    pub(super) port: u16,
    pub(super) truth: Arc<Mutex<Truth>>,
    lie: Arc<Mutex<Option<Lie>>>,
    /// Commands it has been given.
    pub(super) asked: Arc<Mutex<Vec<String>>>,
    pub(super) connections: Arc<AtomicUsize>,
}

impl Liar {
    pub(super) async fn new(truth: Truth) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (lie, asked, connections) = (Arc::default(), Arc::default(), Arc::default());
        let liar = Liar { port, truth: Arc::new(Mutex::new(truth)), lie, asked, connections };
        let this = liar.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move {
                    this.connections.fetch_add(1, Ordering::SeqCst);
                    let _over = this.serve(stream).await;
                    this.connections.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        liar
    }

    /// From now on it says this.
    pub(super) fn says(&self, lie: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) {
        *self.lie.lock() = Some(Box::new(lie));
    }

    /// From now on it is honest.
    pub(super) fn repents(&self) {
        *self.lie.lock() = None;
    }

    /// How many commands with this in them it was given.
    pub(super) fn count(&self, what: &str) -> usize {
        self.asked.lock().iter().filter(|one| one.contains(what)).count()
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let (from, mut to) = stream.into_split();
        let mut from = BufReader::new(from);
        let greeting = self.reply("GREETING");
        to.write_all(&greeting).await?;
        let mut line = String::new();
        loop {
            line.clear();
            if from.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let (tag, command) = line.trim_end().split_once(' ').unwrap_or(("DONE", ""));
            if command.is_empty() {
                continue;
            }
            self.asked.lock().push(command.to_owned());
            let said = self.reply(command);
            let tagged = replaced(&said, tag);
            to.write_all(&tagged).await?;
            if command == "IDLE" && tagged.starts_with(b"+") {
                let mut done = String::new();
                from.read_line(&mut done).await?;
                to.write_all(format!("{tag} OK done\r\n").as_bytes()).await?;
            }
        }
    }

    fn reply(&self, command: &str) -> Vec<u8> {
        let lie = self.lie.lock().as_ref().and_then(|lie| lie(command));
        lie.unwrap_or_else(|| self.truth.lock().says(command))
    }
}

/// A reply with its tag; octets of messages stay as they are.
fn replaced(said: &[u8], tag: &str) -> Vec<u8> {
    let mark = b"{tag}";
    match said.windows(mark.len()).rposition(|window| window == mark) {
        Some(at) => [&said[..at], tag.as_bytes(), &said[at + mark.len()..]].concat(),
        None => said.to_vec(),
    }
}

impl Truth {
    /// What an honest server says to a command.
    pub(super) fn says(&self, command: &str) -> Vec<u8> {
        let words: Vec<&str> = command.split(' ').collect();
        let mut said = match words[0] {
            "GREETING" => {
                let what = self.capabilities;
                return format!("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN {what}] hi\r\n")
                    .into();
            }
            "AUTHENTICATE" => {
                let what = self.capabilities;
                return format!("{{tag}} OK [CAPABILITY IMAP4rev1 {what}] in\r\n").into();
            }
            "IDLE" => return b"+ idling\r\n".to_vec(),
            "ENABLE" => b"* ENABLED QRESYNC\r\n".to_vec(),
            "LIST" => self.list(),
            "SELECT" => self.select(words[1]),
            "STATUS" => self.status(words[1]),
            "FETCH" => self.letters.iter().enumerate().flat_map(|(at, one)| one.seen(at)).collect(),
            "UID" if words[1] == "SEARCH" => self.search(&words[2..]),
            "UID" if words[1] == "FETCH" => {
                let with_uid = self.letters.iter().enumerate();
                let asked = with_uid.filter(|(_, one)| is_in(words[2], one.uid));
                asked.flat_map(|(at, one)| one.told(at, command)).collect()
            }
            _ => Vec::new(),
        };
        said.extend(b"{tag} OK done\r\n");
        said
    }

    fn list(&self) -> Vec<u8> {
        let line = |name: &String| match name.bytes().all(|c| c.is_ascii_graphic() && c != b'"') {
            true => format!("* LIST () \"/\" \"{}\"\r\n", name.replace('\\', "\\\\")),
            false => format!("* LIST () \"/\" {{{}}}\r\n{name}\r\n", name.len()),
        };
        self.folders.iter().map(line).collect::<String>().into()
    }

    fn select(&self, name: &str) -> Vec<u8> {
        let exists = if is_inbox(name) { self.letters.len() } else { 0 };
        let modseq = match self.capabilities.contains("CONDSTORE") {
            true => format!("* OK [HIGHESTMODSEQ {}] changes\r\n", self.modseq),
            false => String::new(),
        };
        format!(
            "* FLAGS (\\Seen)\r\n* {exists} EXISTS\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] yes\r\n\
             * OK [UIDVALIDITY {}] valid\r\n{modseq}",
            self.uid_validity
        )
        .into()
    }

    fn status(&self, name: &str) -> Vec<u8> {
        let messages = if is_inbox(name) { self.letters.len() } else { 0 };
        let (validity, modseq) = (self.uid_validity, self.modseq);
        format!("* STATUS {name} (MESSAGES {messages} UIDNEXT 99 UIDVALIDITY {validity} HIGHESTMODSEQ {modseq})\r\n").into()
    }

    fn search(&self, words: &[&str]) -> Vec<u8> {
        let is_asked = |one: &&Letter| match words {
            ["UID", set] => is_in(set, one.uid),
            ["DELETED"] => one.flags.contains("Deleted"),
            _ => true,
        };
        let found = self.letters.iter().filter(is_asked).map(|one| format!(" {}", one.uid));
        format!("* SEARCH{}\r\n", found.collect::<String>()).into()
    }
}

fn is_inbox(name: &str) -> bool {
    name.trim_matches('"') == "INBOX"
}

fn is_in(set: &str, uid: u32) -> bool {
    set.split(',').any(|part| {
        let (from, to) = part.split_once(':').unwrap_or((part, part));
        let number = |text: &str| text.parse().unwrap_or(u32::MAX);
        (number(from)..=number(to)).contains(&uid)
    })
}

impl Letter {
    fn seen(&self, at: usize) -> Vec<u8> {
        format!("* {} FETCH (UID {} FLAGS ({}))\r\n", at + 1, self.uid, self.flags).into()
    }

    fn told(&self, at: usize, command: &str) -> Vec<u8> {
        let (n, uid, flags, size) = (at + 1, self.uid, self.flags, self.size);
        let (name, octets) = if command.contains("HEADER.FIELDS") {
            let end = self.octets.windows(4).position(|four| four == b"\r\n\r\n");
            let header = end.map_or(&self.octets[..], |end| &self.octets[..end + 4]);
            ("BODY[HEADER.FIELDS (MESSAGE-ID DATE FROM)]", header)
        } else if command.contains("BODY.PEEK[]") {
            ("BODY[]", &self.octets[..])
        } else {
            return self.seen(at);
        };
        let date = "24-Nov-2026 08:00:00 +0000";
        let head = format!(
            "* {n} FETCH (UID {uid} FLAGS ({flags}) INTERNALDATE \"{date}\" RFC822.SIZE {size} {name} {{{}}}\r\n",
            octets.len()
        );
        [head.as_bytes(), octets, b")\r\n"].concat()
    }
}
