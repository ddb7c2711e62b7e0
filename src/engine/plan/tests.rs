use std::collections::BTreeMap;
use std::time::Duration;

use insta::assert_snapshot;

use super::*;
use crate::engine::desired::{Container, Image, Published, Volume};
use crate::engine::labels::Labels;
use crate::stack::{EnvValue, Probes, Protocol, User};

const NOW: OffsetDateTime = time::macros::datetime!(2026-01-01 00:00 UTC);
static EVERYTHING: BTreeSet<String> = BTreeSet::new();
const USER: User = User {
    uid: 65532,
    gid: 65532,
};

fn wishes(removes_orphans: bool) -> Wishes<'static> {
    Wishes {
        removes_orphans,
        only: &EVERYTHING,
        now: NOW,
    }
}

fn container(name: &str, pod: &str, replica: u32, own: &str, role: Role, position: u32) -> Container {
    Container {
        name: name.to_owned(),
        pod: pod.to_owned(),
        replica,
        own_name: own.to_owned(),
        role,
        position,
        image: Image {
            name: "app".to_owned(),
            id: "sha256:0123456789abcdef".to_owned(),
            user: "65532".to_owned(),
            ..Image::default()
        },
        entrypoint: None,
        arguments: None,
        env: Vec::new(),
        user: "65532:65532".to_owned(),
        directory: None,
        hostname: None,
        aliases: Vec::new(),
        publish: Vec::new(),
        joins: !matches!(role, Role::Infra | Role::Proxy) && position > 0,
        shares_processes: false,
        mounts: Vec::new(),
        binary: false,
        tmpfs: BTreeMap::new(),
        milli_cpu: None,
        memory: None,
        read_only: true,
        drops_capabilities: true,
        capabilities: Vec::new(),
        restart: if role == Role::Init {
            Restart::Never
        } else {
            Restart::Always
        },
        grace: Duration::from_secs(30),
        health: None,
        probes: Probes::default(),
        watched: false,
        answers_on: None,
        local_ports: Vec::new(),
        job: None,
        due: None,
        index: None,
        after: Vec::new(),
    }
}

/// A pod of init, sidecar and main containers, with a secret and a config volume.
fn desired() -> Desired {
    let mut app = container("shop-web-0-app", "web", 0, "app", Role::Main, 3);
    app.env = vec![("PORT".to_owned(), EnvValue::Text("8080".to_owned()))];
    let mut tls = container("shop-web-0-tls", "web", 0, "tls", Role::Sidecar, 2);
    tls.mounts = vec![crate::engine::desired::Mount {
        volume: "shop-web-certs".to_owned(),
        path: "/certs".to_owned(),
        read_only: true,
    }];
    let mut infra = container("shop-web-0", "web", 0, "", Role::Infra, 0);
    infra.publish = vec![Published {
        service: "web".to_owned(),
        name: "https".to_owned(),
        at: Publish {
            address: [127, 0, 0, 1].into(),
            port: 8443,
        },
        port: 8443,
        protocol: Protocol::Tcp,
    }];
    let certs = Volume {
        pod: "web".to_owned(),
        name: "certs".to_owned(),
        content: Content::Secret("web-tls".to_owned()),
        owner: Some(USER),
    };
    Desired {
        jobs: Vec::new(),
        after: BTreeMap::new(),
        services: BTreeMap::new(),
        stack: "shop".to_owned(),
        network: "shop".to_owned(),
        volumes: BTreeMap::from([("shop-web-certs".to_owned(), certs)]),
        replicas: vec![Replica {
            pod: "web".to_owned(),
            index: 0,
            due: None,
            containers: vec![
                infra,
                container("shop-web-0-migrate", "web", 0, "migrate", Role::Init, 1),
                tls,
                app,
            ],
        }],
    }
}

