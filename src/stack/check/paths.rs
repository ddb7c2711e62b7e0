//! Paths inside containers.

/// Says what is wrong with an absolute path inside a container; nothing is returned for a right one.
pub fn container_path_problem(path: &str) -> Option<(&'static str, Option<String>)> {
    if !path.starts_with('/') {
        return Some((
            "a path in a container is absolute",
            Some(format!("write `/{}`", path.trim_start_matches("./"))),
        ));
    }
    if path.contains(':') {
        return Some(("a path in a container can't hold a `:`", None));
    }
    if path.contains(char::is_control) {
        return Some(("a path in a container can't hold a control character", None));
    }
    if path.split('/').any(|part| matches!(part, "." | "..")) {
        return Some(("a path in a container is written without `.` and `..`", None));
    }
    None
}

/// The path without repeated and closing slashes.
pub fn normal(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

/// Whether a path is a folder, or lies below it.
pub fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
