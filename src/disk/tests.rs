use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use super::write::replace_with;
use super::{Error, Existing, NewFile, change, create, read_folder, replace};

fn file<'a>(path: &'a str, text: &'a str) -> NewFile<'a> {
    NewFile {
        path,
        bytes: text.as_bytes(),
        executable: path == "b/run.sh",
        private: false,
    }
}

#[track_caller]
fn holds(root: &Path, expected: &[(&str, &str)]) {
    let files: Vec<(String, String)> = read_folder(root)
        .unwrap()
        .into_iter()
        .map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap()))
        .collect();
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|(path, text)| ((*path).into(), (*text).into()))
        .collect();
    assert_eq!(files, expected);
}

#[test]
fn a_folder_is_made_whole() {
    let beside = tempfile::tempdir().unwrap();
    let root = beside.path().join("deep/shop");
    create(&root, &[file("a.yaml", "a"), file("b/run.sh", "b")]).unwrap();
    holds(&root, &[("a.yaml", "a"), ("b/run.sh", "b")]);
    let mode = fs::metadata(root.join("b/run.sh")).unwrap().permissions().mode();
    assert_eq!(mode & 0o100, 0o100);
    assert_eq!(
        fs::read_dir(beside.path().join("deep")).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn nothing_is_left_of_a_folder_that_could_not_be_made() {
    let beside = tempfile::tempdir().unwrap();
    let root = beside.path().join("shop");
    // A file can't be a folder too.
    create(&root, &[file("a", "a"), file("a/b", "b")]).unwrap_err();
    assert_eq!(fs::read_dir(beside.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_is_there_is_not_taken_over() {
    let beside = tempfile::tempdir().unwrap();
    let root = beside.path().join("shop");
    create(&root, &[file("mine", "mine")]).unwrap();
    create(&root, &[file("a", "a")]).unwrap_err();
    holds(&root, &[("mine", "mine")]);
}

#[test]
fn replaces_what_differs_and_leaves_the_rest() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    for (path, text) in [("same", "s"), ("changed", "old"), ("mine", "m")] {
        fs::write(root.join(path), text).unwrap();
    }
    let before = fs::metadata(root.join("same")).unwrap().modified().unwrap();
    let existing = replace(
        root,
        &[file("same", "s"), file("changed", "new"), file("added/deep", "d")],
    )
    .unwrap();
    assert_eq!(
        existing,
        [
            Existing::Same,
            Existing::Different(b"old".to_vec()),
            Existing::Absent
        ]
    );
    holds(
        root,
        &[
            ("added/deep", "d"),
            ("changed", "new"),
            ("mine", "m"),
            ("same", "s"),
        ],
    );
    assert_eq!(
        fs::metadata(root.join("same")).unwrap().modified().unwrap(),
        before
    );
}

#[test]
fn a_file_that_is_replaced_keeps_its_mode() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    for (path, before, after) in [
        ("a", 0o600, 0o600),
        ("a", 0o664, 0o664),
        ("a", 0o755, 0o644),
        ("b/run.sh", 0o640, 0o750),
        ("b/run.sh", 0o500, 0o500),
    ] {
        let _ = fs::create_dir(root.join("b"));
        let _ = fs::remove_file(root.join(path));
        fs::write(root.join(path), "old").unwrap();
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(before)).unwrap();
        replace(root, &[file(path, "new")]).unwrap();
        let mode = fs::metadata(root.join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, after, "{path} {before:o}");
    }
}

#[test]
fn a_file_that_is_replaced_keeps_its_owner() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a");
    fs::write(&path, "old").unwrap();
    if chown(&path, Some(4321), Some(1234)).is_err() {
        // Only root gives files away.
        return;
    }
    replace(root.path(), &[file("a", "new")]).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (4321, 1234));
}

