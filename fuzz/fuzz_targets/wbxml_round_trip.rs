//! What can be read can be written, shown as XML, and read again as the same tree.

#![no_main]

use activesync::code_pages::PAGES;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| wbxml::check::round_trip(&PAGES, octets));
