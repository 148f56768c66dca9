//! A signed-in connection: what the server can do, which mailbox is selected, and the questions we ask, each whole or an error.

use imap_sans::{
    Code, Command, Data, Fetch, FetchItem, Ids, ListReturn, Listed, Mailbox, MailboxStatus,
    Namespace, NumberSet, Section, SectionText, SelectSync, StatusItem, UidMap, Untagged,
};

use super::flags::Flags;
use super::link::{Answer, Link};
use super::mirror::{Known, Look, Seen, Told};
use crate::clock::Timestamp;
use crate::mailbox::MailboxError;

/// The fields by which a message is known again, whatever mailbox it lies in.
const IDENTITY_FIELDS: [&str; 3] = ["MESSAGE-ID", "DATE", "FROM"];

/// What a look may take in memory, in bytes: whatever the folder has, for each message in it, and in all.
const LOOK_BYTES_MIN: usize = 16 << 20;
const LOOK_BYTES_EACH: usize = 2 << 10;
const LOOK_BYTES_MAX: usize = 1 << 30;

/// What a server can do for this user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Can {
    pub(super) condstore: bool,
    pub(super) qresync: bool,
    pub(super) r#move: bool,
    pub(super) uidplus: bool,
    pub(super) special_use: bool,
    pub(super) create_special_use: bool,
    pub(super) list_status: bool,
    pub(super) namespace: bool,
    pub(super) idle: bool,
    pub(super) notify: bool,
}

/// A mailbox that is open.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Opened {
    pub(super) wire: Mailbox,
    pub(super) uid_validity: u32,
    pub(super) modseq: u64,
    pub(super) exists: u32,
    /// The id that outlives a rename (RFC 8474).
    pub(super) object_id: Option<String>,
    /// May keywords of ours be kept?
    pub(super) keeps_keywords: bool,
}

/// What is asked of a message that is new to us.
#[derive(Clone, Debug)]
pub(super) struct Detail {
    pub(super) uid: u32,
    pub(super) flags: Flags,
    pub(super) received: Timestamp,
    pub(super) size: u32,
    /// The fields of its identity, as a header.
    pub(super) header: Vec<u8>,
}

/// A connection somebody is signed in on.
pub(super) struct Session {
    pub(super) link: Link,
    pub(super) can: Can,
    pub(super) opened: Option<Opened>,
}

impl Session {
    /// Learns what the server can do, and turns on what must be turned on.
    pub(super) async fn begin(mut link: Link) -> Result<Session, MailboxError> {
        let mut can = Can {
            condstore: link.offers("CONDSTORE") || link.offers("QRESYNC"),
            qresync: link.offers("QRESYNC") && link.offers("ENABLE"),
            r#move: link.offers("MOVE"),
            uidplus: link.offers("UIDPLUS"),
            special_use: link.offers("SPECIAL-USE"),
            create_special_use: link.offers("CREATE-SPECIAL-USE"),
            list_status: link.offers("LIST-STATUS"),
            namespace: link.offers("NAMESPACE"),
            idle: link.offers("IDLE"),
            notify: link.offers("NOTIFY"),
        };
        if link.offers("ID") {
            link.run(Command::Id(vec![("name".to_owned(), "retract".to_owned())])).await?;
        }
        if can.qresync {
            let answer = link.run(Command::Enable(vec!["QRESYNC".to_owned()])).await?;
            // What a server says it can do and then does not turn on, it cannot do.
            can.qresync = answer.data.iter().any(|one| {
                matches!(one, Untagged::Enabled(names) if names.iter().any(|n| n.eq_ignore_ascii_case("QRESYNC")))
            });
        }
        Ok(Session { link, can, opened: None })
    }

    /// Can it be used by somebody else?
    pub(super) fn is_sound(&self) -> bool {
        !self.link.is_closed() && self.link.is_quiet()
    }

