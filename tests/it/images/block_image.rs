//! The block image and the volume with the binary.

use std::fs;
use std::path::PathBuf;
use std::thread;

use super::project::docker;
use crate::motif::{Workspace, binary, engine_is_wanted};
use crate::watched_engine::WatchedEngine;

/// A copy of the binary under test that has a digest of its own; gone from the engine when the test ends.
struct Copy {
    workspace: Workspace,
    path: PathBuf,
    short: String,
    digest: String,
}

impl Copy {
    fn new(mark: &str, address: Option<&str>) -> Self {
        let workspace = Workspace::new().with_engine();
        let path = workspace.path().join("motif");
        // What stands behind the last section of a program is never read.
        let mut bytes = fs::read(binary()).unwrap();
        bytes.extend_from_slice(mark.as_bytes());
        bytes.extend_from_slice(std::process::id().to_string().as_bytes());
        fs::write(&path, &bytes).unwrap();
        let output = std::process::Command::new("sha256sum")
            .arg(&path)
            .output()
            .unwrap();
        let digest = String::from_utf8(output.stdout).unwrap()[..64].to_owned();
        let mut workspace = workspace.env("MOTIF_BINARY", path.to_str().unwrap());
        if let Some(address) = address {
            workspace = workspace.env("DOCKER_HOST", address);
        }
        Self {
            short: digest[..12].to_owned(),
            workspace,
            path,
            digest,
        }
    }

    fn image(&self) -> String {
        format!("motif/block:{}", self.short)
    }

    fn volume(&self) -> String {
        format!("motif-bin-{}", self.short)
    }

    /// The digest of the binary in the volume, as a container sees it.
    fn volume_digest(&self) -> String {
        let mount = format!("{}:/mounted:ro", self.volume());
        docker(&[
            "run",
            "--rm",
            "--volume",
            &mount,
            "debian:bookworm-slim",
            "sha256sum",
            "/mounted/motif",
        ])
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let (volume, proof) = (self.volume(), format!("{}-whole", self.volume()));
        docker(&["rm", "--force", &format!("{volume}-carrier")]);
        docker(&["volume", "rm", "--force", &proof, &volume]);
        docker(&["rmi", "--force", "--no-prune", &self.image()]);
    }
}

#[test]
fn it_is_loaded_once_and_runs_from_scratch() {
    if !engine_is_wanted() {
        return;
    }
    let engine = WatchedEngine::new();
    let copy = Copy::new("once", Some(&engine.address()));
    copy.workspace.run(&["images", "--load"]).success();
    assert_eq!(engine.count("POST /images/load"), 1);
    assert_eq!(engine.count("POST /containers/create"), 1);

    engine.forget();
    copy.workspace.run(&["images", "--load"]).success();
    let changes = ["POST", "PUT", "DELETE"].map(|method| engine.count(method));
    assert_eq!(changes, [0, 0, 0], "nothing is made again");

    let format = "{{.Config.User}} {{.Config.Entrypoint}} {{len .RootFS.Layers}} {{index .Config.Labels \"dev.motif.binary\"}}";
    let found = docker(&["image", "inspect", "--format", format, &copy.image()]);
    assert_eq!(
        found,
        format!("65532:65532 [/.motif/motif block] 1 {}", copy.digest)
    );
    let listing = docker(&["run", "--rm", "--read-only", "--cap-drop", "ALL", &copy.image()]);
    assert!(listing.contains("http-echo"), "{listing}");
    assert_eq!(copy.volume_digest(), format!("{}  /mounted/motif", copy.digest));
}

#[test]
fn several_at_once_make_one_whole_volume() {
    if !engine_is_wanted() {
        return;
    }
    let copy = Copy::new("several", None);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| copy.workspace.run(&["images", "--load"]).success());
        }
    });
    assert_eq!(copy.volume_digest(), format!("{}  /mounted/motif", copy.digest));
    let carriers = docker(&[
        "ps",
        "--all",
        "--quiet",
        "--filter",
        &format!("name={}-carrier", copy.volume()),
    ]);
    assert_eq!(carriers, "", "the container that filled it is gone");
}

