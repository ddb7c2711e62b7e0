//! The W3C trace context: recognizes a `traceparent`, and makes one.

const ZEROS: [u8; 32] = [b'0'; 32];

/// A trace's id, as 32 hexadecimal digits.
pub type TraceId = [u8; 32];

/// The trace id of a valid `traceparent`; of a version that is not known only the known part counts.
pub fn trace_id(value: &[u8]) -> Option<TraceId> {
    let (known, rest) = value.split_at_checked(55)?;
    let hex = |range: std::ops::Range<usize>| {
        known[range]
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let dashes = known[2] == b'-' && known[35] == b'-' && known[52] == b'-';
    let whole = dashes && hex(0..2) && hex(3..35) && hex(36..52) && hex(53..55);
    let version = &known[..2];
    let longer = rest.is_empty() || (version != b"00" && rest[0] == b'-');
    let meaningful = version != b"ff" && known[3..35] != ZEROS && known[36..52] != ZEROS[..16];
    let id = known[3..35].try_into().ok()?;
    (whole && longer && meaningful).then_some(id)
}

/// A `traceparent` of version 00 with the given ids, not sampled.
pub fn traceparent(trace: u128, span: u64) -> [u8; 55] {
    let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
    // An id of only zeros is not valid.
    let (mut trace, mut span) = (trace.max(1), span.max(1));
    for place in value[3..35].iter_mut().rev() {
        *place = digit(u64::try_from(trace & 15).unwrap_or_default());
        trace >>= 4;
    }
    for place in value[36..52].iter_mut().rev() {
        *place = digit(span & 15);
        span >>= 4;
    }
    value
}

fn digit(nibble: u64) -> u8 {
    b"0123456789abcdef"[usize::try_from(nibble & 15).unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_ones_are_recognized() {
        let check =
            |value: &str, expect: bool| assert_eq!(trace_id(value.as_bytes()).is_some(), expect, "{value}");
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true);
        check(
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes",
            true,
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            false,
        );
        check("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.", false);
        check("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false);
        check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false);
        check("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false);
        check("", false);
    }

    #[test]
    fn a_made_one_is_valid() {
        for (trace, span) in [(0, 0), (1, 2), (u128::MAX, u64::MAX)] {
            assert!(trace_id(&traceparent(trace, span)).is_some());
        }
        assert_eq!(
            traceparent(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7),
            *b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
        );
    }
}
