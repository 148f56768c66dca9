//! One LMTP connection, from LHLO to QUIT.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};

use smtp_proto::{MAIL_BODY_BINARYMIME, Request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;

use super::Lmtp;
use crate::delivery::RECIPIENTS_MAX;
use crate::delivery::lines::{has_bare_line_end, one_line};
use crate::delivery::postman::Origin;
use crate::directory::User;
use crate::ids::UserId;
use crate::mailbox::MailboxError;

pub(super) struct Session<'l, S> {
    lmtp: &'l Lmtp,
    stream: S,
    peer: String,
    /// What has come in and is not yet used.
    input: Vec<u8>,
    /// Replies not yet sent: while more commands wait, they go out together.
    output: Vec<u8>,
    client: Option<String>,
    mail: Option<Mail>,
    errors: usize,
}

/// A mail being handed in.
#[derive(Default)]
struct Mail {
    sender: String,
    recipients: Vec<(String, User)>,
    /// Octets that came in chunks so far.
    chunks: Data,
}

/// The octets of a mail, or why there are none.
#[derive(Default)]
struct Data {
    octets: Vec<u8>,
    large: Option<OwnedSemaphorePermit>,
    /// The reply for every recipient, once something is wrong with it.
    wrong: Option<&'static str>,
    /// All octets that came in, kept or not.
    seen: usize,
}

enum Next {
    GoOn,
    Close,
}

impl<'l, S: AsyncRead + AsyncWrite + Unpin> Session<'l, S> {
    pub(super) fn new(lmtp: &'l Lmtp, stream: S, peer: String) -> Session<'l, S> {
        let (input, output) = (Vec::new(), Vec::new());
        Session { lmtp, stream, peer, input, output, client: None, mail: None, errors: 0 }
    }

    pub(super) async fn run(mut self) -> Result<()> {
        let greeting = format!("220 {} LMTP Retract", self.lmtp.postman.hostname());
        self.reply(&greeting);
        loop {
            let line = match self.line().await {
                Ok(line) => line,
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    // Whoever sends this is lost, or smuggles: the rest of the stream means nothing.
                    self.reply("500 5.5.2 lines end with CR LF and are not that long; closing");
                    return self.flush().await;
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    self.reply("421 4.4.2 waited too long; closing");
                    return self.flush().await;
                }
                Err(error) => return Err(error),
            };
            match self.command(&line).await? {
                Next::GoOn if self.errors < ERRORS_MAX => (),
                Next::GoOn => {
                    self.reply("421 4.7.0 too many errors; closing");
                    return self.flush().await;
                }
                Next::Close => return self.flush().await,
            }
        }
    }

    async fn command(&mut self, line: &[u8]) -> Result<Next> {
        let request = match Request::parse(&mut line.iter()) {
            Ok(request) => request,
            Err(error) => {
                self.refuse(syntax_reply(&error));
                return Ok(Next::GoOn);
            }
        };
        match request {
            Request::Lhlo { host } => self.lhlo(&host),
            Request::Ehlo { .. } | Request::Helo { .. } => {
                self.refuse("500 5.5.1 this is LMTP: LHLO")
            }
            Request::Noop { .. } => self.reply("250 2.0.0 ok"),
            Request::Vrfy { .. } => self.reply("252 2.5.0 try RCPT"),
            Request::Rset => {
                self.mail = None;
                self.reply("250 2.0.0 forgotten");
            }
            Request::Quit => {
                self.reply("221 2.0.0 bye");
                return Ok(Next::Close);
            }
            Request::Mail { from } => self.mail_from(&from),
            Request::Rcpt { to } => self.rcpt_to(&to.address).await,
            Request::Data => return self.data().await,
            Request::Bdat { chunk_size, is_last } => return self.bdat(chunk_size, is_last).await,
            _ => self.refuse("502 5.5.1 not here"),
        }
        Ok(Next::GoOn)
    }