#[test]
fn a_half_made_volume_is_made_anew() {
    if !engine_is_wanted() {
        return;
    }
    let copy = Copy::new("half", None);
    let label = format!("dev.motif.binary={}", copy.digest);
    docker(&["volume", "create", "--label", &label, &copy.volume()]);
    let mount = format!("{}:/mounted", copy.volume());
    let write = "head -c 1000 /dev/urandom > /mounted/motif";
    docker(&[
        "run",
        "--rm",
        "--volume",
        &mount,
        "debian:bookworm-slim",
        "sh",
        "-c",
        write,
    ]);
    copy.workspace.run(&["images", "--load"]).success();
    assert_eq!(copy.volume_digest(), format!("{}  /mounted/motif", copy.digest));
}

#[test]
fn prune_removes_what_belongs_to_another_binary_and_is_not_used() {
    if !engine_is_wanted() {
        return;
    }
    let copy = Copy::new("prune", None);
    copy.workspace.run(&["images", "--load"]).success();
    let container = docker(&["create", &copy.image()]);
    let would = |workspace: &Workspace| {
        workspace
            .run(&["prune", "--dry-run", "--format", "json"])
            .success()
            .stdout
    };
    let other = Workspace::new().with_engine();
    let found = would(&other);
    assert!(!found.contains(&copy.image()), "it is used: {found}");
    assert!(found.contains(&copy.volume()), "{found}");
    docker(&["rm", &container]);
    let found = would(&other);
    assert!(found.contains(&copy.image()), "{found}");
    assert!(
        !would(&copy.workspace).contains(&copy.image()),
        "it is the running one"
    );
    assert_ne!(
        docker(&["images", "--quiet", &copy.image()]),
        "",
        "a dry run removes nothing"
    );
}

#[test]
fn a_program_that_cannot_serve_says_what_to_do() {
    if !engine_is_wanted() {
        return;
    }
    let script = Workspace::new().file("script", "#!/bin/sh\n").with_engine();
    let path = script.path().join("script").display().to_string();
    let mut output = script.env("MOTIF_BINARY", &path).run(&["images", "--load"]);
    output.stderr = output.stderr.replace(&path, "PROGRAM");
    insta::assert_snapshot!(output, @r"
    ------- stderr -------
    error: `PROGRAM` is not a Linux program, so it can't run in a container
    hint: set `MOTIF_BINARY` to a static Linux `motif` of the same version, built for the engine's processor
    [exit status: 1]
    ");
    let dynamic = Workspace::new().with_engine().env("MOTIF_BINARY", "/usr/bin/env");
    let output = dynamic.run(&["images", "--load"]).code(1);
    assert!(
        output
            .stderr
            .contains("`/usr/bin/env` is dynamically linked (it needs `/lib"),
        "{output}"
    );
}

#[test]
fn a_replaced_binary_is_not_taken_for_the_old_one() {
    if !engine_is_wanted() {
        return;
    }
    let copy = Copy::new("replaced", None);
    let names = || copy.workspace.run(&["images", "--load"]).success().stdout;
    assert!(names().contains(&copy.image()));
    let mut bytes = fs::read(&copy.path).unwrap();
    bytes.pop();
    bytes.push(b'x');
    fs::write(&copy.path, bytes).unwrap();
    let second = Copy {
        workspace: Workspace::new(),
        path: copy.path.clone(),
        digest: String::new(),
        short: {
            let output = std::process::Command::new("sha256sum")
                .arg(&copy.path)
                .output()
                .unwrap();
            String::from_utf8(output.stdout).unwrap()[..12].to_owned()
        },
    };
    assert_ne!(second.short, copy.short);
    assert!(names().contains(&second.image()));
}
