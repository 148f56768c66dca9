//! Users out of a CSV file: a header line that names the columns, then a line for each user or group.
//!
//! A file is taken whole or not at all: whatever is wrong is told with its line and column, and what was known stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::{GROUPS_MAX, MEMBERSHIPS_MAX, PEOPLE_MAX, Person, Snapshot, SourceError, Team, said};
use crate::directory::people::Card;

/// The columns a file may have; `name` and `address` it must have.
const COLUMNS: [&str; 17] = [
    "kind",
    "name",
    "address",
    "display_name",
    "aliases",
    "groups",
    "admin",
    "disabled",
    "password_hash",
    "first_name",
    "last_name",
    "phone",
    "mobile_phone",
    "home_phone",
    "title",
    "company",
    "office",
];

/// Reads a file.
pub(in crate::directory) fn read(path: &Path) -> Result<Snapshot, SourceError> {
    let shown = path.display();
    let cannot = |error: std::io::Error| SourceError::Down(format!("{shown}: {error}"));
    let file = File::open(path).map_err(cannot)?;
    let before = file.metadata().map_err(cannot)?;
    if before.len() > FILE_BYTES_MAX {
        return Err(SourceError::Wrong(format!("{shown}: more than {FILE_BYTES_MAX} octets")));
    }
    let mut octets = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut octets).map_err(cannot)?;
    let after = std::fs::metadata(path).map_err(cannot)?;
    if after.len() != octets.len() as u64 || after.modified().ok() != before.modified().ok() {
        return Err(SourceError::Down(format!("{shown}: it is being written")));
    }
    let text = std::str::from_utf8(&octets).map_err(|error| {
        let line = octets[..error.valid_up_to()].split(|octet| *octet == b'\n').count();
        SourceError::Wrong(format!("{shown}: line {line}: not UTF-8"))
    })?;
    parse(text.trim_start_matches('\u{feff}'))
        .map_err(|wrong| SourceError::Wrong(format!("{shown}: {wrong}")))
}

/// Reads the text of a file; what is wrong is told with its line and column.
fn parse(text: &str) -> Result<Snapshot, String> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(in_words)?.clone();
    let columns = columns(&header)?;
    let mut file = FileSoFar::default();
    for record in reader.records() {
        let record = record.map_err(in_words)?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = Row { record: &record, columns: &columns, line };
        file.take(&row)?;
    }
    file.finish()
}

fn in_words(error: csv::Error) -> String {
    let line = error.position().map(|position| format!("line {}: ", position.line()));
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let line = line.unwrap_or_default();
            format!("{line}{len} columns where the header line names {expected_len}")
        }
        _ => error.to_string(),
    }
}

/// Where each column stands.
fn columns(header: &StringRecord) -> Result<BTreeMap<&'static str, usize>, String> {
    let mut columns = BTreeMap::new();
    for (at, name) in header.iter().enumerate() {
        let name = name.to_ascii_lowercase();
        let Some(known) = COLUMNS.iter().find(|known| **known == name) else {
            let known = COLUMNS.join(", ");
            return Err(format!("line 1, column {}: {name:?} is none of {known}", at + 1));
        };
        if columns.insert(*known, at).is_some() {
            return Err(format!("line 1, column {}: {known} is there twice", at + 1));
        }
    }
    for needed in ["name", "address"] {
        if !columns.contains_key(needed) {
            return Err(format!("line 1: there is no column {needed}"));
        }
    }
    Ok(columns)
}

/// One line of the file.
struct Row<'a> {
    record: &'a StringRecord,
    columns: &'a BTreeMap<&'static str, usize>,
    line: u64,
}

impl Row<'_> {
    fn get(&self, column: &str) -> &str {
        self.columns.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default()
    }

    /// What stands in a column of several things: blanks, commas and semicolons part them. Names of groups may hold blanks.
    fn list(&self, column: &str, blanks_part: bool) -> impl Iterator<Item = &str> {
        let parts = move |c: char| ",;".contains(c) || (blanks_part && c.is_whitespace());
        self.get(column).split(parts).map(str::trim).filter(|one| !one.is_empty())
    }

    fn truth(&self, column: &str) -> Result<Option<bool>, String> {
        match self.get(column).to_ascii_lowercase().as_str() {
            "" => Ok(None),
            "yes" | "true" | "1" | "x" => Ok(Some(true)),
            "no" | "false" | "0" => Ok(Some(false)),
            _ => Err(self.wrong(column, "neither yes nor no")),
        }
    }

    fn wrong(&self, column: &str, what: impl std::fmt::Display) -> String {
        format!("line {}, column {column}: {what}", self.line)
    }
}

