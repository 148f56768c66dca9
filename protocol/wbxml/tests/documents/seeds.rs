//! The seeds of the fuzz targets, replayed without a fuzzer; a crash that was found becomes a seed.

use std::fs;
use std::path::Path;

use wbxml::check;

use crate::data::PAGES;

fn replay(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let seeds: Vec<_> = fs::read_dir(&folder).expect("every target has seeds").collect();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    for seed in seeds {
        let path = seed.expect("the folder can be listed").path();
        check(&fs::read(&path).expect("a seed can be read"));
    }
}

#[test]
fn seeds_of_wbxml_read() {
    replay("wbxml_read", |octets| check::read(&PAGES, octets));
}

#[test]
fn seeds_of_wbxml_round_trip() {
    replay("wbxml_round_trip", |octets| check::round_trip(&PAGES, octets));
}