/// What stands after the plan was carried out.
fn standing(desired: &Desired) -> Observed {
    let mut observed = Observed {
        networks: vec!["id-shop".to_owned()],
        ..Observed::default()
    };
    for replica in &desired.replicas {
        let owner = format!("id-{}", replica.containers[0].name);
        for container in &replica.containers {
            let mounts = container.mounts.iter();
            observed.containers.push(observed::Container {
                id: format!("id-{}", container.name),
                name: container.name.clone(),
                labels: container.labels(&desired.stack),
                fields: container.fields(),
                job: None,
                status: if container.role == Role::Init {
                    Status::Exited(0)
                } else {
                    Status::Running
                },
                joined: container.joins.then(|| owner.clone()),
                networks: [desired.network.clone()].into(),
                is_stranded: false,
                volumes: mounts
                    .map(|mount| (mount.volume.clone(), mount.path.clone()))
                    .collect(),
                ports: Vec::new(),
                created: None,
                ended: None,
            });
        }
    }
    for (name, volume) in &desired.volumes {
        observed
            .volumes
            .insert(name.clone(), volume.content.kind().to_owned());
    }
    observed
}

fn found<'a>(observed: &'a mut Observed, name: &str) -> &'a mut observed::Container {
    observed
        .containers
        .iter_mut()
        .find(|container| container.name == name)
        .unwrap()
}

#[track_caller]
fn planned(desired: &Desired, observed: &Observed) -> String {
    plan(desired, observed, wishes(true)).unwrap().to_string()
}

