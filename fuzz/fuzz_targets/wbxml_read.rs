//! Any octets are read to an end or to an error, within the limits.

#![no_main]

use activesync::code_pages::PAGES;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| wbxml::check::read(&PAGES, octets));