/// What has been read, with the lines where names and addresses stand.
#[derive(Default)]
struct FileSoFar {
    people: Vec<Person>,
    groups: BTreeMap<String, Team>,
    /// Groups that have a line of their own.
    declared: BTreeSet<String>,
    names: BTreeMap<String, u64>,
    addresses: BTreeMap<String, u64>,
    memberships: usize,
}

impl FileSoFar {
    fn take(&mut self, row: &Row<'_>) -> Result<(), String> {
        match row.get("kind").to_ascii_lowercase().as_str() {
            "" | "user" => self.person(row),
            "group" => self.group(row),
            _ => Err(row.wrong("kind", "neither user nor group")),
        }
    }

    fn person(&mut self, row: &Row<'_>) -> Result<(), String> {
        let field = |column| said(row.get(column));
        let hash = Some(row.get("password_hash")).filter(|hash| !hash.is_empty());
        if hash.is_some_and(|hash| !super::super::password::is_hash(hash)) {
            return Err(row.wrong("password_hash", "not an Argon2id hash ($argon2id$..)"));
        }
        let person = Person {
            key: row.get("name").to_lowercase(),
            name: row.get("name").to_owned(),
            address: row.get("address").to_owned(),
            display_name: row.get("display_name").to_owned(),
            aliases: row.list("aliases", true).map(str::to_owned).collect(),
            is_admin: row.truth("admin")?,
            is_shut_out: row.truth("disabled")?.unwrap_or(false),
            password_hash: hash.map(str::to_owned),
            card: Card {
                first_name: field("first_name"),
                last_name: field("last_name"),
                phone: field("phone"),
                mobile_phone: field("mobile_phone"),
                home_phone: field("home_phone"),
                title: field("title"),
                company: field("company"),
                office: field("office"),
            },
        };
        let person = person.checked().map_err(|(column, what)| row.wrong(column, what))?;
        once(&mut self.names, &person.name, "name", row)?;
        once(&mut self.addresses, &person.address, "address", row)?;
        for alias in &person.aliases {
            once(&mut self.addresses, alias, "aliases", row)?;
        }
        for group in row.list("groups", false) {
            self.member(row, group)?.people.insert(person.key.clone());
        }
        if self.people.len() >= PEOPLE_MAX {
            return Err(row.wrong("name", format!("more than {PEOPLE_MAX} users")));
        }
        self.people.push(person);
        Ok(())
    }

    fn group(&mut self, row: &Row<'_>) -> Result<(), String> {
        let team = Team {
            name: row.get("name").to_owned(),
            address: Some(row.get("address").to_owned()),
            display_name: row.get("display_name").to_owned(),
            ..Team::default()
        };
        let team = team.checked().map_err(|(column, what)| row.wrong(column, what))?;
        if !self.declared.insert(team.name.clone()) {
            return Err(row.wrong("name", format!("the group {} is there twice", team.name)));
        }
        if let Some(address) = &team.address {
            once(&mut self.addresses, address, "address", row)?;
        }
        for around in row.list("groups", false) {
            self.member(row, around)?.groups.insert(team.name.clone());
        }
        let name = team.name.clone();
        let there = self.named(row, &name)?;
        (there.address, there.display_name) = (team.address, team.display_name);
        Ok(())
    }

    /// The group somebody is in.
    fn member(&mut self, row: &Row<'_>, name: &str) -> Result<&mut Team, String> {
        self.memberships += 1;
        if self.memberships > MEMBERSHIPS_MAX {
            return Err(row.wrong("groups", format!("more than {MEMBERSHIPS_MAX} in all")));
        }
        self.named(row, name)
    }

    /// The group of that name, begun where nobody named it before.
    fn named(&mut self, row: &Row<'_>, name: &str) -> Result<&mut Team, String> {
        let team = Team { name: name.to_owned(), ..Team::default() };
        let team = team.checked().map_err(|(_, what)| row.wrong("groups", what))?;
        if self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&team.name) {
            return Err(row.wrong("groups", format!("more than {GROUPS_MAX} groups")));
        }
        let key = team.name.clone();
        Ok(self.groups.entry(key.clone()).or_insert(Team { key, ..team }))
    }

    fn finish(self) -> Result<Snapshot, String> {
        let groups = self.groups.into_values().collect();
        Ok(Snapshot { people: self.people, groups, ..Snapshot::default() })
    }
}

