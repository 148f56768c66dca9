//! Automatic replies while somebody is away (RFC 3834).
//!
//! ```text
//!   arrival ─► owed: a row in the arrival's own commit ─► outbox, in the commit in which the row goes ─► the sender
//! ```
//!
//! - **Neither lost nor doubled by a crash:** what is owed stands beside the mail it answers, and leaves with the answer.
//! - **No loops:** the null sender, no answer to machines, lists and bulk mail, and one answer for each sender and absence, or a week.
//! - **Only who was written to answers:** an address of the user stands in To or Cc.
//! - **A recalled message is not answered**, whether its order came before it or before its answer.
//! - An arrival pays one look at one row for it; the answer is made by whoever works the outbox off.

use std::time::Duration;

use bytes::Bytes;

use super::outbox::Outbox;
use super::submit::{Submission, submit_in};
use super::tables;
use crate::clock::Timestamp;
use crate::database::{Error, Row, Tx};
use crate::directory::{self, Audience, Away, User};
use crate::failpoint;
use crate::ids::{IdentityId, MailboxId, UserId};
use crate::mailbox::MailboxError;
use crate::mailbox::embedded::{Body, Embedded, in_tx};
use crate::message::compose::{Draft, DraftBody, Sender};
use crate::message::{self, Address, Identity, Message};
use crate::params;

/// Whether an open order covers a message in a mailbox; asked in the transaction that would answer it.
pub type Covers = fn(&Tx<'_>, IdentityId, MailboxId, Timestamp) -> Result<bool, Error>;

/// By what automatic replies go.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Mail domains of ours, in lower case: who writes from there is one of our own people.
    pub(super) domains: Vec<String>,
    pub(super) covers: Covers,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { domains: Vec::new(), covers: |_, _, _, _| Ok(false) }
    }
}

/// What is kept of a mail that comes in, to judge whether it is answered.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    sender: String,
    /// The header; none where it is longer than anybody's who wants an answer.
    head: Option<Bytes>,
}

impl Arrived {
    /// Of a mail from this envelope sender.
    pub(super) fn of(raw: &[u8], sender: &str) -> Arrived {
        let start = &raw[..raw.len().min(HEAD_BYTES_MAX)];
        let end = start.windows(4).position(|four| four == b"\r\n\r\n");
        let head = end.map(|end| Bytes::copy_from_slice(&start[..end + 4]));
        Arrived { sender: sender.trim().to_owned(), head }
    }
}

/// Writes down that an arrival is owed an answer, if it is: the user is away, and the mail is one that people answer.
pub(super) fn owe(
    tx: &Tx<'_>,
    rules: &Rules,
    user: UserId,
    arrived: &Arrived,
    identity: &Identity,
    now: Timestamp,
) -> Result<(), MailboxError> {
    let away = directory::away(tx, user)?;
    if !away.is_away(now) {
        return Ok(());
    }
    let Some(letter) = Letter::of(arrived) else { return Ok(()) };
    let own = directory::addresses(tx, user)?;
    if own.contains(&letter.sender.to_lowercase()) || !letter.names(&own) {
        return Ok(());
    }
    let audience = audience(tx, rules, user, &own, &letter.sender)?;
    let Some(identity) = message::registered(tx, identity)? else { return Ok(()) };
    let mailbox = in_tx::mailbox_of(tx, user)?;
    if away.answer(audience).is_none()
        || (rules.covers)(tx, identity, mailbox, now)?
        || !is_first(tx, user, &away, &letter.sender, now)?
    {
        return Ok(());
    }
    let number = audience.index();
    let (refs, sender) = (letter.references.join(" "), &letter.sender);
    let row = params![user, mailbox, identity, sender, number, &letter.subject, &refs, now];
    tx.execute(tables::OWE_AWAY, row)?;
    tx.on_commit(super::outbox::work);
    Ok(())
}

/// Whether nobody has answered this sender in this absence, for a week; from now on somebody has.
fn is_first(
    tx: &Tx<'_>,
    user: UserId,
    away: &Away,
    sender: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    tx.execute(tables::FORGET_ANSWERED, params![now, FORGET_ROWS])?;
    let answered = tx.one(tables::COUNT_ANSWERED, params![user], |row| row.get::<usize>(0))?;
    if answered.unwrap_or(0) >= ANSWERED_MAX {
        return Ok(false);
    }
    let (sender, until) = (sender.to_lowercase(), now.after(ANSWERED_FOR));
    let row = params![user, &sender, away.began_at, until, now];
    Ok(tx.execute(tables::CLAIM_ANSWERED, row)? > 0)
}

