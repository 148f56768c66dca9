//! The simulation with one phone or two, told by octets: what the fuzz target `two_devices` runs, and what replays its seeds.
//!
//! Every choice of the story is an octet or a few: which phones there are, what happens next, what becomes of an answer. After every
//! step, and at the end when all have caught up, the invariants of `check` hold.

use std::cell::OnceCell;

use super::phones::Handset;
use super::world::{Stage, World};
use crate::random::Random;

/// Steps of the longest story.
const STEPS_MAX: usize = 100;

thread_local! {
    static STAGE: OnceCell<Stage> = const { OnceCell::new() };
}

/// Tells the story in `octets`.
///
/// # Panics
/// If the gateway breaks a promise.
pub(crate) fn two_devices(octets: &[u8]) {
    STAGE.with(|stage| {
        let mut world = begin(stage.get_or_init(Stage::new), octets);
        while !world.random.is_spent() && world.steps < STEPS_MAX {
            world.step();
        }
        world.end();
    });
}

/// The phones and what else is there at the beginning of a story: one phone, two of one user, or two of two.
fn begin(stage: &Stage, octets: &[u8]) -> World {
    let mut random = Random::told(octets);
    let mut handsets = vec![Handset::any(&mut random, 0, 0)];
    if random.below(4) > 0 {
        let user = random.index(2);
        handsets.push(Handset::any(&mut random, user, 1));
    }
    World::on(stage, 0, random, handsets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::Path;

    /// `RETRACT_FUZZ_INPUT` names one file instead, and its story is told as it goes.
    #[test]
    fn seeds_of_two_devices() {
        if let Some(path) = std::env::var_os("RETRACT_FUZZ_INPUT") {
            return tell(&std::fs::read(path).unwrap());
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/two_devices");
        let mut count = 0;
        for seed in std::fs::read_dir(folder).unwrap() {
            let path = seed.unwrap().path();
            let octets = std::fs::read(&path).unwrap();
            let kept = catch_unwind(AssertUnwindSafe(|| two_devices(&octets)));
            assert!(kept.is_ok(), "RETRACT_FUZZ_INPUT={}", path.display());
            count += 1;
        }
        assert!(count > 0, "no seeds");
    }

    fn tell(octets: &[u8]) {
        let mut world = begin(&Stage::new(), octets);
        let kept = catch_unwind(AssertUnwindSafe(|| {
            while !world.random.is_spent() && world.steps < STEPS_MAX {
                world.step();
            }
            world.end();
        }));
        println!("{}", world.log.join("\n"));
        assert!(kept.is_ok(), "the story above");
    }
}
