//! A block that serves HTTP beside its admin port: both listen, serve and end in order.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::catalogue::Error;
use super::server::{Reply, serve};
use super::signal::Termination;
use super::{listen, log};

/// The two listeners of a block, bound; from here on signals wait for [`Pair::serve`].
pub struct Pair {
    main: TcpListener,
    admin: TcpListener,
    termination: Termination,
    /// What "listening" says: the addresses, and whatever is added.
    pub facts: Map<String, Value>,
}

impl Pair {
    /// Listens on both addresses.
    pub fn bind(main: SocketAddr, admin: SocketAddr) -> Result<Self, Error> {
        listen::keep_apart(main, admin)?;
        let termination = Termination::listen()?;
        let (main, admin) = (listen::bind(main)?, listen::bind(admin)?);
        let mut facts = Map::new();
        for (name, listener) in [("address", &main), ("admin", &admin)] {
            let address = listener
                .local_addr()
                .context("failed to read the listening address")?;
            facts.insert(name.to_owned(), address.to_string().into());
        }
        Ok(Self {
            main,
            admin,
            termination,
            facts,
        })
    }

    /// Serves until a signal; then says so to `draining`, lets requests end within `drain`, and ends the admin port last.
    pub async fn serve<M, A>(
        mut self,
        answer: impl Fn(Request<Incoming>, SocketAddr) -> M + Send + Sync + 'static,
        administer: impl Fn(Request<Incoming>, SocketAddr) -> A + Send + Sync + 'static,
        drain: Duration,
        draining: impl FnOnce(),
    ) where
        M: Future<Output = Reply> + Send + 'static,
        A: Future<Output = Reply> + Send + 'static,
    {
        let (stop, stopping) = watch::channel(false);
        let (end, ending) = watch::channel(false);
        let admin = tokio::spawn(serve(self.admin, administer, told(ending), Duration::ZERO));
        let main = tokio::spawn(serve(self.main, answer, told(stopping), drain));
        log::info("listening", Value::Object(self.facts));
        let signal = self.termination.wait().await;
        log::info("draining", json!({ "signal": signal }));
        draining();
        let _ = stop.send(true);
        let _ = main.await;
        let _ = end.send(true);
        let _ = admin.await;
    }
}

async fn told(mut receiver: watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = receiver.wait_for(|told| *told).await;
}