    /// Opens a mailbox, unless it is open with these UIDs; another generation is an error of its own, for whoever has UIDs in hand.
    pub(super) async fn open(&mut self, wire: &Mailbox, uid_validity: u32) -> Result<(), Stale> {
        let is_open = self
            .opened
            .as_ref()
            .is_some_and(|open| open.wire == *wire && open.uid_validity == uid_validity);
        if !is_open {
            let (opened, _) = self.select(wire, SelectSync::Plain).await?;
            if opened.uid_validity != uid_validity {
                return Err(Stale::Generation);
            }
        }
        Ok(())
    }

    /// Opens a mailbox and gives all that was told on the way.
    pub(super) async fn select(
        &mut self,
        wire: &Mailbox,
        sync: SelectSync,
    ) -> Result<(Opened, Answer), MailboxError> {
        self.opened = None;
        let command = Command::Select { mailbox: wire.clone(), read_only: false, sync };
        let answer = self.link.run(command).await?;
        let mut opened = Opened {
            wire: wire.clone(),
            uid_validity: 0,
            modseq: 0,
            exists: 0,
            object_id: None,
            keeps_keywords: false,
        };
        for code in answer.codes() {
            match code {
                Code::UidValidity(validity) => opened.uid_validity = *validity,
                Code::MailboxId(id) => opened.object_id = Some(id.clone()),
                Code::HighestModSeq(modseq) => opened.modseq = *modseq,
                Code::PermanentFlags(flags) => {
                    opened.keeps_keywords = flags.contains(&imap_sans::Flag::Any);
                }
                _ => {}
            }
        }
        let exists = answer.data.iter().rev().find_map(|one| match one {
            Untagged::Exists(exists) => Some(*exists),
            _ => None,
        });
        match (opened.uid_validity, exists) {
            // RFC 9051 6.3.2: both are said, or the server keeps no UIDs that last.
            (0, _) => Err(MailboxError::Down("the server gives no UIDs that last".to_owned())),
            (_, None) => {
                Err(MailboxError::Down("the server does not say what is there".to_owned()))
            }
            (_, Some(exists)) => {
                opened.exists = exists;
                self.opened = Some(opened.clone());
                Ok((opened, answer))
            }
        }
    }

    /// Looks at a folder: for what has changed since, if the server can say that and `whole` does not ask for everything. A server
    /// that does not understand what it says it can do is asked in a simpler way.
    pub(super) async fn look(
        &mut self,
        wire: &Mailbox,
        known: &Known,
        whole: bool,
    ) -> Result<Look, MailboxError> {
        loop {
            let before = self.can;
            match self.look_as_it_can(wire, known, whole).await {
                Err(error) if is_bad(&error) && self.can != before => {
                    tracing::debug!(%error, "the server does not do what it says it can");
                }
                looked => return looked,
            }
        }
    }

    async fn look_as_it_can(
        &mut self,
        wire: &Mailbox,
        known: &Known,
        whole: bool,
    ) -> Result<Look, MailboxError> {
        let since = !whole && known.uid_validity != 0 && known.modseq != 0;
        if since && self.can.qresync {
            let (uid_validity, modseq) = (known.uid_validity, known.modseq);
            let sync = SelectSync::QResync { uid_validity, modseq, known: None };
            let (opened, answer) = match self.select(wire, sync).await {
                Ok(selected) => selected,
                Err(error) => {
                    self.can.qresync &= !is_bad(&error);
                    return Err(error);
                }
            };
            if opened.uid_validity == uid_validity && opened.modseq != 0 {
                let look = told_by_select(&opened, &answer);
                // Something has changed and nothing is told of it: the server does not do what it says it can.
                if opened.modseq == modseq || !is_silent(&look.told) {
                    return Ok(look);
                }
            }
            return self.look_at_all(&opened).await;
        }
        let sync = if self.can.condstore { SelectSync::CondStore } else { SelectSync::Plain };
        let (opened, _) = match self.select(wire, sync).await {
            Ok(selected) => selected,
            Err(error) => {
                self.can.condstore &= !is_bad(&error);
                return Err(error);
            }
        };
        if since
            && self.can.condstore
            && opened.modseq != 0
            && opened.uid_validity == known.uid_validity
        {
            let looked = self.look_since(&opened, known).await;
            self.can.condstore &= !looked.as_ref().is_err_and(is_bad);
            return looked;
        }
        self.look_at_all(&opened).await
    }

