//! Stories: what people with phones would see, told over real sockets on a gateway of the test's own.

#![expect(clippy::unwrap_used, reason = "a story that breaks off has failed")]

mod a_foreign_client;
mod a_full_disk;
mod a_phone_that_sleeps;
mod an_old_phone;
mod asked_after_a_recall;
mod drafts;
mod fetched_in_parts;
mod found;
mod from_elsewhere;
mod in_flight;
mod in_front_of_imap;
mod invited;
mod mail_from_python;
mod mail_that_is_sent;
mod mail_that_moves;
mod mail_that_never_comes;
mod mail_that_vanishes;
mod mail_that_will_not_go;
mod no_more_than_asked;
mod nonsense;
mod one_who_takes_all;
mod post;
mod put_back;
mod sent_on;
mod silent_and_elsewhere;
mod slapd;
mod state_from_a_backup;
mod submitted;
mod taken_back;
mod the_log;
mod the_page_in_a_browser;
mod town;
mod what_it_costs;
mod what_options_announce;
mod while_away;
mod who_is_meant;

/// Each failure of another server that `docs/testing.md` lists has the story it names.
#[test]
fn every_failure_of_others_has_its_story() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("docs/testing.md")).unwrap();
    let table = list.split("## Failures of other servers").nth(1).unwrap();
    let named: Vec<(&str, &str)> =
        table.split('`').filter_map(|word| word.split_once("::")).collect();
    assert!(named.len() >= 16, "{named:?}");
    for (file, story) in named {
        let path = root.join(format!("tests/stories/{file}.rs"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(text.contains(&format!("async fn {story}()")), "there is no {file}::{story}");
    }
}
