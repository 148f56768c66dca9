//! What the entries of a directory server mean: which attributes make a person, which a group, and who its members are.
//!
//! Pure. An entry that cannot be taken as it is, is told and left as it was known; it is never taken for one that is gone.

use std::collections::{BTreeMap, BTreeSet};

use super::{MEMBERSHIPS_MAX, Person, Snapshot, Team, said};
use crate::directory::people::Card;

/// Which attributes say what; of each list the first that an entry has, but of aliases and members all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// What a person signs in with.
    pub name: Vec<String>,
    /// Their own address, and that of a group.
    pub address: Vec<String>,
    /// What others see of a person or group.
    pub display_name: Vec<String>,
    /// Other addresses; of `proxyAddresses` those that begin with `smtp:`.
    pub aliases: Vec<String>,
    /// The given name.
    pub first_name: Vec<String>,
    /// The family name.
    pub last_name: Vec<String>,
    /// The telephone at work.
    pub phone: Vec<String>,
    /// The mobile telephone.
    pub mobile_phone: Vec<String>,
    /// The telephone at home.
    pub home_phone: Vec<String>,
    /// The title.
    pub title: Vec<String>,
    /// The company.
    pub company: Vec<String>,
    /// Where the office is.
    pub office: Vec<String>,
    /// The name of a group.
    pub group_name: Vec<String>,
    /// The members of a group: by their DN, or by what they sign in with.
    pub members: Vec<String>,
}

impl Default for Attributes {
    fn default() -> Attributes {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Attributes {
            name: list(&["uid", "sAMAccountName"]),
            address: list(&["mail"]),
            display_name: list(&["displayName", "cn"]),
            aliases: list(&["mailAlternateAddress", "mailLocalAddress", "proxyAddresses"]),
            first_name: list(&["givenName"]),
            last_name: list(&["sn"]),
            phone: list(&["telephoneNumber"]),
            mobile_phone: list(&["mobile"]),
            home_phone: list(&["homePhone"]),
            title: list(&["title"]),
            company: list(&["company", "o"]),
            office: list(&["physicalDeliveryOfficeName"]),
            group_name: list(&["cn"]),
            members: list(&["member", "uniqueMember", "memberUid"]),
        }
    }
}

impl Attributes {
    /// All that is asked of people.
    pub(super) fn of_people(&self) -> Vec<String> {
        let lists = [
            &self.name,
            &self.address,
            &self.display_name,
            &self.aliases,
            &self.first_name,
            &self.last_name,
            &self.phone,
            &self.mobile_phone,
            &self.home_phone,
            &self.title,
            &self.company,
            &self.office,
        ];
        let own = [ENTRY_UUID, OBJECT_GUID, ACCOUNT_CONTROL, ACCOUNT_LOCK];
        lists.into_iter().flatten().cloned().chain(own.map(str::to_owned)).collect()
    }

    /// All that is asked of groups.
    pub(super) fn of_groups(&self) -> Vec<String> {
        let lists = [&self.group_name, &self.address, &self.display_name, &self.members];
        let own = [ENTRY_UUID, OBJECT_GUID];
        lists.into_iter().flatten().cloned().chain(own.map(str::to_owned)).collect()
    }
}

