//! WBXML 1.3 as Exchange ActiveSync uses it: a zero-copy pull reader and a writer, code pages handed in by the caller.
