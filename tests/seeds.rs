//! The seeds of the gateway's own fuzz targets, replayed without a fuzzer; a crash that was found becomes a seed.
//!
//! Those of the protocol crates are replayed by their tests.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its own tree has failed")]

use std::path::Path;

use retract::{cli, eas, message, push, sync};

fn replay(folder: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut count = 0;
    for seed in std::fs::read_dir(folder).unwrap() {
        let path = seed.unwrap().path();
        let octets = std::fs::read(&path).unwrap();
        let kept = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&octets)));
        assert!(kept.is_ok(), "{}", path.display());
        count += 1;
    }
    assert!(count > 0, "no seeds");
}

#[test]
fn seeds_of_mime() {
    replay("tests/data/mail", message::check::mime);
    replay("fuzz/seeds/mime", message::check::mime);
}

#[test]
fn seeds_of_sync_plan() {
    replay("fuzz/seeds/sync_plan", sync::check::plan);
}

#[test]
fn seeds_of_wait() {
    replay("fuzz/seeds/wait", push::check::wait);
}

#[test]
fn seeds_of_proxy_header() {
    replay("fuzz/seeds/proxy_header", eas::check::proxy_header);
}

#[test]
fn seeds_of_dns_answer() {
    replay("fuzz/seeds/dns_answer", cli::check::dns_answer);
}

#[test]
fn seeds_of_kql() {
    replay("fuzz/seeds/kql", eas::check::kql);
}

#[test]
fn seeds_of_certificate() {
    replay("fuzz/seeds/certificate", eas::check::certificate);
}

#[test]
fn seeds_of_invitation() {
    replay("fuzz/seeds/invitation", eas::check::invitation);
}
