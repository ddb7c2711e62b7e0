//! Broken and hostile files: each ends in a report with its line, never in a panic.

use super::GOOD;
use crate::motif::{Output, Workspace};

#[track_caller]
fn import(text: impl AsRef<[u8]>) -> Output {
    let workspace = Workspace::new().file("all.yaml", text);
    let output = workspace.run(&["import", "all.yaml", "--name", "shop"]);
    assert!(!output.stderr.contains("panicked"), "{output}");
    if output.code == 0 {
        workspace.write("stack.yaml", &output.stdout);
        workspace.run(&["check"]).success();
    } else {
        assert_eq!(output.code, 1, "{output}");
        assert!(output.stdout.is_empty(), "{output}");
    }
    output
}

/// Imports a text beside a good object: the good one is there, and this is said about the other.
#[track_caller]
fn beside(text: &str, expected: &str) {
    for stream in [format!("{GOOD}---\n{text}"), format!("{text}\n---\n{GOOD}")] {
        let output = import(&stream).code(0);
        assert!(output.stderr.contains(expected), "{expected}: {output}");
        assert!(output.stdout.contains("image: nginx:1.27"), "{output}");
        let said = output
            .stderr
            .lines()
            .find(|line| line.contains(expected))
            .unwrap();
        assert!(said.starts_with("warning: all.yaml:"), "{said}");
    }
}

#[test]
fn what_is_broken_is_said_and_the_rest_is_imported() {
    for (text, expected) in [
        ("type: Deployment\napiVersion: apps/v1\n", "all.yaml:"),
        (
            "apiVersion: apps/v1\ntype: Deployment\n",
            "document is dropped: without `kind`",
        ),
        ("kind: Deployment\n", "without `kind` and `apiVersion`"),
        (
            "apiVersion: apps/v1\nkind: Deployement\nmetadata: { name: x }\n",
            "no kind `Deployement` is known",
        ),
        (
            "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: { name: x }\n",
            "Service/x is dropped",
        ),
        (
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: { name: x.y }\n",
            "CustomResourceDefinition/x.y is dropped",
        ),
        ("just a text\n", "expected a mapping"),
        ("- a\n- list\n", "expected a mapping"),
        ("a: [1, 2\nb: c\n", "not YAML"),
        ("\tkind: Pod\n", "without `kind`"),
        ("a: 'x\n", "not YAML"),
        ("? [a]\n: b\n", "a key is a text"),
        ("a: 1\na: 2\n", "stands here twice"),
        ("a: !!binary x\n", "tag"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata:\n  - name: x\n",
            "expected a mapping, found a list",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {}\n",
            "an object has a name",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: { name: x }\nspec: nothing\n",
            "expected a mapping",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: { name: x }\n",
            "nothing to run",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: { name: x }\nspec: { containers: [] }\n",
            "no container that could run",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: { name: x }\nspec: { containers: [{ name: a }] }\n",
            "has no image",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: { name: x }\nspec: { containers: [{ name: a, image: 'No Such' }] }\n",
            "can't name an image",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec: { selector: { app: gone }, ports: [{ port: 80 }] }\n",
            "no pod in the manifest is behind it",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: { name: 0 }\nspec: { selector: { app: web }, ports: [{ port: 0 }] }\n",
            "is dropped",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }\ndata: { a: { b: c } }\n",
            "expected a text, found a mapping",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }\ndata: { a: b }\n",
            "no container in the manifest uses it",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: { name: x, nmae: y }\nspec: { containers: [{ image: a, name: a }] }\n",
            "no field `nmae` is known",
        ),
    ] {
        beside(text, expected);
    }
}

#[test]
fn of_two_objects_of_a_name_the_first_is_taken() {
    let output = import(format!("{GOOD}---\n{}", GOOD.replace("1.27", "1.28"))).code(0);
    assert!(
        output
            .stderr
            .contains("all.yaml:8:13: Deployment/web is dropped: another Deployment"),
        "{output}"
    );
    assert!(output.stderr.contains("stands at all.yaml:3:13"), "{output}");
    assert!(output.stdout.contains("nginx:1.27"), "{output}");
}

