//! What a proxy does to headers: takes off what belongs to one hop, checks what could mislead the next one.

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING,
    UPGRADE,
};

pub static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
pub static X_MOTIF_BACKEND: HeaderName = HeaderName::from_static("x-motif-backend");
pub static X_MOTIF_SHADOW: HeaderName = HeaderName::from_static("x-motif-shadow");
static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
static HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// What a message said about its own hop.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// The protocol that it asks to change to.
    pub upgrade: Option<HeaderValue>,
    /// It takes trailers.
    pub trailers: bool,
}

/// Takes off the headers that belong to one hop (RFC 9110, 7.6.1), and says what they said.
pub fn strip(headers: &mut HeaderMap) -> Hop {
    let mut hop = Hop::default();
    // Most messages have few of them: one look at the names is cheaper than a look-up of each.
    let mut found = headers
        .keys()
        .filter_map(|name| HOP.iter().position(|hop| *hop == name));
    let mut present = [None; HOP.len()];
    for place in &mut present {
        *place = found.next();
    }
    let mut asks_upgrade = false;
    if present.contains(&Some(0)) {
        let mut named = Vec::new();
        for value in headers.get_all(CONNECTION) {
            for token in tokens(value.as_bytes()) {
                if token.eq_ignore_ascii_case(b"upgrade") {
                    asks_upgrade = true;
                } else if !is_framing(token)
                    && let Ok(name) = HeaderName::from_bytes(token)
                {
                    named.push(name);
                }
            }
        }
        for name in named {
            headers.remove(name);
        }
    }
    for place in present.into_iter().flatten() {
        match place {
            1 => {
                hop.trailers = headers.get_all(TE).iter().any(|value| {
                    tokens(value.as_bytes()).any(|token| token.eq_ignore_ascii_case(b"trailers"))
                });
            }
            2 if asks_upgrade => {
                hop.upgrade = headers.get(UPGRADE).filter(|value| may_upgrade(value)).cloned();
            }
            _ => {}
        }
        headers.remove(HOP[place]);
    }
    hop
}

/// What belongs to one hop; the order is that of the look at them.
static HOP: [&HeaderName; 7] = [
    &CONNECTION,
    &TE,
    &UPGRADE,
    &TRANSFER_ENCODING,
    &KEEP_ALIVE,
    &PROXY_CONNECTION,
    &HTTP2_SETTINGS,
];

/// What `Connection` may say without a header being meant, or may not mean: a client may not talk the proxy out of
/// what frames or routes the message.
fn is_framing(token: &[u8]) -> bool {
    let known: [&[u8]; 6] = [
        b"keep-alive",
        b"close",
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"te",
    ];
    known.iter().any(|known| token.eq_ignore_ascii_case(known))
}

/// HTTP/2 by upgrade would let requests pass that the proxy never sees.
fn may_upgrade(protocols: &HeaderValue) -> bool {
    !tokens(protocols.as_bytes()).any(|token| token.len() >= 3 && token[..3].eq_ignore_ascii_case(b"h2c"))
}

fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}

/// Whether a request's framing has one reading; the parser has refused what has none.
pub fn is_framing_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        // Another coding would be lost with the header, and the next hop would read coded bytes as plain ones.
        (Some(only), None) => {
            only.as_bytes().eq_ignore_ascii_case(b"chunked") && !headers.contains_key(CONTENT_LENGTH)
        }
        (Some(_), Some(_)) => false,
    }
}

/// The one `Host` of a request of HTTP/1.1, if it can be one.
pub fn host(headers: &HeaderMap) -> Result<Option<&HeaderValue>, &'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(None),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(Some(host)),
        (Some(_), None) => Err("the Host header is not a host"),
        (Some(_), Some(_)) => Err("there is more than one Host header"),
    }
}

fn is_host(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b':'
                    | b'['
                    | b']'
                    | b'%'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
            )
    })
}

