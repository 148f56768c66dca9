//! The whole gateway from one seed: users and phones of all families, dishonest and restored ones among them; answers lost, cut,
//! duplicated and held; requests repeated and raced; other clients, recalls, cancellations, blocks and wipes at every point; weeks in seconds; and
//! power cuts after which only what was fsynced is there.
//!
//! After every step the invariants of `check` hold. A failure prints the seed, the step and the story so far.
//! `RETRACT_SIM_SEED` and `RETRACT_SIM_MINUTES` make it a long run (docs/testing.md).

mod answers;
mod check;
mod diary;
mod drafts;
mod life;
mod operators;
mod others;
mod phones;
mod post;
mod serving;
pub(crate) mod two_devices;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::World;

/// Steps of one seed.
const STEPS: usize = 160;
/// Seeds of the short run.
const SEEDS: u64 = 16;

#[test]
fn the_whole_gateway_keeps_its_promises() {
    use std::time;
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("RETRACT_SIM_SEED").unwrap_or(1);
    let minutes =
        number("RETRACT_SIM_MINUTES").map(|minutes| time::Duration::from_secs(60 * minutes));
    let (begun, mut seed) = (time::Instant::now(), first);
    loop {
        run(seed, STEPS);
        seed += 1;
        let goes_on = match minutes {
            Some(minutes) => begun.elapsed() < minutes,
            None => seed < first + SEEDS,
        };
        if !goes_on {
            break;
        }
    }
    println!("{} seeds from {first}, {STEPS} steps each, {:?}", seed - first, begun.elapsed());
}

/// Runs a seed; a failure is told with all that led to it.
fn run(seed: u64, steps: usize) {
    let mut world = World::new(seed);
    let result = catch_unwind(AssertUnwindSafe(|| {
        for _ in 0..steps {
            world.step();
        }
        world.end();
    }));
    if let Err(panic) = result {
        println!("seed {seed}, step {}:\n{}", world.steps, world.log.join("\n"));
        println!("again: RETRACT_SIM_SEED={seed} cargo test -p retract --test gateway simulation");
        resume_unwind(panic);
    }
}
