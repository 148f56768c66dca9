//! Users out of a directory server, and whether a password is theirs there (RFC 4511).
//!
//! - A look reads all pages of people and groups, or is an error: a part is never taken for the whole.
//! - A sign-in finds the one entry with the name, then binds as it. An empty password never goes out: a server takes a bind with one for an
//!   anonymous bind, which succeeds (RFC 4513 5.1.2).
//! - What goes into a filter is escaped (RFC 4515).
//! - Each conversation has a deadline, and runs in a task of its own: the client crate panics on some answers.

use std::sync::Arc;
use std::time::Duration;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{
    LdapConnAsync, LdapConnSettings, LdapResult, Scope, SearchEntry, StdStream, ldap_escape,
};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};

pub use super::entries::Attributes;
use super::entries::{Entry, snapshot};
use super::{GROUPS_MAX, PEOPLE_MAX, Snapshot, SourceError, line};
use crate::secret::Secret;

/// How the line to a directory server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first octet (port 636).
    Tls,
    /// TLS after StartTLS (port 389).
    StartTls,
    /// None: for a server on this machine only.
    Plain,
}

/// Where a directory server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name, which its certificate must carry.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the line is kept from others.
    pub security: Security,
}

/// A directory server, and how it is asked.
#[derive(Clone)]
pub struct LdapSettings {
    /// Where it is.
    pub place: Place,
    /// What its certificate is verified with.
    pub tls: Arc<ClientConfig>,
    /// As whom we look: a DN and its password; anonymously where there is none.
    pub bind: Option<(String, Secret)>,
    /// Below which entry people are.
    pub base: String,
    /// Below which entry groups are.
    pub groups_base: String,
    /// Which entries are people.
    pub users_filter: String,
    /// Which entries are groups; none are looked for where it is empty.
    pub groups_filter: String,
    /// What their attributes mean.
    pub attributes: Attributes,
    /// The name of the group whose members administer here.
    pub admins: Option<String>,
    /// How long a sign-in may take.
    pub sign_in_max: Duration,
    /// How long a look at everybody may take.
    pub look_max: Duration,
    /// Entries of a page.
    pub page_entries: u16,
}

/// A directory server. Cheap to clone; each conversation has a connection of its own.
#[derive(Clone)]
pub struct Ldap(Arc<LdapSettings>);

impl std::fmt::Debug for Ldap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ldap({}:{})", self.0.place.host, self.0.place.port)
    }
}

impl Ldap {
    /// The server behind these settings.
    pub fn new(settings: LdapSettings) -> Ldap {
        Ldap(Arc::new(settings))
    }

    /// Everybody and all groups.
    pub(super) async fn fetch(&self) -> Result<Snapshot, SourceError> {
        let settings = self.0.clone();
        let until = Instant::now() + settings.look_max;
        alone(until, async move {
            let mut talk = Talk::begin(&settings, until).await?;
            let attributes = &settings.attributes;
            let filter = filter(&settings.users_filter);
            let of_people = attributes.of_people();
            let people =
                talk.search(&settings, &settings.base, &filter, of_people, PEOPLE_MAX).await?;
            let mut groups = Vec::new();
            if !settings.groups_filter.trim().is_empty() {
                let filter = self::filter(&settings.groups_filter);
                let (base, wanted) = (&settings.groups_base, attributes.of_groups());
                groups = talk.search(&settings, base, &filter, wanted, GROUPS_MAX).await?;
                talk.complete_members(&mut groups, attributes).await?;
            }
            talk.end().await;
            Ok(snapshot(people, groups, attributes, settings.admins.as_deref()))
        })
        .await
    }

    /// Whether the password is that of the one person who signs in with this name or address.
    pub async fn verify(&self, login: &str, password: &Secret) -> Result<bool, SourceError> {
        if password.is_empty() || login.trim().is_empty() {
            return Ok(false);
        }
        let (settings, password) = (self.0.clone(), password.clone());
        let filter = self.0.who(login);
        let until = Instant::now() + settings.sign_in_max;
        alone(until, async move {
            let mut talk = Talk::begin(&settings, until).await?;
            let wanted = vec![NO_ATTRIBUTES.to_owned()];
            let mut found = talk.search(&settings, &settings.base, &filter, wanted, 2).await?;
            let is_one = found.len() == 1;
            if found.len() > 1 {
                tracing::warn!(%filter, "several entries of the directory server; nobody signs in");
            }
            // Nobody takes as long as somebody.
            let nobody = || format!("{NOBODY}{}", settings.base);
            let dn = found.pop().filter(|_| is_one).map_or_else(nobody, |entry| entry.dn);
            if dn.is_empty() {
                return Ok(false);
            }
            let bound = talk.bind(&dn, &password).await?;
            talk.end().await;
            Ok(is_one && bound)
        })
        .await
    }
}

