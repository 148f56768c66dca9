//! Stories: what people with phones would see, told over real sockets on a gateway of the test's own.

#![expect(clippy::unwrap_used, reason = "a story that breaks off has failed")]

mod a_full_disk;
mod a_phone_that_sleeps;
mod asked_after_a_recall;
mod drafts;
mod in_flight;
mod mail_from_python;
mod mail_that_is_sent;
mod mail_that_moves;
mod mail_that_never_comes;
mod mail_that_vanishes;
mod mail_that_will_not_go;
mod no_more_than_asked;
mod nonsense;
mod post;
mod put_back;
mod state_from_a_backup;
mod taken_back;
mod town;
mod what_options_announce;
