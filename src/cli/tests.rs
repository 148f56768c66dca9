//! What the command line takes and refuses.

use clap::CommandFactory;

use super::Cli;

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}
