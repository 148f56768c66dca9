//! One life of the process: a runtime and the rooms in it. Dropped, it leaves nothing but the disk.

use std::future::Future;
use std::path::Path;
use std::pin::{Pin, pin};

use retract::clock::Clock;
use retract::database::{self, Bodies, Options};
use retract::delivery::Relay;
use retract::ids::MailboxId;
use retract::server::{House, StartError};

use crate::disk::Disk;
use crate::house;

/// The process.
pub(super) struct Life {
    // First the tasks go, then the rooms.
    runtime: tokio::runtime::Runtime,
    pub(super) house: House,
}

impl Life {
    /// The process starts on what is on the disk.
    pub(super) fn begin(
        dir: &Path,
        disk: &Disk,
        bodies: &Bodies,
        clock: &Clock,
        relay: Relay,
    ) -> Result<Life, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without I/O");
        let options = Options {
            by_hand: true,
            durable: true,
            vfs: Some(disk.name()),
            ..Options::quick(clock)
        };
        let house = house::open(dir, clock, options, bodies.clone(), relay)?;
        let life = Life { runtime, house };
        let store = life.house.store.clone();
        life.run(async move { store.tidy().await }).expect("what a crash left can be tidied");
        let outbox = life.house.outbox.clone();
        life.run(async move { outbox.recover().await }).expect("the outbox can be looked through");
        Ok(life)
    }

    /// Runs a future to its end; the database's jobs run in between, in the order they were asked for.
    pub(super) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        self.turns(&mut future, u32::MAX).expect("it has all the turns it wants")
    }

    /// Runs a future for a few turns; what waits longer goes on another time.
    pub(super) fn turns<T>(
        &self,
        future: &mut Pin<&mut (impl Future<Output = T> + ?Sized)>,
        turns: u32,
    ) -> Option<T> {
        self.runtime.block_on(async {
            for _ in 0..turns {
                tokio::select! {
                    biased;
                    value = future.as_mut() => return Some(value),
                    () = tokio::task::yield_now() => {}
                }
                self.house.database.turn();
            }
            None
        })
    }

    /// Reads the database.
    pub(super) fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&database::Tx<'_>) -> Result<T, database::Error> + Send + 'static,
    ) -> T {
        self.house.database.read_blocking(job).expect("the database can be read")
    }

    /// The mailbox of every user, made where it was not.
    pub(super) fn users(&self, names: &[&'static str]) -> Vec<MailboxId> {
        names.iter().map(|name| self.run(house::add_user(&self.house, name)).1).collect()
    }
}