    /// What has changed since (RFC 7162 3.1.4), and what is gone as the difference to all there is.
    async fn look_since(&mut self, opened: &Opened, known: &Known) -> Result<Look, MailboxError> {
        let (mut changed, mut there) = (Vec::new(), NumberSet::default());
        if opened.exists > 0 {
            if opened.modseq != known.modseq {
                let answer = self
                    .link
                    .run_within(
                        Command::Fetch {
                            ids: Ids::Uids(NumberSet::all()),
                            items: vec![FetchItem::Uid, FetchItem::Flags],
                            changed_since: Some(known.modseq),
                            vanished: false,
                        },
                        look_bytes_max(opened.exists),
                    )
                    .await?;
                changed = seen(answer.fetches());
            }
            there = self.search(imap_sans::SearchKey::All).await?;
        }
        let exists = u32::try_from(there.len()).unwrap_or(u32::MAX).max(opened.exists);
        let told = Told::Since { vanished: known.live.without(&there), changed };
        if opened.modseq > known.modseq && is_silent(&told) {
            return self.look_at_all(opened).await;
        }
        Ok(Look { uid_validity: opened.uid_validity, modseq: opened.modseq, exists, told })
    }

    async fn look_at_all(&mut self, opened: &Opened) -> Result<Look, MailboxError> {
        let mut all = Vec::new();
        let mut exists = opened.exists;
        if exists > 0 {
            let answer = self
                .link
                .run_within(
                    Command::Fetch {
                        ids: Ids::AllNumbers,
                        items: vec![FetchItem::Uid, FetchItem::Flags],
                        changed_since: None,
                        vanished: false,
                    },
                    look_bytes_max(exists),
                )
                .await?;
            all = seen(answer.fetches());
            // Of what was told twice the later is true.
            all.reverse();
            all.sort_by_key(|one| one.uid);
            all.dedup_by_key(|one| one.uid);
            // Mail that came meanwhile may be told already; if it is not, the next look has it.
            let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
            if count > exists && told_exists(&answer).is_some_and(|now| count <= now) {
                exists = count;
            }
        }
        let (uid_validity, modseq) = (opened.uid_validity, opened.modseq);
        Ok(Look { uid_validity, modseq, exists, told: Told::All(all) })
    }

    /// The UIDs of the messages in the open mailbox that are like this.
    pub(super) async fn search(
        &mut self,
        key: imap_sans::SearchKey,
    ) -> Result<NumberSet, MailboxError> {
        let answer = self.link.run(Command::Search { uid: true, returns: Vec::new(), key }).await?;
        // RFC 9051 has no untagged SEARCH; a server that found nothing must still say so.
        found(&answer).ok_or_else(|| MailboxError::Down("a search without an answer".to_owned()))
    }

    /// Which of these messages of the open mailbox are there after all.
    pub(super) async fn still_there(
        &mut self,
        uids: &NumberSet,
    ) -> Result<NumberSet, MailboxError> {
        let found = self.search(imap_sans::SearchKey::Uids(uids.clone())).await?;
        // A server that answers more than it was asked says nothing of these.
        Ok(uids.without(&uids.without(&found)))
    }

    /// What a command for details of these messages is.
    pub(super) fn ask_details(uids: NumberSet) -> Command {
        let fields = IDENTITY_FIELDS.map(str::to_owned).to_vec();
        Command::Fetch {
            ids: Ids::Uids(uids),
            items: vec![
                FetchItem::Uid,
                FetchItem::Flags,
                FetchItem::InternalDate,
                FetchItem::Size,
                FetchItem::Content {
                    section: Section { path: Vec::new(), text: SectionText::Fields(fields) },
                    partial: None,
                },
            ],
            changed_since: None,
            vanished: false,
        }
    }