#[test]
fn duplicates_in_lists_end_in_a_stack() {
    let output = import(
        "apiVersion: v1
kind: Pod
metadata: { name: \"1\" }
spec:
  containers:
    - { name: a, image: x, ports: [{ containerPort: 80, name: a }, { containerPort: 80, name: a }] }
    - { name: a, image: x, ports: [{ containerPort: 80, name: a }, { containerPort: 99999 }] }
    - { image: x, env: [{ name: A, value: on }, { name: A, value: 012 }, { name: 'a=b', value: 1 }] }
",
    )
    .code(0);
    assert!(output.stdout.contains("A: \"012\""), "{output}");
    assert!(output.stdout.contains("ports: { a: 80 }"), "{output}");
    assert!(
        output.stderr.contains("`a` is called `a-2` in the stack"),
        "{output}"
    );
}

#[test]
fn what_other_tools_write_is_read() {
    let json = r#"{ "apiVersion": "v1", "kind": "List", "items": [{ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "x", }, "spec": { "containers": [{ "name": "a", "image": "nginx", },], }, },], }"#;
    assert!(import(json).code(0).stdout.contains("image: nginx"));
    let tabs = json.replace(", ", ",\n\t");
    assert!(import(tabs).code(0).stdout.contains("image: nginx"));
    assert!(
        import(GOOD.replace('\n', "\r\n"))
            .code(0)
            .stdout
            .contains("image: nginx:1.27")
    );
    assert!(
        import(format!("\u{feff}{GOOD}"))
            .code(0)
            .stdout
            .contains("image: nginx:1.27")
    );
    let framed = format!("# a comment\n%YAML 1.2\n---\n{GOOD}...\n---\n---\n# nothing\n...\n");
    let output = import(framed).code(0);
    assert_eq!(output.stderr, "", "{output}");
}

#[test]
fn nothing_usable_is_a_failure_with_a_report() {
    for text in ["", "---\n---\n", "# nothing\n", "\u{feff}", "kind: [\n", "on\n"] {
        let output = import(text).code(1);
        assert!(
            output
                .stderr
                .contains("error: nothing in `all.yaml` can be made a stack of"),
            "{output}"
        );
    }
    let output = import(b"kind: \xff\n").code(1);
    assert!(
        output
            .stderr
            .contains("all.yaml:1:7: document is dropped: the file is not UTF-8 text"),
        "{output}"
    );
}

#[test]
fn strictness_is_a_failure() {
    let workspace = Workspace::new().file("all.yaml", format!("{GOOD}---\na: b\n"));
    let output = workspace
        .run(&["import", "all.yaml", "--strict", "-o", "stack.yaml"])
        .code(1);
    assert!(output.stderr.contains("1 field isn't kept"), "{output}");
    assert!(!workspace.path().join("stack.yaml").exists());
}

#[test]
fn exhausting_files_end_in_a_report() {
    let laughs = (0..10).fold(String::from("a0: &a0 [x, x]\n"), |text, index| {
        format!(
            "{text}a{}: &a{} [{}]\n",
            index + 1,
            index + 1,
            format!("*a{index}, ").repeat(9)
        )
    });
    let bombs = format!("{laughs}---\n").repeat(2000);
    for (text, expected) in [
        (laughs, "holds too much"),
        (bombs, "holds too much"),
        ("[".repeat(100_000), "recursion limit"),
        ("- ".repeat(100_000), "nested too deeply"),
        ("x".repeat((4 << 20) + 1), "too large"),
        ("---\n".repeat(500_000), "nothing in `all.yaml`"),
        ("a: b\n---\n".repeat(5000), "without `kind`"),
    ] {
        let output = import(text).code(1);
        assert!(
            output.stderr.contains(expected),
            "{expected}: {}",
            &output.stderr[..output.stderr.len().min(2000)]
        );
    }
    let workspace = Workspace::new();
    let file = std::fs::File::create(workspace.path().join("all.yaml")).unwrap();
    file.set_len(100 << 20).unwrap();
    let output = workspace.run(&["import", "all.yaml"]).code(1);
    assert!(
        output
            .stderr
            .contains("all.yaml:1:1: document is dropped: the file is too large"),
        "{output}"
    );
}

/// A pod `web`, the services `db` with one port and `api` with two, and policies of `web`.
fn with_policies(specs: &[&str]) -> Output {
    let mut text = String::new();
    for (name, ports) in [("web", "5"), ("db", "5432"), ("api", "80, 81")] {
        let ports: Vec<&str> = ports.split(", ").collect();
        let inner: Vec<String> = ports
            .iter()
            .map(|port| format!("{{ name: p{port}, containerPort: {port} }}"))
            .collect();
        text += &format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{ name: {name}, labels: {{ app: {name} }} }}\nspec: {{ containers: [{{ name: a, image: x, ports: [{}] }}] }}\n---\n",
            inner.join(", ")
        );
        let inner: Vec<String> = ports
            .iter()
            .map(|port| format!("{{ name: p{port}, port: {port} }}"))
            .collect();
        if name != "web" {
            text += &format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{ name: {name} }}\nspec: {{ selector: {{ app: {name} }}, ports: [{}] }}\n---\n",
                inner.join(", ")
            );
        }
    }
    for (index, spec) in specs.iter().enumerate() {
        text += &format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{ name: n{index} }}\nspec: {{ {spec} }}\n---\n"
        );
    }
    import(text).code(0)
}

