//! What every request and response type has in common: a root, a reader and a writer.

use wbxml::Tag;

use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Error;
use crate::version::ProtocolVersion;

/// A request or response that travels as one WBXML document.
pub trait Document: Sized {
    /// The element the document begins with.
    const ROOT: Tag;

    /// Reads the children of the root, which was entered, and leaves it.
    fn read(cursor: &mut Cursor<'_>) -> Result<Self>;

    /// Writes the children of the root.
    fn write(&self, encoder: &mut Encoder);

    /// Decodes a whole document that was sent in `version`.
    fn decode(version: ProtocolVersion, document: &[u8]) -> Result<Self> {
        if document.is_empty() {
            return Err(Error::NoBody);
        }
        let mut cursor = Cursor::new(document, version)?;
        cursor.root(Self::ROOT)?;
        let value = Self::read(&mut cursor)?;
        cursor.finish()?;
        Ok(value)
    }

    /// Encodes the document for a peer that speaks `version`.
    fn encode(&self, version: ProtocolVersion) -> Vec<u8> {
        let mut encoder = Encoder::new(version);
        encoder.container(Self::ROOT, |encoder| self.write(encoder));
        encoder.finish()
    }
}