fn audience(
    tx: &Tx<'_>,
    rules: &Rules,
    user: UserId,
    own: &[String],
    sender: &str,
) -> Result<Audience, Error> {
    let sender = sender.to_lowercase();
    let domain = domain_of(&sender);
    let is_ours = rules.domains.iter().any(|ours| Some(ours.as_str()) == domain)
        || own.iter().any(|address| domain_of(address) == domain)
        || directory::resolve(tx, &sender)?.is_some();
    if is_ours {
        return Ok(Audience::Internal);
    }
    let known = tx.one(tables::HAS_WRITTEN_TO, params![user, &sender], |_| Ok(()))?;
    Ok(if known.is_some() { Audience::Known } else { Audience::Unknown })
}

fn domain_of(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain)
}

/// A mail that a person may have written to a person.
#[derive(Debug, PartialEq, Eq)]
struct Letter {
    sender: String,
    /// Who stands in To and Cc, in lower case.
    named: Vec<String>,
    subject: String,
    /// What the answer refers to, the mail itself last.
    references: Vec<String>,
}

impl Letter {
    /// `None` for mail that no machine should answer (RFC 3834 2, RFC 5230 4.6).
    fn of(arrived: &Arrived) -> Option<Letter> {
        let sender = Address::new(arrived.sender.as_str());
        if !sender.is_sendable() || is_a_machine(&sender.address) {
            return None;
        }
        let head = arrived.head.clone()?;
        if field_names(&head).any(|name| is_of_a_list(&name)) {
            return None;
        }
        let message = Message::parse(head).ok()?;
        let says = |name: &str| message.header(name).unwrap_or_default().trim().to_lowercase();
        let submitted = says("Auto-Submitted");
        let suppressed = says("X-Auto-Response-Suppress");
        let is_automatic = !matches!(submitted.split(';').next().map(str::trim), Some("" | "no"))
            || ["bulk", "list", "junk"].contains(&says("Precedence").as_str())
            || ["oof", "autoreply", "all"].iter().any(|word| has_word(&suppressed, word))
            || says("Content-Type").starts_with("multipart/report")
            || says("X-Spam-Flag").starts_with("yes");
        if is_automatic {
            return None;
        }
        let named = message.to().into_iter().chain(message.cc());
        let mut references = message.references();
        references.extend(message.message_id());
        let surplus = references.len().saturating_sub(REFERENCES_MAX);
        references.drain(..surplus);
        Some(Letter {
            sender: sender.address,
            named: named.take(NAMED_MAX).map(|one| one.address.to_lowercase()).collect(),
            subject: message.subject().chars().take(SUBJECT_CHARS_MAX).collect(),
            references,
        })
    }

    fn names(&self, own: &[String]) -> bool {
        self.named.iter().any(|named| own.contains(named))
    }
}

/// Addresses behind which nobody reads (RFC 5230 4.6).
fn is_a_machine(address: &str) -> bool {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local).to_lowercase();
    let whole = [
        "mailer-daemon",
        "postmaster",
        "listserv",
        "majordomo",
        "noreply",
        "no-reply",
        "donotreply",
        "do-not-reply",
        "nobody",
    ];
    whole.contains(&local.as_str())
        || ["owner-", "bounce", "no-reply", "noreply"].iter().any(|start| local.starts_with(start))
        || ["-request", "-owner", "-bounces", "-relay"].iter().any(|end| local.ends_with(end))
}

fn is_of_a_list(name: &str) -> bool {
    name.starts_with("list-") || ["mailing-list", "x-mailing-list"].contains(&name)
}

/// Names of the fields of a header, in lower case.
fn field_names(head: &[u8]) -> impl Iterator<Item = String> {
    head.split(|&octet| octet == b'\n').filter_map(|line| {
        let colon = line.iter().position(|&octet| octet == b':')?;
        let name = line[..colon].trim_ascii_end();
        name.first().filter(|octet| octet.is_ascii_graphic())?;
        Some(String::from_utf8_lossy(name).to_ascii_lowercase())
    })
}

