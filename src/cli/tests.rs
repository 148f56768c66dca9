//! What the command line takes and refuses.

use clap::{CommandFactory, Parser};

use super::Cli;

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}
