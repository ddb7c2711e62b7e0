//! `motif block rotate`: takes a backend out of the rotation of the proxy in the same container, or puts it back in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use hyper::Method;
use tokio::time::{Instant, sleep};

use super::ask::ask;
use super::catalogue::{Block, Error, Outcome};
use super::proxy::{ROTATION, Standing};
use super::{duration, runtime};

/// Time between two looks at the proxy.
const LOOK: Duration = Duration::from_millis(25);
/// How long a backend stays out, if nobody puts it back in.
const AT_MOST: Duration = Duration::from_mins(2);
/// More than the proxy ever answers.
const LIMIT: usize = 4096;

/// Take a backend out of a proxy's rotation, or put it back in; wait until its requests have ended, or it takes some
///
/// Exit code 1 when the patience is over before.
#[derive(Debug, Parser)]
#[command(name = "rotate", max_term_width = 100)]
pub struct Rotate {
    /// Where the backend goes
    #[arg(value_name = "WAY")]
    way: Way,
    /// Address of the backend
    #[arg(value_name = "ADDRESS")]
    address: IpAddr,
    /// Admin port of the proxy
    #[arg(value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    admin: u16,
    /// How long to wait
    #[arg(value_name = "DURATION", value_parser = duration::parse)]
    patience: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    Out,
    In,
}

impl Block for Rotate {
    const INTERNAL: bool = true;

    fn run(self) -> Result<Outcome, Error> {
        let done = runtime::single()?.block_on(rotate(&self))?;
        Ok(if done { Outcome::Done } else { Outcome::Failed })
    }
}

async fn rotate(rotate: &Rotate) -> anyhow::Result<bool> {
    let deadline = Instant::now() + rotate.patience;
    let time = match rotate.way {
        Way::Out => AT_MOST,
        Way::In => Duration::ZERO,
    };
    let mut standing = look(rotate, Some(time)).await?;
    loop {
        let is_settled = match rotate.way {
            Way::Out => standing.in_flight == 0,
            Way::In => standing.takes,
        };
        if is_settled {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        sleep(LOOK).await;
        // A replica with the address of its forerunner may only now be found.
        let again = (rotate.way == Way::In).then_some(Duration::ZERO);
        standing = look(rotate, again).await?;
    }
}

async fn look(rotate: &Rotate, out: Option<Duration>) -> anyhow::Result<Standing> {
    let admin = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), rotate.admin);
    let (method, query) = match out {
        Some(time) => (Method::POST, format!("?out={}", time.as_millis())),
        None => (Method::GET, String::new()),
    };
    let path = format!("{ROTATION}/{}{query}", rotate.address);
    let (status, body) = ask(admin, method, &path, LIMIT).await?;
    if !status.is_success() {
        anyhow::bail!(
            "the proxy at {admin} answered {status}: {}",
            String::from_utf8_lossy(&body).trim()
        );
    }
    serde_json::from_slice(&body).with_context(|| format!("the answer of {admin} makes no sense"))
}