#[test]
fn a_policy_restricts_what_it_is_about_and_no_less() {
    const WEB: &str = "podSelector: { matchLabels: { app: web } }, policyTypes: [Egress]";
    let rule = |rule: &str| format!("{WEB}, egress: [{rule}]");
    let to_db = rule("{ to: [{ podSelector: { matchLabels: { app: db } } }] }");
    let open = rule("{}");
    for (specs, egress, said) in [
        (vec![WEB.to_owned(), to_db.clone()], Some("[db]"), ""),
        (vec![to_db.clone(), WEB.to_owned()], Some("[db]"), ""),
        (vec![open.clone(), to_db.clone()], None, ""),
        (vec![to_db, open], None, ""),
        (
            vec![
                "podSelector: { matchExpressions: [{ key: app, operator: Exists }] }, policyTypes: [Egress]"
                    .to_owned(),
            ],
            None,
            "n0.spec.podSelector.matchExpressions is dropped",
        ),
        (
            vec![rule(
                "{ to: [{ podSelector: { matchExpressions: [{ key: app, operator: Exists }] } }] }",
            )],
            Some("[]"),
            "matchExpressions is dropped",
        ),
        (
            vec![rule("{ to: [{ podSelector: { matchLabels: {} } }] }")],
            Some("[db, api]"),
            "",
        ),
        (vec![rule("{ to: [{ podSelector: {} }] }")], Some("[db, api]"), ""),
        (
            vec![rule(
                "{ to: [{ podSelector: { matchLabels: { app: api } } }], ports: [{ port: p80 }] }",
            )],
            Some("[api]"),
            "`api` may be dialled on all of its ports",
        ),
        (
            vec![rule("{ ports: [{ port: https }] }")],
            Some("[]"),
            "a network has none",
        ),
        (
            vec![rule("{ ports: [{ port: 9, protocol: SCTP }] }")],
            Some("[]"),
            "TCP or UDP",
        ),
        (
            vec![rule(
                "{ to: [{ ipBlock: { cidr: 10.0.0.0/8, except: [10.1.0.0/16] } }], ports: [{ port: 1, endPort: 9 }] }",
            )],
            Some("[10.0.0.0/8]"),
            "except is approximated",
        ),
        (
            vec![rule(
                "{ to: [{ podSelector: { matchLabels: { app: db } } }], ports: [{ port: 1 }] }",
            )],
            Some("[]"),
            "no service in front of `db` has such a port",
        ),
        (
            vec![format!("{WEB}, egres: [{{}}]")],
            Some("[]"),
            "no field `egres` is known",
        ),
        (
            vec!["podSelector: { matchLabels: { app: web } }, ingress: []".to_owned()],
            None,
            "",
        ),
    ] {
        let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
        let output = with_policies(&specs);
        let found = output
            .stdout
            .lines()
            .find_map(|line| line.trim().strip_prefix("egress: "));
        assert_eq!(found, egress, "{specs:?}: {output}");
        assert!(output.stderr.contains(said), "{said}: {output}");
    }
}

