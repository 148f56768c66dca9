//! Makes the table of conformance of what tests have shown, or checks that it is as it should be.
//!
//!     conformance SHOWN [--check] [--requirements FILE]
//!
//! SHOWN is the folder that the tests wrote to. The table names every requirement of the documents it is about; more come from
//! FILE, whose first column holds ids. Requirements that are departed from or not applicable stand, with the reason, in
//! `conformance-reasons.tsv`; one that is claimed in the sources and was not shown is unmet; the rest is not assessed.
#![expect(clippy::print_stdout, reason = "somebody waits for the summary")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The documents the table is about.
const DOCUMENTS: &[&str] =
    &["MS-ASAIRS", "MS-ASCMD", "MS-ASCON", "MS-ASEMAIL", "MS-ASHTTP", "MS-ASPROV", "MS-ASWBXML"];
/// Of the assessed and applicable requirements at least so many in a hundred are satisfied.
const SATISFIED_PERCENT_MIN: usize = 95;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let shown = arguments.first().ok_or("name the folder that the tests wrote to")?;
    let check = arguments.iter().any(|argument| argument == "--check");
    let requirements = arguments.iter().position(|argument| argument == "--requirements");
    let requirements = requirements.and_then(|at| arguments.get(at + 1));

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("protocol/activesync/conformance.tsv");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let mut ids = column(&before);
    if let Some(file) = requirements {
        ids.extend(column(&fs::read_to_string(file)?));
    }
    let table = Table::make(&root, Path::new(shown), ids)?;
    let after = table.text();
    if !check {
        fs::write(&path, &after)?;
    }
    table.summary();
    if check && before != after {
        for (line, _) in after.lines().zip(before.lines()).filter(|(a, b)| a != b).take(LINES_SHOWN)
        {
            println!("should be: {line}");
        }
        println!("conformance.tsv is not what the tests show; make it anew");
        return Ok(ExitCode::FAILURE);
    }
    Ok(if table.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many differences are worth showing.
const LINES_SHOWN: usize = 20;

/// The ids in the first column of a table.
fn column(table: &str) -> BTreeSet<String> {
    let ids = table.lines().filter_map(|line| line.split('\t').next());
    ids.filter(|id| DOCUMENTS.iter().any(|document| is_of(id, document)))
        .map(str::to_owned)
        .collect()
}

fn is_of(id: &str, document: &str) -> bool {
    id.strip_prefix(document).is_some_and(|rest| rest.starts_with("_R"))
}

/// What is said of each requirement.
struct Table(BTreeMap<(String, u64), (State, String)>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Satisfied,
    Departs,
    NotApplicable,
    Unmet,
    NotAssessed,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Satisfied => "satisfied",
            Self::Departs => "departs",
            Self::NotApplicable => "not applicable",
            Self::Unmet => "unmet",
            Self::NotAssessed => "not assessed",
        }
    }
}

impl Table {
    fn make(root: &Path, shown: &Path, mut ids: BTreeSet<String>) -> Result<Self> {
        let shown = shown_in(shown)?;
        let claimed = claimed_in(root)?;
        let reasons = reasons(root)?;
        ids.extend(
            shown.keys().cloned().chain(claimed.iter().cloned()).chain(reasons.keys().cloned()),
        );
        let mut table = BTreeMap::new();
        for id in ids {
            let what = if let Some((state, reason)) = reasons.get(&id) {
                if shown.contains_key(&id) || claimed.contains(&id) {
                    return Err(
                        format!("{id} is claimed by a test and has a reason as well").into()
                    );
                }
                (*state, reason.clone())
            } else if let Some(files) = shown.get(&id) {
                (State::Satisfied, files.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
            } else if claimed.contains(&id) {
                (State::Unmet, String::new())
            } else {
                (State::NotAssessed, String::new())
            };
            table.insert(sort_key(&id), what);
        }
        Ok(Self(table))
    }

    fn text(&self) -> String {
        let mut text = "id\tstate\ttest or reason\n".to_owned();
        for ((document, number), (state, why)) in &self.0 {
            text += &format!("{document}_R{number}\t{}\t{why}\n", state.as_str());
        }
        text
    }

    fn count(&self, document: &str, state: State) -> usize {
        let of =
            self.0.iter().filter(|((name, _), (is, _))| name.starts_with(document) && *is == state);
        of.count()
    }

    fn summary(&self) {
        println!("document: satisfied, departs, unmet, not applicable, not assessed");
        for document in DOCUMENTS.iter().copied().chain([""]) {
            let states = [
                State::Satisfied,
                State::Departs,
                State::Unmet,
                State::NotApplicable,
                State::NotAssessed,
            ];
            let counts = states.map(|state| self.count(document, state).to_string());
            println!(
                "{}: {}",
                if document.is_empty() { "all" } else { document },
                counts.join(", ")
            );
        }
    }

    /// Whether nothing is unmet, and little departed from.
    fn is_good(&self) -> bool {
        let (satisfied, departs) =
            (self.count("", State::Satisfied), self.count("", State::Departs));
        self.count("", State::Unmet) == 0
            && satisfied * 100 >= (satisfied + departs) * SATISFIED_PERCENT_MIN
    }
}

/// Sorts ids by document and number.
fn sort_key(id: &str) -> (String, u64) {
    let (document, number) = id.split_once("_R").unwrap_or((id, "0"));
    (document.to_owned(), number.parse().unwrap_or_default())
}

/// The ids that were shown, and the files they were shown in.
fn shown_in(folder: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in fs::read_dir(folder)? {
        for line in fs::read_to_string(file?.path())?.lines() {
            if let Some((id, file)) = line.split_once('\t') {
                shown.entry(id.to_owned()).or_default().insert(file.to_owned());
            }
        }
    }
    Ok(shown)
}

/// The ids that stand in the sources, and in the tables of facts beside them.
fn claimed_in(root: &Path) -> Result<BTreeSet<String>> {
    let mut claimed = BTreeSet::new();
    let mut folders: Vec<PathBuf> =
        ["protocol", "src", "tests"].iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_source =
                name.ends_with(".rs") && !path.starts_with(root.join("protocol/conformance"));
            if path.is_dir() && name != "corpus" {
                folders.push(path);
            } else if is_source {
                claimed.extend(quoted(&fs::read_to_string(&path)?));
            } else if name.ends_with(".tsv")
                && path.parent().is_some_and(|p| p.ends_with("conformance"))
            {
                claimed.extend(column(&fs::read_to_string(&path)?));
            }
        }
    }
    Ok(claimed)
}

/// The ids that stand in quotation marks.
fn quoted(source: &str) -> BTreeSet<String> {
    let texts =
        source.split('"').filter(|text| DOCUMENTS.iter().any(|document| is_of(text, document)));
    texts.map(str::to_owned).collect()
}

/// The requirements that are departed from or not applicable, and why.
fn reasons(root: &Path) -> Result<BTreeMap<String, (State, String)>> {
    let text = fs::read_to_string(root.join("protocol/activesync/conformance-reasons.tsv"))?;
    let mut reasons = BTreeMap::new();
    for line in text.lines().skip(1) {
        let [id, state, reason] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("three columns are needed: {line}").into());
        };
        let state = match state {
            "departs" => State::Departs,
            "not applicable" => State::NotApplicable,
            _ => return Err(format!("no such state: {line}").into()),
        };
        reasons.insert(id.to_owned(), (state, reason.to_owned()));
    }
    Ok(reasons)
}
