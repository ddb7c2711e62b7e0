//! The committed JSON Schema is the one that the types make.

use std::fs;
use std::path::Path;

use crate::motif::Workspace;

#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/stack.schema.json");
    let printed = Workspace::new().run(&["schema"]).success().stdout;
    assert_eq!(printed, motif::fuzzing::schema());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &printed).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        committed, printed,
        "UPDATE_GOLDEN=1 rewrites schema/stack.schema.json"
    );
}
