//! Patterns around the real servers, from Debian's packages: they keep what they promise with those, too.
//!
//! That each promise breaks without its mechanism is tried with blocks, by `super::verify`.

use std::fs;

use super::stack::TestStack;
use crate::motif::{build_image, engine_is_wanted};

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

/// The start of a Redis that keeps nothing.
macro_rules! redis {
    () => {
        "ENTRYPOINT [\"redis-server\", \"--save\", \"\", \"--protected-mode\", \"no\"]\n"
    };
}

/// Builds the image of a server, nothing pulled.
fn image(case: &Case<'_>) -> String {
    let tag = format!("motif-test/{}:{}", case.package, case.pattern.replace('/', "-"));
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "FROM debian:bookworm-slim\n\
         RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends {} >/dev/null\n\
         {}",
        case.package, case.recipe
    );
    fs::write(folder.path().join("Dockerfile"), text).unwrap();
    build_image(&tag, folder.path());
    tag
}

/// Writes the pattern's project around the server, and tries its promises.
fn keeps_its_promises(case: &Case<'_>) {
    if !engine_is_wanted() {
        return;
    }
    let stack = TestStack::new("");
    let given = format!("{}={}", case.image, image(case));
    let mut words = vec!["new", case.pattern, &stack.name, "--defaults"];
    words.extend(["--output", ".", "--force", "--set", &given]);
    for answer in case.answers {
        words.extend(["--set", answer]);
    }
    stack.run(&words).success();
    stack.workspace.write("secrets/password", "not a secret");
    let kept = stack.run(&["verify", "--keep", "-v"]);
    assert_eq!(kept.code, 0, "{} with {}: {kept}", case.pattern, case.package);
}

#[test]
fn redis_is_sharded() {
    keeps_its_promises(&Case {
        pattern: "ambassador/shard",
        image: "shard.image",
        answers: &["port=0", "role=store", "shard.security=restricted"],
        package: "redis-server",
        recipe: concat!("USER 65532:65532\n", redis!()),
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

#[test]
fn the_log_of_nginx_is_read_once() {
    keeps_its_promises(&Case {
        pattern: "adapter/logs",
        image: "app.image",
        answers: &["port=0", "app.port=80", "logs.folder=/var/log/nginx"],
        package: "nginx",
        recipe: "ENTRYPOINT [\"nginx\", \"-g\", \"daemon off;\"]\n",
    });
}

#[test]
fn redis_has_metrics() {
    keeps_its_promises(&Case {
        pattern: "adapter/metrics",
        image: "app.image",
        answers: &["port=0"],
        package: "redis-server",
        recipe: redis!(),
    });
}

#[test]
fn postgresql_is_asked_a_query() {
    keeps_its_promises(&Case {
        pattern: "adapter/health",
        image: "app.image",
        answers: &["health.source=postgresql", "replicas=1"],
        package: "postgresql",
        // As its own image does: the password of a new database is a variable.
        recipe: "RUN printf '#!/bin/sh\\n\
        set -e\\n\
        PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)\\n\
        printf %%s \"$POSTGRES_PASSWORD\" >/tmp/password\\n\
        initdb -U postgres -A scram-sha-256 --pwfile=/tmp/password -D /tmp/data\\n\
        exec postgres -D /tmp/data -k /tmp -h 0.0.0.0\\n' >/start && chmod +x /start\n\
        USER postgres\n\
        ENTRYPOINT [\"/start\"]\n",
    });
}
