//! Charts: Helm makes the objects of them that an export with the same values makes.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::targets::{by_name, helm, read, rendered_chart};
use crate::motif::{Output, Workspace};

const IMAGES: &[&str] = &["--registry", "registry.example/team", "--tag", "1.0"];

fn stack() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stacks/chart")
}

fn export(workspace: &Workspace, arguments: &[&str]) -> Output {
    let folder = stack();
    let words = [
        &["-C", folder.to_str().unwrap(), "export", "kubernetes"],
        arguments,
        IMAGES,
    ]
    .concat();
    workspace.run(&words)
}

/// A chart of the stack with a parameter of every kind.
fn chart(workspace: &Workspace) -> PathBuf {
    let path = workspace.path().join("chart");
    export(workspace, &["--helm", "-o", path.to_str().unwrap()]).success();
    path
}

#[test]
fn helm_makes_what_an_export_with_the_same_values_makes() {
    let workspace = Workspace::new();
    let chart = chart(&workspace);
    let cases = [
        json!({}),
        json!({ "replicas": 4, "shards": 1, "image": "a/b:2", "mode": "safe", "debug": true }),
        json!({ "replicas": 2, "debug": true, "listen": 80, "memory": "1Gi", "path": "/a b\"c" }),
        json!({ "text": "x$(Y)z$$ \"q\" \\ '\n{{ .Values }} ü\t", "interval": " : # ", "app.level": "debug" }),
        json!({ "grace": "1d", "every": "500ms", "cpu": "97m", "ratio": 0.25, "scale": 0.00001, "mode": "a \"b\"" }),
        json!({ "grace": "1m30s500ms", "every": "2h", "ratio": 1, "listen": 65535, "text": "", "shards": 1000 }),
        json!({ "a": "$", "b": "$", "path": "/x//y/", "sign": "$", "Table": "t", "images.tag": "t" }),
        json!({ "a": "x$", "b": "$($($(", "sign": "(", "text": "$$$" }),
        json!({ "a": "$", "b": "(Y)", "sign": "$", "text": "$($($(X) $" }),
        json!({ "a": "", "b": "(", "text": "$" }),
        json!({ "a": "$", "b": "é$", "text": "$é$ü$(" }),
        json!({ "text": "no", "interval": "1e3", "listen": 1023, "replicas": 1000, "scale": 12_345_678.5, "path": "/$$" }),
    ];
    let mut paths = Vec::new();
    let mut expected = Vec::new();
    for (number, values) in cases.iter().enumerate() {
        let path = workspace.path().join(format!("{number}.yaml"));
        fs::write(&path, rendered_chart(&chart, values)).unwrap();
        paths.push(path);
        let sets: Vec<String> = values
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                let text = match value {
                    Value::String(text) => text.clone(),
                    // Without an exponent.
                    value if value.is_f64() => value.as_f64().unwrap().to_string(),
                    value => value.to_string(),
                };
                format!("--set={name}={text}")
            })
            .collect();
        let mut words = vec!["--format", "json"];
        words.extend(sets.iter().map(String::as_str));
        let list: Value = serde_json::from_str(&export(&workspace, &words).success().stdout).unwrap();
        expected.push(list["items"].as_array().unwrap().clone());
    }
    for ((found, expected), values) in read(&paths).into_iter().zip(expected).zip(cases) {
        assert_eq!(by_name(found), by_name(expected), "{values}");
    }

    // A file that a value changed changes the pods.
    let hash = |values: &Value| {
        let text = rendered_chart(&chart, values);
        let line = text.lines().find(|line| line.contains("motif.dev/config-hash"));
        line.unwrap().to_owned()
    };
    assert_ne!(hash(&json!({})), hash(&json!({ "shards": 7 })));
    assert_eq!(hash(&json!({})), hash(&json!({ "listen": 7 })));

    // What the stack refuses, the chart refuses.
    for values in [
        json!({ "replicas": 0 }),
        json!({ "replicas": 1001 }),
        json!({ "replicas": "2" }),
        json!({ "shards": 1.5 }),
        json!({ "mode": "slow" }),
        json!({ "debug": "yes" }),
        json!({ "grace": "30" }),
        json!({ "memory": "64MB" }),
        json!({ "ratio": 2 }),
        json!({ "listen": 65536 }),
        json!({ "app.level": "Debug" }),
        json!({ "path": "" }),
        json!({ "image": "a b" }),
        json!({ "replica": 2 }),
        json!({ "images": { "registry": "https://x y" } }),
    ] {
        let path = workspace.path().join("values.json");
        fs::write(&path, values.to_string()).unwrap();
        let mut command = helm();
        command.args(["template", "x"]).arg(&chart).arg("-f").arg(&path);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains("schema"),
            "{values}: {said}"
        );
    }

    let lint = helm().arg("lint").arg("--strict").arg(&chart).output().unwrap();
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
}

