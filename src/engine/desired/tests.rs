use insta::assert_snapshot;

use super::*;
use crate::stack::{MemoryFiles, Options, load};

const DIGEST: &str = "sha256:0123456789abcdef";

fn image(user: &str) -> Image {
    Image {
        name: "app:1".to_owned(),
        id: DIGEST.to_owned(),
        user: user.to_owned(),
        ..Image::default()
    }
}

fn stack(text: &str) -> Stack {
    let files = MemoryFiles(BTreeMap::from([
        (
            "stack.yaml".to_owned(),
            format!("stack: shop\n{text}").into_bytes(),
        ),
        ("x/Dockerfile".to_owned(), b"FROM scratch\n".to_vec()),
    ]));
    let loaded = load(&files, "stack.yaml", &Options::default());
    loaded.unwrap_or_else(|problems| panic!("{problems:?}")).stack
}

fn desired(text: &str, user: &str) -> Result<Desired, Vec<Error>> {
    scaled(text, user, &BTreeMap::new())
}

fn scaled(text: &str, user: &str, scale: &BTreeMap<String, u32>) -> Result<Desired, Vec<Error>> {
    let stack = stack(text);
    let containers = stack.pods().iter().flat_map(|pod| {
        let containers = pod.spec.containers.iter();
        containers.map(|container| ((pod.name.clone(), container.name.clone()), image(user)))
    });
    let surroundings = Surroundings {
        watches: false,
        knows_programs: true,
        images: &containers.collect(),
        block_image: &image("65532:65532"),
        scale,
    };
    desire(&stack, &surroundings)
}

/// Every container with its fields, and every volume.
#[track_caller]
fn told(text: &str, user: &str) -> String {
    let desired = desired(text, user).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut lines = Vec::new();
    for container in desired.replicas.iter().flat_map(|replica| &replica.containers) {
        lines.push(format!("{} ({})", container.name, container.role.as_str()));
        for (name, value) in container.fields() {
            lines.push(format!("  {name}: {value}"));
        }
    }
    for (name, volume) in &desired.volumes {
        let owner = volume.owner.map(|owner| owner.uid);
        lines.push(format!("volume {name}: {} of {owner:?}", volume.content.kind()));
    }
    lines.join("\n")
}

