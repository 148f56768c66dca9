//! APPEND (RFC 9051 6.3.12).

use super::encode::{Encoder, Unspeakable};
use crate::date::DateTime;
use crate::flag::Flag;
use crate::mailbox::Mailbox;

pub(super) fn encode(
    encoder: &mut Encoder,
    mailbox: &Mailbox,
    flags: &[Flag],
    date: Option<DateTime>,
    octets: &[u8],
) -> Result<(), Unspeakable> {
    encoder.raw("APPEND ");
    encoder.mailbox(mailbox)?;
    encoder.raw(" ");
    if !flags.is_empty() {
        encoder.list(flags, |encoder, flag| encoder.flag(&flag.to_string()))?;
        encoder.raw(" ");
    }
    if let Some(date) = date {
        encoder.raw(&format!("\"{date}\" "));
    }
    encoder.wrap_utf8(octets);
    Ok(())
}

impl Encoder {
    /// The octets of a message: as UTF8 (~{n}) where UTF8=ACCEPT is enabled (RFC 6855 4), else as a literal.
    fn wrap_utf8(&mut self, octets: &[u8]) {
        let header = octets.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(octets.len());
        if self.is_utf8() && !octets[..header].is_ascii() {
            self.raw("UTF8 (");
            self.literal(octets, true);
            self.raw(")");
        } else {
            self.literal(octets, octets.contains(&0));
        }
    }
}
