//! `motif add` and `motif remove`: what is written, that nothing else changes, and that all of it can be undone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::motif::{Output, Workspace};

/// Every golden addition: a folder of `tests/golden-add` with what was `before`, and what is there `after` this.
const GOLDEN: &[(&str, &[&str])] = &[
    (
        "shard-store",
        &[
            "ambassador/shard",
            "--to",
            "web",
            "--defaults",
            "--set",
            "shards=4",
            "--set",
            "role=store",
        ],
    ),
    ("tls-absent", &["sidecar/tls", "--to", "web"]),
    (
        "tls-flow",
        &[
            "sidecar/tls",
            "--to",
            "web",
            "--set",
            "app.container=other",
            "--set",
            "port=9443",
            "--set",
            "tls.minimum=1.3",
        ],
    ),
    ("tls-block", &["sidecar/tls", "--to", "web", "--defaults"]),
    (
        "config-sync",
        &[
            "sidecar/config-sync",
            "--to",
            "web",
            "--set",
            "source.url=https://config.example.com/app.json?stage=a&b",
            "--set",
            "sync.folder=/etc/app",
        ],
    ),
    (
        "git-sync",
        &[
            "sidecar/git-sync",
            "--to",
            "web",
            "--set",
            "source.url=https://git.example.com/site",
            "--set",
            "app.container=app",
        ],
    ),
    (
        "metrics-redis",
        &["adapter/metrics", "--to", "web", "--set", "app.port=6379"],
    ),
    (
        "metrics-json",
        &[
            "adapter/metrics",
            "--to",
            "web",
            "--defaults",
            "--set",
            "metrics.source=json",
            "--set",
            "metrics.path=/stats",
            "--set",
            "metrics.values=jobs_total=jobs.done:counter,queue=jobs.waiting",
        ],
    ),
    ("health-redis", &["adapter/health", "--to", "web", "--defaults"]),
    (
        "health-postgresql",
        &[
            "adapter/health",
            "--to",
            "web",
            "--set",
            "health.source=postgresql",
            "--set",
            "health.query=SELECT count(*) FROM \"orders\"",
            "--set",
            "health.secret=db",
        ],
    ),
    ("logs-file", &["adapter/logs", "--to", "web", "--defaults"]),
    (
        "logs-stdout",
        &[
            "adapter/logs",
            "--to",
            "web",
            "--set",
            "logs.folder=/var/log/nginx",
            "--set",
            "logs.file=*.log",
            "--set",
            "logs.to=stdout",
        ],
    ),
    (
        "broker-http",
        &[
            "ambassador/broker",
            "--to",
            "web",
            "--set",
            "broker.address=api.example.com:80",
            "--set",
            "broker.name=api",
            "--set",
            "broker.port=8081",
            "--set",
            "broker.refusal=http",
        ],
    ),
    (
        "split-cookie",
        &[
            "ambassador/split",
            "--to",
            "web",
            "--set",
            "split.production=api:8080",
            "--set",
            "split.experiment=api-next:8080",
            "--set",
            "sticky.by=cookie",
            "--set",
            "percent=50",
        ],
    ),
    (
        "split-none",
        &[
            "ambassador/split",
            "--to",
            "web",
            "--set",
            "split.production=api:8080",
            "--set",
            "split.experiment=api-next:8080",
            "--set",
            "sticky.by=none",
        ],
    ),
    (
        "tee",
        &[
            "ambassador/tee",
            "--to",
            "web",
            "--set",
            "tee.production=api:8080",
            "--set",
            "tee.shadow=api-next:8080",
            "--set",
            "sample=0.5",
        ],
    ),
    (
        "introspect",
        &["sidecar/introspect", "--to", "web", "--set", "port=0"],
    ),
];

const STACK: &str = "\
stack: shop
pods:
  web:
    containers:
      app: { block: http-echo, ports: { http: 8080 } }
  api:
    containers:
      app: { block: http-echo, ports: { http: 8080 } }
      second: { block: http-echo, args: { listen: 8090, admin: 9902 }, ports: { more: 8090, yet: 8091 } }
  bare:
    containers:
      app: { block: http-echo }
