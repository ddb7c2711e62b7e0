//! Notices SIGTERM and SIGINT.
//!
//! The standard library has no signals; the C library that it stands on has.

use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
}

extern "C" fn request_stop(_number: i32) {
    STOP.store(true, Ordering::SeqCst);
}

/// Makes SIGTERM and SIGINT ask for a stop instead of ending the process.
pub fn watch() {
    // SAFETY: the handler does nothing but store to an atomic, which a handler may do.
    unsafe {
        signal(SIGTERM, request_stop);
        signal(SIGINT, request_stop);
    }
}

/// Whether a stop was asked for.
pub fn stop_requested() -> bool {
    STOP.load(Ordering::SeqCst)
}
