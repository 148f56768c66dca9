//! Line ends: mail has CR LF, always together. Anything else is how one mail is smuggled inside another.

/// Whether there is a CR without LF after it, or an LF without CR before it.
pub(super) fn has_bare_line_end(octets: &[u8]) -> bool {
    let mut before = 0;
    for &octet in octets {
        if (octet == b'\n') != (before == b'\r') {
            return true;
        }
        before = octet;
    }
    before == b'\r'
}

/// Text that may stand in a header field or a reply: no control characters, no more than `max` of it.
pub(super) fn one_line(text: &str, max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cr_lf_is_a_line_end() {
        for fine in ["", "a", "a\r\n", "\r\n\r\nb"] {
            assert!(!has_bare_line_end(fine.as_bytes()), "{fine:?}");
        }
        for bare in ["\n", "\r", "a\nb", "a\rb", "\r\r\n", "\r\n\n", "x\r\n.\n"] {
            assert!(has_bare_line_end(bare.as_bytes()), "{bare:?}");
        }
    }
}