";

/// Files and folders, with the files' bytes.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                found.insert(format!("{name}/"), Vec::new());
                folders.push(path);
            } else {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn copy(files: &BTreeMap<String, Vec<u8>>, to: &Path) {
    for (name, bytes) in files {
        let path = to.join(name);
        if name.ends_with('/') {
            fs::create_dir_all(&path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
        }
    }
}

fn add(workspace: &Workspace, words: &[&str]) -> Output {
    workspace.run(&[&["add"], words].concat())
}

fn remove(workspace: &Workspace, words: &[&str]) -> Output {
    workspace.run(&[&["remove"], words].concat())
}

#[test]
fn additions_come_out_as_they_are_kept_and_go_without_a_trace() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden-add");
    for (case, words) in GOLDEN {
        let workspace = Workspace::new();
        let before = tree(&golden.join(case).join("before"));
        copy(&before, workspace.path());
        let pattern = words[0];
        let fragment = format!("motif.{}.web.yaml", pattern.replace('/', "-"));
        // First as a trial: nothing is written.
        let trial = add(&workspace, &[words, &["--dry-run"][..]].concat()).success();
        assert!(trial.stdout.contains(&format!("+++ b/{fragment}")), "{trial}");
        assert_eq!(tree(workspace.path()), before, "{case}");
        add(&workspace, words).success();
        workspace.run(&["check"]).success();
        let made = tree(workspace.path());
        let after = golden.join(case).join("after");
        if update {
            let _ = fs::remove_dir_all(&after);
            copy(&made, &after);
        }
        assert_eq!(
            made,
            tree(&after),
            "{case} differs (UPDATE_GOLDEN=1 keeps what is made)"
        );
        let trial = remove(&workspace, &[pattern, "--from", "web", "--dry-run"]).success();
        assert!(trial.stdout.contains(&format!("--- a/{fragment}")), "{trial}");
        assert_eq!(tree(workspace.path()), made, "{case}");
        remove(&workspace, &[pattern, "--from", "web"]).success();
        assert_eq!(tree(workspace.path()), before, "{case}");
    }
    let cases: Vec<String> = fs::read_dir(&golden)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for case in &cases {
        assert!(
            GOLDEN.iter().any(|(name, _)| name == case),
            "`{case}` is made by no case"
        );
    }
}

#[test]
fn the_users_bytes_stay_whatever_they_are() {
    let crlf = STACK.replace('\n', "\r\n");
    let unended = STACK.trim_end().to_owned();
    let marked = format!("\u{feff}---\n# caf\u{e9}\n{STACK}...\n");
    let empty = format!("include: # none\n{STACK}");
    let lines = format!("{STACK}include:\n- other.yaml");
    for stack in [&crlf, &unended, &marked, &empty, &lines] {
        let workspace = Workspace::new().file("other.yaml", "").file("stack.yaml", stack);
        add(&workspace, &["sidecar/tls", "--to", "web"]).success();
        let changed = fs::read_to_string(workspace.path().join("stack.yaml")).unwrap();
        assert!(changed.len() > stack.len());
        let feeds = |text: &str| (text.matches('\n').count(), text.matches("\r\n").count());
        let ((all, dos), (_, before)) = (feeds(&changed), feeds(stack));
        assert!(
            before == 0 || all == dos,
            "line endings are those of the file: {changed:?}"
        );
        remove(&workspace, &["sidecar/tls", "--from", "web"]).success();
        assert_eq!(
            fs::read_to_string(workspace.path().join("stack.yaml")).unwrap(),
            **stack
        );
    }
}

#[test]
fn several_additions_go_in_any_order() {
    for order in [["web", "api"], ["api", "web"]] {
        let workspace = Workspace::new().file("stack.yaml", STACK);
        let before = tree(workspace.path());
        add(&workspace, &["sidecar/tls", "--to", "web"]).success();
        let api = [
            "sidecar/tls",
            "--to",
            "api",
            "--set",
            "app.container=app",
            "--set",
            "port=9443",
        ];
        add(&workspace, &api).success();
        workspace.run(&["check"]).success();
        for pod in order {
            remove(&workspace, &["sidecar/tls", "--from", pod]).success();
            workspace.run(&["check"]).success();
        }
        assert_eq!(tree(workspace.path()), before, "{order:?}");
    }
}

#[test]
fn three_additions_go_in_any_order_from_any_list() {
    let names = ["sidecar/tls", "ambassador/shard", "sidecar/config-sync"];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let lists = [
        "",
        "include:\n",
        "include: # none\n",
        "include: [ ]\n",
        "include: [other.yaml, ] # one\n",
        "include:\n  - other.yaml\n",
    ];
    for list in lists {
        let stack = STACK.replacen("pods:", &format!("{list}pods:"), 1);
        let workspace = Workspace::new().file("other.yaml", "").file("stack.yaml", &stack);
        let before = tree(workspace.path());
        for name in names {
            let url = ["--set", "source.url=http://config/app.json"];
            let given: &[&str] = if name == names[2] { &url } else { &[] };
            add(
                &workspace,
                &[&[name, "--to", "web", "--defaults"], given].concat(),
            )
            .success();
        }
        let all = tree(workspace.path());
        for order in orders {
            let copied = Workspace::new();
            copy(&all, copied.path());
            for name in order.map(|number| names[number]) {
                remove(&copied, &[name, "--from", "web"]).success();
            }
            assert_eq!(copied.read("stack.yaml"), stack, "{list:?} {order:?}");
            assert_eq!(tree(copied.path()), before, "{list:?} {order:?}");
        }
    }
}

#[test]
fn the_stacks_mode_stays() {
    for mode in [0o600, 0o640, 0o755] {
        let workspace = Workspace::new().file("stack.yaml", STACK);
        let path = workspace.path().join("stack.yaml");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let now = || fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        add(&workspace, &["sidecar/tls", "--to", "web"]).success();
        assert_eq!(now(), mode, "{mode:o} after add");
        remove(&workspace, &["sidecar/tls", "--from", "web"]).success();
        assert_eq!(now(), mode, "{mode:o} after remove");
    }
}

/// A process number that no process has.
const NOBODY: &str = "2147483647";

#[test]
fn what_a_killed_run_left_is_said_and_goes() {
    let workspace = Workspace::new().file("stack.yaml", STACK);
    let before = tree(workspace.path());
    add(&workspace, &["sidecar/tls", "--to", "web"]).success();
    // Killed before its last step.
    workspace.write("stack.yaml", STACK);
    let living = format!(".project.motif-new-{}", std::process::id());
    workspace.write(&format!(".project.motif-new-{NOBODY}/stack.yaml"), "");
    workspace.write(&format!(".removed.motif-new-{NOBODY}/0"), "");
    workspace.write(&format!("{living}/stack.yaml"), "");
    workspace.run(&["check"]).success();
    insta::assert_snapshot!(add(&workspace, &["sidecar/tls", "--to", "web"]), @r"
    ------- stderr -------
    error: `sidecar/tls` was added to the pod `web`, but the stack does not include `motif.sidecar-tls.web.yaml`
    hint: `motif remove sidecar/tls --from web` takes it away; then add it again
    [exit status: 2]
    ");
    remove(&workspace, &["sidecar/tls", "--from", "web"]).success();
    assert!(
        workspace.path().join(&living).exists(),
        "this process may still write it"
    );
    fs::remove_dir_all(workspace.path().join(&living)).unwrap();
    assert_eq!(tree(workspace.path()), before);

    // Where another fragment includes it, it is there.
    workspace.write("stack.yaml", format!("include: [other.yaml]\n{STACK}"));
    workspace.write("other.yaml", "");
    workspace.write(&format!(".project.motif-new-{NOBODY}/stack.yaml"), "");
    add(&workspace, &["sidecar/tls", "--to", "web"]).success();
    assert!(
        !workspace
            .path()
            .join(format!(".project.motif-new-{NOBODY}"))
            .exists()
    );
    workspace.write("stack.yaml", format!("include: [other.yaml]\n{STACK}"));
    workspace.write("other.yaml", "include: [motif.sidecar-tls.web.yaml]\n");
    let output = add(&workspace, &["sidecar/tls", "--to", "web"]).code(2);
    assert!(output.stderr.contains("in the pod `web` already"), "{output}");
}

#[test]
fn a_stack_that_takes_no_line_says_what_it_takes() {
    let flow = "{ stack: shop, pods: { web: { containers: { app: { block: http-echo, ports: { http: 8080 } } } } } }\n";
    let indented = format!("  {}\n", STACK.trim_end().replace('\n', "\n  "));
    for (stack, said) in [
        (flow, "is one mapping in braces"),
        (&*indented, "its keys are indented"),
    ] {
        let workspace = Workspace::new().file("stack.yaml", stack);
        let before = tree(workspace.path());
        let output = add(&workspace, &["sidecar/tls", "--to", "web"]).code(2);
        assert!(output.stderr.contains(said), "{output}");
        assert!(!output.stderr.contains("its `include` list"), "{output}");
        assert_eq!(tree(workspace.path()), before);
        // What the hint says does it.
        assert!(output.stderr.contains("`include: []`"), "{output}");
        let listed = if stack == flow {
            flow.replacen("shop,", "shop, include: [],", 1)
        } else {
            indented.replacen("pods:", "include: []\n  pods:", 1)
        };
        workspace.write("stack.yaml", &listed);
        add(&workspace, &["sidecar/tls", "--to", "web"]).success();
        remove(&workspace, &["sidecar/tls", "--from", "web"]).success();
        assert_eq!(workspace.read("stack.yaml"), listed);
    }
}

#[test]
fn only_what_add_has_is_named() {
    let workspace = Workspace::new().file("stack.yaml", STACK);
    let output = add(&workspace, &["sidecar/tls", "--to", "api", "--defaults"]).code(2);
    assert!(
        output.stderr.contains("give it with `--set app.container=…`\n"),
        "{output}"
    );
    let words = ["ambassador/split", "--to", "web", "--defaults"];
    let output = add(&workspace, &words).code(2);
    assert!(output.stderr.contains("answers can't be used"), "{output}");
    assert!(!output.stderr.contains("--answers"), "{output}");
}

#[test]
fn what_can_not_be_added_leaves_everything_as_it_was() {
    let workspace = Workspace::new().file("stack.yaml", STACK);
    let before = tree(workspace.path());
    let check = |words: &[&str], expect: &[&str]| {
        let output = add(&workspace, words);
        assert_ne!(output.code, 0, "{output}");
        for expect in expect {
            assert!(output.stderr.contains(expect), "{expect}: {output}");
        }
        assert_eq!(tree(workspace.path()), before, "{words:?}");
    };
    check(
        &["sidecar/tls", "--to", "wep"],
        &["the stack has no pod `wep`", "did you mean `web`?"],
    );
    check(
        &["container", "--to", "web"],
        &["can't be added to a pod", "what can be added: `", "`sidecar/tls`"],
    );
    check(&["sidecar/tsl", "--to", "web"], &["did you mean `sidecar/tls`?"]);
    check(
        &["sidecar/tls", "--to", "bare"],
        &["the pod `bare` has no container with a TCP port"],
    );
    check(
        &["sidecar/tls", "--to", "api"],
        &["`app.container` is not answered", "--set app.container="],
    );
    check(
        &["sidecar/tls", "--to", "api", "--defaults"],
        &["`app.container` is not given"],
    );
    check(
        &["sidecar/tls", "--to", "api", "--set", "app.container=second"],
        &["`app.port` is not given"],
    );
    check(
        &["sidecar/tls", "--to", "web", "--set", "app.port=81"],
        &["`app.port`", "8080"],
    );
    check(
        &["sidecar/tls", "--to", "web", "--set", "tls.listen=8080"],
        &["8080", "nothing was written"],
    );
    check(
        &["sidecar/tls", "--to", "web", "--set", "tls.lisen=1"],
        &["did you mean `tls.listen`?"],
    );
}

#[test]
fn what_is_in_the_way_stays() {
    let workspace = Workspace::new()
        .file("stack.yaml", STACK)
        .file("motif.sidecar-tls.web.yaml", "mine");
    let before = tree(workspace.path());
    let output = add(&workspace, &["sidecar/tls", "--to", "web"]).code(2);
    assert!(
        output
            .stderr
            .contains("`motif.sidecar-tls.web.yaml` is there already"),
        "{output}"
    );
    assert_eq!(tree(workspace.path()), before);

    let workspace = Workspace::new().file("stack.yaml", STACK);
    add(&workspace, &["sidecar/tls", "--to", "web"]).success();
    let before = tree(workspace.path());
    insta::assert_snapshot!(add(&workspace, &["sidecar/tls", "--to", "web"]), @r"
    ------- stderr -------
    error: `sidecar/tls` is in the pod `web` already
    hint: `motif remove sidecar/tls --from web` takes it away
    [exit status: 2]
    ");
    assert_eq!(tree(workspace.path()), before);

    let flow = Workspace::new().file(
        "stack.yaml",
        "{ stack: shop, pods: { web: { containers: { app: { block: http-echo, ports: { http: 8080 } } } } } }\n",
    );
    let before = tree(flow.path());
    let output = add(&flow, &["sidecar/tls", "--to", "web"]).code(2);
    assert!(output.stderr.contains("can't include the fragment"), "{output}");
    assert_eq!(tree(flow.path()), before);
}

#[test]
fn a_pattern_that_is_there_in_full_is_not_added_again() {
    let workspace = Workspace::new();
    workspace
        .run(&["new", "sidecar/tls", "shop", "--defaults"])
        .success();
    let before = tree(workspace.path());
    let output = workspace
        .run(&["-C", "shop", "add", "sidecar/tls", "--to", "web"])
        .code(2);
    assert!(
        output.stderr.contains("disagree about `pods.web.containers.tls"),
        "{output}"
    );
    assert_eq!(tree(workspace.path()), before);
}

#[test]
fn what_was_edited_since_is_shown_and_kept() {
    let workspace = Workspace::new().file("stack.yaml", STACK);
    let before = tree(workspace.path());
    add(&workspace, &["sidecar/tls", "--to", "web"]).success();
    let fragment = workspace.path().join("motif.sidecar-tls.web.yaml");
    let written = fs::read_to_string(&fragment).unwrap();
    fs::write(&fragment, written.replace("memory: 128Mi", "memory: 1Gi")).unwrap();
    let edited = tree(workspace.path());
    let output = remove(&workspace, &["sidecar/tls", "--from", "web"]).code(2);
    assert!(
        output.stdout.contains("-        resources: { cpu: 500m, memory: 128Mi }\n+        resources: { cpu: 500m, memory: 1Gi }\n"),
        "{output}"
    );
    assert!(output.stderr.contains("nothing was removed"), "{output}");
    assert_eq!(tree(workspace.path()), edited);
    remove(&workspace, &["sidecar/tls", "--from", "web", "--force"]).success();
    assert_eq!(tree(workspace.path()), before);
}

#[test]
fn the_stack_may_have_changed_in_between() {
    let workspace = Workspace::new().file("stack.yaml", STACK);
    add(&workspace, &["sidecar/tls", "--to", "web"]).success();
    let path = workspace.path().join("stack.yaml");
    let stack = fs::read_to_string(&path)
        .unwrap()
        .replace("http: 8080", "http:   8080");
    fs::write(&path, &stack).unwrap();
    remove(&workspace, &["sidecar/tls", "--from", "web"]).success();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        STACK.replace("http: 8080", "http:   8080")
    );

    // Here the user's own text uses what was added: without it the stack is wrong.
    add(&workspace, &["sidecar/tls", "--to", "web"]).success();
    let stack = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        format!(
            "{stack}services:\n  mine: {{ pod: web, ports: {{ x: {{ port: 1, target: tls-https }} }} }}\n"
        ),
    )
    .unwrap();
    let before = tree(workspace.path());
    let output = remove(&workspace, &["sidecar/tls", "--from", "web"]).code(2);
    assert!(output.stderr.contains("tls-https"), "{output}");
    assert_eq!(tree(workspace.path()), before);
    let output = remove(&workspace, &["sidecar/tls", "--from", "api"]).code(2);
    assert!(
        output.stderr.contains("added were `sidecar/tls` to `web`"),
        "{output}"
    );
}

const PATTERN: &str = "\
summary: A page
version: 1
parameters: {}
add:
  asks: [container]
  parameters:
    page: { type: string, default: hello, help: what it says }
";

fn catalogue() -> Workspace {
    Workspace::new()
        .file("stack.yaml", STACK)
        .file("own/web/page/pattern.yaml", PATTERN)
        .file("own/web/page/files/stack.yaml.tera", "stack: {{ name | stack }}\npods: {}\n")
        .file(
            "own/web/page/add/fragment.yaml.tera",
            "pods:\n  {{ pod }}:\n    volumes:\n      page: { config: {{ folder }}/index.html }\n    containers:\n      {{ app.container }}:\n        mounts: { page: /page }\n",
        )
        .file("own/web/page/add/files/index.html.tera", "{{ page | line }}\n")
        .file("own/web/page/add/files/deep/er.txt", "{{ as it is }}\n")
}

#[test]
fn a_pattern_of_the_users_adds_files_of_its_own() {
    let workspace = catalogue();
    let before = tree(workspace.path());
    let words = [
        "web/page",
        "--to",
        "web",
        "--catalog",
        "own",
        "--set",
        "page=good day",
    ];
    add(&workspace, &words).success();
    let after = tree(workspace.path());
    assert_eq!(after["motif.web-page.web/index.html"], b"good day\n");
    assert_eq!(after["motif.web-page.web/deep/er.txt"], b"{{ as it is }}\n");
    workspace.run(&["check"]).success();
    remove(&workspace, &["web/page", "--from", "web"]).success();
    assert_eq!(tree(workspace.path()), before);
}

#[test]
fn a_pattern_that_adds_wrongly_is_refused_whole() {
    let check = |workspace: &Workspace, expect: &str| {
        let output = add(workspace, &["web/page", "--to", "web", "--catalog", "own"]);
        assert_ne!(output.code, 0, "{output}");
        assert!(output.stderr.contains(expect), "{expect}: {output}");
        assert!(!workspace.path().join(".motif").exists());
    };
    let workspace = catalogue().file("own/web/page/add/stray.txt", "");
    check(&workspace, "would never be read");
    let workspace = catalogue();
    fs::remove_file(workspace.path().join("own/web/page/add/fragment.yaml.tera")).unwrap();
    check(&workspace, "there is no `add/fragment.yaml.tera`");
    let workspace = catalogue().file(
        "own/web/page/add/fragment.yaml.tera",
        "pods: { {{ prod }}: {} }\n",
    );
    check(&workspace, "prod");
    let workspace = catalogue().file("own/web/page/pattern.yaml", "summary: A page\nversion: 1\n");
    check(&workspace, "its folder `add` is never read");
    let workspace = catalogue().file(
        "own/web/page/pattern.yaml",
        PATTERN.replace("container", "contaner"),
    );
    check(&workspace, "did you mean `container`?");
}
