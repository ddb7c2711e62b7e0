//! Colours that tell the containers of a stack apart.

use clap::builder::styling::{AnsiColor, Style};

const COLORS: [AnsiColor; 10] = [
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
    AnsiColor::BrightYellow,
    AnsiColor::BrightGreen,
    AnsiColor::BrightMagenta,
    AnsiColor::BrightBlue,
];

/// A colour that depends on the name alone: the same container has it in every run.
pub fn container_style(name: &str) -> Style {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let index = usize::try_from((hash >> 32) % COLORS.len() as u64).unwrap_or_default();
    COLORS[index].on_default()
}

#[cfg(test)]
mod tests {
    use super::container_style;

    #[test]
    fn a_container_keeps_its_colour() {
        assert_eq!(container_style("web-0/app"), container_style("web-0/app"));
        let different = ["web-0/app", "web-0/tls", "web-1/app", "db-0"].map(container_style);
        assert!(different.iter().any(|style| *style != different[0]));
    }
}
