//! Runs the service.

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use service::config::Config;
use service::log::{json_string, log};
use service::server::Service;
use service::signal;

fn main() -> ExitCode {
    let (config, listener) = match prepare() {
        Ok(prepared) => prepared,
        Err(reason) => {
            log("error", &reason, &[]);
            return ExitCode::from(2);
        }
    };
    let address = match listener.local_addr() {
        Ok(address) => address,
        Err(error) => {
            log("error", &error.to_string(), &[]);
            return ExitCode::from(2);
        }
    };
    signal::watch();
    let service = Service::new(config);
    let accepting = Arc::clone(&service);
    thread::spawn(move || accepting.serve(&listener));
    log("info", "listening", &[("address", json_string(&address.to_string()))]);
    while !signal::stop_requested() {
        thread::sleep(Duration::from_millis(20));
    }
    log("info", "draining", &[]);
    if !service.drain(address) {
        log("warn", "requests were still under way when the grace ran out", &[]);
    }
    log("info", "stopped", &[]);
    ExitCode::SUCCESS
}

fn prepare() -> Result<(Config, TcpListener), String> {
    let config = Config::from_env(|name| std::env::var(name).ok())?;
    let listener = TcpListener::bind((config.host.as_str(), config.port))
        .map_err(|error| format!("failed to listen on {}:{}: {error}", config.host, config.port))?;
    Ok((config, listener))
}