/// Names and addresses are each somebody's only.
fn once(
    seen: &mut BTreeMap<String, u64>,
    value: &str,
    column: &str,
    row: &Row<'_>,
) -> Result<(), String> {
    match seen.insert(value.to_owned(), row.line) {
        Some(line) => Err(row.wrong(column, format!("{value} stands in line {line} as well"))),
        None => Ok(()),
    }
}

/// Octets of a file at most.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_users_groups_and_groups_in_groups() {
        let text = "name,address,display_name,aliases,groups,admin,office,kind\n\
            Ann,Ann@A.example,\"Lee, Ann\",a@a.example sales@a.example,Board;All Staff,yes,B 12,\n\
            ben , ben@a.example,,,,,,user\n\
            board,board@a.example,The Board,,all staff,,,group\n";
        let read = parse(text).unwrap();
        let ann = &read.people[0];
        assert_eq!((ann.name.as_str(), ann.address.as_str()), ("ann", "ann@a.example"));
        assert_eq!((ann.display_name.as_str(), ann.is_admin), ("Lee, Ann", Some(true)));
        assert_eq!(ann.aliases.len(), 2);
        assert_eq!(ann.card.office.as_deref(), Some("B 12"));
        assert_eq!((read.people[1].display_name.as_str(), read.people[1].is_admin), ("ben", None));
        let [all, board] = &read.groups[..] else { panic!("{:?}", read.groups) };
        assert_eq!((all.name.as_str(), board.name.as_str()), ("all staff", "board"));
        assert!(all.people.contains("ann") && all.groups.contains("board"));
        assert_eq!(board.display_name, "The Board");
        assert_eq!(board.address.as_deref(), Some("board@a.example"));
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_column() {
        let good = "name,address,aliases,admin,groups,password_hash\nann,ann@a.example,,,,\n";
        assert!(parse(good).is_ok());
        for (line, said) in [
            ("ben,ben", "line 3: 2 columns where the header line names 6"),
            ("ben,ben,,,,", "line 3, column address: not valid: not an address: \"ben\""),
            ("b n,b@a.example,,,,", "line 3, column name: not valid: not a name"),
            ("ben,b@a.example,x,,,", "line 3, column aliases: not valid: not an address: \"x\""),
            ("ben,b@a.example,,maybe,,", "line 3, column admin: neither yes nor no"),
            ("ben,b@a.example,,,,secret", "line 3, column password_hash: not an Argon2id hash"),
            ("ANN,b@a.example,,,,", "line 3, column name: ann stands in line 2 as well"),
            ("ben,Ann@a.example,,,,", "line 3, column address: ann@a.example stands in line 2"),
            ("ben,b@a.example,ann@a.example,,,", "line 3, column aliases: ann@a.example stands"),
        ] {
            let wrong = parse(&format!("{good}{line}\n")).unwrap_err();
            assert!(wrong.starts_with(said), "{line}: {wrong}");
        }
        for (header, said) in [
            ("", "line 1: there is no column name"),
            ("name,mail", "line 1, column 2: \"mail\" is none of"),
            ("name,address,name", "line 1, column 3: name is there twice"),
            ("address", "line 1: there is no column name"),
        ] {
            let wrong = parse(header).unwrap_err();
            assert!(wrong.starts_with(said), "{header}: {wrong}");
        }
    }

    #[test]
    fn a_file_that_is_no_text_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.csv");
        std::fs::write(&path, b"name,address\nann,ann@a.example\nb\xe9n,ben@a.example\n").unwrap();
        let SourceError::Wrong(wrong) = read(&path).unwrap_err() else { panic!("not down") };
        assert!(wrong.ends_with("users.csv: line 3: not UTF-8"), "{wrong}");
        assert!(matches!(read(&dir.path().join("none.csv")), Err(SourceError::Down(_))));
        std::fs::write(&path, "\u{feff}name,address\r\nann,ann@a.example\r\n").unwrap();
        assert_eq!(read(&path).unwrap().people.len(), 1);
    }
}
