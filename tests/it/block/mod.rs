//! Runs blocks as processes on loopback ports, and talks to them byte by byte.

mod databases;
mod running;
mod stores;
mod wire;

mod broker;
mod health;
mod http_echo;
mod key_value;
mod logs;
mod metrics;
mod pause;
mod proxy_backends;
mod proxy_drain;
mod proxy_http;
mod proxy_limits;
mod proxy_manners;
mod proxy_tcp;
mod proxy_tls;
mod shard;
mod split;
mod sync;
mod tee;
mod topz;