fn has_word(list: &str, word: &str) -> bool {
    list.split([',', ';', ' ']).any(|one| one.trim() == word)
}

/// An answer that is owed.
#[derive(Clone, Debug)]
struct Owed {
    id: i64,
    user: UserId,
    mailbox: MailboxId,
    identity: IdentityId,
    sender: String,
    audience: Audience,
    subject: String,
    references: Vec<String>,
    arrived_at: Timestamp,
}

impl Outbox {
    /// Turns what is owed into mail that waits in the outbox. Trouble with one answer keeps neither the others nor other mail waiting:
    /// it stays owed, and is tried again the next time.
    pub(super) async fn answer_for_the_absent(&self) {
        let (mut after, mut waiting, mut trouble) = (0_i64, 0_usize, None);
        loop {
            let read = move |tx: &Tx<'_>| {
                tx.all(tables::AWAY_OWED, params![after, OWED_AT_ONCE], read_owed)
            };
            let owed: Result<Vec<Owed>, Error> = self.store().database().read(read).await;
            let owed = match owed {
                Ok(owed) => owed,
                Err(error) => {
                    tracing::error!(%error, "nobody knows which automatic replies are owed");
                    break;
                }
            };
            let Some(last) = owed.last() else { break };
            after = last.id;
            for owed in owed {
                if let Err(error) = self.answer(owed).await {
                    waiting += 1;
                    trouble = Some(error);
                }
            }
        }
        if let Some(error) = trouble {
            tracing::warn!(%error, waiting, "automatic replies have to wait");
        }
    }

    /// One answer: made, kept, and put into the outbox in the commit in which it is no longer owed.
    async fn answer(&self, owed: Owed) -> Result<(), MailboxError> {
        let (id, user, now) = (owed.id, owed.user, self.clock().now());
        let who = move |tx: &Tx<'_>| Ok((directory::user(tx, user)?, directory::away(tx, user)?));
        let who: Result<_, Error> = self.store().database().read(who).await;
        let (user, away) = who?;
        let is_too_late = now.since(owed.arrived_at) > OWED_FOR;
        let user = user.filter(|user| !user.disabled && away.is_away(now) && !is_too_late);
        let hostname = self.hostname();
        let Some(reply) = user.and_then(|user| reply(&user, &away, &owed, hostname, now)) else {
            let job = move |tx: &Tx<'_>| tx.execute(tables::SETTLE_AWAY, params![id]);
            let forgotten: Result<usize, Error> = self.store().database().write(job).await;
            return Ok(forgotten.map(drop)?);
        };
        let (identity, covers) = (Identity::of_raw(&reply.raw), self.rules().covers);
        let kept = self.store().keep(reply.raw.clone()).await?;
        failpoint!("away.before_commit");
        let job = move |tx: &Tx<'_>, store: &Embedded, body: Body| {
            let is_owed = tx.execute(tables::SETTLE_AWAY, params![id])? > 0;
            if is_owed && !covers(tx, owed.identity, owed.mailbox, now)? {
                // Nobody judges it but the line above.
                let _accepted = submit_in(tx, Some(store), &reply, body, &identity, now)?;
            }
            Ok(())
        };
        self.store().write_with(kept, job).await?;
        failpoint!("away.after_commit");
        Ok(())
    }
}

/// The answer itself (RFC 3834 3.1); none where the user has nothing to say to this sender any more.
fn reply(
    user: &User,
    away: &Away,
    owed: &Owed,
    hostname: &str,
    now: Timestamp,
) -> Option<Submission> {
    let answer = away.answer(owed.audience)?;
    let text = answer.text.clone()?;
    let sender = Sender { address: user.address.clone(), display_name: user.display_name.clone() };
    let draft = Draft {
        to: vec![Address::new(owed.sender.as_str())],
        subject: format!("Automatic reply: {}", owed.subject),
        body: if answer.is_html { DraftBody::Html(text) } else { DraftBody::Plain(text) },
        references: owed.references.clone(),
        ..Draft::new(sender)
    };
    // The same answer has the same name, however often it is made.
    let name = format!("away.{}.{}.{}@{hostname}", owed.id, user.id, owed.arrived_at.ms());
    let mut raw = MACHINE_MADE.as_bytes().to_vec();
    raw.extend_from_slice(&draft.build(now, &name));
    Some(Submission {
        user: user.id,
        client: None,
        // RFC 3834 3.3: so that nothing ever comes back.
        sender: String::new(),
        raw: raw.into(),
        recipients: vec![owed.sender.clone()],
        save_in_sent: false,
        judge: None,
    })
}

