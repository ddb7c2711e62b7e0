//! `motif block health`: a real query of a real client, as a readiness endpoint.

mod check;
mod settings;

pub use settings::Flags as Health;

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use prometheus_client::registry::Registry;
use serde_json::json;

use super::catalogue::{Block, Error, Outcome};
use super::pair::Pair;
use super::server::{Reply, text};
use super::{admin, log, runtime};
use check::Checks;
use settings::Settings;

impl Block for Health {
    fn run(self) -> Result<Outcome, Error> {
        let settings = Settings::new(self)?;
        log::start("health");
        let ended = runtime::single()?.block_on(run(settings));
        log::flush();
        ended.map(|()| Outcome::Done)
    }
}

async fn run(settings: Settings) -> Result<(), Error> {
    let pair = Pair::bind(settings.flags.listen, settings.flags.admin)?;
    let drain = settings.flags.drain;
    let checks = Arc::new(Checks::new(settings));
    let mut registry = Registry::default();
    checks.register(&mut registry);
    tokio::spawn(Arc::clone(&checks).keep_on());
    let side = Arc::clone(&checks);
    let administer = move |request: Request<Incoming>, _| {
        let path = request.uri().path();
        let reply = admin::answer(request.method(), path, &registry, || side.readiness());
        async move { reply }
    };
    let answer = move |request: Request<Incoming>, _| {
        let reply = answer(&request, &checks);
        async move { reply }
    };
    pair.serve(answer, administer, drain, || ()).await;
    log::info("stopped", json!({}));
    Ok(())
}

fn answer(request: &Request<Incoming>, checks: &Checks) -> Reply {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    match request.uri().path() {
        "/" | "/readyz" => admin::readyz(checks.readiness()),
        "/livez" => admin::livez(),
        _ => text(StatusCode::NOT_FOUND, "there are /, /readyz and /livez\n"),
    }
}