    fn lhlo(&mut self, host: &str) {
        self.client = Some(one_line(host, NAME_CHARS_MAX));
        self.mail = None;
        let max = self.lmtp.settings.message_bytes_max;
        let name = self.lmtp.postman.hostname().to_owned();
        self.reply(&format!("250-{name}"));
        for extension in ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING"] {
            self.reply(&format!("250-{extension}"));
        }
        self.reply(&format!("250 SIZE {max}"));
    }

    fn mail_from(&mut self, from: &smtp_proto::MailFrom<std::borrow::Cow<'_, str>>) {
        if self.client.is_none() {
            self.refuse("503 5.5.1 LHLO first");
        } else if self.mail.is_some() {
            self.refuse("503 5.5.1 one mail at a time");
        } else if from.size > self.lmtp.settings.message_bytes_max {
            self.refuse(TOO_LARGE);
        } else if from.flags & MAIL_BODY_BINARYMIME != 0 {
            self.refuse("555 5.6.1 no BINARYMIME here");
        } else {
            self.mail = Some(Mail { sender: from.address.to_string(), ..Mail::default() });
            self.reply("250 2.1.0 ok");
        }
    }

    async fn rcpt_to(&mut self, address: &str) {
        let Some(mail) = &self.mail else { return self.refuse("503 5.5.1 MAIL first") };
        if mail.recipients.len() >= RECIPIENTS_MAX {
            return self.reply("452 4.5.3 too many recipients");
        }
        match self.lmtp.postman.directory().resolve(address).await {
            Ok(Some(user)) if user.disabled => self.reply("550 5.2.1 the mailbox is disabled"),
            Ok(Some(user)) => {
                if let Some(mail) = &mut self.mail {
                    mail.recipients.push((address.to_owned(), user));
                }
                self.reply("250 2.1.5 ok");
            }
            Ok(None) => self.reply("550 5.1.1 nobody here has that address"),
            Err(error) => {
                tracing::error!(%error, "a recipient could not be looked up");
                self.reply("451 4.3.0 the directory does not answer");
            }
        }
    }

    async fn data(&mut self) -> Result<Next> {
        match &self.mail {
            None => self.refuse("503 5.5.1 MAIL first"),
            Some(mail) if mail.recipients.is_empty() => {
                self.refuse("503 5.5.1 no valid recipients")
            }
            Some(mail) if mail.chunks.seen > 0 => {
                self.mail = None;
                self.refuse("503 5.5.1 DATA after BDAT");
            }
            Some(_) => {
                self.reply("354 go ahead, end with CR LF . CR LF");
                self.flush().await?;
                let Some(mut data) = self.dotted().await? else { return Ok(Next::Close) };
                data.check();
                self.deliver(data).await;
            }
        }
        Ok(Next::GoOn)
    }

    async fn bdat(&mut self, size: usize, is_last: bool) -> Result<Next> {
        let ready = self.mail.as_ref().is_some_and(|mail| !mail.recipients.is_empty());
        let mut data = match &mut self.mail {
            Some(mail) => std::mem::take(&mut mail.chunks),
            None => Data::default(),
        };
        // The chunk comes whatever we say: it has to be taken in before the next command.
        let mut left = size;
        while left > 0 {
            if self.input.is_empty() {
                self.fill().await?;
            }
            let part = left.min(self.input.len());
            if !data.take(self.lmtp, &self.input[..part]) {
                self.reply("421 4.3.0 that is far too much; closing");
                return Ok(Next::Close);
            }
            self.input.drain(..part);
            left -= part;
        }
        data.seen = data.seen.max(1);
        if !ready {
            self.mail = None;
            self.refuse("503 5.5.1 MAIL and RCPT first");
        } else if is_last {
            data.check();
            self.deliver(data).await;
        } else if let Some(mail) = &mut self.mail {
            mail.chunks = data;
            self.reply("250 2.0.0 go on");
        }
        Ok(Next::GoOn)
    }

    /// Takes in a mail that ends with CR LF . CR LF, with its doubled dots halved. `None`: the peer sends without end.
    async fn dotted(&mut self) -> Result<Option<Data>> {
        let mut data = Data::default();
        // As if a line had just ended: a first line may begin with a dot, or be the end.
        let mut state = Dots::LineStart;
        loop {
            let mut plain = Vec::with_capacity(self.input.len());
            let (used, is_end) = state.feed(&self.input, &mut plain);
            self.input.drain(..used);
            if !data.take(self.lmtp, &plain) {
                self.reply("421 4.3.0 that is far too much; closing");
                return Ok(None);
            }
            if is_end {
                return Ok(Some(data));
            }
            self.fill().await?;
        }
    }

    /// Delivers to each recipient and replies for each, in their order (RFC 2033 4.2).
    async fn deliver(&mut self, data: Data) {
        let Some(mail) = self.mail.take() else { return };
        if let Some(wrong) = data.wrong {
            mail.recipients.iter().for_each(|_| self.reply(wrong));
            return;
        }
        let client = self.client.clone().unwrap_or_default();
        let name = self.lmtp.postman.hostname().to_owned();
        let received = format!("from {client} ({})\r\n\tby {name} with LMTP", self.peer);
        let origin = Origin { sender: mail.sender, received: Some(received) };
        let mut done: HashMap<UserId, String> = HashMap::new();
        for (address, user) in &mail.recipients {
            // Two addresses of one user are one Inbox.
            let reply = match done.get(&user.id) {
                Some(reply) => reply.clone(),
                None => self.deliver_to(user, address, &data.octets, &origin).await,
            };
            self.reply(&reply);
            done.insert(user.id, reply);
        }
    }

    async fn deliver_to(
        &self,
        user: &User,
        address: &str,
        octets: &[u8],
        origin: &Origin,
    ) -> String {
        let reply = match self.lmtp.postman.deliver(user, address, octets, origin).await {
            Ok(_) => "250 2.0.0 delivered",
            Err(MailboxError::Full) => "452 4.3.1 the mailbox or the disk is full",
            Err(MailboxError::TooLarge) => TOO_LARGE,
            Err(error) => {
                tracing::error!(%error, user = %user.id, "a mail could not be delivered");
                "451 4.3.0 not now"
            }
        };
        reply.to_owned()
    }

    /// The next line with its CR LF; what waits to be said is said before we wait.
    async fn line(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(end) = self.input.iter().position(|&octet| octet == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                if line.len() > LINE_BYTES_MAX || has_bare_line_end(&line) {
                    return Err(ErrorKind::InvalidData.into());
                }
                return Ok(line);
            }
            if self.input.len() > LINE_BYTES_MAX {
                return Err(ErrorKind::InvalidData.into());
            }
            self.flush().await?;
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        let silence = self.lmtp.settings.silence_max;
        let read = tokio::time::timeout(silence, self.stream.read(&mut buffer)).await;
        match read.map_err(|_| Error::from(ErrorKind::TimedOut))?? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.input.extend_from_slice(&buffer[..count]);
                Ok(())
            }
        }
    }

    async fn flush(&mut self) -> Result<()> {
        let output = std::mem::take(&mut self.output);
        let silence = self.lmtp.settings.silence_max;
        let written = async {
            self.stream.write_all(&output).await?;
            self.stream.flush().await
        };
        tokio::time::timeout(silence, written)
            .await
            .map_err(|_| Error::from(ErrorKind::TimedOut))?
    }

    fn reply(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Replies to what a well-behaved peer does not send.
    fn refuse(&mut self, line: &str) {
        self.errors += 1;
        self.reply(line);
    }
}

