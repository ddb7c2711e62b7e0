//! Files with a few bytes or lines changed: an import ends, with a report or a stack that passes the check.

use proptest::prelude::*;

use super::{entries, folder};

fn files() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for path in entries(&folder("tests/import")) {
        let path = if path.is_dir() {
            path.join("compose.yaml")
        } else {
            path
        };
        files.push(std::fs::read(path).unwrap());
    }
    // What an export says beside the services can be changed too.
    files.push(std::fs::read(folder("tests/golden-compose/hard.yaml")).unwrap());
    files
}

/// What is done to a file: where, in thousandths, and what.
#[derive(Debug, Clone)]
enum Change {
    Byte(usize, u8),
    Insert(usize, String),
    Remove(usize),
    Repeat(usize),
    Swap(usize, usize),
    Value(usize, String),
}

fn change() -> impl Strategy<Value = Change> {
    let place = || 0..1000_usize;
    let word = "[-a-z0-9:{}\\[\\]&*!|>'\"%@`#,?$ ü\t]{0,6}";
    let value = prop_oneof![
        "[-0-9.eE:x_]{1,6}",
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("{ a: b }".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("a".repeat(300)),
        Just("../../x".to_owned()),
        Just("${A:-${B}}".to_owned()),
    ];
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (place(), word).prop_map(|(at, text)| Change::Insert(at, text)),
        place().prop_map(Change::Remove),
        place().prop_map(Change::Repeat),
        (place(), place()).prop_map(|(one, other)| Change::Swap(one, other)),
        (place(), value).prop_map(|(at, text)| Change::Value(at, text)),
    ]
}

fn changed(file: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = file
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    for change in changes {
        let count = lines.len().max(1);
        let at = |place: usize| place * count / 1000;
        match change {
            Change::Byte(place, byte) => {
                if let Some(slot) = lines.get_mut(at(*place)).and_then(|line| line.first_mut()) {
                    *slot = *byte;
                }
            }
            Change::Insert(place, text) => {
                if let Some(line) = lines.get_mut(at(*place)) {
                    let middle = line.len() / 2;
                    line.splice(middle..middle, text.bytes());
                }
            }
            Change::Remove(place) if !lines.is_empty() => drop(lines.remove(at(*place))),
            Change::Repeat(place) => {
                if let Some(line) = lines.get(at(*place)).cloned() {
                    lines.insert(at(*place), line);
                }
            }
            Change::Swap(one, other) if !lines.is_empty() => lines.swap(at(*one), at(*other)),
            Change::Value(place, text) => {
                if let Some(line) = lines.get_mut(at(*place))
                    && let Some(colon) = line.windows(2).position(|pair| pair == b": ")
                {
                    line.truncate(colon + 2);
                    line.extend(text.bytes());
                    line.push(b'\n');
                }
            }
            Change::Remove(_) | Change::Swap(..) => {}
        }
    }
    lines.concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn a_changed_file_ends_in_a_report_or_a_stack(
        file in proptest::sample::select(files()),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        motif::fuzzing::import(&changed(&file, &changes));
    }
}

#[test]
fn an_unchanged_file_is_a_stack() {
    for file in files() {
        assert!(motif::fuzzing::import(&file));
    }
}
