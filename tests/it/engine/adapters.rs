//! Adapters beside the real servers, from Debian's packages: they keep what they promise with those, too.

use std::fs;

use super::stack::TestStack;
use crate::motif::{build_image, engine_is_wanted};

/// Builds the image of a Debian package's server, nothing pulled; `recipe` is what follows in its Dockerfile.
fn image(package: &str, recipe: &str) -> String {
    let tag = format!("motif-test/{package}:adapter");
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

/// Writes the pattern's project around the server, and tries its promises.
fn keeps_its_promises(pattern: &str, image: &str, answers: &[&str]) {
    let stack = TestStack::new("");
    let given = format!("app.image={image}");
    let mut words = vec!["new", pattern, &stack.name, "--defaults"];
    words.extend(["--output", ".", "--force", "--set", &given]);
    for answer in answers {
        words.extend(["--set", answer]);
    }
    stack.run(&words).success();
    stack.workspace.write("secrets/password", "not a secret");
    let kept = stack.run(&["verify", "--keep", "-v"]);
    assert_eq!(kept.code, 0, "{pattern} with {image}: {kept}");
}

#[test]
fn the_log_of_nginx_is_read_once() {
    if !engine_is_wanted() {
        return;
    }
    let image = image("nginx", "ENTRYPOINT [\"nginx\", \"-g\", \"daemon off;\"]\n");
    let answers = ["port=0", "app.port=80", "logs.folder=/var/log/nginx"];
    keeps_its_promises("adapter/logs", &image, &answers);
}

#[test]
fn redis_has_metrics() {
    if !engine_is_wanted() {
        return;
    }
    let recipe = "ENTRYPOINT [\"redis-server\", \"--save\", \"\", \"--protected-mode\", \"no\"]\n";
    keeps_its_promises("adapter/metrics", &image("redis-server", recipe), &["port=0"]);
}

#[test]
fn postgresql_is_asked_a_query() {
    if !engine_is_wanted() {
        return;
    }
    // As its own image does: the password of a new database is a variable.
    let recipe = "RUN printf '#!/bin/sh\\n\
        set -e\\n\
        PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)\\n\
        printf %%s \"$POSTGRES_PASSWORD\" >/tmp/password\\n\
        initdb -U postgres -A scram-sha-256 --pwfile=/tmp/password -D /tmp/data\\n\
        exec postgres -D /tmp/data -k /tmp -h 0.0.0.0\\n' >/start && chmod +x /start\n\
        USER postgres\n\
        ENTRYPOINT [\"/start\"]\n";
    let answers = ["health.source=postgresql", "replicas=1"];
    keeps_its_promises("adapter/health", &image("postgresql", recipe), &answers);
}
