//! The figures of the whole gateway; docs/performance.md has what they came to, and the commands.
//!
//! ```text
//! cargo bench --bench gateway                        everything, small: a check that it all runs
//! cargo bench --bench gateway -- waiting 10000       memory of hanging Pings; a recall reaching all of them
//! cargo bench --bench gateway -- syncing 10000       the same with hanging Syncs
//! cargo bench --bench gateway -- recall 200          a recall reaching one phone that waits
//! cargo bench --bench gateway -- syncs 32 100        durable ledgered Syncs a second
//! cargo bench --bench gateway -- quiet 100000        a Sync with nothing new, in a small and in a large folder
//! cargo bench --bench gateway -- rest 10000          bytes per held message at rest
//! cargo bench --bench gateway -- first 5000          the first sync of a mailbox
//! cargo bench --bench gateway -- tokens              WBXML, decoded and encoded
//! ```
//!
//! Servers run in a process of their own, whose memory and time are theirs alone; the phones of `activesync-phone` are here.

mod child;
mod engine;
mod fleet;
mod folders;
mod line;
mod mails;
mod tokens;
mod waiting;

use activesync_phone::Profile;
use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> Result<()> {
    retract::server::give_memory_back_soon();
    let descriptors = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: descriptors, maximum: descriptors })?;
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    arguments.retain(|argument| argument != "--bench" && argument != "--");
    let number = |at: usize, usual: usize| match arguments.get(at) {
        Some(text) => text.parse().map_err(anyhow::Error::from),
        None => Ok(usual),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let Some(which) = arguments.first().map(String::as_str) else {
        return runtime.block_on(everything());
    };
    if which == child::SERVE {
        return child::serve(&runtime, arguments.get(1..).unwrap_or_default());
    }
    line::machine();
    runtime.block_on(async {
        match which {
            "waiting" => waiting::all(number(1, 1_000)?, &Profile::ios()).await,
            "syncing" => waiting::all(number(1, 1_000)?, &Profile::samsung()).await,
            "recall" => waiting::one(number(1, 200)?).await,
            "syncs" => {
                let (phones, each) = (number(1, 32)?, number(2, 100)?);
                engine::syncs(phones, each).await?;
                fleet::syncs(phones, each).await
            }
            "quiet" => folders::quiet(100, number(1, 100_000)?, number(2, 300)?).await,
            "rest" => folders::rest(number(1, 10_000)?).await,
            "first" => folders::first(number(1, 5_000)?).await,
            "tokens" => tokens::run(number(1, 2_000)?),
            other => bail!("no figure is called {other}; see the head of benches/gateway/main.rs"),
        }
    })
}

/// One in a hundred of everything.
async fn everything() -> Result<()> {
    line::machine();
    waiting::all(100, &Profile::ios()).await?;
    waiting::all(100, &Profile::samsung()).await?;
    waiting::one(5).await?;
    engine::syncs(8, 10).await?;
    fleet::syncs(8, 10).await?;
    folders::quiet(100, 1_000, 20).await?;
    folders::rest(500).await?;
    folders::first(200).await?;
    tokens::run(20)
}