#[test]
fn what_a_container_or_job_asks_for_in_vain_is_said() {
    for (text, expected) in [
        (
            "apiVersion: v1\nkind: Pod\nmetadata: { name: x }\nspec: { containers: [{ name: a, image: x, ports: [{ containerPort: 1, hostPort: 1 }] }] }\n",
            "hostPort is dropped",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: { name: x }\nspec: { containers: [{ name: a, image: x, livenessProbe: { httpGet: { port: 1, host: a } } }] }\n",
            "host is dropped",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: { name: x }\nspec: { containers: [{ name: a, image: x, livenessProbe: { tcpSocket: { port: 1, host: a } } }] }\n",
            "host is dropped",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: { name: x }\nspec: { containers: [{ name: a, image: x, ports: [{ containerPort: 1, name: p }, { containerPort: 2, name: p }] }] }\n",
            "`p` is called `p-2`",
        ),
        (
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: { name: x }\nspec: { schedule: '@never', jobTemplate: { spec: { template: { spec: { containers: [{ name: a, image: x }] } } } } }\n",
            "CronJob/x.spec.schedule is dropped",
        ),
        (
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: { name: x }\nspec: { schedule: 'TZ=Europe/Berlin 0 3 * * *', jobTemplate: { spec: { template: { spec: { containers: [{ name: a, image: x }] } } } } }\n",
            "the hours of `Europe/Berlin`",
        ),
    ] {
        beside(text, expected);
    }
}

/// Imports services beside a good one; what is said, and the stack.
#[track_caller]
fn compose(services: &str, said: &str, written: &str) {
    let output = import(format!("services:\n  good: {{ image: nginx:1.27 }}\n{services}")).code(0);
    assert!(output.stdout.contains("image: nginx:1.27"), "{output}");
    assert!(output.stderr.contains(said), "{said}: {output}");
    assert!(output.stdout.contains(written), "{written}: {output}");
}

#[test]
fn what_compose_would_choose_or_refuse_is_said() {
    for (services, said, written) in [
        (
            "  a: { image: x, ports: ['8080-8081:80'] }\n",
            "services.a.ports is approximated: port 80 is published at `0.0.0.0:8080`",
            "publish: { http: \"0.0.0.0:8080\" }",
        ),
        (
            "  a: { image: x, network_mode: 'service:b' }\n  b: { image: x, network_mode: 'service:a' }\n",
            "all.yaml:3:3: services.a.network_mode is dropped: none of them has a network",
            "good:",
        ),
        (
            "  a: { image: x, network_mode: 'service:a' }\n",
            "services.a.network_mode is dropped: none of them has a network",
            "good:",
        ),
        (
            "  a: { image: x, configs: [c] }\nconfigs: { c: { content: text } }\n",
            "services.a.configs is dropped: a volume is a folder, and none can be in the place of the root",
            "image: x",
        ),
        (
            "  a: { image: x, secrets: [{ source: c, target: /c }] }\nsecrets: { c: { file: ./c } }\n",
            "services.a.secrets is dropped: a volume is a folder, and none can be in the place of the root",
            "image: x",
        ),
        (
            "  a: { image: x, environment: { A: 'a${B:+c}d' } }\n",
            "environment.A is approximated: what is there with `B` isn't",
            "env: { A: ad }",
        ),
        (
            "  a: { image: x, working_dir: '/${B:?no}' }\n",
            "working_dir is approximated: `${B}` has to be given to Compose, and is empty",
            "directory: /",
        ),
        (
            "  a: { image: x, environment: { A: 010, B: 1.0, C: True, D: '1.0', E: yes } }\n",
            "",
            "env: { A: \"8\", B: \"1\", C: \"true\", D: \"1.0\", E: \"yes\" }",
        ),
        (
            "  a: { image: x, environment: [A=010, B=True] }\n",
            "",
            "env: { A: \"010\", B: \"True\" }",
        ),
    ] {
        compose(services, said, written);
    }
}

