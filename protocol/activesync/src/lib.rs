//! Exchange ActiveSync commands as types, in both directions, without I/O.