/// An entry, as far as it was asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// Its name.
    pub(super) dn: String,
    /// Its attributes that are text, by their names in lower case.
    pub(super) texts: BTreeMap<String, Vec<String>>,
    /// Those that are not.
    pub(super) octets: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    fn all<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = &'a str> {
        let values = names.iter().filter_map(|name| self.texts.get(&name.to_ascii_lowercase()));
        values.flatten().map(String::as_str)
    }

    fn first<'a>(&'a self, names: &'a [String]) -> Option<&'a str> {
        self.all(names).map(str::trim).find(|value| !value.is_empty())
    }

    /// What it is known by whatever it is called: the server's own number, else its DN.
    fn key(&self) -> String {
        let octets = self.octets.get(&OBJECT_GUID.to_ascii_lowercase());
        let guid = octets.and_then(|values| values.first()).map(|octets| hex(octets));
        // Sixteen octets may happen to be text.
        let texts = |name: &str| self.texts.get(&name.to_ascii_lowercase())?.first();
        let guid = guid.or_else(|| texts(OBJECT_GUID).map(|text| hex(text.as_bytes())));
        let key = texts(ENTRY_UUID).map(|uuid| uuid.to_ascii_lowercase()).or(guid);
        key.unwrap_or_else(|| normal_dn(&self.dn))
    }

    /// Whether the server shuts the person out: Active Directory's ACCOUNTDISABLE, or nsAccountLock.
    fn is_shut_out(&self) -> bool {
        let first = |name: &str| self.texts.get(&name.to_ascii_lowercase())?.first();
        let control = first(ACCOUNT_CONTROL).and_then(|flags| flags.parse::<i64>().ok());
        control.is_some_and(|flags| flags & ACCOUNT_DISABLED != 0)
            || first(ACCOUNT_LOCK).is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }
}

/// Puts the entries of people and groups together; `admins` is the group whose members administer.
pub(super) fn snapshot(
    people: Vec<Entry>,
    groups: Vec<Entry>,
    attributes: &Attributes,
    admins: Option<&str>,
) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let mut known = Known::default();
    for entry in &people {
        match person(entry, attributes).checked() {
            Ok(person) if known.is_new(&person) => {
                known.take(entry, &person);
                snapshot.people.push(person);
            }
            Ok(person) => {
                let what =
                    format!("{}: another entry has {} or its address", entry.dn, person.name);
                snapshot.problem(what);
                snapshot.kept.insert(person.key);
            }
            Err((field, what)) => {
                snapshot.problem(format!("{}: {field}: {what}", entry.dn));
                snapshot.kept.insert(entry.key());
            }
        }
    }
    teams(&groups, attributes, &mut known, &mut snapshot);
    if let Some(admins) = admins {
        let admins = within(&snapshot, admins);
        for person in &mut snapshot.people {
            person.is_admin = Some(admins.contains(&person.key));
        }
    }
    snapshot
}

/// What members are called, of those that are known.
#[derive(Default)]
struct Known {
    people_by_dn: BTreeMap<String, String>,
    people_by_name: BTreeMap<String, String>,
    groups_by_dn: BTreeMap<String, String>,
    keys: BTreeSet<String>,
    addresses: BTreeSet<String>,
}

impl Known {
    fn is_new(&self, person: &Person) -> bool {
        !self.people_by_name.contains_key(&person.name)
            && !self.addresses.contains(&person.address)
            && !self.keys.contains(&person.key)
    }

    fn take(&mut self, entry: &Entry, person: &Person) {
        self.people_by_dn.insert(normal_dn(&entry.dn), person.key.clone());
        self.people_by_name.insert(person.name.clone(), person.key.clone());
        self.keys.insert(person.key.clone());
        self.addresses.insert(person.address.clone());
    }
}

fn person(entry: &Entry, attributes: &Attributes) -> Person {
    let text = |names: &[String]| entry.first(names).unwrap_or_default().to_owned();
    let field = |names: &[String]| entry.first(names).and_then(said);
    Person {
        key: entry.key(),
        name: text(&attributes.name),
        address: text(&attributes.address),
        display_name: text(&attributes.display_name),
        aliases: entry.all(&attributes.aliases).filter_map(alias).map(str::to_owned).collect(),
        is_admin: None,
        is_shut_out: entry.is_shut_out(),
        password_hash: None,
        card: Card {
            first_name: field(&attributes.first_name),
            last_name: field(&attributes.last_name),
            phone: field(&attributes.phone),
            mobile_phone: field(&attributes.mobile_phone),
            home_phone: field(&attributes.home_phone),
            title: field(&attributes.title),
            company: field(&attributes.company),
            office: field(&attributes.office),
        },
    }
}

/// An address among others, where each may say of what kind it is.
fn alias(value: &str) -> Option<&str> {
    match value.split_once(':') {
        Some((kind, address)) => kind.eq_ignore_ascii_case("smtp").then_some(address),
        None => Some(value),
    }
}

