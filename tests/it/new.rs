//! `motif new` and `motif patterns`: what is written, what is refused, and what is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::motif::{Output, Workspace, binary};

/// Every golden project: its folder's name is the pattern's, with `-` for `/`, then what is special about it.
pub const GOLDEN: &[(&str, &[&str])] = &[
    ("ambassador-shard-block", &["ambassador/shard"]),
    (
        "ambassador-shard-image",
        &[
            "ambassador/shard",
            "app.image=nginx:1.27",
            "app.port=80",
            "shards=4",
            "role=store",
            "shard.image=memcached:1.6",
            "shard.protocol=memcached",
        ],
    ),
    ("adapter-health-block", &["adapter/health"]),
    (
        "adapter-health-http",
        &["adapter/health", "health.source=http", "replicas=1"],
    ),
    (
        "adapter-health-postgresql",
        &["adapter/health", "health.source=postgresql", "replicas=1"],
    ),
    (
        "adapter-health-mysql",
        &["adapter/health", "health.source=mysql", "app.build=db"],
    ),
    ("adapter-logs-block", &["adapter/logs"]),
    (
        "adapter-logs-image",
        &[
            "adapter/logs",
            "app.image=nginx:1.27",
            "app.port=80",
            "logs.folder=/var/log/nginx",
            "port=0",
        ],
    ),
    (
        "adapter-logs-stdout",
        &[
            "adapter/logs",
            "logs.to=stdout",
            "logs.format=json",
            "app.build=app",
        ],
    ),
    ("adapter-metrics-block", &["adapter/metrics"]),
    (
        "adapter-metrics-image",
        &["adapter/metrics", "app.image=redis:7.4"],
    ),
    (
        "adapter-metrics-json",
        &["adapter/metrics", "metrics.source=json", "port=0"],
    ),
    ("container-block", &["container"]),
    (
        "container-image",
        &["container", "app.image=nginx:1.27", "app.port=80", "replicas=3"],
    ),
    (
        "container-build",
        &["container", "app.build=legacy", "app.security=restricted"],
    ),
    (
        "container-python",
        &["container", "app.language=python", "port=9000"],
    ),
    ("container-node", &["container", "app.language=node"]),
    ("container-go", &["container", "app.language=go"]),
    ("container-rust", &["container", "app.language=rust"]),
    ("ambassador-broker-block", &["ambassador/broker"]),
    (
        "ambassador-broker-image",
        &[
            "ambassador/broker",
            "app.image=nginx:1.27",
            "app.port=80",
            "backend.image=redis:7",
            "broker.refresh=2s",
        ],
    ),
    ("ambassador-split-block", &["ambassador/split"]),
    (
        "ambassador-split-image",
        &[
            "ambassador/split",
            "app.image=nginx:1.27",
            "app.port=80",
            "production.image=shop:1",
            "experiment.image=shop:2",
            "sticky.by=cookie",
            "percent=50",
        ],
    ),
    ("ambassador-tee-block", &["ambassador/tee"]),
    (
        "ambassador-tee-image",
        &[
            "ambassador/tee",
            "app.build=app",
            "production.image=shop:1",
            "shadow.image=shop:2",
            "sample=0.25",
        ],
    ),
    ("sidecar-introspect-block", &["sidecar/introspect"]),
    (
        "sidecar-introspect-image",
        &["sidecar/introspect", "app.image=nginx:1.27", "app.port=80"],
    ),
    (
        "sidecar-introspect-python",
        &["sidecar/introspect", "app.language=python"],
    ),
    ("sidecar-config-sync-block", &["sidecar/config-sync"]),
    (
        "sidecar-config-sync-image",
        &[
            "sidecar/config-sync",
            "app.image=nginx:1.27",
            "app.port=80",
            "sync.notify=signal",
            "sync.process=nginx",
            "sync.user=0",
        ],
    ),
    (
        "sidecar-config-sync-http",
        &[
            "sidecar/config-sync",
            "app.language=python",
            "source.from=http",
            "source.url=https://config.example.com/app.json?stage=a&b",
            "sync.notify=http",
        ],
    ),
    (
        "sidecar-config-sync-git",
        &[
            "sidecar/config-sync",
            "source.from=git",
            "source.url=https://git.example.com/config.git",
            "sync.validate=none",
        ],
    ),
    ("sidecar-git-sync-block", &["sidecar/git-sync"]),
    (
        "sidecar-git-sync-image",
        &[
            "sidecar/git-sync",
            "app.image=nginx:1.27",
            "app.port=80",
            "source.url=https://git.example.com/site",
            "sync.notify=restart",
            "sync.process=nginx",
            "sync.user=0",
        ],
    ),
    (
        "sidecar-git-sync-node",
        &["sidecar/git-sync", "app.language=node", "port=0"],
    ),
    ("sidecar-tls-block", &["sidecar/tls"]),
    (
        "sidecar-tls-image",
        &["sidecar/tls", "app.image=nginx:1.27", "app.port=80"],
    ),
    ("sidecar-tls-build", &["sidecar/tls", "app.build=app"]),
    (
        "sidecar-tls-python",
        &[
            "sidecar/tls",
            "app.language=python",
            "replicas=2",
            "port=9443",
            "tls.minimum=1.3",
        ],
    ),
];