#[track_caller]
fn refused(text: &str, user: &str) -> String {
    let errors = desired(text, user).unwrap_err();
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_lone_container_is_its_own_network_owner() {
    assert_snapshot!(told(
        "
pods:
  web:
    containers:
      app:
        image: app:1
        env: { PORT: '8080' }
        ports: { http: 8080 }
        ready: { http: /readyz, port: http, every: 5s }
        resources: { cpu: 250m, memory: 64Mi }
services:
  web: { pod: web, ports: { http: 8080 }, publish: { http: 8080 } }
",
        "101"
    ), @r#"
    shop-web-0 (main)
      all capabilities dropped: yes
      cpu: 250m
      env PORT: "8080"
      grace: 30s
      health check: /.motif/motif block probe http --port 8080 --path /readyz --timeout 1s every 5s within 3s, 3 failures, start 0s
      hostname: web-0
      image: app:1@0123456789ab
      memory: 64Mi
      mount /tmp: tmpfs of 64Mi
      names: pods.web web web-0 web-0.web
      published port 8080: 127.0.0.1:8080
      read-only root: yes
      restart: always
    "#);
}

#[test]
fn a_pod_of_several_has_infra_and_starts_in_order() {
    assert_snapshot!(told(
        "
pods:
  web:
    containers:
      app: { image: 'app:1', user: 1234, mounts: { certs: /certs, scratch: /tmp } }
      prepare: { image: 'app:1', role: init, user: 1234, mounts: { scratch: /scratch } }
      log: { image: 'app:1', role: sidecar, user: 1234, startup: { exec: [ok] }, mounts: { own: /own } }
    volumes: { certs: { secret: tls }, scratch: empty, own: { tmpfs: { size: 1Mi } } }
    shareProcesses: true
    hostname: shop
secrets:
  tls: { certificate: [localhost] }
",
        "root"
    ), @r"
    shop-web-0 (infra)
      all capabilities dropped: yes
      args: pause
      grace: 10s
      hostname: shop
      names: web-0
      read-only root: yes
      restart: never
      shared processes: yes
      user: 65532:65532
    shop-web-0-prepare (init)
      all capabilities dropped: yes
      grace: 30s
      image: app:1@0123456789ab
      mount /scratch: shop-web-0-scratch
      mount /tmp: tmpfs of 64Mi
      network of the pod: yes
      read-only root: yes
      restart: never
      shared processes: yes
      user: 1234:1234
    shop-web-0-log (sidecar)
      all capabilities dropped: yes
      grace: 30s
      health check: ok every 10s within 3s, 3 failures, start 30s
      image: app:1@0123456789ab
      mount /.motif-restarts: shop-web-0-log.restarts
      mount /own: tmpfs of 1Mi
      mount /tmp: tmpfs of 64Mi
      network of the pod: yes
      read-only root: yes
      restart: always
      shared processes: yes
      startup probe: ok every 10s within 1s, 3 failures, start 0s
      user: 1234:1234
    shop-web-0-app (main)
      all capabilities dropped: yes
      grace: 30s
      image: app:1@0123456789ab
      mount /certs: shop-web-certs read only
      mount /tmp: shop-web-0-scratch
      network of the pod: yes
      read-only root: yes
      restart: always
      shared processes: yes
      user: 1234:1234
    volume shop-web-0-log.restarts: empty of Some(1234)
    volume shop-web-0-scratch: empty of Some(1234)
    volume shop-web-certs: secret of Some(1234)
    ");
}

#[test]
fn several_replicas_stand_behind_a_proxy() {
    assert_snapshot!(told(
        "
pods:
  web:
    replicas: 2
    stable: true
    containers:
      app:
        image: app:1
        ports: { https: 8443, admin: 9901 }
        ready: { http: /readyz, port: admin, scheme: https, every: 10s, timeout: 500ms }
        mounts: { data: /data }
    volumes: { data: { claim: 1Gi } }
services:
  web: { pod: web, ports: { https: { port: 443, target: https }, admin: 9901 }, publish: { https: 8443 }, affinity: client }
",
        "101"
    ), @r#"
    shop-web-0 (main)
      all capabilities dropped: yes
      grace: 30s
      health check: /.motif/motif block probe http --port 9901 --path /readyz --scheme https --timeout 500ms every 10s within 2500ms, 3 failures, start 0s
      hostname: web-0
      image: app:1@0123456789ab
      mount /data: shop-web-0-data
      mount /tmp: tmpfs of 64Mi
      names: pods.web web-0 web-0.web
      read-only root: yes
      restart: always
    shop-web-1 (main)
      all capabilities dropped: yes
      grace: 30s
      health check: /.motif/motif block probe http --port 9901 --path /readyz --scheme https --timeout 500ms every 10s within 2500ms, 3 failures, start 0s
      hostname: web-1
      image: app:1@0123456789ab
      mount /data: shop-web-1-data
      mount /tmp: tmpfs of 64Mi
      names: pods.web web-1 web-1.web
      read-only root: yes
      restart: always
    shop-web (proxy)
      all capabilities dropped: yes
      args: proxy --mode tcp --forward 443=pods.web:8443 --forward 9901=pods.web:9901 --check=none "--probe={\"command\":[\"/.motif/motif\",\"block\",\"probe\",\"http\",\"--port\",\"9901\",\"--path\",\"/readyz\",\"--scheme\",\"https\",\"--timeout\",\"500ms\"],\"delay\":0,\"every\":10000,\"timeout\":2500,\"failures\":3,\"successes\":1}" --resolve-every=1s --balance client --admin 0.0.0.0:9902
      grace: 10s
      health check: /.motif/motif block probe http --port 9902 --path /readyz --timeout 1s every 5s within 3s, 3 failures, start 0s
      hostname: web
      image: app:1@0123456789ab
      names: web
      published port 443: 127.0.0.1:8443
      read-only root: yes
      restart: always
      user: 65532:65532
    volume shop-web-0-data: claim of Some(101)
    volume shop-web-1-data: claim of Some(101)
    "#);
}

#[test]
fn a_restricted_container_is_not_root_and_can_be_told_from_it() {
    let text = "
pods:
  web:
    containers:
      app: { image: 'app:1' }
";
    assert_snapshot!(refused(text, ""), @"stack.yaml:6:7: container `app` of pod `web` is restricted, but its image `app:1` runs as root");
    assert_snapshot!(refused(text, "0:101"), @"stack.yaml:6:7: container `app` of pod `web` is restricted, but its image `app:1` runs as root");
    assert_snapshot!(refused(text, "root"), @"stack.yaml:6:7: container `app` of pod `web` is restricted, but its image `app:1` runs as root");
    assert_snapshot!(refused(text, "nginx"), @"stack.yaml:6:7: container `app` of pod `web` is restricted, but the user `nginx` of its image `app:1` is no number, so it can't be told from root");
    assert!(desired(text, "101:101").is_ok());
    let baseline = text.replace("'app:1'", "'app:1', security: baseline");
    assert!(desired(&baseline, "").is_ok());
    let named = text.replace("'app:1'", "'app:1', user: 101");
    assert!(desired(&named, "nginx").is_ok());
}

#[test]
fn a_name_that_two_containers_would_have_is_refused() {
    assert_snapshot!(refused(
        "
pods:
  web:
    containers:
      '0': { image: 'app:1' }
      side: { image: 'app:1', role: sidecar }
  web-0:
    containers:
      app: { image: 'app:1' }
",
        "101"
    ), @"two containers of the stack would both be called `shop-web-0-0`");
}

#[test]
fn no_container_gets_less_than_the_kernel_can_give() {
    let text = |cpu: &str| {
        format!(
            "pods: {{ web: {{ containers: {{ app: {{ image: 'app:1', resources: {{ cpu: {cpu} }} }} }} }} }}\n"
        )
    };
    let cpu = |written: &str| desired(&text(written), "101").unwrap().replicas[0].containers[0].milli_cpu;
    assert_eq!(cpu("1m"), Some(10));
    assert_eq!(cpu("11m"), Some(11));
}

#[test]
fn a_name_that_two_volumes_would_have_is_refused() {
    assert_snapshot!(refused(
        "
pods:
  web:
    containers: { app: { image: 'app:1', mounts: { db-keys: /keys, db-data: /data, db-conf: /conf } } }
    volumes: { db-keys: { secret: public }, db-data: { claim: 1Gi }, db-conf: { config: { a: one } } }
  web-db:
    replicas: 2
    containers: { app: { image: 'app:1', mounts: { keys: /keys, data: /data, conf: /conf } } }
    volumes: { keys: { secret: private }, data: { claim: 1Gi }, conf: { config: { a: two } } }
jobs:
  fill:
    containers: { app: { image: 'app:1', mounts: { 0-x: /a, x: /b } } }
    volumes: { 0-x: { claim: 1Gi }, x: empty }
secrets:
  public: { certificate: [public] }
  private: { certificate: [private] }
",
        "101"
    ), @r"
    two volumes of the stack would both be called `shop-fill-0-x`
    two volumes of the stack would both be called `shop-web-db-data`
    two volumes of the stack would both be called `shop-web-db-keys`
    ");
}

#[test]
fn a_name_that_two_built_images_would_have_is_refused() {
    assert_snapshot!(refused(
        "
pods:
  a: { containers: { b-c: { build: x, user: 101 } } }
  a-b: { containers: { c: { build: x, user: 101 } } }
",
        "101"
    ), @"two built images of the stack would both be called `shop-a-b-c`");
}

#[test]
fn another_content_of_a_config_is_another_volume() {
    let text = "
pods:
  web:
    containers:
      app: { image: 'app:1', mounts: { conf: /conf } }
    volumes: { conf: { config: { a: one } } }
";
    let names = |text: &str| {
        desired(text, "101")
            .unwrap()
            .volumes
            .into_keys()
            .collect::<Vec<_>>()
    };
    let (one, two) = (names(text), names(&text.replace("one", "two")));
    assert_eq!(one.len(), 1);
    assert!(one[0].starts_with("shop-web-conf-"), "{one:?}");
    assert_ne!(one, two);
}

#[test]
fn of_a_range_the_fewest_run_and_only_its_numbers_can_be_chosen() {
    let text = "
pods:
  web:
    replicas: { min: 2, max: 3 }
    containers: { app: { image: 'app:1', resources: { cpu: 100m } } }
";
    assert_eq!(desired(text, "101").unwrap().replicas.len(), 2);
    let to = |count| scaled(text, "101", &BTreeMap::from([("web".to_owned(), count)]));
    assert_eq!(to(3).unwrap().replicas.len(), 3);
    for count in [0, 1, 4] {
        let errors = to(count).unwrap_err();
        assert_eq!(
            errors[0].to_string(),
            format!("{count} replicas of `web` are out of its range, 2 to 3")
        );
    }
}
