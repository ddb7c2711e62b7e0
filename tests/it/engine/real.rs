//! Patterns around the real servers, from Debian's packages: they keep what they promise with those, too.

use std::fs;

use super::stack::TestStack;
use crate::motif::{build_image, engine_is_wanted};

/// Builds the image of a Debian package's server, nothing pulled; `recipe` is what follows in its Dockerfile.
fn image(package: &str, recipe: &str) -> String {
    let tag = format!("motif-test/{package}:real");
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "FROM debian:bookworm-slim\n\
         RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends {package} >/dev/null\n\
         {recipe}"
    );
    fs::write(folder.path().join("Dockerfile"), text).unwrap();
    build_image(&tag, folder.path());
    tag
}

/// A pattern around a real server.
struct Case<'a> {
    pattern: &'a str,
    /// The answer that the server's image is.
    image: &'a str,
    answers: &'a [&'a str],
    /// The Debian package of the server, and the rest of its Dockerfile.
    package: &'a str,
    recipe: &'a str,
}

/// Writes the pattern's project around the server, tries its promises, and then each without its mechanism.
fn keeps_its_promises(case: &Case<'_>) {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new("");
    let given = format!("{}={}", case.image, image(case.package, case.recipe));
    let mut words = vec!["new", case.pattern, &stack.name, "--defaults"];
    words.extend(["--output", ".", "--force", "--set", &given]);
    for answer in case.answers {
        words.extend(["--set", answer]);
    }
    stack.run(&words).success();
    let kept = stack.run(&["verify", "--keep", "-v"]);
    assert_eq!(kept.code, 0, "{}: {kept}", case.pattern);
    let broken = stack.run(&["verify", "--control", "--keep", "-v"]);
    assert_eq!(broken.code, 0, "{}: {broken}", case.pattern);
}

#[test]
fn redis_is_sharded() {
    keeps_its_promises(&Case {
        pattern: "ambassador/shard",
        image: "shard.image",
        answers: &["port=0", "role=store", "shard.security=restricted"],
        package: "redis-server",
        recipe: "USER 65532:65532\nENTRYPOINT [\"redis-server\", \"--save\", \"\", \"--protected-mode\", \"no\"]\n",
    });
}

#[test]
fn memcached_is_sharded() {
    keeps_its_promises(&Case {
        pattern: "ambassador/shard",
        image: "shard.image",
        answers: &["port=0", "shard.protocol=memcached"],
        package: "memcached",
        recipe: "USER 65532:65532\nENTRYPOINT [\"memcached\"]\n",
    });
}