/// Files of a folder, with their bytes and whether they can be run.
pub fn tree(root: &Path) -> BTreeMap<String, (Vec<u8>, bool)> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                let is_executable = path.metadata().unwrap().permissions().mode() & 0o111 != 0;
                files.insert(name, (fs::read(&path).unwrap(), is_executable));
            }
        }
    }
    files
}

pub fn scaffold(workspace: &Workspace, pattern: &str, answers: &[&str], folder: &str) -> Output {
    let mut arguments = vec!["new", pattern, "shop", "--defaults", "--output", folder];
    for answer in answers {
        arguments.extend(["--set", answer]);
    }
    workspace.run(&arguments)
}

pub fn golden_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn projects_come_out_as_they_are_kept() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for (case, words) in GOLDEN {
        let workspace = Workspace::new();
        scaffold(&workspace, words[0], &words[1..], "out").success();
        let mut made = tree(&workspace.path().join("out"));
        let (schema, _) = made.remove(".motif/stack.schema.json").unwrap();
        assert!(schema == workspace.run(&["schema"]).success().stdout.into_bytes());
        let kept = golden_folder().join(case);
        // What is exported of it is kept there too, by another test.
        let is_exported = |path: &str| path.starts_with("export/");
        if update {
            fs::create_dir_all(&kept).unwrap();
            for path in tree(&kept).keys().filter(|path| !is_exported(path)) {
                fs::remove_file(kept.join(path)).unwrap();
            }
            for (path, (bytes, _)) in &made {
                let path = kept.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
        }
        let mut kept = if kept.is_dir() {
            tree(&kept)
        } else {
            BTreeMap::new()
        };
        kept.retain(|path, _| !is_exported(path));
        for path in made.keys().chain(kept.keys()) {
            if made.get(path) != kept.get(path) {
                wrong.push(format!("{case}/{path}"));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(
        wrong.is_empty(),
        "differ (UPDATE_GOLDEN=1 keeps what is made): {wrong:#?}"
    );
}

#[test]
fn every_pattern_has_golden_projects_and_every_golden_project_a_case() {
    let listed = Workspace::new().run(&["patterns", "--format", "json"]).success();
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    for pattern in listed.as_array().unwrap() {
        let name = pattern["name"].as_str().unwrap();
        assert!(
            GOLDEN.iter().any(|(_, words)| words[0] == name),
            "`{name}` has no golden project"
        );
    }
    for entry in fs::read_dir(golden_folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            GOLDEN.iter().any(|(case, _)| *case == name),
            "`tests/golden/{name}` is made by no case"
        );
    }
}

#[test]
fn the_answers_of_a_project_make_it_again() {
    for (case, words) in GOLDEN {
        let workspace = Workspace::new();
        scaffold(&workspace, words[0], &words[1..], "first").success();
        workspace
            .run(&["new", "--answers", "first/.motif/answers.yaml", "second"])
            .success();
        assert_eq!(
            tree(&workspace.path().join("first")),
            tree(&workspace.path().join("second")),
            "{case}"
        );
        // Without a folder, the project's name is its folder.
        workspace
            .run(&["new", "--answers", "first/.motif/answers.yaml"])
            .success();
        assert_eq!(
            tree(&workspace.path().join("first")),
            tree(&workspace.path().join("shop")),
            "{case}"
        );
    }
}

#[test]
fn every_combination_of_answers_makes_a_stack_that_checks() {
    let apps: &[&[&str]] = &[
        &[],
        &["app.image=nginx:1.27"],
        &[
            "app.image=localhost:5000/me/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ],
        &["app.build=app"],
        &["app.language=python"],
        &["app.language=node"],
        &["app.language=go"],
        &["app.language=rust"],
    ];
    let workspace = Workspace::new();
    let mut count = 0;
    for pattern in ["ambassador/shard", "container", "sidecar/tls"] {
        for app in apps {
            for security in ["restricted", "baseline"] {
                for (replicas, port, app_port) in [
                    ("1", "8443", "8080"),
                    ("3", "1", "80"),
                    ("1000", "65535", "65535"),
                ] {
                    let folder = format!("p{count}");
                    count += 1;
                    let (security, replicas) =
                        (format!("app.security={security}"), format!("replicas={replicas}"));
                    let (port, app_port) = (format!("port={port}"), format!("app.port={app_port}"));
                    let mut answers = app.to_vec();
                    answers.extend([
                        security.as_str(),
                        &replicas,
                        &port,
                        &app_port,
                        "app.cpu=0.25",
                        "app.memory=1Gi",
                    ]);
                    scaffold(&workspace, pattern, &answers, &folder).success();
                    if app.first() == Some(&"app.build=app") {
                        workspace.write(&format!("{folder}/app/Dockerfile"), "FROM scratch\n");
                    }
                    let checked = workspace.run(&["-C", &folder, "check"]);
                    assert_eq!(
                        (checked.code, checked.stderr.contains("warning")),
                        (0, false),
                        "{answers:?}\n{checked}"
                    );
                }
            }
        }
    }
}

#[test]
fn nothing_is_written_over_without_force() {
    let workspace = Workspace::new().file("shop/mine", "mine");
    let refused = scaffold(&workspace, "container", &[], "shop").code(2);
    insta::assert_snapshot!(refused, @r#"
    ------- stderr -------
    error: `shop` is there already
    hint: write elsewhere with `--output DIR`
    hint: `--force` replaces the files that differ, and leaves all others; `--dry-run` shows which
    [exit status: 2]
    "#);
    assert_eq!(tree(&workspace.path().join("shop")).len(), 1);
    let file = Workspace::new().file("shop", "a file");
    scaffold(&file, "container", &[], "shop").code(2);
    assert_eq!(file.read("shop"), "a file");
    // An empty folder is nobody's.
    let empty = Workspace::new();
    fs::create_dir(empty.path().join("shop")).unwrap();
    scaffold(&empty, "container", &[], "shop").success();
    assert!(empty.path().join("shop/stack.yaml").exists());
}

#[test]
fn force_replaces_what_differs_and_leaves_the_rest() {
    let workspace = Workspace::new();
    scaffold(&workspace, "container", &[], "shop").success();
    let before = tree(&workspace.path().join("shop"));
    workspace.write("shop/stack.yaml", "mine");
    workspace.write("shop/.motif/secrets/web-tls/tls.key", "secret");
    workspace.write("shop/notes.txt", "mine");
    let output = workspace
        .run(&["new", "container", "shop", "--defaults", "--force"])
        .success();
    insta::assert_snapshot!(output, @r#"
    ------- stderr -------
    Wrote `shop`: 0 new, 1 replaced, 4 unchanged.

    Next:
      cd shop
      motif up -d --wait
    "#);
    let mut after = tree(&workspace.path().join("shop"));
    assert_eq!(after.remove("notes.txt").unwrap().0, b"mine");
    assert_eq!(
        after.remove(".motif/secrets/web-tls/tls.key").unwrap().0,
        b"secret"
    );
    assert_eq!(after, before);
}

#[test]
fn a_dry_run_shows_and_writes_nothing() {
    let workspace = Workspace::new();
    let fresh = workspace
        .run(&["new", "container", "shop", "--defaults", "--dry-run"])
        .success();
    insta::assert_snapshot!(fresh, @r#"
    shop
    ├── .gitignore
    ├── .motif
    │   ├── answers.yaml
    │   └── stack.schema.json
    ├── README.md
    └── stack.yaml
    "#);
    assert_eq!(fs::read_dir(workspace.path()).unwrap().count(), 0);
    scaffold(&workspace, "container", &[], "shop").success();
    workspace.write(
        "shop/.gitignore",
        "# Secrets are made on each machine, and never committed.\n*.log\n",
    );
    let changed = workspace
        .run(&["new", "container", "shop", "--set", "replicas=3", "--dry-run"])
        .success();
    insta::assert_snapshot!(changed, @r#"
    shop
    ├── .gitignore  (changed)
    ├── .motif
    │   ├── answers.yaml  (changed)
    │   └── stack.schema.json  (unchanged)
    ├── README.md  (changed)
    └── stack.yaml  (changed)

    --- a/.gitignore
    +++ b/.gitignore
    @@ -1,2 +1,2 @@
     # Secrets are made on each machine, and never committed.
    -*.log
    +.motif/secrets/

    --- a/.motif/answers.yaml
    +++ b/.motif/answers.yaml
    @@ -8,5 +8,5 @@
       app.cpu: 500m
       app.memory: 256Mi
       app.security: restricted
    -  replicas: 2
    +  replicas: 3
       port: 8080

    --- a/README.md
    +++ b/README.md
    @@ -23,7 +23,7 @@
     
     | parameter | default | is |
     |---|---|---|
    -| `replicas` | 2 | pods to run: `motif up -d --set replicas=3` |
    +| `replicas` | 3 | pods to run: `motif up -d --set replicas=3` |
     | `port` | 8080 | port on this machine: `motif up -d --set port=9090` |
     
     ## What it promises

    --- a/stack.yaml
    +++ b/stack.yaml
    @@ -4,7 +4,7 @@
     
     # Adjustable without an edit: `motif up --set replicas=3`; on `check` and `export` too.
     parameters:
    -  replicas: { type: integer, default: 2, minimum: 1, help: pods to run }
    +  replicas: { type: integer, default: 3, minimum: 1, help: pods to run }
       port: { type: integer, default: 8080, minimum: 0, maximum: 65535, help: port on this machine; 0 lets the engine choose }
     
     pods:
    "#);
    assert!(workspace.read("shop/stack.yaml").contains("default: 2,"));
}

#[test]
fn links_are_not_followed_out_of_the_folder() {
    let workspace = Workspace::new()
        .file("outside/keep", "keep")
        .file("shop/notes", "mine");
    std::os::unix::fs::symlink("../outside", workspace.path().join("shop/.motif")).unwrap();
    let refused = workspace
        .run(&["new", "container", "shop", "--defaults", "--force"])
        .code(1);
    assert!(
        refused.stderr.contains("`shop/.motif` is a symbolic link"),
        "{refused}"
    );
    assert_eq!(tree(&workspace.path().join("outside")).len(), 1);
    assert!(!workspace.path().join("shop/stack.yaml").exists());
}

#[test]
fn wrong_requests_are_refused_with_what_to_do() {
    let workspace = Workspace::new().file("answers.yaml", "pattern: sidecar/tls\nanswers:\n  prot: 1\n");
    let mut all = String::new();
    for arguments in [
        &["new"][..],
        &["new", "sidecar/tsl", "shop", "--defaults"],
        &["new", "container", "Shop_1", "--defaults"],
        &["new", "container", "--defaults"],
        &["new", "container", "shop"],
        &["new", "container", "shop", "--set", "replicas"],
        &["new", "container", "shop", "--set", "replica=2"],
        &[
            "new",
            "container",
            "shop",
            "--set",
            "replicas=0",
            "--set",
            "port=http",
            "--set",
            "app.from=imag",
        ],
        &[
            "new",
            "container",
            "shop",
            "--set",
            "app.image=a",
            "--set",
            "app.language=go",
        ],
        &["new", "container", "shop", "--set", "app.from=image"],
        &["new", "sidecar/tls", "shop", "--set", "app.port=8443"],
        &["new", "container", "shop", "--set", "app.build=../legacy"],
        &["new", "--answers", "answers.yaml"],
        &["new", "--answers", "answers.yaml", "--set", "port=1", "shop"],
        &["new", "--answers", "nothing.yaml"],
        &["new", "container", "shop", "--defaults", "--catalog", "nothing"],
    ] {
        let output = workspace.run(arguments);
        assert_ne!(output.code, 0);
        all.push_str(&format!("$ motif {}\n{output}\n", arguments.join(" ")));
    }
    insta::assert_snapshot!(all, @r#"
    $ motif new
    ------- stderr -------
    error: no pattern is given
    hint: `motif patterns` lists them; then `motif new PATTERN NAME`
    [exit status: 2]
    $ motif new sidecar/tsl shop --defaults
    ------- stderr -------
    error: no pattern `sidecar/tsl`
    hint: did you mean `sidecar/tls`?
    [exit status: 2]
    $ motif new container Shop_1 --defaults
    ------- stderr -------
    error: `Shop_1` can't name a project
    hint: a name is 1 to 63 small letters, digits and `-`, and begins and ends with a letter or digit
    hint: did you mean `shop-1`?
    [exit status: 2]
    $ motif new container --defaults
    ------- stderr -------
    error: the project has no name
    hint: name it: `motif new PATTERN NAME`
    [exit status: 2]
    $ motif new container shop
    ------- stderr -------
    error: `app.from` is not answered, and there is no terminal to ask at
    hint: answer it with `--set app.from=…`, or take the defaults with `--defaults`
    [exit status: 2]
    $ motif new container shop --set replicas
    ------- stderr -------
    error: `--set replicas` has no `=`
    hint: write `--set NAME=VALUE`
    [exit status: 2]
    $ motif new container shop --set replica=2
    ------- stderr -------
    error: the pattern has no parameter `replica`
    hint: did you mean `replicas`?
    [exit status: 2]
    $ motif new container shop --set replicas=0 --set port=http --set app.from=imag
    ------- stderr -------
    error: 3 answers can't be used:
      `replicas`: `0` is less than the minimum `1`
      `port`: expected a whole number, found `http`
      `app.from`: `imag` is none of the choices
        did you mean `image`?
    hint: `motif patterns show PATTERN` says what it asks
    [exit status: 2]
    $ motif new container shop --set app.image=a --set app.language=go
    ------- stderr -------
    error: `app.image` and `app.language` exclude each other
    hint: they need different answers to `app.from`: give one of them
    [exit status: 2]
    $ motif new container shop --set app.from=image
    ------- stderr -------
    error: `app.image` is not given, and has no default
    hint: give it with `--set app.image=…`, or in the file of `--answers`
    [exit status: 2]
    $ motif new sidecar/tls shop --set app.port=8443
    ------- stderr -------
    error: the port 8443 is taken in this pod
      --> stack.yaml:39:18
       |
    24 |         ports: { http: { port: 8443, local: true } }
       |                  ---- by the container `app`
    ...
    39 |         ports: { https: 8443, admin: 9901 }
       |                  ^^^^^
       |
       = help: containers of a pod share its network: let one of them listen on another port

    error: these answers make a stack that can't be: nothing was written
    [exit status: 2]
    $ motif new container shop --set app.build=../legacy
    ------- stderr -------
    error: the path leads out of the project
      --> stack.yaml:15:16
       |
    15 |         build: "../legacy"
       |                ^^^^^^^^^^^
       |
       = help: a build context lies in the stack's folder or below it

    error: these answers make a stack that can't be: nothing was written
    [exit status: 2]
    $ motif new --answers answers.yaml
    ------- stderr -------
    error: the project has no name
    hint: name it: `motif new PATTERN NAME`
    [exit status: 2]
    $ motif new --answers answers.yaml --set port=1 shop
    ------- stderr -------
    error: answers.yaml:3:9: the pattern has no parameter `prot`
    hint: did you mean `port`?
    [exit status: 2]
    $ motif new --answers nothing.yaml
    ------- stderr -------
    error: failed to read `nothing.yaml`
      caused by: No such file or directory (os error 2)
    [exit status: 1]
    $ motif new container shop --defaults --catalog nothing
    ------- stderr -------
    error: failed to read the folder `nothing`
      caused by: No such file or directory (os error 2)
    [exit status: 1]
    "#);
    assert_eq!(fs::read_dir(workspace.path()).unwrap().count(), 1);
}

#[test]
fn a_catalogue_of_ones_own() {
    let workspace = Workspace::new()
        .file(
            "mine/web/static/pattern.yaml",
            "summary: Static pages\nversion: 1\nparameters:\n  greeting: { type: string, default: hello, help: what the page says }\n  fancy: { type: boolean, default: false }\nfiles:\n  - { path: fancy.css, when: { fancy: true } }\n  - { path: run, executable: true }\n",
        )
        .file("mine/web/static/files/page.json.tera", "{ \"greeting\": {{ greeting | json }} }\n")
        .file("mine/web/static/files/stack.yaml.tera", "stack: {{ name | stack }}\npods: { web: { containers: { app: { block: http-echo } } } }\n")
        .file("mine/web/static/files/fancy.css", "{{ copied }}\n")
        .file("mine/web/static/files/run", "#!/bin/sh\n");
    let listed = workspace.run(&["patterns", "--catalog", "mine"]).success();
    let own: Vec<&str> = listed
        .stdout
        .lines()
        .filter(|line| line.starts_with("web/"))
        .collect();
    assert_eq!(own.len(), 1, "{listed}");
    assert!(own[0].ends_with("  Static pages"), "{listed}");
    assert!(listed.stdout.contains("\nsidecar/tls "), "{listed}");
    let hostile = "\"; rm -rf ~\n${HOME}{{ name }}";
    let greeting = format!("greeting={hostile}");
    workspace
        .run(&[
            "new",
            "web",
            "shop",
            "--catalog",
            "mine",
            "--set",
            &greeting,
            "--set",
            "fancy=true",
        ])
        .success();
    let page: serde_json::Value = serde_json::from_str(&workspace.read("shop/page.json")).unwrap();
    assert_eq!(page["greeting"], hostile);
    assert_eq!(workspace.read("shop/fancy.css"), "{{ copied }}\n");
    assert!(tree(&workspace.path().join("shop"))["run"].1, "`run` can be run");
    // Its answers, hostile ones too, make it again.
    workspace
        .run(&[
            "new",
            "--answers",
            "shop/.motif/answers.yaml",
            "again",
            "--catalog",
            "mine",
        ])
        .success();
    assert_eq!(
        tree(&workspace.path().join("shop")),
        tree(&workspace.path().join("again"))
    );
    workspace
        .run(&["new", "web", "plain", "--catalog", "mine", "--defaults"])
        .success();
    assert!(!workspace.path().join("plain/fancy.css").exists());
}

#[test]
fn a_wrong_catalogue_is_refused_with_the_place() {
    let head = "summary: s\nversion: 1\n";
    let mut all = String::new();
    for (path, text) in [
        ("mine/a/b/pattern.yaml", "summary: [\n".to_owned()),
        (
            "mine/a/b/pattern.yaml",
            format!("{head}paramaters: {{}}\nfiles: [{{ path: x }}]\n"),
        ),
        (
            "mine/a/b/pattern.yaml",
            format!("{head}files: [{{ path: f, to: ../../evil }}]\n"),
        ),
        ("mine/a/b/files/f.tera", "one\n{{ nothing }}\n".to_owned()),
        ("mine/a/b/files/f.tera", "one\n{{ name | yalm }}\n".to_owned()),
        ("mine/a/b/files/f.tera", "{% if name %}\n".to_owned()),
        ("mine/a/b/files/.git/hooks/pre-commit", "evil".to_owned()),
        ("mine/a/b/stray", String::new()),
    ] {
        let workspace = Workspace::new()
            .file("mine/a/b/pattern.yaml", head)
            .file("mine/a/b/files/f", "f")
            .file(path, &text);
        let output = workspace.run(&["new", "a/b", "shop", "--defaults", "--catalog", "mine"]);
        assert_ne!(output.code, 0, "{text}");
        assert!(!workspace.path().join("shop").exists());
        all.push_str(&format!("{output}\n"));
    }
    insta::assert_snapshot!(all, @r#"
    ------- stderr -------
    error: not YAML: unclosed bracket '['
     --> mine/a/b/pattern.yaml:1:10
      |
    1 | summary: [
      |          ^

    error: 1 problem in mine/a/b/pattern.yaml
    [exit status: 1]
    ------- stderr -------
    error: a pattern takes no key `paramaters`
     --> mine/a/b/pattern.yaml:3:1
      |
    3 | paramaters: {}
      | ^^^^^^^^^^
      |
      = help: did you mean `parameters`?

    error: no file stands at `x` below `files`
     --> mine/a/b/pattern.yaml:4:17
      |
    4 | files: [{ path: x }]
      |                 ^

    error: 2 problems in mine/a/b/pattern.yaml
    [exit status: 1]
    ------- stderr -------
    error: the path "../../evil" leads out of its folder
     --> mine/a/b/pattern.yaml:3:24
      |
    3 | files: [{ path: f, to: ../../evil }]
      |                        ^^^^^^^^^^

    error: 1 problem in mine/a/b/pattern.yaml
    [exit status: 1]
    ------- stderr -------
    error: mine/a/b/files/f.tera:2:4: the pattern has no parameter `nothing`
    [exit status: 1]
    ------- stderr -------
    error: mine/a/b/files/f.tera:2:11: there is no filter `yalm` here: did you mean `yaml`?
    [exit status: 1]
    ------- stderr -------
    error: mine/a/b/files/f.tera:2:1: Unexpected end of input
    [exit status: 1]
    ------- stderr -------
    error: the path ".git/hooks/pre-commit" leads into git's own folder
     --> mine/a/b/pattern.yaml:1:1
      |
    1 | summary: s
      | ^

    error: 1 problem in mine/a/b/pattern.yaml
    [exit status: 1]
    ------- stderr -------
    error: the catalogue can't be used: `mine/a/b/stray` would never be read: a pattern's folder holds `pattern.yaml`, `files` and `add`, a part's `part.yaml`, `files` and `includes`
    [exit status: 2]
    "#);
    let linked = Workspace::new()
        .file("mine/a/pattern.yaml", head)
        .file("mine/a/files/f", "f");
    std::os::unix::fs::symlink("/etc/passwd", linked.path().join("mine/a/files/g")).unwrap();
    let output = linked.run(&["patterns", "--catalog", "mine"]).code(1);
    assert!(
        output.stderr.contains("`mine/a/files/g` is a symbolic link"),
        "{output}"
    );
}

#[test]
fn patterns_are_listed_and_shown() {
    let workspace = Workspace::new();
    insta::assert_snapshot!(workspace.run(&["patterns"]), @r#"
    adapter/health       The answer to a real query as readiness
    adapter/logs         A log file as JSON lines, each record exactly once
    adapter/metrics      Metrics for Prometheus from an application that has none
    ambassador/broker    One address for a service that is elsewhere in every environment
    ambassador/shard     Many shards behind what looks like one server on localhost
    ambassador/split     An experiment that gets a part of the requests, and the same users each time
    ambassador/tee       A shadow that gets copies of the requests, and whose answers nobody sees
    container            One container with its parameters as its interface
    sidecar/config-sync  Configuration that follows its source while the application runs
    sidecar/git-sync     A push to a Git repository is served, without a new image
    sidecar/introspect   What runs in a pod, shown beside an application that knows nothing of it
    sidecar/tls          HTTPS in front of a service that knows nothing of it
    "#);
    insta::assert_snapshot!(
        "patterns_show_sidecar_tls",
        workspace.run(&["patterns", "show", "sidecar/tls"]).to_string()
    );
    let json = workspace
        .run(&["patterns", "show", "sidecar/tls", "--format", "json"])
        .success();
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["name"], "sidecar/tls");
    assert_eq!(document["parameters"][1]["when"], "`app.from` is `image`");
}

/// Runs a program in a folder; false when it isn't there.
fn passes(folder: &Path, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> bool {
    let is_there = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if is_there.is_err() {
        return false;
    }
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    true
}

#[test]
fn the_generated_services_pass_their_own_tests() {
    let workspace = Workspace::new();
    for language in ["python", "node", "go", "rust"] {
        // Named like each language itself, which is nobody's package but that of its own.
        let answer = format!("app.language={language}");
        workspace
            .run(&["new", "container", language, "--set", &answer])
            .success();
    }
    let app = |language: &str| workspace.path().join(language).join("app");
    let target = workspace.path().join("target");
    let target = target.to_str().unwrap();
    let ran = [
        passes(
            &app("python"),
            "python3",
            &["-m", "unittest", "discover", "-s", "tests"],
            &[("PYTHONPATH", "src"), ("PYTHONDONTWRITEBYTECODE", "1")],
        ),
        passes(&app("node"), "node", &["--test", "test/"], &[]),
        passes(
            &app("go"),
            "go",
            &["test", "./..."],
            &[("GOFLAGS", "-mod=mod"), ("GOPROXY", "off")],
        ),
        passes(
            &app("rust"),
            "cargo",
            &["test", "--locked", "--offline"],
            &[("CARGO_TARGET_DIR", target)],
        ),
    ];
    if ran.contains(&false) {
        println!("python, node, go, rust: {ran:?}; those that aren't there didn't run");
    }
    assert!(ran[3], "cargo built this test");
}

/// Plays a person at a terminal: python's `pty` runs the command, types each answer once its question is there,
/// and prints what was seen and the exit code.
const PERSON: &str = r#"
import os, pty, select, sys, time
answers = [tuple(line.split("\t", 1)) for line in sys.argv[1].split("\n") if line]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen, unread = b"", b""
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    if answers and answers[0][0].encode() in unread:
        # A question that has been drawn is being read.
        time.sleep(0.05)
        answer = answers.pop(0)[1]
        if answer == "SIGINT":
            os.kill(pid, 2)
        else:
            os.write(terminal, answer.encode().decode("unicode_escape").encode())
        unread = b""
    ready, _, _ = select.select([terminal], [], [], 0.1)
    if ready:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
        unread += piece
else:
    os.kill(pid, 9)
status = os.waitpid(pid, 0)[1]
sys.stdout.write(seen.decode(errors="replace"))
sys.stdout.write("\n<exit %d>\n" % os.waitstatus_to_exitcode(status))
"#;

/// What a person sees who gives each answer when its question comes.
fn converse(workspace: &Workspace, answers: &[(&str, &str)], arguments: &[&str]) -> String {
    let script: Vec<String> = answers
        .iter()
        .map(|(question, answer)| format!("{question}\t{answer}"))
        .collect();
    let output = Command::new("python3")
        .args(["-c", PERSON, &script.join("\n")])
        .arg(binary())
        .args(arguments)
        .current_dir(workspace.path())
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("HOME", workspace.path())
        .env("NO_COLOR", "1")
        .env("TERM", "xterm")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

const DOWN: &str = "\\x1b[B";

#[test]
fn a_person_is_asked_only_what_matters() {
    let workspace = Workspace::new();
    let down_twice = format!("{DOWN}{DOWN}\\r");
    let seen = converse(
        &workspace,
        &[
            ("name (of the project", "shop\\r"),
            ("app.from", &down_twice),
            ("app.build", "legacy\\r"),
            ("app.port", "http\\r"),
            ("expected a port", "3000\\r"),
            ("app.cpu", "\\r"),
            ("app.memory", "\\r"),
            ("app.security", "\\r"),
            ("replicas", "2\\r"),
            ("port (HTTPS", "\\r"),
            ("tls.minimum", "\\r"),
        ],
        &["new", "sidecar/tls"],
    );
    assert!(seen.ends_with("<exit 0>\n"), "{seen}");
    assert!(
        !seen.contains("app.image") && !seen.contains("app.language"),
        "{seen}"
    );
    insta::assert_snapshot!(workspace.read("shop/.motif/answers.yaml"), @r#"
    # What `motif new` was told. To make the same project again: motif new --answers .motif/answers.yaml DIR
    pattern: sidecar/tls
    version: 1
    name: shop
    answers:
      app.from: build
      app.build: legacy
      app.port: 3000
      app.cpu: 500m
      app.memory: 256Mi
      app.security: baseline
      replicas: 2
      port: 8443
      tls.minimum: "1.2"
    "#);
}

#[test]
fn ctrl_c_at_any_question_writes_nothing_and_gives_the_terminal_back() {
    let workspace = Workspace::new();
    // Typed at a text, typed at a list, and sent by another process.
    for answers in [
        &[("name (of", "\\x03")][..],
        &[("name (of", "shop\\r"), ("app.from", "\\x03")],
        &[("name (of", "SIGINT")],
        &[("name (of", "shop\\r"), ("app.from", "SIGINT")],
    ] {
        let seen = converse(&workspace, answers, &["new", "sidecar/tls"]);
        assert!(seen.ends_with("<exit 130>\n"), "{seen}");
        assert!(seen.contains("nothing was written"), "{seen}");
        let (hidden, shown) = (seen.rfind("\x1b[?25l"), seen.rfind("\x1b[?25h"));
        assert!(hidden < shown, "the cursor is hidden: {seen:?}");
        assert_eq!(fs::read_dir(workspace.path()).unwrap().count(), 0);
    }
}

#[test]
fn answers_are_a_file_of_a_sensible_size() {
    let workspace = Workspace::new();
    let endless = workspace.run(&["new", "--answers", "/dev/zero", "x"]).code(1);
    assert!(endless.stderr.contains("`/dev/zero` is no file"), "{endless}");
    let large = std::fs::File::create(workspace.path().join("large.yaml")).unwrap();
    large.set_len(1 << 30).unwrap();
    let large = workspace.run(&["new", "--answers", "large.yaml", "x"]).code(1);
    assert!(large.stderr.contains("holds more than 4 MiB"), "{large}");
    let endless = workspace.run(&["ps", "-f", "/dev/zero"]);
    assert_ne!(endless.code, 0, "{endless}");
}

#[test]
fn the_admin_port_of_the_demo_gives_way_to_the_application() {
    let workspace = Workspace::new();
    for pattern in ["container", "sidecar/tls"] {
        scaffold(&workspace, pattern, &["app.port=9900"], pattern).success();
        let stack = workspace.read(&format!("{pattern}/stack.yaml"));
        assert!(stack.contains(":9900\"") && stack.contains(":9910\""), "{stack}");
    }
}

#[test]
fn the_admin_port_beside_the_application_gives_way_to_it() {
    let workspace = Workspace::new();
    for (pattern, port, other) in [
        ("adapter/health", "9933", "9993"),
        ("adapter/logs", "9931", "9991"),
        ("adapter/metrics", "9932", "9992"),
        ("ambassador/broker", "9901", "9991"),
        ("ambassador/shard", "9903", "9963"),
        ("ambassador/split", "9901", "9991"),
        ("ambassador/tee", "9901", "9991"),
        ("sidecar/config-sync", "9913", "9973"),
        ("sidecar/git-sync", "9913", "9973"),
        ("sidecar/introspect", "9901", "9991"),
        ("sidecar/tls", "9901", "9991"),
    ] {
        scaffold(&workspace, pattern, &[&format!("app.port={port}")], pattern).success();
        let stack = workspace.read(&format!("{pattern}/stack.yaml"));
        assert!(stack.contains(&format!("admin: {other}")), "{stack}");
    }
}

#[test]
fn a_log_of_any_name_and_folder_is_one_path() {
    let workspace = Workspace::new();
    for (index, (folder, file, path)) in [
        ("/var/log/app", "*.log", "/var/log/app/*.log"),
        ("/var/log/app", "404", "/var/log/app/404"),
        ("/var/log/a #b", "a.log", "/var/log/a #b/a.log"),
        ("/var/log/@%", "404", "/var/log/@%/404"),
    ]
    .into_iter()
    .enumerate()
    {
        let project = format!("p{index}");
        let answers = [&format!("logs.folder={folder}")[..], &format!("logs.file={file}")];
        scaffold(&workspace, "adapter/logs", &answers, &project).success();
        let stack: serde_json::Value =
            serde_yaml::from_str(&workspace.read(&format!("{project}/stack.yaml"))).unwrap();
        let containers = &stack["pods"]["web"]["containers"];
        assert_eq!(containers["logs"]["args"]["files"], path);
        assert_eq!(containers["app"]["args"]["log-file"], path);
    }
}

/// The names of the promises of a new project.
fn promises(workspace: &Workspace, pattern: &str, answers: &[&str], folder: &str) -> Vec<String> {
    scaffold(workspace, pattern, answers, folder).success();
    let stack: serde_json::Value =
        serde_yaml::from_str(&workspace.read(&format!("{folder}/stack.yaml"))).unwrap();
    stack["promises"]
        .as_object()
        .map(|promises| promises.keys().cloned().collect())
        .unwrap_or_default()
}

#[test]
fn what_can_not_be_shown_is_not_promised() {
    let workspace = Workspace::new();
    for (index, (pattern, answers, expected)) in [
        ("container", &["replicas=1"][..], &[][..]),
        ("container", &["replicas=2"], &["finishes"]),
        ("adapter/health", &["replicas=1"], &["truthful"]),
        (
            "adapter/health",
            &["replicas=3"],
            &["truthful", "out-of-rotation"],
        ),
        ("adapter/health", &["replicas=4"], &["truthful"]),
        (
            "adapter/health",
            &["health.timeout=500ms"],
            &["truthful", "out-of-rotation"],
        ),
        ("adapter/health", &["health.timeout=5s"], &["truthful"]),
        (
            "sidecar/config-sync",
            &["sync.interval=10s"],
            &["converges", "whole", "keeps", "survives"],
        ),
        ("sidecar/config-sync", &["sync.interval=11s"], &[]),
        ("sidecar/config-sync", &["sync.interval=1h"], &[]),
        (
            "sidecar/git-sync",
            &["sync.interval=500ms"],
            &["deploys", "served", "keeps"],
        ),
        ("sidecar/git-sync", &["sync.interval=1m"], &[]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut made = promises(&workspace, pattern, answers, &format!("p{index}"));
        made.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(made, expected, "{pattern} {answers:?}");
    }
}

#[test]
fn answers_that_a_promise_could_not_keep_are_refused() {
    let workspace = Workspace::new();
    for (pattern, answer) in [
        ("ambassador/tee", "sample=0"),
        ("adapter/health", "health.timeout=50ms"),
        ("adapter/health", "health.timeout=6s"),
        (
            "sidecar/config-sync",
            "source.url=https://me:secret@example.com/app.json",
        ),
        (
            "sidecar/git-sync",
            "source.url=https://me:secret@example.com/site.git",
        ),
    ] {
        let mut answers = vec![answer];
        if answer.starts_with("source.url") {
            answers.push(if pattern == "sidecar/git-sync" {
                "source.from=url"
            } else {
                "source.from=http"
            });
        }
        let output = scaffold(&workspace, pattern, &answers, "refused");
        assert_eq!(output.code, 2, "{output}");
        let name = answer.split_once('=').unwrap().0;
        assert!(output.stderr.contains(name), "{output}");
        assert!(!workspace.path().join("refused").exists(), "{output}");
    }
}