/// A stack whose parameters may make other things than the values do that are tried.
const FIXED: &str = "
stack: shop
parameters:
  bind: { type: string, default: 127.0.0.1 }
  version: { type: string, default: '1' }
  uid: { type: string, default: '1000' }
  user: { type: choice, choices: ['1000', '0010', '1000:2000', '0'], default: '1000' }
  level: { type: choice, choices: [restricted, baseline], default: restricted }
  data: { type: string, default: /data }
  key: { type: string, default: a }
  images: { type: string, default: x }
  global: { type: string, default: x }
pods:
  web:
    egress: []
    containers:
      app: { image: 'nginx:1.27', user: '${uid}', ports: { http: 8080 }, env: { X: '${images}${global}' } }
      side: { image: 'nginx:1.27', user: '${user}', security: '${level}', directory: '${data}', mounts: { x: '${data}' } }
      own: { build: { context: own, args: { VERSION: '${version}' } }, user: 101 }
    volumes: { x: { config: { file: y } } }
secrets: { s: { files: { k: 'places/${key}' } } }
services:
  web: { pod: web, ports: { http: 8080 }, publish: { http: '${bind}:8080' } }
";

#[test]
fn what_may_have_another_effect_with_another_value_is_fixed() {
    let workspace = Workspace::new()
        .file("own/Dockerfile", "FROM scratch\n")
        .file("stack.yaml", FIXED);
    let words = [&["export", "kubernetes", "--helm", "-o", "chart"], IMAGES].concat();
    let output = workspace.run(&words).success();
    let lines = output.stderr.lines();
    let said: Vec<&str> = lines
        .filter_map(|line| Some(line.split_once(": parameters.")?.1))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    bind is approximated: it is fixed at `127.0.0.1` in the chart: `ingress-web` has no template for it
    version is approximated: it is fixed at `1` in the chart: no object depends on it with the values that were tried, but with another one may
    uid is approximated: it is fixed at `1000` in the chart: `spec.template.spec.containers.0.securityContext.runAsUser` of `deployment-web` has no template for it
    data is approximated: it is fixed at `/data` in the chart: `spec.template.spec.containers.1.volumeMounts` of `deployment-web` has no template for it
    key: no object depends on it, so the chart doesn't ask for it
    images is approximated: it is fixed at `x` in the chart: the chart has `images.registry` and `images.tag` under this name
    global is approximated: it is fixed at `x` in the chart: Helm itself gives every chart the value `global`
    ");
    for user in ["0010", "1000:2000"] {
        let objects = |name: &str, text: String| {
            let path = workspace.path().join(name);
            fs::write(&path, text).unwrap();
            by_name(read(&[path]).remove(0))
        };
        let rendered = rendered_chart(&workspace.path().join("chart"), &json!({ "user": user }));
        let set = format!("user={user}");
        let words = [&["export", "kubernetes", "--set", &set], IMAGES].concat();
        let exported = workspace.run(&words).success().stdout;
        assert_eq!(objects("found", rendered), objects("expected", exported));
    }
    // What the stack refused when it was tried has no template, whatever else is chosen.
    let mut command = helm();
    command.args([
        "template",
        "x",
        "chart",
        "--set=level=baseline",
        "--set-string=user=0",
    ]);
    let output = command.current_dir(workspace.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("schema"), "{said}");
}