fn teams(groups: &[Entry], attributes: &Attributes, known: &mut Known, snapshot: &mut Snapshot) {
    let mut names = BTreeSet::new();
    let mut taken = Vec::new();
    for entry in groups {
        let team = Team {
            key: entry.key(),
            name: entry.first(&attributes.group_name).unwrap_or_default().to_owned(),
            address: entry.first(&attributes.address).map(str::to_owned),
            display_name: entry.first(&attributes.display_name).unwrap_or_default().to_owned(),
            ..Team::default()
        };
        match team.checked() {
            Ok(team) if names.insert(team.name.clone()) && known.keys.insert(team.key.clone()) => {
                known.groups_by_dn.insert(normal_dn(&entry.dn), team.key.clone());
                taken.push((entry, team));
            }
            Ok(team) => {
                snapshot.problem(format!("{}: another group is called {}", entry.dn, team.name));
            }
            Err((field, what)) => snapshot.problem(format!("{}: {field}: {what}", entry.dn)),
        }
    }
    let mut memberships = 0;
    for (entry, mut team) in taken {
        for member in entry.all(&attributes.members).take(MEMBERSHIPS_MAX - memberships) {
            memberships += 1;
            let dn = normal_dn(member);
            let name = member.trim().to_lowercase();
            let person = known.people_by_dn.get(&dn).or_else(|| known.people_by_name.get(&name));
            if let Some(key) = person {
                team.people.insert(key.clone());
            } else if let Some(key) = known.groups_by_dn.get(&dn) {
                team.groups.insert(key.clone());
            }
        }
        snapshot.groups.push(team);
    }
}

/// Keys of everybody in a group of a snapshot, also through groups in it.
fn within(snapshot: &Snapshot, name: &str) -> BTreeSet<String> {
    let name = name.trim().to_lowercase();
    let by_key: BTreeMap<&str, &Team> =
        snapshot.groups.iter().map(|team| (team.key.as_str(), team)).collect();
    let first = snapshot.groups.iter().find(|team| team.name == name);
    let mut left: Vec<&Team> = first.into_iter().collect();
    let mut seen: BTreeSet<&str> = left.iter().map(|team| team.key.as_str()).collect();
    let mut found = BTreeSet::new();
    while let Some(team) = left.pop() {
        found.extend(team.people.iter().cloned());
        for key in &team.groups {
            if let Some(inner) = by_key.get(key.as_str()).filter(|_| seen.insert(key)) {
                left.push(inner);
            }
        }
    }
    found
}