#[test]
fn an_empty_engine_gets_everything_in_order() {
    assert_snapshot!(planned(&desired(), &Observed::default()), @r"
    + create network shop
    + fill volume shop-web-certs
    + create container shop-web-0
    + create container shop-web-0-migrate
    + create container shop-web-0-tls
    + create container shop-web-0-app
    ");
}

#[test]
fn what_stands_as_it_should_is_left_alone() {
    let desired = desired();
    let plan = plan(&desired, &standing(&desired), wishes(true)).unwrap();
    assert!(plan.is_empty(), "{plan}");
}

#[test]
fn a_changed_member_is_replaced_alone_and_says_which_field() {
    let before = desired();
    let mut after = before.clone();
    let app = &mut after.replicas[0].containers[3];
    app.env = vec![
        ("PORT".to_owned(), EnvValue::Text("9090".to_owned())),
        ("MODE".to_owned(), EnvValue::Text("no".to_owned())),
    ];
    app.memory = Some(1024);
    assert_snapshot!(planned(&after, &standing(&before)), @r#"
    = keep container shop-web-0
    = keep container shop-web-0-migrate
    = keep container shop-web-0-tls
    ~ replace container shop-web-0-app
        env MODE added: "no"
        env PORT changed "8080" -> "9090"
        memory added: 1Ki
    "#);
}

#[test]
fn a_changed_network_owner_takes_its_members_along() {
    let before = desired();
    let mut after = before.clone();
    after.replicas[0].containers[0].publish[0].at.port = 9443;
    assert_snapshot!(planned(&after, &standing(&before)), @r"
    ~ replace container shop-web-0
        published port 8443 changed 127.0.0.1:8443 -> 127.0.0.1:9443
    ~ replace container shop-web-0-migrate
        the pod's network is new
    ~ replace container shop-web-0-tls
        the pod's network is new
        init container migrate runs again
    ~ replace container shop-web-0-app
        the pod's network is new
        init container migrate runs again
    ");
}

#[test]
fn a_network_owner_that_starts_again_strands_who_runs() {
    let desired = desired();
    let mut observed = standing(&desired);
    found(&mut observed, "shop-web-0").status = Status::Exited(137);
    assert_snapshot!(planned(&desired, &observed), @r"
    > start container shop-web-0: it is not running
    = keep container shop-web-0-migrate
    ~ replace container shop-web-0-tls
        the pod's network is new
    ~ replace container shop-web-0-app
        the pod's network is new
    ");
}

#[test]
fn a_stopped_pod_is_started_again() {
    let desired = desired();
    let mut observed = standing(&desired);
    for container in &mut observed.containers {
        if container.status == Status::Running {
            container.status = Status::Exited(143);
        }
    }
    assert_snapshot!(planned(&desired, &observed), @r"
    > start container shop-web-0: it is not running
    = keep container shop-web-0-migrate
    > start container shop-web-0-tls: it is not running
    > start container shop-web-0-app: it is not running
    ");
}

#[test]
fn a_failed_init_container_runs_again_before_the_rest() {
    let desired = desired();
    let mut observed = standing(&desired);
    found(&mut observed, "shop-web-0-migrate").status = Status::Exited(3);
    found(&mut observed, "shop-web-0-tls").status = Status::Created;
    found(&mut observed, "shop-web-0-app").status = Status::Created;
    assert_snapshot!(planned(&desired, &observed), @r"
    = keep container shop-web-0
    ~ replace container shop-web-0-migrate
        it failed with exit code 3
    > start container shop-web-0-tls: it was never started
    > start container shop-web-0-app: it was never started
    ");
}

#[test]
fn a_changed_init_container_begins_the_pod_anew() {
    let before = desired();
    let mut after = before.clone();
    after.replicas[0].containers[1].arguments = Some(vec!["two words".to_owned(), "b".to_owned()]);
    assert_snapshot!(planned(&after, &standing(&before)), @r#"
    = keep container shop-web-0
    ~ replace container shop-web-0-migrate
        args added: "two words" b
    ~ replace container shop-web-0-tls
        init container migrate runs again
    ~ replace container shop-web-0-app
        init container migrate runs again
    "#);
}

#[test]
fn a_rotated_secret_replaces_files_and_nothing_else() {
    let desired = desired();
    let mut observed = standing(&desired);
    observed.stale_secrets.insert("shop-web-certs".to_owned());
    assert_snapshot!(planned(&desired, &observed), @r"
    ~ refresh volume shop-web-certs: its secret has other files
    = keep container shop-web-0
    = keep container shop-web-0-migrate
    = keep container shop-web-0-tls
    = keep container shop-web-0-app
    ");
}

#[test]
fn a_changed_secret_in_a_variable_replaces_its_container() {
    let desired = desired();
    let mut observed = standing(&desired);
    observed
        .stale_env
        .insert("id-shop-web-0-app".to_owned(), vec!["PASSWORD".to_owned()]);
    assert_snapshot!(planned(&desired, &observed), @r"
    = keep container shop-web-0
    = keep container shop-web-0-migrate
    = keep container shop-web-0-tls
    ~ replace container shop-web-0-app
        env PASSWORD changed: its secret has another value
    ");
}

#[test]
fn what_the_stack_has_no_more_goes_first_and_its_volumes_last() {
    let before = desired();
    let observed = standing(&before);
    let after = Desired {
        volumes: BTreeMap::new(),
        replicas: Vec::new(),
        ..before
    };
    assert_snapshot!(planned(&after, &observed), @r"
    - remove container shop-web-0: it is not in the stack
    - remove container shop-web-0-app: it is not in the stack
    - remove container shop-web-0-migrate: it is not in the stack
    - remove container shop-web-0-tls: it is not in the stack
    - remove volume shop-web-certs: nothing mounts it any more
    ");
    let kept = plan(&after, &observed, wishes(false)).unwrap();
    assert!(kept.is_empty(), "{kept}");
}

#[test]
fn a_claim_outlives_its_pod() {
    let desired = Desired {
        volumes: BTreeMap::new(),
        replicas: Vec::new(),
        ..desired()
    };
    let observed = Observed {
        networks: vec!["id-shop".to_owned()],
        volumes: BTreeMap::from([("shop-db-data".to_owned(), "claim".to_owned())]),
        ..Observed::default()
    };
    let plan = plan(&desired, &observed, wishes(true)).unwrap();
    assert!(plan.is_empty(), "{plan}");
}

/// The claim of a pod whose containers do not stand.
fn claim(observed: &Observed) -> Option<VolumeAction> {
    let mut desired = desired();
    let claim = Volume {
        pod: "db".to_owned(),
        name: "data".to_owned(),
        content: Content::Claim,
        owner: Some(USER),
    };
    desired.volumes.insert("shop-db-data".to_owned(), claim);
    let plan = plan(&desired, observed, wishes(true)).unwrap();
    plan.volumes
        .iter()
        .find(|step| step.name == "shop-db-data")
        .map(|step| step.action)
}

#[test]
fn a_claim_is_prepared_once_and_after_an_interruption() {
    let mut observed = Observed::default();
    assert_eq!(claim(&observed), Some(VolumeAction::Prepare));
    observed
        .volumes
        .insert("shop-db-data".to_owned(), "claim".to_owned());
    assert_eq!(claim(&observed), None);
    observed.containers.push(observed::Container {
        id: "id".to_owned(),
        name: "shop.carrier".to_owned(),
        labels: Labels {
            stack: "shop".to_owned(),
            pod: "carrier".to_owned(),
            replica: 0,
            container: String::new(),
            role: Role::Carrier,
            position: 0,
            hash: String::new(),
            due: None,
            index: None,
            after: Vec::new(),
        },
        fields: BTreeMap::new(),
        job: None,
        status: Status::Created,
        joined: None,
        networks: BTreeSet::new(),
        is_stranded: false,
        volumes: BTreeMap::from([("shop-db-data".to_owned(), "/volumes/0".to_owned())]),
        ports: Vec::new(),
        created: None,
        ended: None,
    });
    assert_eq!(claim(&observed), Some(VolumeAction::Prepare));
}

#[test]
fn a_half_filled_secret_volume_is_filled_again() {
    let desired = desired();
    let observed = Observed {
        volumes: BTreeMap::from([("shop-web-certs".to_owned(), "secret".to_owned())]),
        ..Observed::default()
    };
    let plan = plan(&desired, &observed, wishes(true)).unwrap();
    assert_eq!(
        plan.volumes,
        [VolumeStep {
            name: "shop-web-certs".to_owned(),
            action: VolumeAction::Prepare,
        }]
    );
}

#[test]
fn what_is_not_ours_stops_the_plan_and_is_named() {
    let desired = desired();
    let observed = Observed {
        foreign: vec![
            observed::Foreign {
                name: "shop-web-0-app".to_owned(),
                stack: None,
                ports: Vec::new(),
            },
            observed::Foreign {
                name: "nginx".to_owned(),
                stack: None,
                ports: vec![observed::Port {
                    address: "0.0.0.0".to_owned(),
                    host: 8443,
                    container: 443,
                    udp: false,
                }],
            },
        ],
        foreign_volumes: ["shop-web-certs".to_owned()].into(),
        foreign_network: true,
        ..Observed::default()
    };
    let errors = plan(&desired, &observed, wishes(true)).unwrap_err();
    let text: Vec<String> = errors
        .iter()
        .map(|error| format!("{error}\n  {}", error.hint()))
        .collect();
    assert_snapshot!(text.join("\n"), @r"
    network `shop` exists and is not motif's
      motif touches only what it made: remove it (`docker network rm shop`) or give the stack another name (`-p NAME`)
    volume `shop-web-certs` exists and is not motif's
      motif touches only what it made: remove it (`docker volume rm shop-web-certs`) or give the stack another name (`-p NAME`)
    port 8443 of 127.0.0.1 is taken by container `nginx`
      stop it (`docker stop nginx`), or publish service `web` on another port; 0 lets the engine choose
    container `shop-web-0-app` exists and is not motif's
      motif touches only what it made: remove it (`docker rm -f shop-web-0-app`) or give the stack another name (`-p NAME`)
    ");
}

#[test]
fn a_port_of_another_address_or_protocol_is_no_obstacle() {
    let desired = desired();
    let holder = |address: &str, udp| Observed {
        foreign: vec![observed::Foreign {
            name: "other".to_owned(),
            stack: None,
            ports: vec![observed::Port {
                address: address.to_owned(),
                host: 8443,
                container: 443,
                udp,
            }],
        }],
        ..Observed::default()
    };
    assert!(plan(&desired, &holder("127.0.0.2", false), wishes(true)).is_ok());
    assert!(plan(&desired, &holder("127.0.0.1", true), wishes(true)).is_ok());
    assert!(plan(&desired, &holder("127.0.0.1", false), wishes(true)).is_err());
    assert!(plan(&desired, &holder("::", false), wishes(true)).is_err());
}
