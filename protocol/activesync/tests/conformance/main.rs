//! Requirements that are one fact each, by the hundred: what each tag is, and which version has it.
//!
//! The facts stand in tables beside the ids of the requirements that state them (`tests/data/conformance`); the texts stay where
//! they are. Each fact is tried on the wire: a document with the tag is decoded and encoded.

#[cfg(test)]
mod facts;
#[cfg(test)]
mod http;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod structure;
