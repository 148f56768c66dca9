//! Whatever an IMAP server sends, however it is cut: the same events, every command ended once, limits held.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| imap_sans::check::any_input(octets));
