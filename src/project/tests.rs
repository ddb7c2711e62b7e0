use proptest::prelude::*;

use super::{Error, File, Project, RelativePath, tree, unified};

#[track_caller]
fn accepted(path: &str) {
    assert!(RelativePath::new(path).is_ok(), "{path}");
}

#[track_caller]
fn refused(path: &str, reason: &str) {
    let error = RelativePath::new(path).expect_err(path).to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn paths_stay_inside() {
    accepted("stack.yaml");
    accepted("app/src/main.rs");
    accepted(".motif/answers.yaml");
    accepted(".gitignore");
    accepted("…/ü");
    refused("", "empty");
    refused("/etc/passwd", "not relative");
    refused("..", "leads out");
    refused("a/../../b", "leads out");
    refused("a//b", "empty part");
    refused("./a", "empty part");
    refused("a/", "empty part");
    refused("a\\..\\b", "character");
    refused("C:evil", "character");
    refused("a\nb", "character");
    refused("a\0b", "character");
    refused("nul. ", "character");
    refused(".git/hooks/post-checkout", "git's own");
    refused("app/.GIT/config", "git's own");
    refused(&"a".repeat(300), "longer");
    refused(&"a/".repeat(600), "longer");
}

fn project(paths: &[&str]) -> Result<Project, Error> {
    let mut project = Project::default();
    for path in paths {
        let file = File {
            bytes: Vec::new(),
            executable: false,
        };
        project.add(RelativePath::new(path).unwrap(), file)?;
    }
    Ok(project)
}

#[test]
fn paths_that_some_file_systems_confuse_are_refused() {
    assert!(project(&["a/b", "a/c", "b"]).is_ok());
    assert!(matches!(project(&["a", "a"]), Err(Error::Twice(_))));
    assert!(matches!(
        project(&["README.md", "readme.md"]),
        Err(Error::Case { .. })
    ));
    assert!(matches!(project(&["App/x", "app/y"]), Err(Error::Case { .. })));
    assert!(matches!(project(&["a", "a/b"]), Err(Error::FileAndFolder(_))));
    assert!(matches!(project(&["a/b", "a"]), Err(Error::FileAndFolder(_))));
}

#[test]
fn draws_a_tree() {
    let drawn = tree("shop", [("app/a", "new"), ("app/b/c", ""), ("stack.yaml", "")]);
    insta::assert_snapshot!(drawn, @r"
    shop
    ├── app
    │   ├── a  new
    │   └── b
    │       └── c
    └── stack.yaml
    ");
}

#[test]
fn shows_changes_in_their_context() {
    let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n";
    let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n14\n16\nend";
    insta::assert_snapshot!(unified("f", old.as_bytes(), new.as_bytes()), @r"
    --- a/f
    +++ b/f
    @@ -2,7 +2,7 @@
     2
     3
     4
    -5
    +five
     6
     7
     8
    @@ -12,5 +12,5 @@
     12
     13
     14
    -15
     16
    +end
    \ No newline at end of file
    ");
    assert_eq!(unified("f", b"a\n", b"a\n"), "");
    assert_eq!(unified("f", b"", b"a\n"), "--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+a\n");
    assert_eq!(unified("f", b"\xff", b"a\n"), "Binary file f differs\n");
}

/// Applies a diff of one file, as `patch` does.
fn apply(old: &str, diff: &str) -> String {
    let lines: Vec<&str> = old.split_inclusive('\n').collect();
    let (mut at, mut new) = (0, String::new());
    let mut diff = diff.split_inclusive('\n').skip(2).peekable();
    while let Some(line) = diff.next() {
        let (mark, rest) = line.split_at(1);
        let rest = match diff.peek() {
            Some(next) if next.starts_with('\\') => rest.trim_end_matches('\n'),
            _ => rest,
        };
        match mark {
            "@" => {
                let start = line[4..]
                    .split([',', ' '])
                    .next()
                    .unwrap()
                    .parse::<usize>()
                    .unwrap();
                let none = line[4..].split(' ').next().unwrap().ends_with(",0");
                let start = if none { start } else { start - 1 };
                new.extend(lines[at..start].iter().copied());
                at = start;
            }
            " " | "-" => {
                assert_eq!(lines[at], rest);
                at += 1;
                if mark == " " {
                    new.push_str(rest);
                }
            }
            "+" => new.push_str(rest),
            _ => {}
        }
    }
    new.extend(lines[at..].iter().copied());
    new
}

proptest! {
    #[test]
    fn a_diff_applied_to_the_old_text_gives_the_new_one(old in "([abc]\n){0,30}[ab]?", new in "([abc]\n){0,30}[ab]?") {
        prop_assume!(old != new);
        let diff = unified("f", old.as_bytes(), new.as_bytes());
        prop_assert_eq!(apply(&old, &diff), new);
    }
}