    /// Whole messages, of the open mailbox.
    pub(super) fn ask_bodies(uids: NumberSet) -> Command {
        Command::Fetch {
            ids: Ids::Uids(uids),
            items: vec![
                FetchItem::Uid,
                FetchItem::Content {
                    section: Section { path: Vec::new(), text: SectionText::All },
                    partial: None,
                },
            ],
            changed_since: None,
            vanished: false,
        }
    }

    /// The folders there are, one's own only, with the prefix and delimiter of one's own.
    pub(super) async fn list(&mut self) -> Result<(Vec<Listed>, Namespace), MailboxError> {
        let namespace =
            match self.can.namespace {
                true => self.link.run(Command::Namespace).await?.data.into_iter().find_map(|one| {
                    match one {
                        Untagged::Namespace(namespace) => Some(namespace),
                        _ => None,
                    }
                }),
                false => None,
            };
        let namespace = namespace.unwrap_or_default();
        let returns = if self.can.special_use { vec![ListReturn::SpecialUse] } else { Vec::new() };
        let patterns = vec!["*".to_owned()];
        let list = Command::List { reference: String::new(), patterns, returns };
        let answer = self.link.run(list).await?;
        let foreign: Vec<&String> =
            namespace.others.iter().chain(&namespace.shared).map(|(prefix, _)| prefix).collect();
        let listed = answer.data.into_iter().filter_map(|one| match one {
            Untagged::List(listed) => Some(listed),
            _ => None,
        });
        let own = listed.filter(|listed| {
            let name = listed.mailbox.name();
            !foreign.iter().any(|prefix| !prefix.is_empty() && is_within(name, prefix))
        });
        Ok((own.collect(), namespace))
    }

    /// The state of a mailbox that need not be open. Its id is not among it: Cyrus 3.6 answers a STATUS that asks for it with octets
    /// of freed memory at times, so it is taken from a SELECT. Gives too whether news of the open mailbox came with the answer.
    pub(super) async fn status(
        &mut self,
        wire: &Mailbox,
    ) -> Result<(MailboxStatus, bool), MailboxError> {
        let mut items = vec![StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity];
        if self.can.condstore {
            items.push(StatusItem::HighestModSeq);
        }
        let answer = self.link.run(Command::Status { mailbox: wire.clone(), items }).await?;
        let is_news = |one: &Untagged| {
            matches!(one, Untagged::Exists(_) | Untagged::Expunge(_) | Untagged::Fetch(_))
                || matches!(one, Untagged::Vanished { .. })
        };
        let has_news = answer.data.iter().any(is_news);
        let status = answer.data.into_iter().rev().find_map(|one| match one {
            Untagged::MailboxStatus(status) if status.mailbox == *wire => Some(status),
            _ => None,
        });
        let status = status.map(|status| (status, has_news));
        status.ok_or_else(|| MailboxError::Unreadable("a STATUS without an answer".to_owned()))
    }
}

/// Why a mailbox is not open for UIDs in hand.
#[derive(Debug)]
pub(super) enum Stale {
    /// The UIDs are of an older generation.
    Generation,
    /// It could not be opened.
    Error(MailboxError),
}

impl From<MailboxError> for Stale {
    fn from(error: MailboxError) -> Stale {
        Stale::Error(error)
    }
}

impl From<Stale> for MailboxError {
    fn from(stale: Stale) -> MailboxError {
        match stale {
            // The next look finds out and begins anew; until then the store cannot say.
            Stale::Generation => MailboxError::Down("the folder was made anew".to_owned()),
            Stale::Error(error) => error,
        }
    }
}

/// Did the server not understand?
pub(super) fn is_bad(error: &MailboxError) -> bool {
    matches!(error, MailboxError::Ours(_))
}

/// What a look at so many messages may take in memory, in bytes.
fn look_bytes_max(exists: u32) -> usize {
    LOOK_BYTES_MAX.min(LOOK_BYTES_MIN + exists as usize * LOOK_BYTES_EACH)
}

/// Is nothing told to have changed?
fn is_silent(told: &Told) -> bool {
    matches!(told, Told::Since { vanished, changed } if vanished.is_empty() && changed.is_empty())
}