#[test]
fn a_variable_that_compose_demands_has_to_be_given() {
    let workspace = Workspace::new().file(
        "all.yaml",
        "services: { a: { image: 'x:${TAG?}', environment: { A: '${LEVEL:-info} ${PASS:?set it}', B: '${PASS:-no}' } } }\n",
    );
    let output = workspace.run(&["import", "all.yaml", "--name", "shop"]).success();
    for said in [
        "all.yaml:1:18: services.a.image is approximated: `TAG` is a parameter that has to be given",
        "environment.A is approximated: `PASS` is a parameter that has to be given",
        "environment.A is approximated: `LEVEL` is a parameter\n",
    ] {
        assert!(output.stderr.contains(said), "{said}: {output}");
    }
    for line in [
        "  LEVEL: { type: string, default: info }\n",
        "  PASS: { type: string, help: set it }\n",
        "  TAG: { type: string }\n",
        "image: \"x:${TAG}\"",
    ] {
        assert!(output.stdout.contains(line), "{line}: {output}");
    }
    workspace.write("stack.yaml", &output.stdout);
    let check = workspace.run(&["check"]).code(1);
    assert!(
        check.stderr.contains("the parameter `PASS` has no value"),
        "{check}"
    );
    workspace
        .run(&["check", "--set", "PASS=a", "--set", "TAG=1"])
        .success();
}

/// A pod `x` with a port, whose container has this, and whose spec has that.
fn pod(container: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: x, labels: {{ app: x }} }}\nspec: {{ containers: [{{ name: a, image: x, ports: [{{ containerPort: 80, name: http }}], {container} }}], {spec} }}\n"
    )
}