impl LdapSettings {
    /// The filter that finds who signs in like this.
    fn who(&self, login: &str) -> String {
        let login = ldap_escape(login.trim());
        let names = self.attributes.name.iter();
        let names = names.chain(self.attributes.address.iter().filter(|_| login.contains('@')));
        let any: String = names.map(|name| format!("({name}={login})")).collect();
        format!("(&{}(|{any}))", filter(&self.users_filter))
    }
}

/// A filter with its parentheses.
fn filter(text: &str) -> String {
    match text.trim() {
        text if text.starts_with('(') => text.to_owned(),
        text => format!("({text})"),
    }
}

/// Runs a conversation apart from its caller, until a deadline.
async fn alone<T: Send + 'static>(
    until: Instant,
    talk: impl Future<Output = Result<T, SourceError>> + Send + 'static,
) -> Result<T, SourceError> {
    match tokio::spawn(timeout_at(until, talk)).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(SourceError::Down("no answer in time".to_owned())),
        Err(_) => Err(SourceError::Down("an answer that could not be read".to_owned())),
    }
}

/// A conversation with the server, begun as whom we look.
struct Talk {
    ldap: ldap3::Ldap,
}

impl Talk {
    async fn begin(settings: &LdapSettings, until: Instant) -> Result<Talk, SourceError> {
        let pipe = line::open(&settings.place, &settings.tls, until).await.map_err(down)?;
        let over = LdapConnSettings::new().set_std_stream(StdStream::Unix(pipe));
        let (connection, ldap) =
            LdapConnAsync::with_settings(over, OUR_PIPE).await.map_err(down)?;
        tokio::spawn(async move {
            if let Err(error) = timeout_at(until, connection.drive()).await.unwrap_or(Ok(())) {
                tracing::debug!(%error, "the directory server's connection ended");
            }
        });
        let mut talk = Talk { ldap };
        if let Some((dn, password)) = &settings.bind
            && !talk.bind(dn, password).await?
        {
            let words = format!("the directory server does not take the password of {dn}");
            return Err(SourceError::Wrong(words));
        }
        Ok(talk)
    }

    /// Whether this is the password of that entry.
    async fn bind(&mut self, dn: &str, password: &Secret) -> Result<bool, SourceError> {
        if password.is_empty() {
            return Ok(false);
        }
        let result = self.ldap.simple_bind(dn, password.reveal()).await.map_err(down)?;
        match result.rc {
            SUCCESS => Ok(true),
            rc if NOT_THEIRS.contains(&rc) => Ok(false),
            _ => Err(down(in_words(&result))),
        }
    }

    /// All entries that a filter finds, or an error.
    async fn search(
        &mut self,
        settings: &LdapSettings,
        base: &str,
        filter: &str,
        wanted: Vec<String>,
        most: usize,
    ) -> Result<Vec<Entry>, SourceError> {
        let page = i32::from(settings.page_entries.max(1));
        let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(page))];
        let stream =
            self.ldap.streaming_search_with(adapters, base, Scope::Subtree, filter, wanted);
        let mut stream = stream.await.map_err(down)?;
        let mut found = Vec::new();
        while let Some(entry) = stream.next().await.map_err(down)? {
            if found.len() >= most {
                return match most {
                    // A sign-in wants to know only that there are several.
                    2 => Ok(found),
                    _ => {
                        Err(SourceError::Wrong(format!("more than {most} entries match {filter}")))
                    }
                };
            }
            found.push(read(SearchEntry::construct(entry)));
        }
        whole(&stream.finish().await, filter)?;
        Ok(found)
    }

    /// Active Directory tells long lists of members in parts: `member;range=0-1499`, then from 1500 on.
    async fn complete_members(
        &mut self,
        groups: &mut [Entry],
        attributes: &Attributes,
    ) -> Result<(), SourceError> {
        for group in groups {
            while let Some((attribute, range)) = partial(group, attributes) {
                let values = group.texts.remove(&range.told).unwrap_or_default();
                group.texts.entry(attribute.to_ascii_lowercase()).or_default().extend(values);
                let Some(next) = range.next else { continue };
                let wanted = vec![format!("{attribute};range={next}-*")];
                let found = self.ldap.search(&group.dn, Scope::Base, ANYTHING, wanted).await;
                let ldap3::SearchResult(entries, result) = found.map_err(down)?;
                whole(&result, &group.dn)?;
                let more = entries.into_iter().next().map(|e| read(SearchEntry::construct(e)));
                group.texts.extend(more.unwrap_or_default().texts);
            }
        }
        Ok(())
    }

    async fn end(mut self) {
        // It ends in any case when the handle is dropped.
        let _polite = self.ldap.unbind().await;
    }
}

fn read(entry: SearchEntry) -> Entry {
    let lower = |name: String| name.to_ascii_lowercase();
    Entry {
        dn: entry.dn,
        texts: entry.attrs.into_iter().map(|(name, values)| (lower(name), values)).collect(),
        octets: entry.bin_attrs.into_iter().map(|(name, values)| (lower(name), values)).collect(),
    }
}