/// A DN in a spelling that all its spellings share, as far as servers vary them: letter case, and blanks around separators.
pub(super) fn normal_dn(dn: &str) -> String {
    let mut normal = String::with_capacity(dn.len());
    let (mut is_escaped, mut after_separator) = (false, false);
    for c in dn.trim().chars().flat_map(char::to_lowercase) {
        let separates = matches!(c, ',' | '=' | '+') && !is_escaped;
        if separates {
            let kept = normal.trim_end_matches(' ').len();
            normal.truncate(kept);
        }
        if c != ' ' || is_escaped || !after_separator {
            normal.push(c);
            after_separator = separates;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    normal
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// RFC 4530.
const ENTRY_UUID: &str = "entryUUID";
/// Active Directory's.
const OBJECT_GUID: &str = "objectGUID";
const ACCOUNT_CONTROL: &str = "userAccountControl";
const ACCOUNT_LOCK: &str = "nsAccountLock";
const ACCOUNT_DISABLED: i64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(dn: &str, attributes: &[(&str, &[&str])]) -> Entry {
        let texts = attributes.iter().map(|(name, values)| {
            (name.to_ascii_lowercase(), values.iter().map(|v| (*v).to_owned()).collect())
        });
        Entry { dn: dn.to_owned(), texts: texts.collect(), octets: BTreeMap::new() }
    }

    fn taken(people: Vec<Entry>, groups: Vec<Entry>) -> Snapshot {
        snapshot(people, groups, &Attributes::default(), Some("Admins"))
    }

    #[test]
    fn both_kinds_of_servers_are_understood() {
        let mut windows = entry(
            "CN=Ben Gray,OU=Staff,DC=a,DC=example",
            &[
                ("sAMAccountName", &["Ben"]),
                ("mail", &["Ben@a.example"]),
                ("displayName", &["Gray, Ben"]),
                ("proxyAddresses", &["SMTP:Ben@a.example", "smtp:b@a.example", "X500:/o=a"]),
                ("userAccountControl", &["514"]),
                ("company", &["A"]),
            ],
        );
        windows.octets.insert("objectguid".to_owned(), vec![vec![0xff, 1]]);
        let unix = entry(
            "uid=ann,ou=people,dc=a,dc=example",
            &[
                ("uid", &["ann"]),
                ("mail", &["ann@a.example"]),
                ("cn", &["Ann Lee"]),
                ("mailAlternateAddress", &["a@a.example"]),
                ("entryUUID", &["ABC-1"]),
                ("givenName", &["Ann"]),
            ],
        );
        let read = taken(vec![windows, unix], Vec::new());
        let [ben, ann] = &read.people[..] else { panic!("{read:?}") };
        assert_eq!((ben.key.as_str(), ben.name.as_str(), ben.is_shut_out), ("ff01", "ben", true));
        assert_eq!(ben.aliases.iter().collect::<Vec<_>>(), ["b@a.example"]);
        assert_eq!(ben.card.company.as_deref(), Some("A"));
        assert_eq!((ann.key.as_str(), ann.is_shut_out), ("abc-1", false));
        assert_eq!(ann.display_name, "Ann Lee");
        assert_eq!(ann.card.first_name.as_deref(), Some("Ann"));
    }

    #[test]
    fn groups_lie_in_groups_and_in_themselves() {
        let people = vec![
            entry("uid=ann,dc=a", &[("uid", &["ann"]), ("mail", &["ann@a.example"])]),
            entry("uid=ben,dc=a", &[("uid", &["ben"]), ("mail", &["ben@a.example"])]),
            entry("uid=eve,dc=a", &[("uid", &["eve"]), ("mail", &["eve@a.example"])]),
        ];
        let groups = vec![
            entry("cn=admins,dc=a", &[("cn", &["Admins"]), ("member", &["CN=inner, DC=a"])]),
            entry(
                "cn=inner,dc=a",
                &[("cn", &["inner"]), ("member", &["UID=Ann,dc=a", "cn=admins,dc=a", "cn=x,dc=a"])],
            ),
            entry("cn=posix,dc=a", &[("cn", &["posix"]), ("memberUid", &["ben", "nobody"])]),
        ];
        let read = taken(people, groups);
        let is_admin = read.people.iter().map(|person| person.is_admin);
        assert_eq!(is_admin.collect::<Vec<_>>(), [Some(true), Some(false), Some(false)]);
        assert_eq!(read.groups[1].people.len() + read.groups[1].groups.len(), 2);
        assert_eq!(read.groups[2].people.iter().collect::<Vec<_>>(), ["uid=ben,dc=a"]);
    }

    #[test]
    fn an_entry_that_is_wrong_is_told_and_kept() {
        let people = vec![
            entry("uid=ann,dc=a", &[("uid", &["ann"]), ("mail", &["ann@a.example"])]),
            entry("uid=ann,ou=x", &[("uid", &["ANN"]), ("mail", &["other@a.example"])]),
            entry("uid=ben,dc=a", &[("uid", &["ben"]), ("mail", &["no address"])]),
        ];
        let read = taken(people, Vec::new());
        assert_eq!((read.people.len(), read.problems.len()), (1, 2));
        assert_eq!(read.kept.iter().collect::<Vec<_>>(), ["uid=ann,ou=x", "uid=ben,dc=a"]);
        assert!(read.problems[1].starts_with("uid=ben,dc=a: address: "), "{:?}", read.problems);
    }

    #[test]
    fn a_dn_has_one_normal_spelling() {
        assert_eq!(normal_dn(" CN = Ann Lee , DC=a"), "cn=ann lee,dc=a");
        assert_eq!(normal_dn(r"cn=lee\, ann,dc=a"), r"cn=lee\, ann,dc=a");
    }
}