#[test]
fn what_a_killed_process_left_goes_with_the_next_change() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    // No process has the first of these numbers; the second always runs.
    let dead = [".project.motif-new-2147483647", ".removed.motif-new-2147483647"];
    let kept = [
        ".project.motif-new-1",
        ".project.motif-new-",
        ".other.motif-new-2147483647",
    ];
    for folder in dead.iter().chain(&kept) {
        fs::create_dir(root.join(folder)).unwrap();
        fs::write(root.join(folder).join("0"), "").unwrap();
    }
    fs::write(root.join("a"), "old").unwrap();
    change(root, &[], &["a"], &[]).unwrap();
    for folder in dead {
        assert!(!root.join(folder).exists(), "{folder}");
        fs::create_dir(root.join(folder)).unwrap();
    }
    replace(root, &[file("a", "new")]).unwrap();
    for folder in dead {
        assert!(!root.join(folder).exists(), "{folder}");
    }
    for folder in kept {
        assert!(root.join(folder).join("0").exists(), "{folder}");
    }
}

#[test]
fn what_was_replaced_is_put_back_when_a_later_file_fails() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::write(root.join("a"), "old").unwrap();
    fs::write(root.join("mine"), "m").unwrap();
    let mut written = 0;
    let files = [file("a", "new"), file("b/c", "c"), file("b/d", "d")];
    let error = replace_with(root, &files, |from, to| {
        written += 1;
        if written == 3 {
            Err(std::io::ErrorKind::StorageFull.into())
        } else {
            fs::rename(from, to)
        }
    });
    assert!(matches!(error, Err(Error::Io { .. })));
    holds(root, &[("a", "old"), ("mine", "m")]);
    assert!(!root.join("b").exists());
}

#[test]
fn a_change_removes_files_and_the_folders_that_they_leave_empty() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::create_dir_all(root.join("made/deep")).unwrap();
    fs::create_dir(root.join("kept")).unwrap();
    for path in ["a", "b", "made/deep/c", "kept/d", "kept/e"] {
        fs::write(root.join(path), "old").unwrap();
    }
    let removed = ["b", "made/deep/c", "kept/d", "gone"];
    change(
        root,
        &[file("a", "new")],
        &removed,
        &["made/deep", "made", "kept"],
    )
    .unwrap();
    holds(root, &[("a", "new"), ("kept/e", "old")]);
    assert!(!root.join("made").exists());
    assert!(root.join("kept").exists());
}

#[test]
fn a_change_that_can_not_be_made_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    for path in ["a", "b"] {
        fs::write(root.join(path), "old").unwrap();
    }
    fs::create_dir(root.join("folder")).unwrap();
    symlink("b", root.join("link")).unwrap();
    for wrong in ["folder", "link", "a/b"] {
        let error = change(root, &[file("a", "new")], &["b", wrong], &[]);
        assert!(error.is_err(), "{wrong}");
        assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "old");
        assert_eq!(fs::read_to_string(root.join("b")).unwrap(), "old");
    }
}

#[test]
fn a_folder_in_a_files_place_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::write(root.join("a"), "old").unwrap();
    fs::create_dir(root.join("z")).unwrap();
    fs::write(root.join("z/inner"), "z").unwrap();
    let error = replace(root, &[file("a", "new"), file("z", "z")]).unwrap_err();
    assert!(matches!(error, Error::InTheWay { .. }), "{error}");
    holds(root, &[("a", "old"), ("z/inner", "z")]);
}

#[test]
fn links_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    let root = tempfile::tempdir().unwrap();
    let (outside, root) = (outside.path(), root.path());
    fs::write(outside.join("secret"), "s").unwrap();
    symlink(outside, root.join("folder")).unwrap();
    symlink(outside.join("secret"), root.join("file")).unwrap();
    symlink(outside.join("nothing"), root.join("dangling")).unwrap();
    for path in ["folder/secret", "folder/new", "file", "dangling", "dangling/x"] {
        let error = replace(root, &[file("fine", "f"), file(path, "evil")]).unwrap_err();
        assert!(matches!(error, Error::Link(_)), "{path}: {error}");
    }
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"s");
    assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
    assert!(!root.join("fine").exists());
    assert!(matches!(read_folder(root), Err(Error::Link(_))));
}
