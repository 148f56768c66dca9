//! The IMAP server: what is found there, and in one sentence each what follows from it.

use super::super::finding::Chart;
use super::{Check, Tried, asks_imap, line, trust};
use crate::cli::Failure;
use crate::config::{self, Backend, Config, Security};
use crate::mailbox::FolderKind;
use crate::mailbox::imap::Access;
use crate::mailbox::imap::survey::{Inside, Outside, Surveyor, Trouble, Who};
use crate::secret::Secret;
use crate::server::{imap_access, imap_place};

const CHECK: Check = Check { server: "imap", tls: "imap-tls", roots: "[imap] roots" };

/// Everything, in the order the gateway goes.
pub(super) async fn examine(
    config: &Config,
    tried: &Tried,
    chart: &mut Chart,
) -> Result<(), Failure> {
    let Some(place) = imap_place(&config.imap).filter(|_| asks_imap(config)) else {
        chart.skipped("imap", "mail lies in the data directory, and no IMAP server is asked");
        return Ok(());
    };
    let trust = trust(config.imap.roots.as_deref(), false)?;
    let (tls, witness) = trust.strict_client()?;
    let named = format!("{}:{}", place.host, place.port);
    let surveyor = Surveyor { place, tls, patience: tried.patience };
    let outside = surveyor.outside().await;
    let reached = match &outside {
        Ok(outside) => Ok(format!("{named} greets: {}", outside.greeting)),
        Err(trouble) => Err(trouble.why.as_str()),
    };
    let is_there = line(&CHECK, &named, config.imap.security, &witness, reached, chart);
    let (Ok(outside), true) = (outside, is_there) else {
        chart.skipped("imap-sign-in", "the server has to be reached first");
        return Ok(());
    };
    strangers(&outside, config, chart);
    let own = owner(&surveyor, config, tried, chart).await;
    let access = imap_access(&config.mailbox)?;
    let theirs = masters(&surveyor, &access, tried, chart).await;
    match own.or(theirs) {
        Some(inside) if config.mailbox.backend == Backend::Imap => abilities(&inside, chart),
        Some(_) => {}
        None => chart.skipped("imap-recall", "what it can do is seen once somebody is signed in"),
    }
    Ok(())
}

/// What anybody sees.
fn strangers(outside: &Outside, config: &Config, chart: &mut Chart) {
    let ways = outside.ways();
    if ways.contains(&"PLAIN") {
        chart.good("imap-ways", format!("takes {}", ways.join(", ")));
    } else {
        let said = match outside.offers("LOGINDISABLED") {
            true => "takes no passwords on this line (LOGINDISABLED)".to_owned(),
            false => format!("offers no AUTH=PLAIN, only: {}", outside.capabilities.join(" ")),
        };
        chart.warning("imap-ways", said, "let it offer SASL PLAIN on this line");
    }
    let takes_tokens = ways.contains(&"OAUTHBEARER") || ways.contains(&"XOAUTH2");
    if config.directory.bearer && !takes_tokens {
        let said = "phones may send tokens (bearer = true), and the server takes none";
        chart.bad(
            "imap-tokens",
            said,
            "let it offer OAUTHBEARER or XOAUTH2, or set bearer = false",
        );
    }
    if config.imap.security == Security::Plain && outside.offers("STARTTLS") {
        let said = "the line has no TLS, and the server offers STARTTLS";
        chart.warning("imap-tls", said, "[imap] security = \"starttls\"");
    }
}

/// Signs in as the user who was named, with their own password.
async fn owner(
    surveyor: &Surveyor,
    config: &Config,
    tried: &Tried,
    chart: &mut Chart,
) -> Option<Inside> {
    let (Some(user), Some(password)) = (&tried.user, &tried.password) else {
        let said = "nobody to sign in as: --try-user NAME --try-password-file FILE";
        chart.skipped("imap-sign-in", said);
        return None;
    };
    match surveyor.inside(&Who::User(user.clone(), password.clone())).await {
        Ok(inside) => {
            let said = format!("{user} is let in, {} messages in INBOX", inside.messages);
            chart.good("imap-sign-in", said);
            Some(inside)
        }
        Err(trouble) => {
            not_let_in(user, &trouble, config, chart);
            None
        }
    }
}

fn not_let_in(user: &str, trouble: &Trouble, config: &Config, chart: &mut Chart) {
    let said = format!("{user} is not let in: {}", trouble.why);
    let mend = match (trouble.is_wrong_password, config.directory.imap_login) {
        (true, config::ImapLogin::Name) => {
            "see that name and password are right; where users sign in by address, imap_login = \"address\""
        }
        (true, config::ImapLogin::Address) => "see that address and password are right",
        (false, _) => "look into the server's log",
    };
    chart.bad("imap-sign-in", said, mend);
}

/// Whether recall reaches mailboxes whose owner is not there, and what follows where it does not.
async fn masters(
    surveyor: &Surveyor,
    access: &Access,
    tried: &Tried,
    chart: &mut Chart,
) -> Option<Inside> {
    let Access::Master { user: master, password, style } = access else {
        chart.warning("imap-access", AS_OWNER, "a master user, and access = \"master\"");
        return None;
    };
    let users: Vec<&String> = tried.user.iter().chain(&tried.other).collect();
    if users.is_empty() {
        let said = format!("nobody to try {master} for: --try-user NAME, --try-other NAME");
        chart.skipped("imap-access", said);
    }
    let mut seen = None;
    for user in users {
        let (user, master, password) = (user.clone(), master.clone(), Secret::clone(password));
        let who =
            Who::Master { user: user.clone(), master: master.clone(), password, style: *style };
        match surveyor.inside(&who).await {
            Ok(inside) => {
                let said = format!(
                    "{master} opens the mailbox of {user}: recall removes mail there at any time"
                );
                chart.good("imap-access", said);
                seen = Some(inside);
            }
            Err(trouble) => {
                let said = format!("{master} is not let in for {user}: {}", trouble.why);
                chart.bad("imap-access", said, MEND_MASTER);
            }
        }
    }
    seen
}

