//! Makes the runtimes that blocks run on.

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime, Runtime};

/// A runtime on the calling thread alone, for tasks that never leave it.
pub fn single() -> anyhow::Result<LocalRuntime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build_local(LocalOptions::default())
        .context("failed to start the runtime")
}

/// A runtime of as many threads as the process may use cores.
pub fn parallel() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(cores())
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .context("failed to start the runtime")
}

/// The cores that the process may use, the container's limit included.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// As many open files as the process may have: a connection takes two.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        // Where it stays, fewer connections are accepted at once.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}