fn read_owed(row: &Row<'_>) -> Result<Owed, Error> {
    let references: String = row.get(7)?;
    let audience = row.get::<usize>(5)?;
    Ok(Owed {
        id: row.get(0)?,
        user: row.get(1)?,
        mailbox: row.get(2)?,
        identity: row.get(3)?,
        sender: row.get(4)?,
        audience: Audience::ALL.get(audience).copied().unwrap_or(Audience::Unknown),
        subject: row.get(6)?,
        references: references.split_whitespace().map(str::to_owned).collect(),
        arrived_at: row.get(8)?,
    })
}

/// What says that no person wrote it (RFC 3834 3.1.7), and, to Exchange, that none should be answered.
const MACHINE_MADE: &str = "Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\n";
/// A sender is answered again after this.
const ANSWERED_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Senders a user answers within that time, so that forged senders do not make us a nuisance.
const ANSWERED_MAX: usize = 1_000;
/// An answer that could not be made for so long is not made at all.
const OWED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Answers read at a time.
const OWED_AT_ONCE: usize = 32;
/// Old rows removed for each new one.
const FORGET_ROWS: usize = 8;
/// Octets of a header that is looked at.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Recipients among whom the user is looked for.
const NAMED_MAX: usize = 500;
/// Characters of the subject that is quoted.
const SUBJECT_CHARS_MAX: usize = 200;
/// Messages the answer refers to.
const REFERENCES_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const LETTER: &str = "From: Bob <bob@b.example>\nTo: Ann <Ann@A.example>\nSubject: lunch\n\
                          Message-ID: <2@b.example>\nReferences: <1@b.example>\n\nHi\n";

    fn read(text: &str, sender: &str) -> Option<Letter> {
        Letter::of(&Arrived::of(text.replace('\n', "\r\n").as_bytes(), sender))
    }

    #[test]
    fn a_letter_says_what_its_answer_needs() {
        let letter = read(LETTER, "bob@b.example").unwrap();
        assert_eq!(letter.sender, "bob@b.example");
        assert_eq!(letter.subject, "lunch");
        assert_eq!(letter.references, ["1@b.example", "2@b.example"]);
        assert!(letter.names(&["ann@a.example".to_owned()]));
        assert!(!letter.names(&["eve@a.example".to_owned()]));
    }

    #[test]
    fn machines_lists_and_bulk_mail_are_not_answered() {
        for field in [
            "Auto-Submitted: auto-generated",
            "Auto-Submitted: auto-replied; owner-email=\"x\"",
            "Precedence: bulk",
            "Precedence: LIST",
            "Precedence: junk",
            "List-Id: <all.b.example>",
            "list-unsubscribe: <mailto:x@b.example>",
            "X-Auto-Response-Suppress: DR, OOF",
            "X-Auto-Response-Suppress: All",
            "Content-Type: multipart/report; report-type=delivery-status",
            "X-Spam-Flag: YES",
        ] {
            assert_eq!(read(&format!("{field}\n{LETTER}"), "bob@b.example"), None, "{field}");
        }
        for sender in [
            "",
            "MAILER-DAEMON@b.example",
            "owner-all@b.example",
            "all-request@b.example",
            "bounces+7@b.example",
            "No-Reply@b.example",
            "not an address",
            "a@b.example>\r\nX: y",
        ] {
            assert_eq!(read(LETTER, sender), None, "{sender}");
        }
        let plain = "Auto-Submitted: no\nX-Auto-Response-Suppress: DR\nPrecedence: first-class\n";
        assert!(read(&format!("{plain}{LETTER}"), "bob@b.example").is_some());
    }

    #[test]
    fn a_header_without_end_and_one_of_any_octets_are_not_answered() {
        let long = format!("X: {}\n{LETTER}", "y".repeat(HEAD_BYTES_MAX));
        assert_eq!(read(&long, "bob@b.example"), None);
        assert_eq!(read("Subject: no end", "bob@b.example"), None);
        assert!(Letter::of(&Arrived::of(b"\xff\xfe:\r\n\r\n", "bob@b.example")).is_some());
    }
}