/// What follows from what the server can do.
pub(super) fn abilities(inside: &Inside, chart: &mut Chart) {
    if !inside.software.is_empty() {
        chart.good("imap-software", inside.software.clone());
    }
    generations(inside.uid_validity, chart);
    folders(inside, chart);
    one(chart, "imap-recall", inside.uidplus, UIDPLUS, NO_UIDPLUS, "turn UIDPLUS on");
    news(inside, chart);
    looks(inside, chart);
    one(chart, "imap-moves", inside.moves, MOVE, NO_MOVE, "turn MOVE on");
    one(chart, "imap-keywords", inside.keeps_keywords, KEYWORDS, NO_KEYWORDS, "allow keywords");
    let renames = if inside.object_id { OBJECT_ID } else { NO_OBJECT_ID };
    chart.good("imap-renames", renames);
}

fn one(
    chart: &mut Chart,
    check: &'static str,
    can: bool,
    good: &'static str,
    lacking: &'static str,
    mend: &'static str,
) {
    match can {
        true => chart.good(check, good),
        false => chart.warning(check, lacking, mend),
    }
}

fn generations([told, opened]: [u32; 2], chart: &mut Chart) {
    if told == opened && told != 0 {
        chart.good("imap-uids", format!("UIDVALIDITY of INBOX is {told}, and stays"));
        return;
    }
    let said = format!(
        "UIDVALIDITY of INBOX is {told} and then {opened}: no message can be known again by its UID"
    );
    chart.bad("imap-uids", said, "look at how the server keeps its UIDs");
}

fn folders(inside: &Inside, chart: &mut Chart) {
    let named = inside.standard.iter().map(|(kind, name)| {
        let kind = match kind {
            FolderKind::Drafts => "Drafts",
            FolderKind::DeletedItems => "Trash",
            FolderKind::SentItems => "Sent",
            _ => "Junk",
        };
        match name {
            Some(name) => format!("{kind} is {name:?}"),
            None => format!("{kind} is not there and is made for the first phone"),
        }
    });
    let named: Vec<String> = named.collect();
    let how = if inside.special_use { "as the server says" } else { "by name" };
    let said = format!("{} folders; {} ({how})", inside.folders, named.join(", "));
    chart.good("imap-folders", said);
}

fn news(inside: &Inside, chart: &mut Chart) {
    match (inside.notify, inside.idle) {
        (true, _) => chart.good("imap-news", NOTIFY),
        (false, true) => chart.warning("imap-news", NO_NOTIFY, "turn NOTIFY on"),
        (false, false) => chart.warning("imap-news", NO_IDLE, "turn NOTIFY or IDLE on"),
    }
}

fn looks(inside: &Inside, chart: &mut Chart) {
    let lie = "the server says QRESYNC and does not turn it on: it is done without";
    match (inside.qresync, inside.condstore) {
        (true, _) => chart.good("imap-looks", QRESYNC),
        (false, true) if inside.says_qresync => chart.warning("imap-looks", lie, ""),
        (false, true) => chart.warning("imap-looks", NO_QRESYNC, "turn QRESYNC on"),
        (false, false) => chart.warning("imap-looks", NO_CONDSTORE, "turn QRESYNC on"),
    }
}

const AS_OWNER: &str = "access = \"owner\": a recalled message is fenced from phones at once, and taken from a mailbox only when its owner's \
    phone next connects; until then coverage says that it still lies there";
const MEND_MASTER: &str = "see master_user, its password and master_style (\"separator\" for Dovecot's auth_master_user_separator, \
    \"authorization_id\" for Cyrus' proxyservers)";
const UIDPLUS: &str = "UIDPLUS: a recalled message is removed, and nothing else with it";
const NO_UIDPLUS: &str = "without UIDPLUS a recalled message is removed only while no other in its folder is marked deleted; else it waits, and \
    coverage says store_cannot_remove";
const NOTIFY: &str = "NOTIFY: phones hear at once of what changes in any folder";
const NO_NOTIFY: &str =
    "without NOTIFY phones hear at once of INBOX (IDLE), and of other folders within 60 s";
const NO_IDLE: &str = "without NOTIFY and IDLE phones hear of what is new within 30 s";
const QRESYNC: &str = "QRESYNC: a look at a folder costs what has changed in it";
const NO_QRESYNC: &str = "without QRESYNC (CONDSTORE is there) each look lists the folder's UIDs to find what is gone: looks cost more";
const NO_CONDSTORE: &str = "without QRESYNC and CONDSTORE each look reads the flags of the whole folder: looks cost much more";
const MOVE: &str = "MOVE: a message is moved in one step";
const NO_MOVE: &str = "without MOVE a message is copied and then removed; one that is cut short may lie in both folders";
const KEYWORDS: &str =
    "keywords are kept: categories and forwarded marks are the same for other clients";
const NO_KEYWORDS: &str =
    "without keywords categories stay on the gateway, where other clients do not see them";
const OBJECT_ID: &str = "OBJECTID: a folder renamed elsewhere stays the same folder on phones";
const NO_OBJECT_ID: &str =
    "without OBJECTID a folder renamed elsewhere is known again by its UIDVALIDITY";