impl Data {
    /// Takes octets in, or only counts them once something is wrong. False: the peer sends without end.
    fn take(&mut self, lmtp: &Lmtp, octets: &[u8]) -> bool {
        self.seen = self.seen.saturating_add(octets.len());
        let limit = lmtp.settings.message_bytes_max;
        if self.seen > limit {
            self.spoil(TOO_LARGE);
        }
        if self.wrong.is_none() && self.seen > LARGE_BYTES && self.large.is_none() {
            match lmtp.large_mails.clone().try_acquire_owned() {
                Ok(permit) => self.large = Some(permit),
                Err(_) => self.spoil("452 4.3.1 too much large mail at a time"),
            }
        }
        if self.wrong.is_none() {
            self.octets.extend_from_slice(octets);
        }
        self.seen <= limit.saturating_mul(PATIENCE)
    }

    fn check(&mut self) {
        if self.wrong.is_none() && has_bare_line_end(&self.octets) {
            self.spoil("550 5.6.0 lines end with CR LF, here is one that does not");
        }
    }

    fn spoil(&mut self, reply: &'static str) {
        self.wrong.get_or_insert(reply);
        self.octets = Vec::new();
        self.large = None;
    }
}

/// Where in a line of dotted data we are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dots {
    LineStart,
    Dot,
    DotCr,
    Inside,
    Cr,
}

impl Dots {
    /// Reads on; gives how much was used, and whether that was the end. Only CR LF . CR LF is an end.
    fn feed(&mut self, input: &[u8], plain: &mut Vec<u8>) -> (usize, bool) {
        for (index, &octet) in input.iter().enumerate() {
            let next = match (*self, octet) {
                (Dots::LineStart, b'.') => Dots::Dot,
                (Dots::Dot, b'\r') => Dots::DotCr,
                (Dots::DotCr, b'\n') => return (index + 1, true),
                (Dots::DotCr, _) => {
                    // It was no end: the dot was a doubled one's first, the CR is data.
                    plain.extend_from_slice(&[b'\r', octet]);
                    if octet == b'\r' { Dots::Cr } else { Dots::Inside }
                }
                (Dots::Cr, b'\n') => {
                    plain.push(octet);
                    Dots::LineStart
                }
                (_, b'\r') => {
                    plain.push(octet);
                    Dots::Cr
                }
                (_, _) => {
                    plain.push(octet);
                    Dots::Inside
                }
            };
            *self = next;
        }
        (input.len(), false)
    }
}

fn syntax_reply(error: &smtp_proto::Error) -> &'static str {
    use smtp_proto::Error as E;
    match error {
        E::InvalidSenderAddress => "501 5.1.7 that is no sender",
        E::InvalidRecipientAddress => "501 5.1.3 that is no recipient",
        E::SyntaxError { .. } | E::InvalidParameter { .. } => "501 5.5.4 not understood",
        E::UnsupportedParameter { .. } => "555 5.5.4 a parameter is not known here",
        _ => "500 5.5.1 not a command",
    }
}

const TOO_LARGE: &str = "552 5.3.4 the mail is too large";
/// RFC 5321 4.5.3.1.4 asks for 512; extensions add to it.
const LINE_BYTES_MAX: usize = 2048;
const READ_BYTES: usize = 16 * 1024;
const NAME_CHARS_MAX: usize = 255;
/// Mail up to this size every connection may hold at once.
const LARGE_BYTES: usize = 1024 * 1024;
/// A mail that is too large is still read, to be answered in order, up to this many times the limit.
const PATIENCE: usize = 2;
const ERRORS_MAX: usize = 20;
