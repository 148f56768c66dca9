//! The rules of the house, executed: the stack of rooms, file heads, where SQL, time and content may stand.
//!
//! What can be checked is checked here; what needs judgement (long files, long functions) is printed, not judged.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot read its own tree has failed"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The stack, from the ground up; a room may use the rooms of earlier rows only.
const STACK: [&[&str]; 11] = [
    &["ids", "clock", "secret", "failpoint"],
    &["database", "keyring"],
    &["audit", "message", "directory"],
    &["mailbox", "push"],
    &["delivery", "ledger"],
    &["recall"],
    &["policy"],
    &["sync"],
    &["eas", "admin", "config"],
    &["server"],
    &["cli"],
];

struct Source {
    path: PathBuf,
    room: String,
    text: String,
}

impl Source {
    /// The part before the unit tests at the foot.
    fn code(&self) -> &str {
        match self.text.find("#[cfg(test)]\nmod tests {") {
            Some(end) => &self.text[..end],
            None => &self.text,
        }
    }

    fn is_test(&self) -> bool {
        let path = self.path.to_string_lossy();
        path.contains("/tests/") || path.ends_with("tests.rs") || path.ends_with("suite.rs")
    }

    /// Lines that are code, not comment.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code()
            .lines()
            .enumerate()
            .map(|(n, line)| (n + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(root().join("src")).unwrap();
            let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
            let room = first.trim_end_matches(".rs").to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            Source { path, room, text }
        })
        .collect()
}

fn level(room: &str) -> Option<usize> {
    STACK.iter().position(|row| row.contains(&room))
}

/// Rooms named by `crate::room` in a line.
fn rooms_named(line: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let list = list.split('}').next().unwrap_or_default();
            rooms.extend(list.split(',').map(|part| name(part.trim())));
        } else {
            rooms.push(name(rest));
        }
    }
    rooms.retain(|room| level(room).is_some());
    rooms
}

fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()
}

