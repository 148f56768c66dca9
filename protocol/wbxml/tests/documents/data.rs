//! The test data of `activesync`, which this crate's tests share: documents, and the code pages as a table.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use wbxml::{CodePage, CodePages};

/// The code pages of `codepages.tsv`: what a caller of this crate would bring along.
pub(crate) static PAGES: LazyLock<CodePages> = LazyLock::new(|| {
    let table = text("codepages.tsv");
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|row| row.split('\t').collect()).collect();
    let pages: Vec<CodePage> = rows.chunk_by(|one, next| one[0] == next[0]).map(page).collect();
    CodePages::new(pages.leak())
});

/// One page from its rows: page, namespace, token, name and more.
fn page(rows: &[Vec<&str>]) -> CodePage {
    let token = |digits: &str| {
        u8::from_str_radix(digits.trim_start_matches("0x"), 16).expect("test data is sound")
    };
    let tag = |row: &Vec<&str>| (token(row[2]), &*row[3].to_owned().leak());
    CodePage {
        number: rows[0][0].parse().expect("test data is sound"),
        namespace: rows[0][1].to_owned().leak(),
        tags: rows.iter().map(tag).collect::<Vec<_>>().leak(),
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../activesync/tests/data").join(name)
}

/// The octets of a file.
pub(crate) fn octets(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The text of a file.
pub(crate) fn text(name: &str) -> String {
    String::from_utf8(octets(name)).expect("test data is sound")
}

/// The octets that a file shows as hex.
pub(crate) fn hex(name: &str) -> Vec<u8> {
    let digits: Vec<u8> = text(name).bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| {
        u8::from_str_radix(str::from_utf8(pair).expect("test data is sound"), 16)
            .expect("test data is sound")
    };
    digits.chunks(2).map(pair).collect()
}

/// The files of a folder that end in `.extension`, sorted.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(path(folder)).expect("test data is sound");
    let names = entries.map(|entry| {
        entry.expect("test data is sound").file_name().into_string().expect("test data is sound")
    });
    let mut files: Vec<_> = names.filter(|name| name.ends_with(&format!(".{extension}"))).collect();
    files.sort();
    files
}

/// The names for which a folder has both octets and XML.
pub(crate) fn names(folder: &str) -> Vec<String> {
    files(folder, "xml").iter().map(|file| file.trim_end_matches(".xml").to_owned()).collect()
}