/// Is a mailbox within a namespace? Its prefix without the delimiter at its end is the place itself.
fn is_within(name: &str, prefix: &str) -> bool {
    name.starts_with(prefix) || prefix.strip_suffix(['/', '.']).is_some_and(|place| name == place)
}

/// What was told by a SELECT with QRESYNC.
fn told_by_select(opened: &Opened, answer: &Answer) -> Look {
    let mut vanished = NumberSet::default();
    for one in &answer.data {
        if let Untagged::Vanished { uids, .. } = one {
            uids.ranges().for_each(|range| vanished.insert_range(range));
        }
    }
    let (uid_validity, modseq, exists) = (opened.uid_validity, opened.modseq, opened.exists);
    let told = Told::Since { vanished, changed: seen(answer.fetches()) };
    Look { uid_validity, modseq, exists, told }
}

fn told_exists(answer: &Answer) -> Option<u32> {
    answer.data.iter().rev().find_map(|one| match one {
        Untagged::Exists(exists) => Some(*exists),
        _ => None,
    })
}

/// The messages told of with UID and flags; news of others' doing without a UID is left for the next look.
fn seen<'a>(fetches: impl Iterator<Item = &'a Fetch>) -> Vec<Seen> {
    fetches
        .filter_map(|fetch| Some(Seen { uid: fetch.uid?, flags: fetch.flags.clone()? }))
        .collect()
}

/// The details told in an answer. A message without flags or header is none of them; one without a date that can be read came `now`.
pub(super) fn details(answer: &Answer, now: Timestamp) -> Vec<Detail> {
    let detail = |fetch: &Fetch| {
        let is_header = |section: &Section| matches!(section.text, SectionText::Fields(_));
        let is_told = fetch.contents.iter().any(|content| is_header(&content.section));
        let at = fetch.internal_date.and_then(|date| date.unix_s.checked_mul(1000));
        is_told.then_some(())?;
        Some(Detail {
            uid: fetch.uid?,
            flags: Flags::new(fetch.flags.as_deref()?),
            received: at.map_or(now, Timestamp),
            // A size that is wrong is put right when the message is read.
            size: fetch.size.map_or(0, |size| u32::try_from(size).unwrap_or(u32::MAX)),
            header: octets(answer, fetch, is_header).unwrap_or_default(),
        })
    };
    answer.fetches().filter_map(detail).collect()
}

/// The whole messages told in an answer, by UID.
pub(super) fn bodies(answer: &Answer) -> Vec<(u32, Vec<u8>)> {
    let body = |fetch: &Fetch| {
        let whole = octets(answer, fetch, |section| {
            section.path.is_empty() && section.text == SectionText::All
        })?;
        Some((fetch.uid?, whole))
    };
    answer.fetches().filter_map(body).collect()
}

fn octets(answer: &Answer, fetch: &Fetch, is: impl Fn(&Section) -> bool) -> Option<Vec<u8>> {
    let content = fetch.contents.iter().find(|content| is(&content.section))?;
    match &content.data {
        Data::Octets(octets) => Some(octets.clone()),
        Data::Streamed { literal, length } => {
            let octets = answer.streamed.get(literal)?;
            (octets.len() as u64 == *length).then(|| octets.clone())
        }
        Data::Nil => None,
    }
}

/// What a search found, if the server said.
pub(super) fn found(answer: &Answer) -> Option<NumberSet> {
    answer.data.iter().rev().find_map(|one| match one {
        Untagged::Search(search) => Some(search.found.clone()),
        Untagged::Esearch(search) => Some(search.all.clone()),
        _ => None,
    })
}

/// Where an appended message went.
pub(super) fn appended(answer: &Answer) -> Option<(u32, u32)> {
    answer.codes().find_map(|code| match code {
        Code::AppendUid { validity, uids } => Some((*validity, uids.numbers().next()?)),
        _ => None,
    })
}

/// Where copied or moved messages went.
pub(super) fn copied(answer: &Answer) -> Option<(u32, UidMap)> {
    answer.codes().find_map(|code| match code {
        Code::CopyUid { validity, map } => Some((*validity, map.clone())),
        _ => None,
    })
}
