//! Images that a stack builds.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sha2::{Digest, Sha256};

use super::project::{Project, docker};
use crate::motif::{Workspace, engine_is_wanted};
use crate::watched_engine::WatchedEngine;

const STACK: &str = "\
pods:
  web:
    grace: 0s
    containers:
      app:
        build: { context: app, args: { GREETING: hello } }
        user: 65532
";

const DOCKERFILE: &str = "\
FROM debian:bookworm-slim AS base
ARG GREETING
RUN echo $GREETING > /greeting
COPY . /context/
CMD [\"sleep\", \"infinity\"]
FROM base AS unused
RUN exit 1
FROM base
";

#[test]
fn an_unchanged_context_is_not_built_again() {
    if !engine_is_wanted() {
        return;
    }
    let engine = WatchedEngine::new();
    let workspace = Workspace::new().env("DOCKER_HOST", &engine.address());
    workspace.write(
        "app/Dockerfile",
        DOCKERFILE.replace("FROM base AS unused\nRUN exit 1\n", ""),
    );
    workspace.write("app/.dockerignore", "notes\n");
    workspace.write("app/file", "one");
    let project = Project::inside(workspace, STACK);
    // How often is the builder's own: a failure of the moment is tried again.
    let builds = |expect: bool, why: &str| {
        engine.forget();
        project.run(&["up", "-d"]).success();
        assert_eq!(engine.count("POST /build") > 0, expect, "{why}");
    };
    let file = project.workspace.path().join("app/file");
    builds(true, "the first time");
    builds(false, "nothing changed");
    let earlier = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
    fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_times(earlier)
        .unwrap();
    builds(false, "a time is no content");
    project.workspace.write("app/notes", "for me");
    builds(false, "what is ignored is no content");
    project.workspace.write("app/file", "two");
    builds(true, "a file changed");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    builds(true, "a mode changed");
    let stack = fs::read_to_string(project.workspace.path().join("stack.yaml")).unwrap();
    project
        .workspace
        .write("stack.yaml", stack.replace("hello", "goodbye"));
    builds(true, "an argument changed");
    assert_eq!(
        project
            .run(&["exec", "web", "--", "cat", "/greeting", "/context/file"])
            .success()
            .stdout,
        "goodbye\ntwo"
    );
    engine.forget();
    project.run(&["up", "-d", "--build"]).success();
    assert!(engine.count("POST /build") > 0, "it was asked for");
    // The one that runs, and the one before it, which ran until it was replaced.
    let label = format!("label=dev.motif.stack={}", project.name);
    let kept = docker(&["images", "--quiet", "--filter", &label]);
    assert!(kept.lines().count() <= 2, "{kept}");
}

/// Both builders of the engine.
const BUILDERS: [&str; 2] = ["--builder=buildkit", "--builder=classic"];

#[test]
fn the_image_holds_the_context_as_it_is() {
    if !engine_is_wanted() {
        return;
    }
    for builder in BUILDERS {
        holds_the_context(builder);
    }
}

fn holds_the_context(builder: &str) {
    let workspace = Workspace::new().with_engine();
    workspace.write("app/Dockerfile", DOCKERFILE);
    workspace.write("app/.dockerignore", "*\n!kept\n!bin\nbin/secret\n!link\n");
    for path in [
        "app/kept/deep/file",
        "app/dropped",
        "app/bin/run",
        "app/bin/secret",
    ] {
        workspace.write(path, path);
    }
    let root = workspace.path().join("app");
    fs::set_permissions(root.join("bin/run"), fs::Permissions::from_mode(0o750)).unwrap();
    std::os::unix::fs::symlink("kept/deep", root.join("link")).unwrap();
    let stack = STACK.replace("context: app,", "context: app, target: base,");
    let project = Project::inside(workspace, &stack);
    project.run(&["up", "-d", builder]).success();
    let list = "cd /context && find . -mindepth 1 -printf '%M %u %P %l\\n' | sort -k3";
    let found = project
        .run(&["exec", "--user", "0", "web", "--", "sh", "-c", list])
        .success()
        .stdout;
    let found: Vec<&str> = found.lines().map(str::trim_end).collect();
    assert_eq!(
        found,
        [
            "drwxr-xr-x root bin",
            "-rwxr-x--- root bin/run",
            "drwxr-xr-x root kept",
            "drwxr-xr-x root kept/deep",
            "-rw-r--r-- root kept/deep/file",
            "lrwxrwxrwx root link kept/deep",
        ],
        "{builder}"
    );
}

#[test]
fn a_failing_step_shows_its_line_and_its_last_words() {
    if !engine_is_wanted() {
        return;
    }
    let workspace = Workspace::new().with_engine();
    workspace.write(
        "app/Dockerfile",
        "FROM debian:bookworm-slim\n\n# make it\nRUN echo well so far \\\n && sleep 0.2 \\\n && echo oops >&2 \\\n && exit 7\nUSER 1\n",
    );
    let project = Project::inside(workspace, STACK);
    for builder in BUILDERS {
        let output = project.run(&["up", "-d", "--quiet", builder]);
        insta::allow_duplicates! { insta::assert_snapshot!(output, @r"
    ------- stderr -------
    error: failed to build `app/Dockerfile` for `web/app`
      caused by: app/Dockerfile:4: `RUN echo well so far && sleep 0.2 && echo oops >&2 && exit 7` ended with exit code 7
        | well so far
        | oops
    [exit status: 1]
    ") };
    }
}

#[test]
fn a_dockerfile_that_makes_no_sense_or_is_not_there() {
    if !engine_is_wanted() {
        return;
    }
    let workspace = Workspace::new().with_engine();
    workspace.write("app/Dockerfile", "FROM debian:bookworm-slim\nRUNN x\n");
    let project = Project::inside(workspace, STACK);
    for builder in BUILDERS {
        let output = project.run(&["up", "-d", "--quiet", builder]);
        insta::allow_duplicates! { insta::assert_snapshot!(output, @r"
    ------- stderr -------
    error: failed to build `app/Dockerfile` for `web/app`
      caused by: app/Dockerfile:2: unknown instruction: RUNN
    [exit status: 1]
    ") };
    }
    fs::rename(
        project.workspace.path().join("app/Dockerfile"),
        project.workspace.path().join("app/Containerfile"),
    )
    .unwrap();
    let output = project.run(&["up", "-d", "--quiet"]);
    assert_ne!(output.code, 0);
    assert!(
        output.stderr.contains("Containerfile") || output.stderr.contains("Dockerfile"),
        "{output}"
    );
}

#[test]
fn a_failing_step_is_found_in_any_stage() {
    if !engine_is_wanted() {
        return;
    }
    for (dockerfile, line) in [
        (
            "FROM debian:bookworm-slim AS one\nRUN true\nFROM debian:bookworm-slim AS two\nRUN true\nRUN exit 3\nFROM one\nCOPY --from=two /etc/hostname /x\n",
            5,
        ),
        (
            "FROM debian:bookworm-slim AS one\nRUN true\nFROM one\nENV A=b\nRUN exit 3\n",
            5,
        ),
        // The same words twice: the number says which.
        (
            "FROM debian:bookworm-slim\nRUN mkdir /x\nWORKDIR /x\nRUN mkdir /x\n",
            4,
        ),
        ("FROM debian:bookworm-slim\nARG WHAT=nothing\nCOPY $WHAT /x\n", 3),
    ] {
        let workspace = Workspace::new().with_engine();
        workspace.write("app/Dockerfile", dockerfile);
        let project = Project::inside(workspace, STACK);
        let output = project.run(&["up", "-d", "--quiet"]).code(1);
        assert!(
            output
                .stderr
                .contains(&format!("caused by: app/Dockerfile:{line}: `")),
            "{dockerfile}\n{output}"
        );
    }
}

const SECRET: &str = "
pods:
  web:
    grace: 0s
    containers:
      app: { build: { context: ., secrets: { token: { secret: db, key: password } } } }
secrets:
  db: { files: { password: deep/password } }
";

#[test]
fn a_step_gets_its_secret_and_the_image_does_not() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new(SECRET);
    let workspace = &project.workspace;
    workspace.write("deep/password", "s3cr3t-w0rd");
    workspace.write(
        "Dockerfile",
        "FROM debian:bookworm-slim\n\
         RUN --mount=type=secret,id=token,required=true \\\n  sha256sum < /run/secrets/token > /digest\n\
         COPY . /context\nUSER 65532\nCMD [\"sleep\", \"1000\"]\n",
    );
    let first = project.run(&["up", "-d"]).success();
    assert!(!first.stderr.contains("s3cr3t-w0rd"), "{first}");
    let digest = project.run(&["exec", "web", "--", "cat", "/digest"]).success();
    assert_eq!(digest.stdout, sha256sum(b"s3cr3t-w0rd"));
    let image = docker(&[
        "container",
        "inspect",
        "--format",
        "{{.Image}}",
        &format!("{}-web-0", project.name),
    ]);
    let image = image.trim();
    let saved = std::process::Command::new("docker")
        .args(["save", image])
        .output()
        .unwrap()
        .stdout;
    assert!(saved.len() > 1 << 20);
    assert!(!saved.windows(11).any(|bytes| bytes == b"s3cr3t-w0rd"));
    // Another value makes no other image, as for the builder's own cache.
    workspace.write("deep/password", "other");
    let again = project.run(&["up", "-d"]).success();
    assert!(again.stderr.contains("is up to date"), "{again}");

    let classic = project.run(&["up", "-d", "--build", "--builder=classic"]).code(1);
    assert!(
        classic
            .stderr
            .contains("its secrets need BuildKit, and the classic builder was asked for"),
        "{classic}"
    );
    let stack = fs::read_to_string(workspace.path().join("stack.yaml")).unwrap();
    workspace.write("stack.yaml", stack.replace("token:", "other:"));
    let missing = project.run(&["up", "-d", "--quiet", "--build"]).code(1);
    assert!(
        missing.stderr.contains("Dockerfile:2: `RUN --mount=type=secret") && missing.stderr.contains("token"),
        "{missing}"
    );
}

/// What `sha256sum` prints for these bytes.
fn sha256sum(bytes: &[u8]) -> String {
    let digest: Vec<String> = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}  -\n", digest.concat())
}

#[test]
fn a_cache_is_kept_between_builds() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new(STACK);
    let dockerfile = format!(
        "FROM debian:bookworm-slim\nCOPY file /\n\
         RUN --mount=type=cache,id={},target=/cache cat /file >> /cache/log && cp /cache/log /found\n\
         CMD [\"sleep\", \"1000\"]\n",
        project.name
    );
    project.workspace.write("app/Dockerfile", dockerfile);
    for text in ["one\n", "two\n"] {
        project.workspace.write("app/file", text);
        project.run(&["up", "-d"]).success();
    }
    let found = project.run(&["exec", "web", "--", "cat", "/found"]).success();
    assert_eq!(found.stdout, "one\ntwo\n");
}

#[test]
fn images_are_built_side_by_side() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new(
        "
pods:
  web:
    grace: 0s
    containers:
      one: { build: one, user: 65532 }
      two: { build: two, user: 65532 }
",
    );
    for name in ["one", "two"] {
        project.workspace.write(
            &format!("{name}/Dockerfile"),
            format!(
                "FROM debian:bookworm-slim\nRUN echo {} {name}; sleep 2\nCMD [\"sleep\", \"1000\"]\n",
                project.name
            ),
        );
    }
    for builder in BUILDERS {
        let said = project.run(&["up", "-d", "--build", builder]).success().stderr;
        let line = |text: &str| said.lines().position(|line| line.contains(text)).unwrap();
        let first_end = line("built");
        for name in ["one", "two"] {
            let step = format!("{} {name}; sleep 2", project.name);
            assert!(line(&step) < first_end, "{said}");
        }
    }
}

#[test]
fn of_a_big_context_only_what_changed_is_sent_again() {
    if !engine_is_wanted() {
        return;
    }
    let engine = WatchedEngine::new();
    let workspace = Workspace::new().env("DOCKER_HOST", &engine.address());
    workspace.write(
        "app/Dockerfile",
        "FROM debian:bookworm-slim\nCOPY . /context/\nCMD [\"sleep\", \"1000\"]\n",
    );
    let mut noise = vec![0u8; 8 << 20];
    fastrand::fill(&mut noise);
    workspace.write("app/big", &noise);
    workspace.write("app/small", "one");
    let project = Project::inside(workspace, STACK);
    project.run(&["up", "-d"]).success();
    let first = engine.bytes();
    assert!(first > 8 << 20, "{first}");
    project.workspace.write("app/small", "two");
    project.run(&["up", "-d"]).success();
    let second = engine.bytes();
    assert!(second < 1 << 20, "{second}");
    let found = project
        .run(&[
            "exec",
            "web",
            "--",
            "sh",
            "-c",
            "cat /context/small; sha256sum < /context/big",
        ])
        .success();
    assert_eq!(found.stdout, format!("two{}", sha256sum(&noise)));
}

#[test]
fn another_platform_is_asked_of_the_builder() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new(
        "
pods:
  web:
    containers:
      app: { build: { context: app, platform: linux/arm64 }, user: 65532 }
",
    );
    project
        .workspace
        .write("app/Dockerfile", "FROM scratch\nCOPY file /\nCMD [\"/file\"]\n");
    project.workspace.write("app/file", "no program");
    // It is built; that this machine can't run it is the engine's to say.
    project.run(&["up", "-d"]);
    let filter = format!("label=dev.motif.stack={}", project.name);
    let image = docker(&["images", "--quiet", "--filter", &filter]);
    let platform = docker(&[
        "image",
        "inspect",
        "--format",
        "{{.Os}}/{{.Architecture}}",
        image.trim(),
    ]);
    assert_eq!(platform.trim(), "linux/arm64");
}

