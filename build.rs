//! Embeds the patterns again when any file of theirs comes, changes or goes.

fn main() {
    println!("cargo:rerun-if-changed=templates");
}