/// A stack whose parameters make nothing that a template could.
pub fn stack_without_templates() -> Workspace {
    Workspace::new().file("a", "one\n").file("no", "two: 2\n").file(
        "stack.yaml",
        "
stack: shop
parameters:
  file: { type: string, default: a }
  only: { type: choice, choices: [one], default: one }
  large: { type: integer, default: 9007199254740993 }
  port: { type: port, default: 80 }
  replicas: { type: integer, default: 1 }
pods:
  web:
    replicas: ${replicas}
    containers:
      app:
        image: 'nginx:1.27'
        user: 101
        env: { ONLY: '${only}', LARGE: '${large}' }
        ports: { http: 8080 }
        mounts: { conf: /conf }
    volumes: { conf: { config: '${file}' } }
services:
  web: { pod: web, ports: { http: 8080 }, publish: { http: '${port}' } }
",
    )
}

#[test]
fn what_has_no_template_is_fixed_and_said() {
    let workspace = stack_without_templates();
    let output = workspace
        .run(&["export", "kubernetes", "--helm", "-o", "chart"])
        .success();
    insta::assert_snapshot!(output, @r"
    ------- stderr -------
    warning: stack.yaml:4:3: parameters.file is approximated: it is fixed at `a` in the chart: `data` of `configmap-web-conf` has no template for it
      export again with `--set file=…` for another value
    warning: stack.yaml:5:3: parameters.only is approximated: it is fixed at `one` in the chart: the stack takes none of the other values that were tried
      export again with `--set only=…` for another value
    warning: stack.yaml:6:3: parameters.large is approximated: it is fixed at `9007199254740993` in the chart: Helm keeps no whole number beyond 9007199254740991
      export again with `--set large=…` for another value
    stack.yaml:7:3: parameters.port: no object depends on it, so the chart doesn't ask for it
      nothing is left to do
    stack.yaml:10:3: pods.web.egress: `web` may dial anything
      declare what each dials: `egress: [service, internet:443]`, or `[]` for nothing
    warning: stack.yaml:21:29: services.web.publish.http is dropped: port 8080 isn't published on this machine; inside the cluster every pod may dial it
      kubectl port-forward service/web 80:8080
    wrote 9 files to chart
    ");
    let values = workspace.read("chart/values.yaml");
    assert!(
        values.ends_with("replicas: 1\n") && !values.contains("file"),
        "{values}"
    );
    let chart = ["export", "kubernetes", "--helm", "-o", "chart"];
    let check = [&chart[..], &["--check"]].concat();
    assert_eq!(workspace.run(&check).success().stdout, "");
    let strict = ["export", "kubernetes", "--helm", "-o", "chart", "--strict"];
    workspace.run(&strict).code(1);
    let chosen = [
        "export",
        "kubernetes",
        "--helm",
        "-o",
        "chart",
        "--set",
        "file=no",
    ];
    workspace.run(&chosen).success();
    assert!(
        workspace
            .read("chart/templates/configmap-web-conf.yaml")
            .contains("two: 2")
    );
    workspace.run(&check).code(1);
    workspace.write("chart/values.yaml", "replicas: 3\n");
    let refused = workspace.run(&chart).code(1);
    assert!(refused.stderr.contains("isn't from an export"), "{refused}");
}

#[test]
fn a_template_that_is_no_longer_made_is_only_to_be_removed() {
    let workspace = stack_without_templates();
    let words = ["export", "kubernetes", "--helm", "-o", "chart"];
    workspace.run(&words).success();
    let text = workspace.read("stack.yaml").replace(
        "volumes: { conf: { config: '${file}' } }",
        "volumes: { conf: { empty: {} } }",
    );
    workspace.write("stack.yaml", text);
    let output = workspace.run(&words).success();
    let said = "warning: `chart/templates/configmap-web-conf.yaml` is from an earlier export, and the stack no longer has it
  remove it here; the next `helm upgrade` removes from the cluster what it made\n";
    assert!(output.stderr.contains(said), "{output}");
}