/// Every line of a list's header and one more value, as one line; `None` where that is none.
pub fn joined(headers: &HeaderMap, name: &HeaderName, last: &HeaderValue) -> Option<HeaderValue> {
    let mut lines = headers.get_all(name).iter().peekable();
    if lines.peek().is_none() {
        return Some(last.clone());
    }
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b", ");
    }
    bytes.extend_from_slice(last.as_bytes());
    HeaderValue::from_bytes(&bytes).ok()
}

/// Joins the cookie fields of HTTP/2 into the one that HTTP/1.1 has (RFC 9113, 8.2.3).
pub fn join_cookies(headers: &mut HeaderMap) {
    let mut fields = headers.get_all(COOKIE).iter();
    if let (Some(first), Some(second)) = (fields.next(), fields.next()) {
        let mut joined = first.as_bytes().to_vec();
        for field in std::iter::once(second).chain(fields) {
            joined.extend_from_slice(b"; ");
            joined.extend_from_slice(field.as_bytes());
        }
        if let Ok(joined) = HeaderValue::from_bytes(&joined) {
            headers.insert(COOKIE, joined);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[track_caller]
    fn check(lines: &[(&'static str, &'static str)], left: &[&str], upgrade: Option<&str>, trailers: bool) {
        let mut headers = map(lines);
        let hop = strip(&mut headers);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, left);
        assert_eq!(hop.upgrade.as_ref().map(|value| value.to_str().unwrap()), upgrade);
        assert_eq!(hop.trailers, trailers);
    }

    #[test]
    fn one_hop_s_headers_stay_there() {
        check(
            &[("host", "a"), ("accept", "*/*")],
            &["accept", "host"],
            None,
            false,
        );
        check(
            &[("connection", "close, x-a"), ("x-a", "1"), ("x-b", "2")],
            &["x-b"],
            None,
            false,
        );
        check(
            &[
                ("connection", "keep-alive"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "x"),
            ],
            &[],
            None,
            false,
        );
        check(
            &[("te", "gzip, trailers"), ("trailer", "x-sum")],
            &["trailer"],
            None,
            true,
        );
        check(
            &[("connection", "Upgrade"), ("upgrade", "websocket")],
            &[],
            Some("websocket"),
            false,
        );
        check(&[("upgrade", "websocket")], &[], None, false);
        check(
            &[
                ("connection", "Upgrade, HTTP2-Settings"),
                ("upgrade", "h2c"),
                ("http2-settings", "AAMAAABk"),
            ],
            &[],
            None,
            false,
        );
        check(
            &[
                ("connection", "host, content-length"),
                ("host", "a"),
                ("content-length", "1"),
            ],
            &["content-length", "host"],
            None,
            false,
        );
    }

    #[test]
    fn framing_has_one_reading() {
        let check = |lines: &[(&'static str, &'static str)], expect: bool| {
            assert_eq!(is_framing_plain(&map(lines)), expect, "{lines:?}");
        };
        check(&[], true);
        check(&[("content-length", "5")], true);
        check(&[("transfer-encoding", "chunked")], true);
        check(&[("transfer-encoding", "Chunked")], true);
        check(&[("transfer-encoding", "gzip, chunked")], false);
        check(
            &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            false,
        );
        check(
            &[("transfer-encoding", "chunked"), ("content-length", "5")],
            false,
        );
    }

    #[test]
    fn a_host_is_one_host() {
        let check = |lines: &[(&'static str, &'static str)], expect: bool| {
            assert_eq!(host(&map(lines)).is_ok(), expect, "{lines:?}");
        };
        check(&[], true);
        check(&[("host", "shop.example:8443")], true);
        check(&[("host", "[::1]:80")], true);
        check(&[("host", "")], true);
        check(&[("host", "a"), ("host", "b")], false);
        check(&[("host", "a/b")], false);
        check(&[("host", "a b")], false);
        check(&[("host", "user@a")], false);
    }

    #[test]
    fn cookies_are_one_field() {
        let mut headers = map(&[
            ("cookie", "a=1"),
            ("accept", "x"),
            ("cookie", "b=2"),
            ("cookie", "c=3"),
        ]);
        join_cookies(&mut headers);
        let joined: Vec<_> = headers.get_all(COOKIE).iter().collect();
        assert_eq!(joined, ["a=1; b=2; c=3"]);
    }
}
