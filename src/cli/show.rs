//! What a command prints: tables for people, documents for programs, a moving line for whatever takes over a second.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::Failure;
use crate::clock::Timestamp;

/// Prints results to standard output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Say {
    is_json: bool,
}

impl Say {
    pub(super) fn new(is_json: bool) -> Say {
        Say { is_json }
    }

    /// Whether the document itself is wanted.
    pub(super) fn is_json(self) -> bool {
        self.is_json
    }

    /// A document, as it is.
    pub(super) fn document(self, document: &Value) -> Result<(), Failure> {
        self.line(&serde_json::to_string_pretty(document)?)
    }

    /// The document with `--json`, else what `people` makes of it.
    pub(super) fn either(
        self,
        document: &Value,
        people: impl FnOnce(&Value) -> String,
    ) -> Result<(), Failure> {
        if self.is_json { self.document(document) } else { self.line(&people(document)) }
    }

    /// One or more lines.
    pub(super) fn line(self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", text.trim_end_matches('\n'))?;
        Ok(out.flush()?)
    }

    /// Octets, with nothing added.
    pub(super) fn octets(self, octets: &[u8]) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        out.write_all(octets)?;
        Ok(out.flush()?)
    }

    /// A moving line on a terminal, for whatever may take over a second; nothing anywhere else.
    pub(super) fn progress(self, words: &str) -> ProgressBar {
        if !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.set_message(words.to_owned());
        bar.enable_steady_tick(TICK);
        bar
    }
}

/// Words on standard error.
pub(super) fn complain(words: &str) {
    // Nobody is left to be told where standard error is gone.
    let _gone = writeln!(std::io::stderr().lock(), "retract: {}", printable(words));
}

/// A table of the named columns, one row per element of `rows`.
pub(super) fn table(headings: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return "none".to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.to_vec());
    for row in rows {
        table.add_row(row);
    }
    let table = table.to_string();
    table.lines().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// The rows of a list in a document.
pub(super) fn rows<'a>(document: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    document.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// A field as text a terminal can be trusted with; nothing for null.
pub(super) fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => printable(text),
        Some(other) => printable(&other.to_string()),
    }
}

/// A field that is a time, in UTC and without the day's name.
pub(super) fn time(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_i64).map_or_else(String::new, |ms| Timestamp(ms).rfc3339())
}

/// Strangers write subjects, names and user agents: no control character of theirs reaches the terminal.
pub(super) fn printable(text: &str) -> String {
    let is_hostile = |c: char| c.is_control() || BIDI.contains(&c);
    text.chars().map(|c| if is_hostile(c) { '\u{FFFD}' } else { c }).collect()
}

const TICK: Duration = Duration::from_millis(120);
/// Characters that turn the reading order of what follows.
const BIDI: [char; 9] = [
    '\u{202A}', '\u{202B}', '\u{202C}', '\u{202D}', '\u{202E}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}',
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nobody_drives_the_terminal() {
        let row = json!({ "name": "Ann\u{1b}[2J\u{202e}phone" });
        assert_eq!(text(&row, "name"), "Ann\u{FFFD}[2J\u{FFFD}phone");
        assert_eq!(text(&row, "other"), "");
    }

    #[test]
    fn a_time_is_rfc_3339() {
        assert_eq!(time(&json!({ "at": 0 }), "at"), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(&json!({ "at": null }), "at"), "");
    }
}
