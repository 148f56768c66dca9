//! The router by all roads, on a database of its own.
