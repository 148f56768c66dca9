//! Any query is read or refused, and comes back from both spellings.

#![no_main]

use activesync::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| check::http_query(octets));
