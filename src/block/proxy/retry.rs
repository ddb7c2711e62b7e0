//! Decides whether a request that failed may be sent again, and where.

use hyper::Method;

/// How an attempt failed, before any byte of a response came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// No connection: nothing was sent.
    Connect,
    /// A kept connection closed before the request was written to it: nothing was sent.
    Unsent,
    /// A kept connection closed after the request was written: most often it was closing already.
    KeptClosed,
    /// A new connection closed or broke after the request was written.
    Closed,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Tell the client.
    GiveUp,
    /// The same backend, on a new connection. It costs no attempt.
    SameBackend,
    /// Another backend.
    AnotherBackend,
}

/// What the request allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Sending it twice does what sending it once does.
    pub idempotent: bool,
    /// It has no body, or one that is still wholly at hand.
    pub replayable: bool,
    /// Retries that are left.
    pub retries: u32,
}

/// Whether the method is idempotent (RFC 9110, 9.2.2).
pub fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

/// Decides. What was never sent may be sent by any method; what may have been done once, only if twice is the same.
pub fn next(failed: Failed, request: Request) -> Next {
    let repeatable = request.idempotent && request.replayable;
    match failed {
        Failed::Unsent => Next::SameBackend,
        Failed::KeptClosed if repeatable => Next::SameBackend,
        Failed::Connect if request.retries > 0 => Next::AnotherBackend,
        Failed::Closed if repeatable && request.retries > 0 => Next::AnotherBackend,
        Failed::KeptClosed | Failed::Connect | Failed::Closed => Next::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case() {
        let all = [
            Failed::Connect,
            Failed::Unsent,
            Failed::KeptClosed,
            Failed::Closed,
        ];
        for bits in 0..8_u32 {
            let request = Request {
                idempotent: bits & 1 != 0,
                replayable: bits & 2 != 0,
                retries: bits >> 2,
            };
            for failed in all {
                let sent = matches!(failed, Failed::KeptClosed | Failed::Closed);
                let again = next(failed, request) != Next::GiveUp;
                if sent && !(request.idempotent && request.replayable) {
                    assert!(!again, "{failed:?} {request:?}: may have been done once");
                }
                if request.retries == 0 {
                    assert_ne!(
                        next(failed, request),
                        Next::AnotherBackend,
                        "{failed:?} {request:?}"
                    );
                }
                if failed == Failed::Unsent || (failed == Failed::Connect && request.retries > 0) {
                    assert!(again, "{failed:?} {request:?}: nothing was sent");
                }
            }
        }
    }

    #[test]
    fn idempotent_methods_are_those_of_the_rfc() {
        for name in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
            assert!(
                is_idempotent(&Method::from_bytes(name.as_bytes()).unwrap()),
                "{name}"
            );
        }
        for name in ["POST", "PATCH", "CONNECT", "LOCK", "get"] {
            assert!(
                !is_idempotent(&Method::from_bytes(name.as_bytes()).unwrap()),
                "{name}"
            );
        }
    }
}
