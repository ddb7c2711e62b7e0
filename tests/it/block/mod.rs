//! Runs blocks as processes on loopback ports, and talks to them byte by byte.

mod running;
mod wire;

mod http_echo;
mod pause;
mod proxy_backends;
mod proxy_drain;
mod proxy_http;
mod proxy_limits;
mod proxy_manners;
mod proxy_tcp;
mod proxy_tls;
