//! The commands, told as what a phone sends and sees.

mod bounded;
mod claims;
mod discovery;
mod find;
mod folders;
mod house;
mod limits;
mod mail;
mod malformed;
mod meetings;
mod moves;
mod operations;
mod ping;
mod provision;
mod quirks;
mod ranges;
mod recipients;
mod scales;
mod send;
mod session;
mod settings;
mod sync;
mod transport;
mod twelve;
mod uploads;
mod wire;