#[test]
fn what_stands_deep_inside_an_object_is_said() {
    const SCALED: &str = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: web }\nspec: { maxReplicas: 3, scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web";
    const INGRESS: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: n }\nspec: { podSelector: { matchLabels: { app: web } }, ingress: [{ from: [";
    const EGRESS: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: n }\nspec: { podSelector: { matchLabels: { app: web } }, policyTypes: [Egress], egress: [{ to: [";
    let cpu = |more: &str| {
        format!(
            "{SCALED} }}, metrics: [{{ type: Resource, resource: {{ name: cpu, target: {{ type: Utilization, averageUtilization: 70 }} }} }}, {more}] }}\n"
        )
    };
    for (text, expected) in [
        (
            GOOD.replace(
                "name: web }\nspec: {",
                "name: x }\nspec: { updateStrategy: { type: OnDelete },",
            ),
            "Deployment/x.spec.updateStrategy is dropped: no field `updateStrategy` is known",
        ),
        (
            format!("{SCALED}, nmae: web }} }}\n"),
            "HorizontalPodAutoscaler/web.spec.scaleTargetRef.nmae is dropped: no field `nmae` is known",
        ),
        (
            cpu("{ type: Resource, resource: { name: memory, targt: {} }, resorce: { name: x } }"),
            "metrics[1].resorce is dropped: no field `resorce` is known",
        ),
        (
            cpu("{ type: Resource, resource: { name: memory, target: { averageUtilization: 5, tpye: x } } }"),
            "metrics[1].resource.target.tpye is dropped: no field `tpye` is known",
        ),
        (
            cpu("{ type: Resource, resource: { name: memory, target: { averageValue: 500Mi } } }"),
            "metrics[1].resource.target.averageValue is dropped: what is used is measured in percent",
        ),
        (
            cpu("{ type: Pods, pods: { metric: { name: requests } } }"),
            "metrics[1].pods is dropped: replicas are added by what all containers of a pod use",
        ),
        (
            format!("{INGRESS}{{ podSelctor: {{}} }}] }}] }}\n"),
            "NetworkPolicy/n.spec.ingress[0].from[0].podSelctor is dropped: no field `podSelctor` is known",
        ),
        (
            format!("{INGRESS}{{ podSelector: {{ matchLabel: {{ a: b }} }} }}] }}] }}\n"),
            "from[0].podSelector.matchLabel is dropped: no field `matchLabel` is known",
        ),
        (
            format!("{INGRESS}{{ ipBlock: {{ cidr: 10.0.0.0/8, excpt: [x] }} }}] }}] }}\n"),
            "from[0].ipBlock.excpt is dropped: no field `excpt` is known",
        ),
        (
            format!("{EGRESS}{{ namespaceSelector: {{ matchLabel: {{ a: b }} }} }}] }}] }}\n"),
            "to[0].namespaceSelector.matchLabel is dropped: no field `matchLabel` is known",
        ),
        (
            format!("{EGRESS}{{ podSelctor: {{ a: b }} }}] }}] }}\n"),
            "to[0].podSelctor is dropped: no field `podSelctor` is known",
        ),
    ] {
        beside(&text, expected);
    }
}

#[test]
fn ports_paths_and_bytes_that_a_stack_has_no_place_for_are_said() {
    let service = |ports: &str| {
        format!(
            "{}---\napiVersion: v1\nkind: Service\nmetadata: {{ name: x }}\nspec: {{ selector: {{ app: x }}, ports: [{ports}] }}\n",
            pod("", "")
        )
    };
    let config = |data: &str| {
        format!(
            "{}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: c }}\n{data}\n",
            pod(
                "volumeMounts: [{ name: c, mountPath: /c }]",
                "volumes: [{ name: c, configMap: { name: c } }]"
            )
        )
    };
    let mounted = |mounts: &str, volume: &str| {
        pod(
            &format!("volumeMounts: [{mounts}]"),
            &format!("volumes: [{{ name: v, {volume} }}]"),
        )
    };
    for (text, expected) in [
        (
            service("{ name: http, port: 80 }, { name: http, port: 81 }"),
            "Service/x.spec.ports[http] is approximated: `http` is called `http-2` in the stack",
        ),
        (
            service("{ name: http, port: 80 }, { name: more, port: 80 }"),
            "Service/x.spec.ports[more] is dropped: a service has one port of a number",
        ),
        (
            config("binaryData: { a: '/w==', b: eA== }"),
            "ConfigMap/c.binaryData.a is dropped: a stack's inline files are texts",
        ),
        (
            config("binaryData: { a: 'eA!', b: eA== }"),
            "ConfigMap/c.binaryData.a is dropped: expected base64",
        ),
        (
            mounted(
                "{ name: v, mountPath: /v, subPath: data }",
                "persistentVolumeClaim: { claimName: c }",
            ),
            "volumeMounts[v] is approximated: a claim is mounted whole",
        ),
        (
            mounted(
                "{ name: v, mountPath: /v, subPath: one }, { name: v, mountPath: /w, subPath: two }",
                "emptyDir: {}",
            ),
            "volumeMounts[v] is approximated: a volume of its own; files aren't shared",
        ),
        (
            mounted(
                "{ name: v, mountPath: /v, subPath: data }",
                "secret: { secretName: s }",
            ),
            "volumeMounts[v] is dropped: a volume is a folder, and none can be in the place of the root",
        ),
    ] {
        beside(&text, expected);
    }
    let output = import(config("binaryData: { a: 'eMO8Cg==' }\ndata: { b: c }")).code(0);
    assert!(
        output.stdout.contains("conf") && output.stdout.contains("xü"),
        "{output}"
    );
    assert_eq!(output.stderr, "", "{output}");
    let absent = config("data: { b: c }").replace("mountPath: /c", "mountPath: /etc/c, subPath: absent");
    beside(&absent, "volumeMounts[c] is dropped: it has no file `absent`");
}