#[test]
fn each_room_uses_only_the_rooms_below_it() {
    let mut wrong = Vec::new();
    for source in sources() {
        if source.room == "lib" || source.room == "main" || source.is_test() {
            continue;
        }
        let mine = level(&source.room)
            .unwrap_or_else(|| panic!("{} is in no room of the stack", source.path.display()));
        for (number, line) in source.lines() {
            for other in rooms_named(line) {
                let theirs = level(&other).expect("filtered");
                if other != source.room && theirs >= mine {
                    wrong.push(format!(
                        "{}:{number}: {} uses {other}",
                        source.path.display(),
                        source.room
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "the stack is broken:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let missing: Vec<String> = sources()
        .iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path.display().to_string())
        .collect();
    assert!(missing.is_empty(), "no //! at the head of:\n{}", missing.join("\n"));
}

#[test]
fn only_the_phones_edge_names_activesync() {
    let allowed = |room: &str| matches!(room, "eas" | "cli");
    assert_only("activesync::", allowed);
}

#[test]
fn only_the_clock_reads_the_time() {
    assert_only("SystemTime::now", |room| room == "clock");
    assert_only("Timestamp::now(", |room| room == "clock");
}

#[test]
fn only_the_gate_makes_a_released_answer() {
    for source in sources() {
        let is_gate = source.path.ends_with("recall/gate.rs");
        let makes = source.code().matches("Released {").count();
        assert!(
            is_gate || makes == 0 || source.code().contains("for Released {"),
            "{} makes a Released",
            source.path.display()
        );
    }
    // What leaves plainly holds nothing: documents are counted before they are written, and these places write. Autodiscover tells where
    // we are, and has no mailbox at hand.
    let mut plain = Vec::new();
    for source in sources() {
        let is_test = source.is_test() || source.path.ends_with("eas/endpoint.rs");
        let count = source.code().matches("without_content(").count();
        if !is_test && count > 0 {
            plain.push((source.path.file_name().unwrap().to_string_lossy().into_owned(), count));
        }
    }
    plain.sort();
    let known =
        [("autodiscover.rs", 1), ("dispatch.rs", 1), ("item_operations.rs", 1), ("status.rs", 1)];
    let known = known.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(plain, known, "who writes bytes past the gate");
    // And only from inside the transaction that records the exposure.
    let gate = std::fs::read_to_string(root().join("src/recall/gate.rs")).unwrap();
    let code = gate.split("#[cfg(test)]").next().unwrap();
    let made = code.find("Ruling::Released(Released {").expect("release makes it");
    let recorded = code.find("record(tx, answer, now)?;").expect("release records first");
    assert!(recorded < made);
    assert_eq!(code.matches("(Released {").count(), 1, "one place makes it");
}

#[test]
fn mail_is_read_for_phones_only_with_a_leave() {
    for source in sources() {
        if source.room != "eas" || source.is_test() || source.path.ends_with("shaper.rs") {
            continue;
        }
        for (number, line) in source.lines() {
            let reads = line.contains("store.read(");
            assert!(!reads, "{}:{number} reads past the budget", source.path.display());
        }
    }
}

#[test]
fn sql_stands_in_tables_and_migrations_alone() {
    let mut wrong = Vec::new();
    for source in sources() {
        if source.path.ends_with("tables.rs") || source.is_test() || source.room == "database" {
            continue;
        }
        for (number, line) in source.lines() {
            let statement = ["\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE FROM "];
            if statement.iter().any(|verb| line.contains(verb)) {
                wrong.push(format!("{}:{number}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "SQL outside tables.rs:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_to_do_behind_a_finished_surface() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            let marks = ["todo!(", "unimplemented!(", "FIXME", "TODO", "#[ignore"];
            if marks.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!("{}:{}: {}", source.path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_has_a_shape_and_a_behaviour_of_one_name() {
    let shapes = root().join("protocol/activesync/src/command");
    let mut files = Vec::new();
    rust_files(&root().join("src/eas/command"), &mut files);
    for file in files {
        let inside = file.strip_prefix(root().join("src/eas/command")).unwrap();
        let command = inside.components().next().unwrap().as_os_str().to_string_lossy();
        let command = command.trim_end_matches(".rs");
        if matches!(command, "mod" | "smart" | "mail" | "tests") {
            continue;
        }
        let shape = shapes.join(format!("{command}.rs")).exists() || shapes.join(command).exists();
        assert!(shape, "src/eas/command/{command} has no shape of its name in activesync");
    }
}

/// A line of the list of quirks: its number, how we behave, and the tests that show it, each with its file.
type Quirk<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>);

fn quirks(list: &str) -> Vec<Quirk<'_>> {
    let lines = list.split("## What clients do").nth(1).unwrap().lines();
    let cells = lines.filter_map(|line| line.strip_prefix("| ")).map(|line| line.split(" | "));
    let rows = cells.map(Iterator::collect::<Vec<_>>).filter(|cells| cells[0] != "no.");
    rows.map(|cells| {
        let shown = cells.get(3).copied().unwrap_or_default();
        (cells[0], cells[2], shown.split('`').filter_map(|word| word.split_once("::")).collect())
    })
    .collect()
}

#[test]
fn every_quirk_of_clients_has_its_line_and_its_tests() {
    let list = std::fs::read_to_string(root().join("docs/quirks.md")).unwrap();
    let rows = quirks(&list);
    let numbers: Vec<String> =
        (1..=52).map(|n| n.to_string()).chain(('a'..='h').map(String::from)).collect();
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), numbers);
    let table = std::fs::read_to_string(root().join("src/eas/quirks.rs")).unwrap();
    for (number, here, shown) in rows {
        if let Some(row) = here.strip_prefix("row ") {
            let name = format!("name: \"{}\"", row.trim_matches('`'));
            assert!(table.contains(&name), "{number}: there is no {here}");
        } else {
            assert!(matches!(here, "general" | "out of scope"), "{number}: {here}");
        }
        assert_eq!(shown.is_empty(), here.starts_with("out of scope"), "{number} is not shown");
        for (file, test) in shown {
            let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
            assert!(text.contains(&format!("fn {test}()")), "{number}: there is no {file}::{test}");
        }
    }
}

#[test]
fn the_longest_files_are_shown() {
    let mut lengths: BTreeMap<usize, String> = BTreeMap::new();
    for source in sources() {
        lengths.insert(source.code().lines().count(), source.path.display().to_string());
    }
    for (lines, path) in lengths.iter().rev().take(8) {
        println!("{lines:>5} {path}");
    }
    assert!(!lengths.is_empty());
}

fn assert_only(what: &str, allowed: impl Fn(&str) -> bool) {
    let mut wrong = Vec::new();
    for source in sources() {
        if allowed(&source.room) || source.is_test() {
            continue;
        }
        for (number, line) in source.lines() {
            if line.contains(what) {
                wrong.push(format!("{}:{number}: {}", source.path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{what} stands where it should not:\n{}", wrong.join("\n"));
}