#[test]
fn no_file_of_a_secret_goes_into_an_image() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new(
        "
pods:
  web:
    grace: 0s
    containers:
      app: { build: ., mounts: { tls: /tls, db: /db } }
    volumes: { tls: { secret: tls }, db: { secret: db } }
secrets:
  tls: { certificate: [localhost] }
  db: { files: { password: deep/password } }
",
    );
    let workspace = &project.workspace;
    workspace.write("deep/password", "s3cr3t");
    workspace.write("deep/other", "no secret");
    workspace.write(".dockerignore", "!deep/password\n!.motif\n");
    workspace.write(
        "Dockerfile",
        "FROM debian:bookworm-slim\nCOPY . /context\nUSER 65532\nCMD [\"sleep\", \"1000\"]\n",
    );
    // The second one finds the certificate that the first one made.
    project.up();
    project.run(&["up", "-d", "--wait", "--build"]).success();
    let name = format!("{}-web-0", project.name);
    let found = docker(&[
        "exec",
        &name,
        "sh",
        "-c",
        "find /context | sort; cat /db/password",
    ]);
    assert!(
        found.contains("/context/deep/other") && found.ends_with("s3cr3t"),
        "{found}"
    );
    assert!(!found.contains("/context/deep/password"), "{found}");
    assert!(!found.contains("/context/.motif/secrets"), "{found}");
}

#[test]
fn a_dry_run_says_what_would_be_built_pulled_and_loaded() {
    if !engine_is_wanted() {
        return;
    }
    let project = Project::new(
        "
pods:
  web:
    containers:
      app: { build: app }
      other: { image: 'registry.invalid/other:1', user: 65532 }
",
    );
    project
        .workspace
        .write("app/Dockerfile", "FROM debian:bookworm-slim\nUSER 65532\n");
    let plan = project.run(&["up", "--dry-run"]).success().stdout;
    assert!(
        plan.contains(&format!("+ build image {}-web-app\n", project.name)),
        "{plan}"
    );
    assert!(plan.contains("+ pull image registry.invalid/other:1\n"), "{plan}");
    let plan = project
        .run(&["up", "--dry-run", "--format", "json"])
        .success()
        .stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    let is_step = |action: &str, object: &str| {
        steps
            .iter()
            .any(|step| step["action"] == action && step["object"] == object && step["name"].is_string())
    };
    assert!(
        is_step("build", "image") && is_step("create", "container"),
        "{plan}"
    );
}
