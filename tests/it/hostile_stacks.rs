//! Inputs made to exhaust: each ends in an error, in memory that is bounded by `ulimit -v`.

use std::process::Command;

use crate::motif::{Workspace, binary};

/// The most memory that the process may map, in KiB: several times what an ordinary stack takes.
const MEMORY: &str = "600000";

#[track_caller]
fn check(workspace: &Workspace, name: &str) -> String {
    let script = format!("ulimit -v {MEMORY} && exec \"$0\" check");
    let output = Command::new("sh")
        .args(["-c", &script])
        .arg(binary())
        .current_dir(workspace.path())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{name}: {said}");
    assert!(said.starts_with("error: "), "{name}: {said}");
    assert!(!said.contains("panicked"), "{name}: {said}");
    assert!(said.len() < 100_000, "{name}: says {} bytes", said.len());
    said
}

fn numbered(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// Checks stacks: a name, the text, and what is said about it.
#[track_caller]
fn check_all(cases: Vec<(&str, String, &str)>) {
    for (name, text, expected) in cases {
        let workspace = Workspace::new().file("stack.yaml", text);
        let said = check(&workspace, name);
        assert!(
            said.contains(expected),
            "{name}: {}",
            said.lines().next().unwrap()
        );
    }
}

#[test]
fn depth_ends_in_an_error() {
    let layer = |index: usize, inside: &str| {
        let (open, close) = ("[".repeat(30), "]".repeat(30));
        format!("a{index}: &a{index} {open}{inside}{close}\n")
    };
    check_all(vec![
        ("lists", "[".repeat(100_000), "recursion limit"),
        ("mappings", "{a: ".repeat(100_000), "recursion limit"),
        ("dashes", "- ".repeat(100_000), "nested too deeply"),
        ("questions", "? ".repeat(100_000), "nested too deeply"),
        (
            "blocks",
            numbered(300, |depth| format!("{}a:\n", " ".repeat(depth))),
            "nested too deeply",
        ),
        (
            "depth through aliases",
            numbered(200, |index| match index {
                0 => layer(0, ""),
                _ => layer(index, &format!("*a{}", index - 1)),
            }),
            "nested too deeply",
        ),
    ]);
}

#[test]
fn repetition_ends_in_an_error() {
    let laughs = numbered(10, |index| match index {
        0 => format!("a0: &a0 [{}]\n", "x, ".repeat(9)),
        _ => format!(
            "a{index}: &a{index} [{}]\n",
            format!("*a{}, ", index - 1).repeat(9)
        ),
    });
    let large = format!("a: &a {}\nb: [{}]\n", "x".repeat(1_000_000), "*a, ".repeat(1000));
    let merges = format!("a: &a {{ b: c }}\nb: {{ <<: [{}] }}\n", "*a, ".repeat(100_000));
    check_all(vec![
        ("a billion laughs", laughs, "holds too much"),
        ("a large text repeated", large, "holds too much"),
        ("merges of merges", merges, "holds too much"),
    ]);
}

#[test]
fn many_problems_end_in_a_short_report() {
    let unknown = numbered(40_000, |index| format!("k{index}: b\n"));
    let declarations = numbered(30_000, |index| format!("  p{index}: {{}}\n"));
    let pods = numbered(45_000, |index| format!("  P{index}:\n"));
    let containers = numbered(45_000, |index| format!("   C{index}:\n"));
    let services = numbered(9_000, |index| {
        format!("  s{index}: {{ pod: q{index}, ports: {{ h: 1 }} }}\n")
    });
    let web = "stack: x\npods: { w: { containers: { a: { image: x } } } }\n";
    check_all(vec![
        (
            "one key again and again",
            "a: b\n".repeat(40_000),
            "stands here twice",
        ),
        ("unknown keys", unknown, "takes no key"),
        (
            "unknown parameters",
            format!("stack: \"{}\"\n", "${x}".repeat(1_000_000)),
            "no parameter",
        ),
        (
            "declarations of nothing",
            format!("stack: x\nparameters:\n{declarations}"),
            "needs the key `type`",
        ),
        (
            "pods of nothing",
            format!("stack: x\npods:\n{pods}"),
            "needs the key `containers`",
        ),
        (
            "containers of nothing",
            format!("stack: x\npods:\n w:\n  containers:\n{containers}"),
            "nothing to run",
        ),
        (
            "references to nothing",
            format!("{web}services:\n{services}"),
            "no pod",
        ),
    ]);
}

#[test]
fn broken_tokens_end_in_an_error() {
    check_all(vec![
        (
            "a text that never ends",
            format!("a: \"{}", "x".repeat(4_000_000)),
            "unclosed quote",
        ),
        (
            "a key that never ends",
            format!("{}: b\n", "a".repeat(1_000_000)),
            "not YAML",
        ),
        (
            "escapes",
            format!("\"{}\"", "\\u0041".repeat(600_000)),
            "found the text",
        ),
        ("colons", ":".repeat(4_000_000), "not YAML"),
        ("tabs", "\t".repeat(4_000_000), "found nothing"),
        (
            "an indentation that can't be",
            "a: |99999999\n x".into(),
            "not YAML",
        ),
        ("a NUL byte", "stack: a\0b\n".into(), "not YAML"),
        ("control characters", "stack: \u{1b}[31mred\n".into(), "not YAML"),
    ]);
}

#[test]
fn hostile_bytes_end_in_an_error() {
    let utf16: Vec<u8> = "stack: shop\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "a byte that is not UTF-8",
            b"stack: sh\xffop\n".to_vec(),
            "not UTF-8",
        ),
        ("an overlong slash", b"stack: \xc0\xaf\n".to_vec(), "not UTF-8"),
        ("UTF-16", [&[0xff, 0xfe], utf16.as_slice()].concat(), "not UTF-8"),
        ("more than is read", vec![b'#'; (4 << 20) + 1], "larger than"),
    ];
    for (name, bytes, expected) in cases {
        let workspace = Workspace::new().file("stack.yaml", bytes);
        let said = check(&workspace, name);
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn a_hundred_megabytes_are_not_read() {
    let workspace = Workspace::new();
    let file = std::fs::File::create(workspace.path().join("stack.yaml")).unwrap();
    file.set_len(100 << 20).unwrap();
    assert!(check(&workspace, "100 MB").contains("larger than"));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    let text = "\u{feff}stack: shop\npods: { web: { containers: { app: { image: nginx:1.27 } } } }\n";
    Workspace::new()
        .file("stack.yaml", text)
        .run(&["check"])
        .success();
}

#[test]
fn links_and_devices_lead_nowhere() {
    let outside = Workspace::new().file(
        "part.yaml",
        "pods: { web: { containers: { app: { image: x } } } }\n",
    );
    let workspace = Workspace::new().file(
        "stack.yaml",
        "stack: shop\ninclude: [link.yaml, pipe.yaml, folder]\n",
    );
    std::os::unix::fs::symlink(
        outside.path().join("part.yaml"),
        workspace.path().join("link.yaml"),
    )
    .unwrap();
    std::fs::create_dir(workspace.path().join("folder")).unwrap();
    let status = Command::new("mkfifo")
        .arg(workspace.path().join("pipe.yaml"))
        .status()
        .unwrap();
    assert!(status.success());
    let said = check(&workspace, "links");
    assert!(
        said.contains("`link.yaml`: it leads out of the project"),
        "{said}"
    );
    assert!(
        said.contains("`pipe.yaml`: it is neither a file nor a folder"),
        "{said}"
    );
    assert!(said.contains("`folder`: it is a folder"), "{said}");
}

#[test]
fn values_of_parameters_that_grow_end_in_an_error() {
    let text = |repeats: usize, arguments: usize| {
        let argument = format!("\"{}\"", "${p}".repeat(repeats));
        format!(
            "stack: rev\nparameters: {{ p: {{ type: string, default: \"{}\" }} }}\n\
             pods: {{ web: {{ containers: {{ a: {{ image: x, args: [{}] }} }} }} }}\n",
            "x".repeat(100_000),
            vec![argument; arguments].join(",")
        )
    };
    let expected = "the values of parameters add more than 4 MiB to the stack";
    check_all(vec![
        ("one scalar", text(1000, 1), expected),
        ("many scalars", text(1, 1000), expected),
        ("both", text(1000, 200), expected),
    ]);
}

#[test]
fn fragments_have_one_budget() {
    let names: Vec<String> = (0..60).map(|number| format!("f{number}.yaml")).collect();
    let workspace = Workspace::new().file(
        "stack.yaml",
        format!(
            "stack: rev\ninclude: [{}]\npods: {{ a: {{ containers: {{ a: {{ image: x }} }} }} }}\n",
            names.join(", ")
        ),
    );
    for (number, name) in names.iter().enumerate() {
        let pods = numbered(10_000, |pod| format!("  p{number}x{pod}: {{}}\n"));
        workspace.write(name, format!("pods:\n{pods}"));
    }
    let said = check(&workspace, "fragments");
    assert!(said.contains("too much is included"), "{said}");
    assert!(said.contains("100000 values in all"), "{said}");
    assert!(said.lines().count() < 20, "{said}");
}