/// A part of a list.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    /// The attribute with its range, in lower case.
    told: String,
    /// Where it goes on; nowhere where this was the last part.
    next: Option<u64>,
}

/// An attribute of members that is there in part, and which part.
fn partial<'a>(entry: &Entry, attributes: &'a Attributes) -> Option<(&'a str, Range)> {
    entry.texts.keys().find_map(|told| {
        let (name, range) = told.split_once(";range=")?;
        let attribute = attributes.members.iter().find(|m| m.eq_ignore_ascii_case(name))?;
        let (_, last) = range.split_once('-')?;
        let next = last.parse::<u64>().ok().and_then(|last| last.checked_add(1));
        Some((attribute.as_str(), Range { told: told.clone(), next }))
    })
}

/// Whether a search ended as one that found everything ends.
fn whole(result: &LdapResult, of: &str) -> Result<(), SourceError> {
    match result.rc {
        SUCCESS => Ok(()),
        SIZE_LIMIT => Err(SourceError::Wrong(format!(
            "{of}: the directory server tells only part of it (its size limit); raise the limit of the name we bind with"
        ))),
        TIME_LIMIT | BUSY | UNAVAILABLE => Err(down(in_words(result))),
        _ => Err(SourceError::Wrong(format!("{of}: {}", in_words(result)))),
    }
}

fn in_words(result: &LdapResult) -> String {
    let text: String = result.text.chars().filter(|c| !c.is_control()).take(200).collect();
    format!("the directory server says {} {text}", result.rc)
}

fn down(error: impl std::fmt::Display) -> SourceError {
    SourceError::Down(error.to_string())
}

/// What makes the client take the pipe it is given.
const OUR_PIPE: &str = "ldapi:///";
/// RFC 4511 4.5.1.8.
const NO_ATTRIBUTES: &str = "1.1";
const ANYTHING: &str = "(objectClass=*)";
/// Stands where somebody would; before the base.
const NOBODY: &str = "cn=nobody-here,";
/// Results (RFC 4511 A.1).
const SUCCESS: u32 = 0;
const TIME_LIMIT: u32 = 3;
const SIZE_LIMIT: u32 = 4;
const BUSY: u32 = 51;
const UNAVAILABLE: u32 = 52;
/// What a bind with a wrong password, or as nobody, ends with: noSuchObject, invalidDNSyntax, inappropriateAuthentication,
/// invalidCredentials, insufficientAccessRights, unwillingToPerform.
const NOT_THEIRS: [u32; 6] = [32, 34, 48, 49, 50, 53];

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> LdapSettings {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let roots = rustls::RootCertStore::empty();
        LdapSettings {
            place: Place { host: "127.0.0.1".into(), port: 9, security: Security::Plain },
            tls: Arc::new(tls.unwrap().with_root_certificates(roots).with_no_client_auth()),
            bind: None,
            base: "dc=a".into(),
            groups_base: "dc=a".into(),
            users_filter: "objectClass=person".into(),
            groups_filter: String::new(),
            attributes: Attributes::default(),
            admins: None,
            sign_in_max: Duration::from_secs(5),
            look_max: Duration::from_secs(5),
            page_entries: 500,
        }
    }

    #[test]
    fn what_is_typed_cannot_leave_its_place_in_the_filter() {
        let settings = settings();
        assert_eq!(settings.who("ann"), "(&(objectClass=person)(|(uid=ann)(sAMAccountName=ann)))");
        assert!(settings.who("ann@a.example").contains("(mail=ann@a.example)"));
        let who = settings.who("*)(uid=*)\\\0");
        assert!(who.contains("(uid=\\2a\\29\\28uid=\\2a\\29\\5c\\00)"), "{who}");
    }

    #[tokio::test]
    async fn an_empty_password_never_goes_out() {
        let ldap = Ldap::new(settings());
        // Nobody listens there: what is not asked cannot be down.
        assert_eq!(ldap.verify("ann", &Secret::default()).await, Ok(false));
        let asked = ldap.verify("ann", &Secret::new("x".to_owned())).await;
        assert!(matches!(asked, Err(SourceError::Down(_))), "{asked:?}");
    }

    #[test]
    fn long_lists_of_members_come_in_parts() {
        let attributes = Attributes::default();
        let with = |name: &str| {
            let mut entry = Entry::default();
            entry.texts.insert(name.to_owned(), Vec::new());
            partial(&entry, &attributes).map(|(name, range)| (name.to_owned(), range.next))
        };
        assert_eq!(with("member;range=0-1499"), Some(("member".to_owned(), Some(1500))));
        assert_eq!(with("member;range=1500-*"), Some(("member".to_owned(), None)));
        assert_eq!(with("member"), None);
        assert_eq!(with("cn;range=0-1"), None);
    }
}
