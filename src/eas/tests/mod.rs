//! The commands, told as what a phone sends and sees.

mod find;
mod folders;
mod house;
mod mail;
mod moves;
mod operations;
mod ping;
mod provision;
mod recipients;
mod send;
mod session;
mod settings;
mod sync;
mod uploads;
